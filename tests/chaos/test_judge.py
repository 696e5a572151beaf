"""Does the judge see what it is there for? In every other run it finds nothing; here it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.sandbox.google.engine import Write
from tests.chaos.books import Kept
from tests.chaos.judge import Evidence, Violations, judge
from tests.chaos.town import Answered, site

OLD, NEW = "s01-r-1", "s01-r-2"
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)


def at(second: float) -> datetime:
    return MIDNIGHT + timedelta(seconds=second)


def entry(phase: str, key: str, second: float, percent: int, kind: str = "traffic") -> dict[str, Any]:
    lines = [{"revision": OLD, "percent": 100 - percent}, {"revision": NEW, "percent": percent}]
    what = "about to" if phase == "intent" else "confirmed"
    return {
        "op": "op_1",
        "phase": phase,
        "kind": kind,
        "what": what,
        "effect": {"key": key},
        "time": at(second).isoformat(),
        "detail": {"shares": lines} if phase == "intent" else {},
    }


def ended(how: str, second: float) -> dict[str, Any]:
    return {"op": "op_1", "phase": "record", "kind": "operation", "what": how, "time": at(second).isoformat()}


def write(second: float, percent: int, fence: int = 1, new: str = "") -> Write:
    lines = ((OLD, 100 - percent, ""), (NEW, percent, "green"))
    return Write(at(second), "UpdateService", site("s01"), lines, fence, "op_1", accepted=True, new_revision=new)


def operation(phase: str, *, over: bool = True) -> Kept:
    plan = {"revision": NEW, "from_revision": OLD}
    return Kept("op_1", "promote", "s01", phase, over, 1, "", {"plan": plan, "began_at": at(0).isoformat()})


DONE: Sequence[dict[str, Any]] = (
    entry("intent", "shift:0", 1, 10),
    entry("outcome", "shift:0", 3, 10),
    entry("intent", "shift:1", 4, 100),
    entry("outcome", "shift:1", 6, 100),
    ended("done", 7),
)
CLEAN = Evidence(
    entries=DONE,
    operations=[operation("done")],
    asked=[("maya", "promote s01 stage→prod", True)],
    unsent=[],
    locks=[],
    writes=[write(2, 10), write(5, 100)],
    answered={(site("s01"), OLD): [Answered(at(0), at(5), 100)]},
    serving={site("s01"): {NEW: 100}},
    deployments=[],
    acknowledged={("maya", "promote s01 stage→prod"): 1},
)


def found(**changes: Any) -> Violations:
    return judge(replace(CLEAN, **changes))


def test_a_clean_run_is_clean() -> None:
    assert found() == Violations()


def test_words_that_were_acknowledged_stand_in_the_books_and_were_answered() -> None:
    assert found(asked=[]).lost
    assert found(asked=[("maya", "promote s01 stage→prod", False)]).lost


def test_whoever_heard_that_nothing_was_taken_lost_nothing_once() -> None:
    twice = {("maya", "promote s01 stage→prod"): 1, ("maya", "approve op_1"): 1}
    assert not found(asked=[], apologies={"maya": 1}).lost
    assert found(asked=[], apologies={"omar": 1}).lost
    assert len(found(asked=[], acknowledged=twice, apologies={"maya": 1}).lost) == 1


def test_an_operation_has_an_end() -> None:
    assert found(operations=[operation("running", over=False)]).lost


def test_an_effect_before_its_intent_is_one_without() -> None:
    assert found(writes=[write(0.5, 10), write(5, 100)]).unintended


def test_another_effect_than_was_intended_is_one_without_intent_and_makes_the_claim_untrue() -> None:
    seen = found(writes=[write(2, 50), write(5, 100)])
    assert seen.unintended
    assert seen.untrue


def test_shares_that_fall_and_rise_again_are_repeated() -> None:
    assert found(writes=[write(2, 10), write(5, 100), write(5.2, 10), write(5.4, 100)]).repeated


def test_the_same_list_written_over_itself_changes_nothing() -> None:
    assert found(writes=[write(2, 10), write(2.5, 10, fence=2), write(5, 100, fence=2)]) == Violations()


def test_a_revision_is_made_once() -> None:
    assert found(writes=[write(2, 10, new=NEW), write(5, 100, new=NEW)]).repeated


def test_a_write_with_an_older_fence_is_stale() -> None:
    assert found(writes=[write(2, 10, fence=2), write(5, 100, fence=1)]).stale


def test_a_write_after_the_end_is_stale() -> None:
    assert found(writes=[write(2, 10), write(5, 100), write(9, 100)]).stale


def test_an_intent_has_one_outcome() -> None:
    assert found(entries=[each for each in DONE if each["phase"] != "outcome"]).unsettled
    assert found(entries=[*DONE, DONE[1]]).unsettled


def test_done_is_a_claim_that_all_the_traffic_went_there() -> None:
    assert found(writes=[write(2, 10)]).untrue


def test_nobody_is_answered_by_what_was_rolled_back() -> None:
    back = [operation("rolled back")]
    entries = [*DONE[:2], ended("rolled back", 7)]
    late = {(site("s01"), NEW): [Answered(at(8), at(9), 5)]}
    serving = {site("s01"): {OLD: 100}}
    writes = [write(2, 10)]
    assert not found(operations=back, entries=entries, serving=serving, writes=writes).misled
    assert found(operations=back, entries=entries, serving=serving, writes=writes, answered=late).misled


def test_in_the_end_everybody_is_answered_by_what_was_promised() -> None:
    assert found(serving={site("s01"): {OLD: 50, NEW: 50}}).misled


def test_two_deployments_for_one_operation_are_one_too_many() -> None:
    made = {"id": 1, "payload": {"operation": "op_1"}, "statuses": [{"state": "success"}]}
    intended = [
        *DONE,
        entry("intent", "record:0", 1, 0, "deployment"),
        entry("outcome", "record:0", 2, 0, "deployment"),
    ]
    assert found(entries=intended, deployments=[made]) == Violations()
    assert found(entries=intended, deployments=[made, made | {"id": 2}]).repeated
    assert found(deployments=[made]).unintended
    assert found(entries=intended, deployments=[made | {"statuses": [{"state": "success"}] * 2}]).repeated


def test_what_was_promised_is_said_and_places_are_given_back() -> None:
    assert found(unsent=[("C0S01", "op_1")]).unsaid
    assert found(locks=["op_1"]).unsaid
