"""A town of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import Town, story


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """The story as it begins; see `tests.world.story`."""
    return story(tmp_path)
