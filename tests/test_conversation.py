"""Pages that are wrong in any way fail: the driver must not be kinder than a reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conversation import plays
from tests.world import Town, story

RIGHT = """
    gus: /release promot
    bot → gus: I do not know `promot`. Did you mean `promote`?
    lea: /release status search
    bot → lea: Status of search: nothing under way.
         • search in stage: 100 % search-r-e2e2e2e2e2e2 (e2e2e2e2e2e2)
         • search in prod: 100 % search-r-e1e1e1e1e1e1 (e1e1e1e1e1e1)
    """


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return story(tmp_path)


@pytest.mark.parametrize(
    ("was", "leaves_out"),
    [
        ("", ""),
        ("Did you mean `promote`?", "Did you mean …"),
        ("(e2e2e2e2e2e2)", "(…)"),
        ("• search in stage: 100 % search-r-e2e2e2e2e2e2 (e2e2e2e2e2e2)", "…"),
    ],
)
async def test_a_page_that_is_right_passes_and_may_leave_something_out(town: Town, was: str, leaves_out: str) -> None:
    await plays(RIGHT.replace(was, leaves_out) if was else RIGHT, town)


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("    bot → gus: I do not know `promot`. Did you mean `promote`?\n", ""),
        ("Did you mean `promote`?", "Did you mean `approve`?"),
        ("bot → gus:", "bot:"),
        ("bot → gus:", "bot → lea:"),
        ("nothing under way.", "nothing under way. [Approve]"),
        ("search in prod: 100 %", "search in prod: 90 %"),
        ("         • search in prod: 100 % search-r-e1e1e1e1e1e1 (e1e1e1e1e1e1)\n", ""),
        ("    lea:", "    bot: Good morning.\n    lea:"),
        ("(e1e1e1e1e1e1)\n", "(e1e1e1e1e1e1)\n         • and more\n"),
    ],
)
async def test_a_page_that_is_wrong_fails_and_shows_where(town: Town, was: str, instead: str) -> None:
    wrong = RIGHT.replace(was, instead)
    assert wrong != RIGHT
    with pytest.raises(AssertionError, match=r"the page reads otherwise\n--- as it should"):
        await plays(wrong, town)


async def test_a_button_that_never_was_cannot_be_pressed(town: Town) -> None:
    with pytest.raises(AssertionError, match="there never was a button Approve"):
        await plays("omar: [Approve]", town)


async def test_a_line_that_nobody_understands_fails(town: Town) -> None:
    with pytest.raises(AssertionError, match="nobody knows what this means"):
        await plays("… soon", town)
