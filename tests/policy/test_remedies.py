"""What would help, of the rules that every path has: who could do it, how it is said, and what the facts are then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policy.case import case
from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import EMERGENCY, Candidate, Facts, Freeze, Hold, Obligation, Question, Serving
from policy.finding import Finding, Remedy, RemedyKind, Standing
from policy.model import AccountKind, Human, Person, Place, Unknown
from policy.rules.obligation import nothing_overdue
from tests.policy.good import (
    ACTIVE,
    ALL_GOOD,
    COMMIT,
    DOCUMENT,
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
