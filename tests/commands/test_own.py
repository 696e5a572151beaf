"""Our own probes are taken off what a revision answered, however many there were and however long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands import own
from commands.ports import Probed, Requests

BEGAN = datetime(2026, 11, 24, 9, tzinfo=UTC)
WELL, CLOSED = (Probed(ok=True, saw=(status,), slowest_ms=12.0) for status in (200, 503))


@pytest.mark.parametrize("minutes", [1, 5, 20, 100])
def test_what_a_step_is_judged_by_has_hardly_any_of_them_in_it(minutes: int) -> None:
    """For two hours it is asked each five seconds; the step began so many minutes ago."""
    seen: dict[str, Any] = {}
    for number in range(2 * 60 * 12):
        seen = own.noted(seen, BEGAN + timedelta(seconds=5 * number), [WELL, CLOSED])
    assert len(seen[own.PROBED]) == own.ROWS_MAX
    assert sum(row[1] for row in seen[own.PROBED]) == 2 * 2 * 60 * 12
    until = BEGAN + timedelta(hours=2)
    asked = minutes * 12
    others = own.without(Requests(1000 + 2 * asked, 50 + asked, None), seen, until - timedelta(minutes=minutes), until)
    assert others.total == pytest.approx(1000, abs=0.1 * 2 * asked)
    assert others.errors == pytest.approx(50, abs=0.1 * asked)
