"""Emergencies: their record, who agrees to them, what they let through, and what they owe."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from policy import duty
from policy.decide import decide
from policy.facts import Facts, Hold
from policy.finding import Decision, RemedyKind, Standing
from policy.model import Human, Person, Place, Unknown
from tests.policy.good import HOUR, INES, MAYA, NEW, NOW, OMAR, PLAN, RAJ, but, vote
from tests.policy.people import (
    ACTIVE,
    CALM,
    EVERYBODY,
    FINE,
    SAID,
    TICK,
    URGENT,
    decided,
    emergency,
    exception,
    found,
    freeze,
    policy,
)

UNMET, MET, WAIVED, NA = Standing.UNMET, Standing.MET, Standing.WAIVED, Standing.NOT_APPLICABLE
SUNDAY = datetime(2026, 11, 22, 3, tzinfo=UTC)
"""Nothing is open then."""


def urgent(**changes: Any) -> Facts:
    """maya asked for an emergency change, and ines agreed and said why."""
    return but(FINE, **{"emergency": emergency(), "votes": (vote(INES, reason="it is down"),), **changes})


def judged(**changes: Any) -> Decision:
    return decided(URGENT, urgent(**changes))


@pytest.mark.requirement("S4-151", "S4-156")
def test_with_its_record_and_somebody_elses_agreement_it_goes_where_ordinary_changes_wait() -> None:
    sunday: dict[str, Any] = {
        "emergency": emergency(ends_at=SUNDAY + 4 * HOUR),
        "asked_at": SUNDAY - HOUR,
        "freezes": (freeze(starts_at=SUNDAY - HOUR, ends_at=SUNDAY + HOUR),),
        "votes": (vote(INES, at=SUNDAY - TICK, reason="it is down"),),
    }
    decision = decide(URGENT, urgent(**sunday), ACTIVE, SUNDAY)
    assert decision.allowed
    waived = {finding.rule: finding.by for finding in decision.findings if finding.standing is WAIVED}
    assert waived == {"window": "E-1", "no-freeze": "E-1", "soak": "E-1"}
    ordinary = decide(replace(URGENT, change=""), urgent(**sunday), ACTIVE, SUNDAY)
    assert {"window", "no-freeze", "approvals"} <= {finding.rule for finding in ordinary.blockers}


UNSAID = [
    pytest.param("incident", marks=pytest.mark.requirement("S4-158")),
    pytest.param("reason"),
    pytest.param("scope"),
    pytest.param("rollback-plan"),
    pytest.param("follow-ups", marks=pytest.mark.requirement("S4-151")),
]


@pytest.mark.parametrize("field", UNSAID)
def test_it_is_refused_while_anything_is_left_unsaid(field: str) -> None:
    for said in ({field: " "}, {field: ""}, None):
        fields = {name: text for name, text in SAID.items() if name != field} | (said or {})
        decision = judged(emergency=emergency(fields=fields))
        assert [finding.rule for finding in decision.blockers] == ["emergency-record"]
        finding = found("emergency-record", decision)
        assert finding.reason == f"missing: {field}"
        assert [(each.kind, each.says, each.who) for each in finding.remedies] == [
            (RemedyKind.SAY, f"say {field}:", ("maya",))
        ]


@pytest.mark.requirement("S4-152", "S4-157")
@pytest.mark.parametrize("field", ["impact-of-waiting", "risk-of-change", "classification"])
def test_what_else_the_policy_wants_said_of_it_is_wanted_too(field: str) -> None:
    asks = ACTIVE.policy.emergency
    assert asks is not None
    active = policy(emergency={**asks.model_dump(exclude={"approvals", "owes"}), **RULED, "fields": [*SAID, field]})
    decision = decided(URGENT, urgent(), active)
    assert found("emergency-record", decision).reason == f"missing: {field}"
    said = emergency(fields={**SAID, field: "said"})
    assert decided(URGENT, urgent(emergency=said), active).allowed


RULED: dict[str, Any] = {
    "approvals": [{"any_of": ["incident_commander", "release_manager"]}],
    "owes": [
        {"kind": "review", "says": "review it", "owner": "release_manager", "business_days": 1, "by_others": True}
    ],
}


@pytest.mark.requirement("S4-155")
@pytest.mark.parametrize(("ends_at", "stands"), [(NOW + TICK, True), (NOW, False), (NOW - TICK, False)])
def test_it_is_no_standing_permission(ends_at: datetime, stands: bool) -> None:
    decision = judged(emergency=emergency(ends_at=ends_at))
    assert decision.allowed is stands
    if not stands:
        finding = found("emergency-record", decision)
        assert finding.reason.startswith("E-1 ended on Tue 24 Nov 2026")
        assert not finding.remedies, "another one needs its own record and its own agreement"


@pytest.mark.requirement("S4-155")
def test_what_was_agreed_for_one_change_is_not_agreed_for_the_next() -> None:
    other = vote(INES, reason="it is down", plan="91cc" + PLAN[4:])
    assert [finding.rule for finding in judged(votes=(other,)).blockers] == ["second-person", "approvals"]


def test_without_a_record_there_is_none() -> None:
    decision = judged(emergency=None)
    assert found("emergency-record", decision).reason == (
        "missing: incident, reason, scope, rollback-plan and follow-ups"
    )
    assert not decision.allowed


def test_a_policy_without_emergencies_lets_none_through() -> None:
    decision = decided(URGENT, urgent(), CALM)
    finding = found("emergency-record", decision)
    assert (finding.standing, finding.reason) == (UNMET, "this policy knows no emergencies")
    assert found("approvals", decision).standing is Standing.UNKNOWN
    assert not decision.allowed


DEV = RAJ  # an engineer and tech lead: neither role agrees to emergencies


@pytest.mark.requirement("S4-156", "S4-161")
@pytest.mark.parametrize(
    ("asker", "voter", "allowed"),
    [(MAYA, INES, True), (MAYA, OMAR, True), (MAYA, DEV, False), (INES, INES, False), (INES, OMAR, True)],
)
def test_only_those_agree_to_it_whom_the_policy_names_and_never_whoever_asked(
    asker: Person, voter: Person, allowed: bool
) -> None:
    decision = judged(asked_by=asker, votes=(vote(voter, reason="it is down"),))
    assert decision.allowed is allowed


@pytest.mark.requirement("S4-121")
def test_who_agrees_to_it_says_why() -> None:
    decision = judged(votes=(vote(INES),))
    assert not decision.allowed
    assert "ines's approval does not count: ines gave no reason" in decision.notes


def test_an_engineer_may_ask_for_it_and_others_may_not() -> None:
    decision = judged(asked_by=EVERYBODY[Human("quinn")])
    assert [finding.rule for finding in decision.blockers] == ["may-ask"]


@pytest.mark.requirement("S4-159")
def test_where_a_check_cannot_run_only_an_emergency_goes_on_and_owes_the_run() -> None:
    outage = Unknown("the host of the checks does not answer")
    active = policy({"requires": ["sast"], "gates": {"soak": "PT24H", "window": "office_hours"}})
    facts = urgent(checks=outage)
    assert found("sast", decided(URGENT, facts, active)).standing is WAIVED
    assert decided(URGENT, facts, active).allowed
    plain = exception(waives=frozenset({"sast", "unit"}))
    ordinary = but(facts, exceptions=(plain,), emergency=None, votes=(vote(OMAR),))
    assert [finding.rule for finding in decided(facts=ordinary, active=active).blockers] == ["sast"]
    owed = duty.of_emergency("E-5", Place("checkout", "prod"), NOW, (MAYA, INES), active.policy)
    assert [each.says for each in owed] == ["review the emergency", "attach a run of unit-tests"]


@pytest.mark.requirement("S4-154", "S4-160")
def test_it_owes_a_review_by_the_next_business_day_by_somebody_who_took_no_part() -> None:
    began_at = datetime(2026, 3, 6, 14, 30, tzinfo=UTC)  # a Friday
    review, run = duty.of_emergency("E-4", Place("checkout", "prod"), began_at, (MAYA, OMAR), ACTIVE.policy)
    assert review.due_at == datetime(2026, 3, 9, 16, tzinfo=UTC), "Monday 17:00 in Berlin"
    assert run.due_at == datetime(2026, 3, 7, 14, 30, tzinfo=UTC)
    assert (review.about, review.service, review.environment, review.owner) == (
        "E-4",
        "checkout",
        "prod",
        "release_manager",
    )
    assert all(re.fullmatch(r"O-[0-9a-f]{10}", each.id) for each in (review, run))
    assert review.id != run.id
    again = duty.of_emergency("E-4", Place("checkout", "prod"), began_at, (MAYA, OMAR), ACTIVE.policy)
    assert again == (review, run), "worked out twice it is owed once"
    assert duty.why_not(review, OMAR) == "took part, so cannot settle it"
    assert duty.why_not(review, EVERYBODY[Human("olga")]) == ""
    assert duty.why_not(run, MAYA) == "", "what is no review may be done by those who took part"


@pytest.mark.parametrize(
    ("changes", "blocks"),
    [
        ({"source_serving": Unknown("no")}, "same-digest"),
        ({"holds": (Hold("H-1", Place("checkout", "prod"), NEW, NOW, "5 % errors"),)}, "no-hold"),
        ({"expires_at": NOW}, "not-expired"),
    ],
)
def test_what_is_never_waived_stands_in_an_emergency_too(changes: dict[str, Any], blocks: str) -> None:
    assert blocks in {finding.rule for finding in judged(**changes).blockers}
