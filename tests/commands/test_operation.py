"""The life of an operation: what may follow what, and that nothing else can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from commands.operation import ENDS, Effect, Moment, Operation, OutOfOrder, Phase, Step, Wish, road
from commands.plan import Plan, PlannedStep
from commands.steer import _why_not
from commands.tell import buttons, doing, root, state
from policy.facts import Deed, Question
from policy.model import Digest
from tests.bot.books import MAYA, START, operation, plan

MOVING = (Phase.RUNNING, Phase.GOING_BACK)
BEFORE = (Phase.BLOCKED, Phase.WAITING)
EVENTS: dict[str, tuple[Callable[[Operation], Operation], tuple[Phase, ...]]] = {
    "begun": (lambda o: o.begun(START, Moment(Step.RECORD)), BEFORE),
    "at": (lambda o: o.at(Moment(Step.SMOKE), START), MOVING),
    "doing": (lambda o: o.doing(Effect("shift:0")), (*BEFORE, *MOVING)),  # a pull request while it waits
    "turned back": (lambda o: o.turned_back("bad", START), (Phase.RUNNING,)),
    "ended": (lambda o: o.ended(Phase.DONE, ""), (*BEFORE, *MOVING, Phase.WATCHING)),
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", EVENTS)
def test_an_event_that_cannot_happen_in_a_phase_is_loud(event: str, phase: Phase) -> None:
    happens, phases = EVENTS[event]
    before = replace(operation(), phase=phase)
    if phase in phases:
        assert happens(before) != before
    else:
        with pytest.raises(OutOfOrder):
            happens(before)


@pytest.mark.parametrize("phase", Phase)
def test_it_ends_only_in_an_end(phase: Phase) -> None:
    running = replace(operation(), phase=Phase.RUNNING)
    if phase in ENDS:
        assert running.ended(phase, "why").over
    else:
        with pytest.raises(OutOfOrder):
            running.ended(phase, "why")


def test_one_effect_is_settled_before_the_next_begins() -> None:
    running = replace(operation(), phase=Phase.RUNNING).doing(Effect("shift:0"))
    assert running.doing(Effect("shift:0", "handle")).effect == Effect("shift:0", "handle")
    with pytest.raises(OutOfOrder):
        running.doing(Effect("shift:1"))
    assert running.at(Moment(Step.JUDGE), START).effect is None


def test_what_was_tried_is_forgotten_where_it_goes_on() -> None:
    tried = replace(operation(), phase=Phase.RUNNING, attempts=4)
    assert tried.at(Moment(Step.SMOKE), START).attempts == 0
    assert tried.turned_back("bad", START).attempts == 0


def _promotion(*percents: int) -> Plan:
    return replace(plan(), steps=tuple(PlannedStep(percent, 1) for percent in percents))


def test_a_promotion_shifts_and_judges_step_by_step_and_a_rollback_shifts_first() -> None:
    assert [moment.key for moment in road(_promotion(10, 100))] == [
        "record:0",
        "deploy:0",
        "smoke:0",
        "shift:0",
        "judge:0",
        "shift:1",
        "judge:1",
        "finish:0",
    ]
    back = road(replace(plan(), deed="rollback"))
    assert [moment.key for moment in back] == ["shift:0", "record:0", "finish:0"]


# What is said about it ----------------------------------------------------------------------------------------------


def _every() -> list[Operation]:
    question = Question(Deed.ROLLBACK, "checkout", "prod")
    promoted = replace(operation(), plan=_promotion(10, 100), seen={})
    rolled = replace(promoted, question=question, plan=replace(_promotion(100), deed="rollback"))
    return [
        replace(one, phase=phase, wish=wish, moment=moment)
        for one in (promoted, rolled, replace(promoted, plan=None))
        for phase in Phase
        for wish in Wish
        for moment in (road(one.plan) if one.plan else (Moment(Step.RECORD),))
    ]


def test_every_state_can_be_told_and_has_at_most_one_main_button() -> None:
    for one in _every():
        assert state(one).endswith((".", "look."))
        assert doing(one)
        assert root(one).title == state(one)
        offered = buttons(one)
        assert sum(button.tone == "primary" for button in offered) <= 1
        assert all(one.id in button.says for button in offered)
        if one.over:
            assert offered == ()


def test_what_is_over_or_going_back_is_steered_no_more() -> None:
    for one in _every():
        if one.over:
            for word in ("cancel", "abort", "pause", "resume"):
                assert _why_not(one, word, None) is not None  # type: ignore[arg-type]


def test_a_hold_can_be_lifted_from_where_it_came_however_that_ended() -> None:
    for phase in (Phase.DONE, Phase.ROLLED_BACK, Phase.FAILED):
        (lift,) = buttons(replace(operation(), phase=phase, seen={"hold": "H-1"}))
        assert (lift.says, lift.asks) == ("freeze end H-1", "reason")


def test_an_approve_button_names_the_plan_that_it_shows() -> None:
    waiting = replace(operation(), phase=Phase.WAITING)
    assert waiting.plan is not None
    other = replace(waiting, plan=replace(waiting.plan, digest=Digest("sha256:" + "0" * 64)))
    assert buttons(waiting)[0].says != buttons(other)[0].says
    assert waiting.plan.hash.startswith(buttons(waiting)[0].says.partition("plan:")[2])
    assert waiting.asked_by == MAYA
