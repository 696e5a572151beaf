"""Does the bot play by each policy that came with the project? Each against a sandbox of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.client import whole
from tests.acceptance.process import sandbox
from tests.acceptance.seeds import STORIES, Seed, play, seed001_forward

POLICIES = Path(__file__).parents[2] / "deploy/policies"
QUICKLY = "steps: [{percent: 100, hold: PT2S}]\n      health: {max_error_percent: 1, min_requests: 100}"
MEASURED = "measure: {delay: PT1S, resolution: PT1S}\n"
"""As the local worlds measure."""


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_a_policy_that_came_with_the_project_is_played(name: str, tmp_path: Path) -> None:
    with sandbox(tmp_path / "data", "--policy", str(POLICIES / f"{name}.yaml")) as running:
        assert play(name, running.box.url, tmp_path / "data") == 0


@pytest.mark.slow
@pytest.mark.requirement("S1-03", "S1-19", "S1-21", "S1-26", "S1-37")
def test_release_goes_forward_and_back(tmp_path: Path) -> None:
    policy, asked = tmp_path / "forward.yaml", (POLICIES / "seed001.yaml").read_text("utf-8")
    policy.write_text(asked.replace("steps: [{percent: 100}]", QUICKLY) + MEASURED, "utf-8")
    with sandbox(tmp_path / "data", "--policy", str(policy)) as running:
        seed = Seed(running.box.url, tmp_path / "data")
        seed001_forward(seed)
        assert seed.checks.end() == 0


@pytest.mark.slow
def test_an_image_goes_forward_and_back_while_no_branch_moves(tmp_path: Path) -> None:
    # the story's rules over people, builds and sites that are made up for the policy; one is called otherwise there
    story = (POLICIES / "story.yaml").read_text("utf-8")
    policy = tmp_path / "other.yaml"
    policy.write_text(story.replace("/europe-west1/checkout", "/europe-north1/shop-checkout-v2"), "utf-8")
    with sandbox(tmp_path / "data", "--policy", str(policy)) as running:
        seed = Seed(running.box.url, tmp_path / "data")
        new, old = (whole(running.box.world(), "checkout", where) for where in ("stage", "prod"))
        git = seed.git("acme/checkout")
        stood = git.says("for-each-ref")
        root = seed.asks("maya", "releases", "/release promote checkout stage→prod")
        seed.presses("omar", root, "Approve")
        seed.settles(root, "live")
        assert whole(running.box.world(), "checkout", "prod") == new
        root = seed.asks("ines", "releases", "/release rollback checkout reason:errors in the basket")
        seed.settles(root, "serves again")
        assert whole(running.box.world(), "checkout", "prod") == old
        forward, back = running.box.world()["github"]["acme/checkout"]["deployments"][-2:]
        assert (forward["payload"]["digest"], back["payload"]["digest"]) == (new, old)
        assert git.says("merge-base", "--is-ancestor", forward["sha"], "main") == ""
        assert git.says("merge-base", "--is-ancestor", back["sha"], forward["sha"]) == ""
        assert git.says("for-each-ref") == stood
        assert seed.checks.end() == 0


def test_every_policy_that_came_with_the_project_has_its_story() -> None:
    assert sorted(STORIES) == sorted(file.stem for file in POLICIES.glob("seed*.yaml") if ".cases" not in file.name)
