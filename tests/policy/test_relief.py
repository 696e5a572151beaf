"""Which exceptions are advised, who asks and who grants; what one comes to, where that is sure, is what is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from policy import ways
from policy.decide import decide
from policy.document import ActivePolicy
from policy.facts import Check, CheckState, Facts, Verdict
from policy.finding import BLOCKING, Remedy, RemedyKind
from policy.model import AccountKind, Human, Person, Unknown
from policy.relief import waives_no_more
from tests.policy.good import HOUR, INES, NOW, OLGA, OMAR, PROMOTION, RAJ, but, person, vote
from tests.policy.people import EVERYBODY, FINE, MAY_NOT, policy
from tests.policy.states import states
from tests.policy.test_explain import EACH, State
from tests.policy.test_reading import SEEDS, cases, judged


def exceptions_do_what_they_say(state: State) -> int:
    """How many of them were sure."""
    active, question, facts, at = state
    now = ways.State(judged(*state))
    every = [option for option in now.options if option.remedy.kind is RemedyKind.EXCEPTION]
    for option in every:
        assert option.remedy.applied is not None
        then = judged(active, question, option.remedy.applied(facts), at)
        assert option.eased == {place for place in now.hard if then.findings()[place].standing not in BLOCKING}
    return len(every) if waives_no_more(now.judging) else 0


@EACH
@given(states())
def test_an_exception_eases_just_what_it_would_be_seen_to_ease(state: State) -> None:
    exceptions_do_what_they_say(state)


@pytest.mark.parametrize("seed", SEEDS)
def test_so_does_each_in_the_policies_that_are_handed_out(seed: str) -> None:
    sure = sum(map(exceptions_do_what_they_say, cases(seed)))
    assert sure or seed not in {"story", "seed004"}


def test_it_is_not_sure_where_whoever_could_grant_it_may_be_whoever_asked() -> None:
    active, question, facts, at = next(iter(cases("seed004")))
    assert waives_no_more(judged(active, question, facts, at))
    asker = facts.asked_by
    assert isinstance(facts.people, dict)
    doubles = {human: replace(person, account=asker.account) for human, person in facts.people.items()}
    assert not waives_no_more(judged(active, question, replace(facts, people=doubles), at))


# Who asks, who grants, and what for -----------------------------------------------------------------------------------

RED = but(FINE, checks={"build": Check("build", CheckState.FAILED), "sast": Check("sast", CheckState.FAILED)})
BOTH = policy(
    {"requires": ["unit", "lint"], "gates": {}},
    gates={"unit": {"kind": "checks", "names": ["build"]}, "lint": {"kind": "checks", "names": ["sast"]}},
    exceptions={"temporary": {"waives": ["unit", "lint"], "approvals": [{"any_of": ["release_manager", "tech_lead"]}]}},
    emergency=None,
    may=MAY_NOT,
)
UNIT = policy({"requires": ["unit"], "gates": {"soak": "PT24H", "window": "office_hours"}})
GONE = Unknown("it does not answer")


def advised(facts: Facts = RED, active: ActivePolicy = BOTH) -> dict[str, Remedy]:
    """Each exception that is advised, by what is said of it."""
    findings = decide(PROMOTION, facts, active, NOW).findings
    return {each.says: each for one in findings for each in one.remedies if each.kind is RemedyKind.EXCEPTION}


def granted_by(facts: Facts) -> list[str]:
    (remedy,) = advised(facts).values()
    assert remedy.applied is not None
    records = remedy.applied(facts).exceptions
    assert not isinstance(records, Unknown)
    return [person.name for person in records[-1].granted_by]


def test_one_exception_for_all_that_blocks_is_the_smallest_way() -> None:
    decision = decide(PROMOTION, RED, BOTH, NOW)
    says = "an exception (temporary) for unit and lint: olga, omar or raj can grant it"
    assert [[remedy.says for remedy in way] for way in decision.ways] == [[says]]


def test_where_exceptions_are_not_known_none_is_advised() -> None:
    assert len(advised()) == 1
    assert advised(but(RED, exceptions=GONE)) == {}
    assert advised(but(RED, people=GONE)) == {}


@pytest.mark.parametrize(
    ("agreed", "grants"),
    [([], ["olga"]), ([OMAR], ["olga"]), ([OLGA], ["omar"]), ([OLGA, OMAR], ["raj"]), ([OLGA, OMAR, RAJ], ["olga"])],
)
def test_who_agreed_already_grants_it_only_where_nobody_else_can(agreed: list[Person], grants: list[str]) -> None:
    assert granted_by(but(RED, votes=tuple(map(vote, agreed)))) == grants


def test_who_said_no_can_grant_it_like_anybody() -> None:
    assert granted_by(but(RED, votes=(vote(OLGA, Verdict.REJECT),))) == ["olga"]


@pytest.mark.parametrize(
    "asker",
    [
        person("gus", "engineer", kind=AccountKind.GUEST),
        person("ann", "engineer", active=False),
        person("quinn", "qa"),
        Person("slack:T0ACME/U9", None, "somebody", roles=frozenset({"engineer"})),
    ],
    ids=["a guest", "somebody who left", "without the role", "linked to nobody"],
)
def test_where_whoever_asked_may_not_ask_for_it_somebody_else_must(asker: Person) -> None:
    (says,) = advised(but(RED, asked_by=asker))
    assert says == "an exception (temporary) for unit and lint: lea asks for it, olga, omar or raj can grant it"


def test_a_kind_that_nobody_can_grant_is_named_where_it_would_do_something() -> None:
    nobody = {human: each for human, each in EVERYBODY.items() if human != INES.human}
    facts = but(FINE, people=nobody, checks={"build": Check("build", CheckState.PASSED)})
    would_do = "an exception (outage) would do for unit, but nobody is there to ask for it and to grant it"
    assert would_do in decide(PROMOTION, but(facts, checks=RED.checks), UNIT, NOW).notes
    assert not [note for note in decide(PROMOTION, facts, UNIT, NOW + 12 * HOUR).notes if "would do" in note]


def test_whoever_asked_grants_it_under_no_other_name() -> None:
    asker = person("quinn", "qa")
    other = replace(asker, human=Human("quentin"), roles=frozenset({"tech_lead"}))
    people = {each.human: each for each in (asker, other, person("lea", "engineer")) if each.human}
    assert advised(but(RED, asked_by=asker, people=people)) == {}
    more = {**people, Human("olga"): OLGA}
    assert list(advised(but(RED, asked_by=asker, people=more))) == [
        "an exception (temporary) for unit and lint: lea asks for it, olga or quentin can grant it"
    ]


APART = policy(
    {"requires": ["unit", "quiet", "lint"], "gates": {}},
    gates={
        "unit": {"kind": "checks", "names": ["build"]},
        "quiet": {"kind": "issues", "labels": ["blocker"]},
        "lint": {"kind": "checks", "names": ["sast"]},
    },
    exceptions={
        "temporary": {"waives": ["unit", "quiet"], "approvals": [{"role": "tech_lead"}]},
        "lasting": {"waives": ["lint"], "approvals": [{"role": "tech_lead"}], "longest": None},
    },
    emergency=None,
    may=MAY_NOT,
)


def test_one_exception_may_do_where_the_rules_propose_a_thing_for_each() -> None:
    facts = but(RED, checks={**RED.checks, "sast": Check("sast", CheckState.PASSED)})  # type: ignore[dict-item] # known
    decision = decide(PROMOTION, facts, APART, NOW)
    assert [[remedy.says for remedy in way] for way in decision.ways] == [
        ["an exception (temporary) for unit and quiet: raj can grant it"]
    ]


def test_two_exceptions_stand_beside_each_other() -> None:
    decision = decide(PROMOTION, RED, APART, NOW)
    exceptions = [
        "an exception (temporary) for unit and quiet: raj can grant it",
        "an exception (lasting) for lint: raj can grant it",
    ]
    assert exceptions in [[remedy.says for remedy in way] for way in decision.ways]


def test_who_grants_it_takes_back_their_own_no_with_it() -> None:
    olga = person("olga", "release_manager", "tech_lead")
    people = {each.human: each for each in (OMAR, olga, person("lea", "engineer")) if each.human}
    votes = (vote(OMAR), vote(olga), vote(olga, Verdict.REJECT, at=NOW - HOUR / 2))
    kinds = {"temporary": {"waives": ["unit"], "approvals": [{"role": "tech_lead"}]}}
    active = policy({"requires": ["unit"], "gates": {}}, exceptions=kinds, emergency=None, may=MAY_NOT)
    decision = decide(PROMOTION, but(RED, people=people, votes=votes), active, NOW)
    assert [finding.rule for finding in decision.blockers] == ["unit", "approvals"]
    assert [[remedy.says for remedy in way] for way in decision.ways] == [
        ["an exception (temporary) for unit: olga can grant it"]
    ]
