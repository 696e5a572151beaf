"""What would help, of the rules that every path has: who could do it, how it is said, and what the facts are then."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from policy.case import case
from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import EMERGENCY, Candidate, Facts, Freeze, Hold, Obligation, Question, Serving
from policy.finding import Finding, Remedy, RemedyKind, Standing
from policy.model import AccountKind, Human, Person, Place, Unknown
from policy.rules.change import change_type
from policy.rules.freeze import in_the_way
from policy.rules.obligation import nothing_overdue
from tests.policy import people
from tests.policy.good import (
    ACTIVE,
    ALL_GOOD,
    COMMIT,
    DOCUMENT,
    GOOD_ROLLBACK,
    HOUR,
    INES,
    MAYA,
    NEW,
    NOW,
    OLD,
    OLGA,
    OMAR,
    POLICY,
    PROMOTION,
    RAJ,
    ROLLBACK,
    but,
    person,
    policy_with,
    vote,
)

CI = person("ci", "engineer", "release_manager", kind=AccountKind.BOT)
GUS = person("gus", "engineer", "release_manager", kind=AccountKind.GUEST)
ANN = person("ann", "engineer", "release_manager", active=False)
CROWD = {each.human: each for each in (MAYA, OMAR, OLGA, RAJ, INES, CI, GUS, ANN) if each.human}
"""Everybody, and three who never count: a bot, a guest, and somebody who left."""
GONE = Unknown("it does not answer")


def found(rule: str, facts: Facts, active: ActivePolicy = ACTIVE, question: Question = PROMOTION) -> Finding:
    (finding,) = [each for each in decide(question, facts, active, NOW).findings if each.rule == rule]
    assert finding.says.count("{}") == len(finding.values), "one place for each value"
    return finding


def shown(finding: Finding) -> list[tuple[str, tuple[str, ...]]]:
    return [(remedy.says, remedy.who) for remedy in finding.remedies]


def after(remedy: Remedy, facts: Facts) -> Facts:
    assert remedy.applied is not None
    return remedy.applied(facts)


def with_may(**roles: list[str]) -> ActivePolicy:
    document = {**DOCUMENT, "may": {**DOCUMENT["may"], **roles}}
    return ActivePolicy(policy=Policy.model_validate(document), hash="f" * 64)


# somebody else asks ---------------------------------------------------------------------------------------------------


def test_whoever_may_not_ask_is_told_who_may() -> None:
    finding = found("may-ask", but(asked_by=INES, people=CROWD))
    assert shown(finding) == [
        ("somebody who is engineer or release manager asks: maya, olga, omar or raj", ("maya", "olga", "omar", "raj"))
    ]


def test_nobody_is_named_where_nobody_may_or_nobody_is_known() -> None:
    nobody = {each.human: each for each in (INES, CI, GUS, ANN) if each.human}
    assert shown(found("may-ask", but(asked_by=INES, people=nobody))) == []
    assert shown(found("may-ask", but(asked_by=INES, people=GONE))) == []


@pytest.mark.parametrize(
    ("agreed", "asks"),
    [([], "maya"), ([OMAR], "maya"), ([MAYA], "olga"), ([MAYA, OLGA], "omar"), ([MAYA, OLGA, OMAR, RAJ], "maya")],
)
def test_the_first_who_did_not_agree_already_asks_anew(agreed: list[Person], asks: str) -> None:
    facts = but(asked_by=INES, votes=tuple(map(vote, agreed)), expires_at=NOW + HOUR)
    finding = found("may-ask", facts)
    anew = after(finding.remedies[0], facts)
    assert anew.asked_by.name == asks
    assert (anew.asked_at, anew.expires_at) == (NOW, NOW + timedelta(hours=24))
    assert found("may-ask", anew).standing is Standing.MET


def test_an_account_that_is_linked_to_nobody_can_be_linked() -> None:
    someone = Person("slack:T0ACME/U9", None, "someone")
    finding = found("may-ask", but(asked_by=someone))
    assert [says for says, _ in shown(finding)] == [
        "link the account to a human under people in the policy who is engineer or release manager",
        "somebody who is engineer or release manager asks: maya, olga, omar or raj",
    ]
    assert found("may-ask", after(finding.remedies[0], but(asked_by=someone))).standing is Standing.MET


def test_no_link_helps_where_the_policy_lets_nobody_ask() -> None:
    someone = Person("slack:T0ACME/U9", None, "someone")
    emergency = replace(PROMOTION, change=EMERGENCY)
    finding = found("may-ask", but(asked_by=someone), question=emergency)
    assert finding.standing is Standing.UNMET
    assert shown(finding) == []


# what was taken back --------------------------------------------------------------------------------------------------


HERE = Place("checkout", "prod")


def hold(id: str, place: Place = HERE, digest: Any = NEW) -> Hold:
    return Hold(id, place, digest, NOW - HOUR, "7 % errors")


def test_those_who_may_lift_a_hold_are_named_and_no_bot_guest_or_leaver() -> None:
    facts = but(holds=(hold("H-1"),), people=CROWD)
    assert shown(found("no-hold", facts)) == [("lift the hold H-1 (release manager may)", ("olga", "omar"))]
    assert shown(found("no-hold", but(facts, people=GONE))) == [("lift the hold H-1 (release manager may)", ())]


def test_all_that_hold_it_are_lifted_and_no_other() -> None:
    other, elsewhere = hold("H-3", digest=OLD), hold("H-4", Place("checkout", "stage"))
    facts = but(holds=(hold("H-1"), other, hold("H-2"), elsewhere))
    finding = found("no-hold", facts)
    assert [says for says, _ in shown(finding)] == ["lift the holds H-1 and H-2 (release manager may)"]
    assert after(finding.remedies[0], facts).holds == (other, elsewhere)


def test_where_nobody_may_lift_there_is_no_advice_to() -> None:
    finding = found("no-hold", but(holds=(hold("H-1"),)), with_may(lift=[]))
    assert finding.standing is Standing.UNMET
    assert finding.remedies == ()


# what is owed ---------------------------------------------------------------------------------------------------------


def owed(id: str, owner: str = "tech_lead", takers: frozenset[Human] = frozenset(), **changes: Any) -> Obligation:
    due = Obligation(id, "review", "E-1", "checkout", "prod", owner, NOW - HOUR, "look at it again", takers)
    return replace(due, **changes)


def overdue(facts: Facts, target: str = "prod") -> Finding:
    return nothing_overdue(case(replace(PROMOTION, target=target), facts, POLICY, NOW))


def test_all_that_is_overdue_is_settled_by_those_who_may_and_the_rest_stays() -> None:
    later = owed("O-9", due_at=NOW + HOUR)
    facts = but(
        obligations=(owed("O-1"), later, owed("O-2", "release_manager", frozenset({Human("omar")}))), people=CROWD
    )
    finding = overdue(facts)
    assert shown(finding) == [("settle O-1 and O-2 (olga or raj may)", ("olga", "raj"))]
    assert after(finding.remedies[0], facts).obligations == (later,)


def test_where_one_of_them_can_be_settled_by_nobody_settling_the_other_is_no_advice() -> None:
    took_part = frozenset({Human("raj")})
    facts = but(obligations=(owed("O-1", takers=took_part), owed("O-2", "release_manager")))
    assert shown(overdue(facts)) == []


def test_without_knowing_who_there_is_it_is_settled_by_whoever_may() -> None:
    facts = but(obligations=(owed("O-1"),), people=GONE)
    assert shown(overdue(facts)) == [("settle O-1", ())]


def test_what_is_owed_stops_nothing_on_its_way_to_a_place_that_nobody_knows() -> None:
    finding = overdue(but(obligations=(owed("O-1"),)), target="mars")
    assert finding.standing is Standing.NOT_APPLICABLE


# freezes --------------------------------------------------------------------------------------------------------------


def freeze(id: str, environment: str = "prod") -> Freeze:
    return Freeze(id, environment, None, NOW - HOUR, NOW + HOUR, "month end", "ines", "the books are closed")


def test_the_freezes_in_the_way_are_ended_and_no_other() -> None:
    other = freeze("F-2", "stage")
    facts = but(freezes=(freeze("F-1"), other), people=CROWD)
    finding = found("no-freeze", facts)
    (lift,) = [each for each in finding.remedies if each.kind is RemedyKind.LIFT]
    assert (lift.says, lift.who) == ("end the freeze F-1 (olga or omar may)", ("olga", "omar"))
    assert after(lift, facts).freezes == (other,)
    assert not finding.waits_for_people


def test_where_nobody_is_known_who_may_end_it_nobody_is_named() -> None:
    finding = found("no-freeze", but(freezes=(freeze("F-1"),), people=GONE))
    (lift,) = [each for each in finding.remedies if each.kind is RemedyKind.LIFT]
    assert lift.says == "end the freeze F-1"


# the candidate and the path -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("commit", "known"), [(COMMIT, COMMIT), (None, "0" * 40)])
def test_asking_again_for_what_is_served_keeps_the_commit_that_is_known(commit: Any, known: str) -> None:
    facts = but(source_serving=Serving("r", OLD, NOW - 48 * HOUR, commit))
    anew = after(found("same-digest", facts).remedies[0], facts)
    assert anew.candidate == Candidate(OLD, known)  # type: ignore[arg-type]
    assert anew.expires_at == NOW + timedelta(hours=24)


def test_without_a_path_nothing_is_allowed_and_the_ways_onwards_are_those_of_this_service() -> None:
    finding = found("allowed-path", ALL_GOOD, question=replace(PROMOTION, source="dev", target="prod"))
    assert finding.standing is Standing.UNMET
    assert finding.reason == "no path dev→prod; allowed from dev: stage"
    finding = found("allowed-path", ALL_GOOD, question=Question(PROMOTION.deed, "search", "prod", "dev"))
    assert finding.reason == "no path dev→prod; allowed from dev: none"


def test_a_path_for_others_says_whom_it_is_for() -> None:
    finding = found("allowed-path", ALL_GOOD, policy_with(services=["search"]))
    assert (finding.standing, finding.reason) == (Standing.UNMET, "stage→prod is not for checkout; it is for search")


def test_without_a_path_no_window_lets_it_through() -> None:
    facts, nowhere = ALL_GOOD, replace(PROMOTION, source="dev")
    findings = {each.rule: each for each in decide(nowhere, facts, ACTIVE, NOW).findings}
    assert findings["window"].standing is Standing.UNKNOWN
    assert findings["window"].reason == "without a path it is not known which window applies"


def test_a_window_that_nothing_closes_is_open() -> None:
    ends: dict[str, Any] = {"interval": {"start": "2026-01-01T00:00", "end": "2026-01-02T00:00"}}
    document = {**DOCUMENT, "windows": {"office_hours": {"deny": [ends]}}}
    finding = found("window", ALL_GOOD, ActivePolicy(policy=Policy.model_validate(document), hash="f" * 64))
    assert finding.standing is Standing.MET
    assert finding.reason.endswith(", open")


def test_without_a_plan_nobody_can_agree_yet() -> None:
    facts = but(plan="", votes=())
    assert found("second-person", facts).remedies == ()
    assert found("second-person", but(votes=())).remedies != ()


def test_going_back_to_what_serves_already_is_refused() -> None:
    there = but(GOOD_ROLLBACK, target_serving=Serving("checkout-r-old", OLD, NOW - HOUR))
    finding = found("known-good-target", there, question=ROLLBACK)
    assert (finding.standing, finding.reason) == (Standing.UNMET, "prod already serves checkout-r-old (bbbbbbbbbbbb)")


@pytest.mark.parametrize(("change", "says"), [("", "it is an ordinary change"), (EMERGENCY, "it is an emergency")])
def test_a_change_without_a_type_of_its_own_is_called_what_it_is(change: str, says: str) -> None:
    named = replace(PROMOTION, change=change)
    case_of_it = case(named, people.FINE, people.ACTIVE.policy, NOW)
    finding = change_type(case_of_it)
    assert (finding.standing, finding.reason) == (Standing.NOT_APPLICABLE, says)


def test_without_a_path_it_is_not_known_which_types_go() -> None:
    nowhere = replace(PROMOTION, source="dev", change="hotfix")
    finding = change_type(case(nowhere, people.FINE, people.ACTIVE.policy, NOW))
    assert finding.standing is Standing.UNKNOWN


# what is left unsaid --------------------------------------------------------------------------------------------------


NOBODY = Person("slack:T0ACME/U9", None, "someone")


@pytest.mark.parametrize(("asked_by", "who"), [(MAYA, ("maya",)), (NOBODY, ())])
@pytest.mark.parametrize(
    ("rule", "question", "changes", "says"),
    [
        ("emergency-record", people.URGENT, {}, "say incident:, reason:, scope:, rollback-plan: and follow-ups:"),
        ("change-type", replace(PROMOTION, change="hotfix"), {}, "say incident:"),
        (
            "exception-complete",
            people.ASKING,
            {"wanted": people.wanted(fields={"risk": "x"})},
            "say reason:, controls: and remediation:",
        ),
        ("freeze-complete", people.FREEZING, {"wanted": people.freeze(reason=" ")}, "say reason:"),
    ],
)
def test_what_is_missing_is_said_by_whoever_asked(
    rule: str, question: Question, changes: dict[str, Any], says: str, asked_by: Person, who: tuple[str, ...]
) -> None:
    facts = but(people.FINE, asked_by=asked_by, **changes)
    finding = found(rule, facts, people.ACTIVE, question)
    assert finding.standing is Standing.UNMET
    assert [(each.kind, *one) for each, one in zip(finding.remedies, shown(finding), strict=True)] == [
        (RemedyKind.SAY, says, who)
    ]
    assert found(rule, after(finding.remedies[0], facts), people.ACTIVE, question).standing is Standing.MET


@pytest.mark.parametrize(
    ("record", "ends_at", "scope"),
    [
        (None, NOW + 4 * HOUR, "said"),
        (people.emergency(fields={"scope": "all"}, ends_at=NOW + HOUR), NOW + HOUR, "all"),
    ],
)
def test_a_record_that_is_not_there_yet_begins_now_and_one_that_is_keeps_its_end(
    record: Any, ends_at: datetime, scope: str
) -> None:
    facts = but(people.FINE, emergency=record)
    (remedy,) = found("emergency-record", facts, people.ACTIVE, people.URGENT).remedies
    emergency = after(remedy, facts).emergency
    assert emergency is not None
    assert (emergency.ends_at, emergency.fields["scope"]) == (ends_at, scope)


def test_what_was_said_of_a_freeze_already_stays() -> None:
    active = people.policy(freezes={"fields": ["ticket"]})
    facts = but(people.FINE, wanted=people.freeze(reason="month end"))
    finding = found("freeze-complete", facts, active, people.FREEZING)
    record: Any = after(finding.remedies[0], facts).wanted
    assert (record.reason, record.fields) == ("month end", {"ticket": "said"})


def test_where_only_some_reasons_are_reasons_the_first_is_tried() -> None:
    asking = replace(people.ASKING, kind="merge")
    facts = but(people.FINE, wanted=people.wanted(kind="merge", waives=frozenset({"no-freeze"}), fields={}))
    finding = found("exception-complete", facts, people.ACTIVE, asking)
    record: Any = after(finding.remedies[0], facts).wanted
    assert record.fields == {"reason": "incident", "rollback-target": "said"}


@pytest.mark.parametrize(
    ("wanted", "kind", "standing"),
    [
        (None, "", Standing.NOT_APPLICABLE),
        (None, "temporary", Standing.UNKNOWN),
        (people.freeze(), "", Standing.UNKNOWN),
        (people.freeze(), "temporary", Standing.UNKNOWN),
        (people.wanted(kind="merge"), "temporary", Standing.UNKNOWN),
        (people.wanted(), "", Standing.UNKNOWN),
        (people.wanted(), "temporary", Standing.MET),
        (people.wanted(kind="nothing"), "nothing", Standing.UNKNOWN),
    ],
)
def test_it_is_known_what_would_be_waived_or_nothing_is_let_through(wanted: Any, kind: str, standing: Standing) -> None:
    facts, asking = but(people.FINE, wanted=wanted), replace(people.ASKING, kind=kind)
    finding = found("exception-complete", facts, people.ACTIVE, asking)
    assert finding.standing is standing
    assert "fault" not in finding.reason


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "temporary may waive unit until Wed 25 Nov 2026 10:00 CET"),
        ({"kind": "permanent", "ends_at": None}, "permanent may waive unit for good"),
    ],
)
def test_until_when_something_is_waived_is_said(changes: dict[str, Any], says: str) -> None:
    record = people.wanted(**changes)
    asking = replace(people.ASKING, kind=record.kind)
    assert found("exception-allowed", but(people.FINE, wanted=record), people.ACTIVE, asking).reason == says


# freezes that people let others through -------------------------------------------------------------------------------


FREEZES = {"override": [{"role": "release_manager", "count": 2}], "override_fields": ["reason"]}
LETTING = people.policy(freezes=FREEZES)
FROZEN = but(people.FINE, freezes=(freeze("F-1"),), votes=())


def letting(
    facts: Facts = FROZEN, active: ActivePolicy = LETTING, question: Question = PROMOTION
) -> tuple[Finding, Remedy | None]:
    finding = found("no-freeze", facts, active, question)
    return finding, next((each for each in finding.remedies if each.kind is RemedyKind.APPROVE), None)


def test_who_can_let_it_through_is_named_with_what_must_be_said_first() -> None:
    finding, remedy = letting()
    assert remedy is not None
    assert remedy.says == "say reason:, and olga and omar can agree to go through F-1"
    assert remedy.who == ("olga", "omar")
    assert not finding.waits_for_people, "something is left to say"
    assert found("no-freeze", after(remedy, FROZEN), LETTING).standing is Standing.MET


def test_once_it_is_said_it_waits_for_people_only() -> None:
    finding, remedy = letting(but(FROZEN, fields={"reason": "it must"}))
    assert remedy is not None
    assert remedy.says == "olga and omar can agree to go through F-1"
    assert finding.waits_for_people


@pytest.mark.parametrize(
    ("slot", "says"),
    [
        (
            {"any_of": ["release_manager", "incident_commander"], "count": 2},
            "ines, olga or omar can agree to go through F-1, 2 of them are needed",
        ),
        ({"any_of": ["release_manager", "incident_commander"]}, "ines, olga or omar can agree to go through F-1"),
        ({"role": "incident_commander"}, "ines can agree to go through F-1"),
    ],
)
def test_of_more_than_are_needed_it_is_said_how_many_are(slot: dict[str, Any], says: str) -> None:
    _, remedy = letting(active=people.policy(freezes={"override": [slot]}))
    assert remedy is not None
    assert remedy.says == says


@pytest.mark.parametrize(
    ("facts", "active"),
    [
        (FROZEN, people.policy()),
        (FROZEN, people.policy(freezes={"override": [{"role": "release_manager", "count": 3}]})),
        (but(FROZEN, people=GONE), LETTING),
    ],
)
def test_where_nobody_may_or_too_few_there_is_no_advice_to_agree(facts: Facts, active: ActivePolicy) -> None:
    finding, remedy = letting(facts, active)
    assert remedy is None
    assert finding.standing is Standing.UNMET
    assert not finding.waits_for_people


def test_where_the_calendar_freezes_too_ending_the_other_is_no_advice() -> None:
    always = {"weekly": {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "00:00", "end": "24:00"}}
    calendar = [{"name": "closed", "when": [always], "environments": ["prod"], "reason": "it is closed"}]
    finding, _ = letting(active=people.policy(freezes={"calendar": calendar}))
    assert finding.says.count("{}") == 2
    assert RemedyKind.LIFT not in {each.kind for each in finding.remedies}


def test_those_in_the_way_are_the_ones_that_nobody_let_through() -> None:
    said = but(FROZEN, fields={"reason": "it must"}, freezes=(freeze("F-1"), freeze("F-2"), freeze("F-3", "stage")))
    agreed = tuple(replace(vote(each), confirms=frozenset({"F-1"})) for each in (OMAR, OLGA))

    def ids(facts: Facts, active: ActivePolicy = LETTING) -> list[str]:
        return [each.id for each in in_the_way(people.at(facts=facts, active=active))]

    assert ids(said) == ["F-1", "F-2"]
    assert ids(but(said, votes=agreed)) == ["F-2"]
    assert ids(but(said, votes=agreed, fields={})) == ["F-1", "F-2"]
    assert ids(but(said, freezes=GONE)) == []
    assert ids(said, people.policy()) == [], "nobody could"
    assert in_the_way(people.at(people.ASKING, said, LETTING)) == (), "only promotions go through freezes"
