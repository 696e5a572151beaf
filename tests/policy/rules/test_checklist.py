"""Checklists: each item ticked by a gate or by the people whom it names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.document import ActivePolicy
from policy.facts import Check, CheckState, Facts
from policy.finding import Decision, RemedyKind, Standing
from policy.model import Unknown
from tests.policy.good import HOUR, NOW, OMAR, but, vote
from tests.policy.people import EVERYBODY as FINE_PEOPLE
from tests.policy.people import FINE, MAY_NOT, decided, exception, found, policy

MET, UNMET, UNKNOWN = Standing.MET, Standing.UNMET, Standing.UNKNOWN

ITEMS: list[dict[str, Any]] = [
    {"id": "green", "text": "the build is green", "by": "gate", "gate": "unit"},
    {"id": "told", "text": "support was told", "by": "requester"},
    {"id": "watched", "text": "somebody watches", "by": "approver"},
    {"id": "way-back", "text": "the way back was tried"},
]


def listing(*items: dict[str, Any], **gate: Any) -> ActivePolicy:
    return policy(
        {"requires": ["unit", "go"], "gates": {"soak": "PT24H"}},
        gates={
            "unit": {"kind": "checks", "names": ["build"], **gate},
            "go": {"kind": "checklist", "checklist": "go-live"},
        },
        checklists={"go-live": list(items)},
        exceptions={"temporary": {"waives": ["unit"], "approvals": [{"role": "tech_lead"}]}},
        emergency=None,
        may={**MAY_NOT, "exception": ["engineer"]},
    )


ACTIVE = listing(*ITEMS)
TOLD, EITHER = "go-live.told", "go-live.way-back"


def ticked(*by_asker: str, agreed: tuple[str, ...] = (), **changes: Any) -> Facts:
    votes = (replace(vote(OMAR), confirms=frozenset(agreed)),)
    return but(FINE, **{"confirmed": frozenset(by_asker), "votes": votes, **changes})


def judged(facts: Facts, active: ActivePolicy = ACTIVE) -> Decision:
    return decided(facts=facts, active=active)


ALL = ticked("go-live.told", "go-live.way-back", agreed=("go-live.watched",))
TICKS: list[tuple[str, Facts, str | None]] = [
    ("all of it", ALL, None),
    ("either: whoever agrees", ticked(TOLD, agreed=("go-live.watched", EITHER)), None),
    ("nothing of the asker's", ticked(EITHER, agreed=("go-live.watched",)), "support was told"),
    ("an approver for the asker", ticked(EITHER, agreed=("go-live.watched", TOLD)), "support was told"),
    ("the asker for an approver", ticked(TOLD, EITHER, "go-live.watched"), "somebody watches"),
    ("nobody for either", ticked(TOLD, agreed=("go-live.watched",)), "the way back was tried"),
    ("another list's tick", ticked("other.told", EITHER, agreed=("go-live.watched",)), "support was told"),
    (
        "a gate, by a person",
        but(ALL, checks={"build": Check("build", CheckState.FAILED)}, confirmed=ALL.confirmed | {"go-live.green"}),
        "the build is green (unit: build failed on 9f1c2ab)",
    ),
]


@pytest.mark.parametrize(("facts", "missing"), [row[1:] for row in TICKS], ids=[row[0] for row in TICKS])
def test_each_item_is_ticked_by_whom_it_names(facts: Facts, missing: str | None) -> None:
    finding = found("go", judged(facts))
    assert finding.standing is (MET if missing is None else UNMET)
    if missing is None:
        assert finding.reason == "all 4 items are done"
    else:
        assert finding.reason.startswith(f"1 of 4 items are not done: {missing}")


def test_what_is_missing_is_all_said_at_once_with_who_ticks_it() -> None:
    finding = found("go", judged(ticked()))
    assert finding.reason == (
        "3 of 4 items are not done: support was told (whoever asked states go-live.told); "
        "somebody watches (somebody who agrees states go-live.watched); "
        "the way back was tried (whoever asked, or somebody who agrees, states go-live.way-back)"
    )
    (advice,) = finding.remedies
    assert advice.kind is RemedyKind.APPROVE
    assert judged(advice.applied(ticked()) if advice.applied else ticked()).allowed
    assert not finding.waits_for_people


def test_it_waits_for_people_where_only_their_ticks_are_missing() -> None:
    finding = found("go", judged(ticked(TOLD, EITHER)))
    assert finding.waits_for_people
    assert [each.kind for each in finding.remedies] == [RemedyKind.APPROVE]
    asker = found("go", judged(ticked(EITHER, agreed=("go-live.watched",))))
    assert not asker.waits_for_people
    assert [(each.kind, each.who) for each in asker.remedies] == [(RemedyKind.SAY, ("maya",))]


def test_a_red_gate_is_no_item_that_people_could_tick() -> None:
    red = {"build": Check("build", CheckState.FAILED)}
    finding = found("go", judged(ticked(EITHER, agreed=("go-live.watched",), checks=red)))
    assert not finding.remedies, "what people could say is not enough"
    assert not found("go", judged(ticked(TOLD, EITHER, checks=red))).waits_for_people


def test_where_nobody_may_agree_nobody_is_waited_for() -> None:
    alone = ticked(
        TOLD, EITHER, votes=(), people={human: each for human, each in FINE_PEOPLE.items() if human == "maya"}
    )
    finding = found("go", judged(alone))
    assert (finding.remedies, finding.waits_for_people) == ((), False)


@pytest.mark.parametrize("item", [2, 3])
def test_what_is_ticked_by_those_who_agree_is_ticked_whatever_else_is_on_the_list(item: int) -> None:
    tick = f"go-live.{ITEMS[item]['id']}"
    assert found("go", judged(ticked(agreed=(tick,)), listing(ITEMS[item]))).standing is MET


def test_a_gate_ticks_as_it_stands_in_this_very_case() -> None:
    red = but(ALL, checks={"build": Check("build", CheckState.FAILED)})
    assert {finding.rule for finding in judged(red).blockers} == {"unit", "go"}
    waived = but(red, exceptions=(exception(),))
    assert judged(waived).allowed, "what is waived is waived here too"
    assert judged(red, listing(*ITEMS, mode="warn")).allowed, "and what only warns"
    gone = but(ALL, checks=Unknown("no answer"))
    assert found("go", judged(gone)).standing is UNKNOWN
    assert found("go", judged(but(gone, confirmed=frozenset()))).standing is UNMET


def test_an_item_of_a_gate_that_the_path_does_not_ask_for_is_not_known() -> None:
    active = policy(
        {"requires": ["go"], "gates": {"soak": "PT24H"}},
        gates={"unit": {"kind": "checks", "names": ["build"]}, "go": {"kind": "checklist", "checklist": "go-live"}},
        checklists={"go-live": ITEMS[:1]},
        exceptions={},
        emergency=None,
        may={deed: roles for deed, roles in MAY_NOT.items() if deed != "exception"},
    )
    finding = found("go", judged(ALL, active))
    assert (finding.standing, finding.remedies) == (UNKNOWN, ())
    assert "nothing here judges unit" in finding.reason


def test_where_it_is_not_known_who_may_agree_their_items_are_not_known() -> None:
    facts = but(ALL, people=Unknown("Slack does not answer"))
    assert (found("go", judged(facts)).standing, found("go", judged(facts)).reason) == (
        UNKNOWN,
        "Slack does not answer",
    )
    assert found("go", judged(but(facts, confirmed=frozenset()), listing(ITEMS[3]))).standing is UNMET
    assert found("go", judged(but(facts, confirmed=ALL.confirmed), listing(*ITEMS[:2]))).standing is MET


def test_what_was_ticked_lapses_with_the_approval() -> None:
    late = replace(vote(OMAR, at=NOW - 24 * HOUR), confirms=frozenset({"go-live.watched"}))
    facts = but(ALL, votes=(late,), asked_at=NOW - 48 * HOUR)
    assert found("go", judged(facts)).standing is UNMET
