"""Does the whole thing do its job, for people in a hurry too? Each against a sandbox of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.impatient import Impatience
from tests.acceptance.process import release_bot, sandbox
from tests.acceptance.story import Story


@pytest.mark.slow
def test_the_story_comes_to_its_good_end(tmp_path: Path) -> None:
    with sandbox(tmp_path / "data") as running:
        assert Story(running.box.url).play(demo=f"{release_bot()} demo") == 0


@pytest.mark.slow
def test_people_in_a_hurry_get_each_effect_once_and_an_answer_to_each_click(tmp_path: Path) -> None:
    # In the story only Omar approves; two approvers at the same instant want a second one.
    story = (Path(__file__).parents[2] / "deploy/policies/story.yaml").read_text("utf-8")
    two = story.replace('["slack:group/S0RELMGR"]', '["slack:group/S0RELMGR", raj]')
    assert two != story
    policy = tmp_path / "two.yaml"
    policy.write_text(two, "utf-8")
    with sandbox(tmp_path / "data", "--policy", str(policy)) as running:
        assert Impatience(running.box.url).play() == 0
