"""Does the bot play by each policy that came with the project? Each against a sandbox of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.process import sandbox
from tests.acceptance.seeds import STORIES, play

POLICIES = Path(__file__).parents[2] / "deploy/policies"


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_a_policy_that_came_with_the_project_is_played(name: str, tmp_path: Path) -> None:
    with sandbox(tmp_path / "data", "--policy", str(POLICIES / f"{name}.yaml")) as running:
        assert play(name, running.box.url) == 0


def test_every_policy_that_came_with_the_project_has_its_story() -> None:
    assert sorted(STORIES) == sorted(file.stem for file in POLICIES.glob("seed*.yaml") if ".cases" not in file.name)
