"""Is anything lost, repeated or stale when everything breaks at once? A short run of each sort; `make chaos` is long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.monkey import Wanted
from tests.chaos.run import Asked, as_it_should, run, table

SHORT = Asked(operations=16, wanted=Wanted(6, 5, 0, 20), seed=4, services=10)


def _goes_as_it_should(asked: Asked, data: Path) -> None:
    result = asyncio.run(run(asked, data))
    assert as_it_should(result), table([result])


@pytest.mark.slow
def test_one_process_on_sqlite_loses_and_repeats_nothing(tmp_path: Path) -> None:
    _goes_as_it_should(SHORT, tmp_path)
