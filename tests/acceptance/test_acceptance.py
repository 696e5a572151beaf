"""Does the whole thing do its job, for people in a hurry and under SIGKILL too? Each against a sandbox of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.impatient import Impatience
from tests.acceptance.kill import audit, run, table
from tests.acceptance.process import release_bot, sandbox
from tests.acceptance.story import Story

SITE = "acme-prod/europe-west1/checkout"


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


@pytest.mark.slow
def test_a_bot_that_is_killed_again_and_again_does_nothing_twice_and_claims_nothing_untrue(tmp_path: Path) -> None:
    kills, found = run(kills=5, seed=7, data=tmp_path / "data")
    assert found.clean, table(kills, found)
    assert len(kills) >= 5
    assert found.effects


class TestTheAudit:
    """It finds nothing wrong above; here it does."""

    OLD, NEW = "checkout-r-1", "checkout-r-2"

    def entry(
        self, phase: str, key: str, at: str, percent: int, kind: str = "traffic", what: str = "confirmed"
    ) -> dict[str, object]:
        lines = [{"revision": self.OLD, "percent": 100 - percent}, {"revision": self.NEW, "percent": percent}]
        return {
            "op": "op_1",
            "phase": phase,
            "kind": kind,
            "what": what,
            "effect": {"key": key},
            "time": f"2026-11-24T09:00:{at}+00:00",
            "target": {"revision": self.NEW},
            "detail": {"shares": lines} if phase == "intent" else {},
        }

    def write(self, at: str, percent: int, new: str = "") -> dict[str, object]:
        lines = [[self.OLD, 100 - percent, ""], [self.NEW, percent, "green"]]
        return {
            "operation": "op_1",
            "site": SITE,
            "traffic": lines,
            "at": f"2026-11-24T09:00:{at}+00:00",
            "new_revision": new,
        }

    GITHUB: dict[str, object] = {"github": {}}  # noqa: RUF012 - read only

    def test_a_clean_book_is_clean(self) -> None:
        entries = [self.entry("intent", "shift:0", "01", 10), self.entry("outcome", "shift:0", "03", 10)]
        found = audit(entries, [self.write("02", 10)], self.GITHUB, {"op_1": "rolled back"})
        assert found.clean
        assert (found.effects, found.intents) == (1, 1)

    def test_an_effect_before_its_intent_is_one_without(self) -> None:
        entries = [self.entry("intent", "shift:0", "05", 10), self.entry("outcome", "shift:0", "06", 10)]
        assert audit(entries, [self.write("02", 10)], self.GITHUB, {}).without_intent

    def test_another_effect_than_was_intended_is_one_without_intent(self) -> None:
        entries = [self.entry("intent", "shift:0", "01", 10), self.entry("outcome", "shift:0", "06", 10)]
        found = audit(entries, [self.write("02", 50)], self.GITHUB, {})
        assert found.without_intent
        assert found.not_happened

    def test_an_effect_that_comes_back_is_repeated(self) -> None:
        entries = [self.entry("intent", "shift:0", "01", 10), self.entry("intent", "shift:1", "01", 50)]
        writes = [self.write("02", 10), self.write("03", 50), self.write("04", 10)]
        assert len(audit(entries, writes, self.GITHUB, {}).repeated) == 1

    def test_the_same_list_written_over_itself_changes_nothing(self) -> None:
        entries = [self.entry("intent", "shift:0", "01", 10)]
        assert audit(entries, [self.write("02", 10), self.write("03", 10)], self.GITHUB, {}).repeated == []

    def test_an_intent_without_an_outcome_is_not_settled(self) -> None:
        found = audit(
            [self.entry("intent", "shift:0", "01", 10)], [self.write("02", 10)], self.GITHUB, {"op_1": "running"}
        )
        assert len(found.unsettled) == 2

    def test_done_is_a_claim_that_all_the_traffic_went_there(self) -> None:
        entries = [self.entry("intent", "shift:0", "01", 10), self.entry("outcome", "shift:0", "03", 10)]
        assert audit(entries, [self.write("02", 10)], self.GITHUB, {"op_1": "done"}).not_happened

    def test_two_deployments_for_one_operation_are_one_too_many(self) -> None:
        made = {"id": 1, "payload": {"operation": "op_1"}, "statuses": [{"state": "success"}]}
        found = audit([], [], {"github": {"acme/checkout": {"deployments": [made, made | {"id": 2}]}}}, {})
        assert found.repeated == ["op_1: 2 GitHub deployments"]
        assert len(found.without_intent) == 2
