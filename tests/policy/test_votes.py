"""Votes: the 23 scenarios, and each reason for which a vote does not count."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest

from policy.case import case
from policy.document import ActivePolicy, Policy, Slot
from policy.evidence import Authors
from policy.facts import Facts, Verdict, Vote
from policy.model import AccountKind, Human, Person, Unknown
from policy.seating import Table, matching
from policy.separation import Apart
from policy.terms import Seat, Terms, seats
from policy.votes import Count, count, counted, filling, if_confirmed, missing, who_could_fill
from tests.policy.good import (
    ALL_GOOD,
    DOCUMENT,
    EVERYBODY,
    HOUR,
    INES,
    MAYA,
    NOW,
    OLGA,
    OMAR,
    OTHER_PLAN,
    PLAN,
    POLICY,
    PROMOTION,
    RAJ,
    SECOND,
    but,
    person,
    policy_with,
    vote,
)
from tests.policy.people import FINE, PEOPLE, QUINN, policy

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "approvals.json").read_text())


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def bound(values: dict[str, Any]) -> str:
    """What a vote binds to, as one value, as our plan hash is."""
    return "|".join(values[key] for key in ("release", "env", "digest", "plan"))


def voter(approval: dict[str, Any], roles: str) -> Person:
    return Person(
        account=approval["account"],
        human=Human(approval["human"]) if approval["human"] else None,
        name=approval.get("display", approval["account"]),
        kind=AccountKind(approval["kind"]),
        active=approval["active"],
        roles=frozenset(approval[roles]),
    )


def judged(scenario: dict[str, Any], approvals: list[dict[str, Any]]) -> Count:
    request, policy = scenario["request"], scenario["policy"]
    votes = [
        Vote(
            voter=voter(approval, "roles_at_approval"),
            verdict=Verdict(approval["vote"]),
            at=moment(approval["at"]),
            plan=bound(approval),
            withdrawn_at=moment(approval["withdrawn_at"]) if approval["withdrawn_at"] else None,
        )
        for approval in approvals
    ]
    slots = [Slot(role=need["role"], count=need["count"]) for need in policy["needs"]]
    return count(
        votes,
        terms=Terms(seats(slots), timedelta(minutes=policy["max_age_minutes"])),
        plan=bound(request),
        asked_by=Person("account:" + request["requester"], Human(request["requester"]), request["requester"]),
        asked_at=moment(request["requested_at"]),
        people={Human(a["human"]): voter(a, "roles_now") for a in approvals if a["human"]},
        at=moment(scenario["now"]),
        apart=Apart({Human(author): "wrote part of it" for author in request["authors"]}),
    )


@pytest.mark.requirement("D-01", "D-03", "S2-21")
@pytest.mark.parametrize("scenario", VECTORS["scenarios"], ids=lambda scenario: str(scenario["id"]))
def test_every_scenario_is_counted_as_written_in_whatever_order_the_votes_come(scenario: dict[str, Any]) -> None:
    for approvals in list(permutations(scenario["approvals"]))[:24]:
        result = judged(scenario, list(approvals))
        assert result.complete is scenario["expect"]["allow"]
        filled = {each.vote.voter.human for each in result.filled}
        assert len(filled) == len(result.filled) == len(scenario["expect"]["counted"])
        accounted = [
            *(each.vote for each in result.filled),
            *result.rejected,
            *result.spare,
            *(entry.vote for entry in result.ignored),
        ]
        assert len(accounted) == len(scenario["approvals"]), "a vote is neither counted nor explained"
        assert all(entry.why for entry in result.ignored)


def test_the_scenarios_are_all_there() -> None:
    assert len(VECTORS["scenarios"]) == 23


DAY = timedelta(hours=24)
ONE = (Slot(role="release_manager"),)


def counting(*votes: Vote, slots: tuple[Slot, ...] = ONE, reason: bool = False, **changes: Any) -> Count:
    settings: dict[str, Any] = {
        "terms": Terms(seats(slots), DAY, reason),
        "plan": PLAN,
        "asked_by": MAYA,
        "asked_at": NOW - 2 * HOUR,
        "people": EVERYBODY,
        "at": NOW,
        **changes,
    }
    return count(votes, **settings)


GUS = person("gus", "release_manager", kind=AccountKind.GUEST)
NOBODY = Person("slack:T0ACME/U0X", None, "somebody", roles=frozenset({"release_manager"}))
LATE = NOW - 24 * HOUR


@pytest.mark.requirement("S4-005", "D-03")
@pytest.mark.parametrize(
    ("cast", "why"),
    [
        (vote(MAYA), "asked for it, so cannot agree to it"),
        (vote(Person(MAYA.account, Human("omar"), "maya", roles=OMAR.roles)), "asked for it, so cannot agree to it"),
        (vote(Person("github:1", Human("maya"), "maya-gh", roles=OMAR.roles)), "asked for it, so cannot agree to it"),
        (vote(person("bot", "release_manager", kind=AccountKind.BOT)), "is a bot; only humans agree"),
        (vote(GUS), "is a guest"),
        (vote(person("eve", "release_manager", kind=AccountKind.STRANGER)), "is of another workspace"),
        (vote(person("omar", "release_manager", active=False)), "is not active any more"),
        (vote(NOBODY), "is linked to nobody that the policy knows"),
        (vote(OMAR, plan=OTHER_PLAN), "voted on plan 91cc000, and the plan is 3f2a91c"),
        (vote(OMAR, at=NOW - 2 * HOUR - SECOND), "voted before this was asked"),
        (vote(OMAR, at=NOW + SECOND), "has a vote from the future"),
        (vote(OMAR, withdrawn_at=NOW), "took the vote back"),
        (vote(person("zoe", "release_manager")), "holds none of the roles any more"),
        (vote(INES), "is no release manager"),
        (vote(person("ines", "release_manager")), "is no release manager any more"),
        (vote(person("omar", "engineer")), "was no release manager when voting"),
        (vote(INES, Verdict.REJECT), "is no release manager; the rejection is a comment"),
    ],
)
def test_a_vote_that_does_not_count_says_why(cast: Vote, why: str) -> None:
    result = counting(cast)
    assert [entry.why for entry in result.ignored] == [why]
    assert not result.filled
    assert not result.rejected


def test_without_a_plan_a_vote_on_one_does_not_count() -> None:
    (entry,) = counting(vote(OMAR), plan="").ignored
    assert entry.why == "voted on plan 3f2a91c, and the plan is not known"


@pytest.mark.parametrize(
    ("at", "counts"),
    [(NOW - 24 * HOUR - SECOND, False), (NOW - 24 * HOUR, False), (NOW - 24 * HOUR + SECOND, True), (NOW, True)],
)
def test_a_vote_counts_up_to_but_not_at_its_end(at: datetime, counts: bool) -> None:
    assert counting(vote(OMAR, at=at), asked_at=NOW - 48 * HOUR).complete is counts


@pytest.mark.parametrize("withdrawn", [NOW - SECOND, NOW, NOW + SECOND])
def test_a_withdrawal_counts_from_its_instant(withdrawn: datetime) -> None:
    assert counting(vote(OMAR, withdrawn_at=withdrawn)).complete is (withdrawn > NOW)


@pytest.mark.parametrize(("role_now", "counts"), [(("release_manager",), True), (("engineer",), False), ((), False)])
def test_somebody_who_lost_the_role_since_does_not_count(role_now: tuple[str, ...], counts: bool) -> None:
    assert counting(vote(OMAR), people={**EVERYBODY, Human("omar"): person("omar", *role_now)}).complete is counts


def test_somebody_who_became_a_guest_or_left_since_does_not_count() -> None:
    for now in (
        person("omar", "release_manager", active=False),
        person("omar", "release_manager", kind=AccountKind.GUEST),
    ):
        assert not counting(vote(OMAR), people={**EVERYBODY, Human("omar"): now}).complete


def test_of_two_votes_at_the_same_instant_the_rejection_counts() -> None:
    votes = vote(OMAR), vote(OMAR, Verdict.REJECT)
    assert counting(*votes) == counting(*reversed(votes))
    assert [each.verdict for each in counting(*votes).rejected] == [Verdict.REJECT]


def test_an_agreement_after_a_rejection_by_the_same_human_counts() -> None:
    result = counting(vote(OMAR, Verdict.REJECT, at=NOW - HOUR), vote(OMAR, at=NOW))
    assert result.complete
    assert [entry.why for entry in result.ignored] == ["voted again later"]


def test_a_vote_too_many_is_spare_and_the_earlier_one_keeps_its_slot() -> None:
    result = counting(vote(OLGA, at=NOW), vote(OMAR, at=NOW - HOUR))
    assert [each.vote.voter.name for each in result.filled] == ["omar"]
    assert [each.voter.name for each in result.spare] == ["olga"]


TWO = (Slot(role="release_manager", count=2),)
MIXED = (Slot(role="release_manager"), Slot(role="tech_lead"))


def test_who_could_help_leaves_out_the_asker_and_those_who_voted() -> None:
    assert counting(slots=TWO).helpers() == ("olga", "omar")
    assert counting(vote(OMAR), slots=TWO).helpers() == ("olga",)
    assert counting(vote(OMAR, Verdict.REJECT), slots=TWO).helpers() == ("olga",)
    assert counting(slots=TWO, asked_by=OMAR).helpers() == ("olga",)
    assert counting(vote(OMAR), slots=MIXED).helpers() == ("raj",)


def test_somebody_with_both_roles_makes_room_for_another() -> None:
    both = person("raj", "release_manager", "tech_lead")
    people = {**EVERYBODY, Human("raj"): both}
    assert counting(vote(both), slots=MIXED, people=people).helpers() == ("olga", "omar")
    result = counting(vote(both, at=NOW - HOUR), vote(OMAR, at=NOW), slots=MIXED, people=people)
    assert [(each.role, each.vote.voter.name) for each in result.filled] == [
        ("release_manager", "omar"),
        ("tech_lead", "raj"),
    ]


@pytest.mark.parametrize(
    ("slots", "asker", "still"),
    [
        (TWO, MAYA, ("olga", "omar")),
        (TWO, OMAR, None),
        (MIXED, MAYA, ("olga", "raj")),
        ((Slot(role="tech_lead", count=3),), MAYA, None),
    ],
)
def test_what_can_be_reached_is_known_before_anybody_votes(
    slots: tuple[Slot, ...], asker: Person, still: tuple[str, ...] | None
) -> None:
    assert counting(slots=slots, asked_by=asker).still() == still


def test_who_holds_which_role_must_be_known() -> None:
    out = Unknown("Slack does not answer")
    assert counted(case(PROMOTION, but(people=out), POLICY, NOW)) == out
    to_stage = replace(PROMOTION, source="dev", target="stage")
    assert isinstance(counted(case(to_stage, but(people=out), POLICY, NOW)), Count), "nobody must agree there"
    known = counted(case(PROMOTION, ALL_GOOD, POLICY, NOW))
    assert isinstance(known, Count)
    assert known.complete


def test_nobody_outside_the_roles_is_asked_for_help() -> None:
    assert RAJ.human not in counting().helpers()
    assert INES.human not in counting().helpers()


# One of several roles, and a seat that only its own role fills ------------------------------------------------------

LEADS = (Slot(any_of=("tech_lead", "incident_commander")),)


@pytest.mark.requirement("S3-22")
@pytest.mark.parametrize(
    ("voter", "asker", "role"),
    [(RAJ, MAYA, "tech_lead"), (INES, MAYA, "incident_commander"), (OMAR, MAYA, None), (RAJ, RAJ, None)],
)
def test_any_one_of_several_roles_fills_the_seat(voter: Person, asker: Person, role: str | None) -> None:
    result = counting(vote(voter), slots=LEADS, asked_by=asker)
    assert [each.role for each in result.filled] == ([role] if role else [])
    assert result.complete is (role is not None)


def test_who_could_help_is_somebody_else_and_one_of_us() -> None:
    asker = Person("slack:T0ACME/U1OMAR", Human("omar"), "omar", roles=frozenset({"engineer"}))
    assert counting(asked_by=asker).helpers() == ("olga",), "whatever account omar asked from"
    nobody = Person(OMAR.account, None, "omar", roles=frozenset({"engineer"}))
    assert counting(asked_by=nobody).helpers() == ("olga",), "whoever that account belongs to now"
    guests = {**EVERYBODY, Human("gus"): GUS}
    assert counting(people=guests).helpers() == ("olga", "omar")


def test_who_could_help_agrees_with_what_is_asked_here() -> None:
    """Somebody with another role is no help, although they had no hand in it."""
    people = {**EVERYBODY, Human("abe"): person("abe", "security_engineer")}
    gates = {"security": {"kind": "signoff", "role": "security_engineer"}}
    roles = {**DOCUMENT["roles"], "security_engineer": {"members": ["lea"]}}
    to_prod = {**DOCUMENT["paths"][1], "requires": ["security"], "separation": {"reviewers": "not_alone"}}
    document = {**DOCUMENT, "gates": gates, "roles": roles, "paths": [DOCUMENT["paths"][0], to_prod]}
    facts = but(people=people, reviewers=OMAR_REVIEWED)
    result = counted(case(PROMOTION, facts, Policy.model_validate(document), NOW))
    assert isinstance(result, Count)
    assert result.lacking
    assert result.still() == ("olga",)


def test_an_open_seat_names_every_role_that_fills_it() -> None:
    assert missing((Seat(("on_call",)),)) == "an on call"
    assert missing(counting(slots=LEADS).open) == "a tech lead or incident commander"
    assert missing(counting(slots=(Slot(any_of=("tech_lead", "engineer"), count=2),)).open) == (
        "2 who are tech lead or engineer"
    )
    assert missing(counting(slots=TWO).open) == "2 release managers"


# Reasons --------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S4-121")
@pytest.mark.parametrize(("reason", "counts"), [("", False), ("  ", False), ("looks right", True)])
def test_where_a_reason_is_asked_an_approval_without_one_does_not_count(reason: str, counts: bool) -> None:
    result = counting(vote(OMAR, reason=reason), reason=True)
    assert result.complete is counts
    assert [entry.why for entry in result.ignored] == ([] if counts else ["gave no reason"])


def test_a_rejection_needs_no_reason_to_count() -> None:
    assert [each.voter.name for each in counting(vote(OMAR, Verdict.REJECT), reason=True).rejected] == ["omar"]


# Who wrote it, and who reviewed it ------------------------------------------------------------------------------------


def count_of(facts: Facts, separation: dict[str, str] | None = None, **path: Any) -> Count | Unknown:
    active = policy_with(**({"separation": separation} if separation else {}), **path)
    return counted(case(PROMOTION, facts, active.policy, NOW))


def complete(facts: Facts, separation: dict[str, str] | None = None, **path: Any) -> bool:
    result = count_of(facts, separation, **path)
    assert isinstance(result, Count)
    return result.complete


OMAR_WROTE = Authors(frozenset({Human("omar")}))
OMAR_REVIEWED = frozenset({Human("omar")})
BOTH = (vote(OMAR), vote(OLGA))


@pytest.mark.requirement("S4-122", "S4-126", "S4-172", "S4-255", "S4-217", "D-03")
def test_who_wrote_part_of_it_does_not_count_unless_the_policy_says_so() -> None:
    facts = but(authors=OMAR_WROTE)
    out = count_of(facts)
    assert isinstance(out, Count)
    assert [entry.why for entry in out.ignored] == ["wrote part of it, so cannot agree to it"]
    assert out.helpers() == ("olga",)
    assert complete(but(facts, votes=BOTH))
    assert not complete(facts, {"authors": "not_alone"})
    assert complete(but(facts, votes=BOTH), {"authors": "not_alone"})
    assert complete(facts, {"authors": "may_agree"})


@pytest.mark.requirement("S4-123", "S4-124")
def test_who_reviewed_its_pull_requests_is_not_the_only_one_who_agrees() -> None:
    facts = but(reviewers=OMAR_REVIEWED)
    assert complete(facts)
    alone = count_of(facts, {"reviewers": "not_alone"})
    assert isinstance(alone, Count)
    assert not alone.open
    assert alone.lacking == ("one more who reviewed none of its pull requests",)
    assert alone.helpers() == ("olga",)
    beside = count_of(but(facts, votes=BOTH), {"reviewers": "not_alone"})
    assert isinstance(beside, Count)
    assert beside.complete
    assert [each.vote.voter.name for each in beside.filled] == ["olga"], "who reviewed nothing takes the seat"
    assert [each.voter.name for each in beside.spare] == ["omar"]
    assert not complete(facts, {"reviewers": "out"})


@pytest.mark.requirement("S4-124")
def test_who_reviewed_and_asked_needs_somebody_independent() -> None:
    asked = but(asked_by=OMAR, reviewers=OMAR_REVIEWED, votes=(vote(OMAR),))
    assert not complete(asked, {"reviewers": "not_alone"})
    assert complete(but(asked, votes=(vote(OLGA),)), {"reviewers": "not_alone"})


def test_one_who_wrote_none_and_one_who_reviewed_none_are_enough_together() -> None:
    two = {"approvals": [{"role": "release_manager", "count": 2}]}
    apart = {"authors": "not_alone", "reviewers": "not_alone"}
    facts = but(authors=OMAR_WROTE, reviewers=frozenset({Human("olga")}), votes=BOTH)
    assert complete(facts, apart, **two)
    assert not complete(but(facts, votes=(vote(OMAR),)), apart)
    assert not complete(but(facts, votes=(vote(OLGA),)), apart)
    assert not complete(but(facts, votes=BOTH), apart), "one seat seats one of them, and neither is free of both"


STRANGERS = Authors(frozenset(), frozenset({"jdoe", "Ann Other"}))


@pytest.mark.parametrize(
    ("authors", "why"),
    [
        (Unknown("GitHub does not answer"), "who wrote it is not known, so neither who may agree to it: GitHub"),
        (STRANGERS, "Ann Other and jdoe wrote part of it and are linked to nobody; link them under people, or say"),
        (Authors(frozenset(), frozenset({"jdoe"})), "jdoe wrote part of it and is linked to nobody; link them"),
    ],
)
def test_an_author_whom_nobody_knows_blocks_unless_the_policy_ignores_them(authors: Any, why: str) -> None:
    facts = but(authors=authors)
    blocked = count_of(facts)
    assert isinstance(blocked, Unknown)
    assert blocked.why.startswith(why)
    assert complete(facts, {"unknown_authors": "ignore"})
    assert complete(facts, {"authors": "may_agree"})
    assert isinstance(count_of(facts, {"authors": "not_alone"}), Unknown)


def test_reviewers_whom_nobody_knows_block_only_where_they_matter() -> None:
    facts = but(reviewers=Unknown("GitHub does not answer"))
    assert complete(facts)
    for stance in ("not_alone", "out"):
        blocked = count_of(facts, {"reviewers": stance})
        assert isinstance(blocked, Unknown)
        assert blocked.why == "who approved its pull requests is not known: GitHub does not answer"


def test_who_wrote_it_does_not_matter_where_nobody_must_agree() -> None:
    to_stage = replace(PROMOTION, source="dev", target="stage")
    count_there = counted(case(to_stage, but(authors=Unknown("no"), votes=()), POLICY, NOW))
    assert isinstance(count_there, Count)
    assert count_there.complete


@pytest.mark.parametrize("stances", list(product(("may_agree", "not_alone", "out"), repeat=2)), ids="-".join)
def test_of_all_ways_to_seat_people_one_is_found_that_will_do(stances: tuple[str, str]) -> None:
    """Against every assignment of people to seats, for all small worlds."""
    authors, reviewers = stances
    roles = ("release_manager", "tech_lead")
    kinds = [frozenset(some) for some in ((roles[0],), (roles[1],), roles)]
    tried = 0
    for slots in ((roles[0],), (roles[0], roles[0]), roles, (roles[0], *roles)):
        for holding in product(kinds, repeat=3):
            crowd = [person(f"p{number}", *held) for number, held in enumerate(holding)]
            people = {each.human: each for each in crowd if each.human}
            for hands in product((0, 1, 2, 3), repeat=3):
                wrote, reviewed = (
                    frozenset(human for human, hand in zip(people, hands, strict=True) if hand & bit) for bit in (1, 2)
                )
                facts = but(votes=tuple(map(vote, crowd)), people=people, authors=Authors(wrote), reviewers=reviewed)
                active = SEATED[authors, reviewers, slots]
                result = counted(case(PROMOTION, facts, active.policy, NOW))
                assert isinstance(result, Count)
                out = (wrote if authors == "out" else frozenset()) | (reviewed if reviewers == "out" else frozenset())
                alone = [group for group, stance in ((wrote, authors), (reviewed, reviewers)) if stance == "not_alone"]
                assert result.complete is will_do(slots, people, out, alone), (slots, holding, hands)
                tried += 1
    assert tried == 4 * 27 * 64


def will_do(
    slots: tuple[str, ...], people: dict[Human, Person], out: frozenset[Human], alone: list[frozenset[Human]]
) -> bool:
    """Whether any way of seating people fills every seat and leaves nobody alone."""
    return any(
        all(role in people[human].roles for role, human in zip(slots, seated, strict=True))
        and not any(group and group.issuperset(seated) for group in alone)
        for seated in permutations([human for human in people if human not in out], len(slots))
    )


SEATED = {
    (authors, reviewers, slots): policy_with(
        separation={"authors": authors, "reviewers": reviewers}, approvals=[{"role": role} for role in slots]
    )
    for authors, reviewers in product(("may_agree", "not_alone", "out"), repeat=2)
    for slots in (
        ("release_manager",),
        ("release_manager", "release_manager"),
        ("release_manager", "tech_lead"),
        ("release_manager", "release_manager", "tech_lead"),
    )
}


# What they state besides ----------------------------------------------------------------------------------------------


def test_what_those_state_counts_who_can_agree_and_do() -> None:
    said = {"omar": "omar", "olga": "olga", "ines": "ines", "raj": "raj"}
    votes = [replace(vote(EVERYBODY[Human(name)]), confirms=frozenset({word})) for name, word in said.items()]
    votes[3] = replace(vote(RAJ, Verdict.REJECT), confirms=frozenset({"raj"}))
    assert counting(*votes, slots=MIXED).confirmed == {"omar", "olga"}, "a spare vote states, a rejection does not"


def test_who_agreed_first_is_asked_to_state_more_and_states_what_they_did_before() -> None:
    asked = case(PROMOTION, but(), POLICY, NOW)
    other: dict[str, Any] = {"at": NOW - 2 * HOUR}
    said = (
        replace(vote(OMAR), confirms=frozenset({"before"})),
        replace(vote(OMAR, plan=OTHER_PLAN, **other), confirms=frozenset({"another plan"})),
        replace(vote(OMAR, Verdict.REJECT, **other), confirms=frozenset({"a rejection"})),
        replace(vote(OLGA, at=NOW), confirms=frozenset({"somebody else"})),
    )
    for votes in permutations(said):
        after = if_confirmed(asked, "now")(but(votes=votes))
        assert after.votes[:-1] == votes, "one of them states it"
        assert after.votes[-1].voter == OMAR
        assert after.votes[-1].confirms == {"before", "now"}


def test_those_who_agree_already_are_asked_before_others_and_nobody_who_may_not() -> None:
    slots = (Slot(any_of=("release_manager", "tech_lead")),)
    result = counting(vote(OMAR))
    assert who_could_fill(result, slots) == ("olga",)
    assert who_could_fill(result, slots, [Human("omar")]) == ("omar",)
    assert who_could_fill(result, slots, [Human("ines"), Human("maya"), Human("raj")]) == ("raj",)
    assert who_could_fill(result, (Slot(role="tech_lead", count=2),)) is None
    asked_by_olga = counting(vote(OMAR), asked_by=OLGA)
    assert who_could_fill(asked_by_olga, slots, [Human("olga")]) == ("omar",), "whoever would like her to"


def test_somebody_who_may_agree_and_rejects_it_stops_it_and_says_why() -> None:
    result = counting(vote(OMAR, Verdict.REJECT, reason="latency"), vote(OLGA))
    assert result.filled
    assert not result.complete
    assert [(each.voter.name, each.reason) for each in result.rejected] == [("omar", "latency")]


# Who sits where -------------------------------------------------------------------------------------------------------

SIGNED_OFF = policy({"requires": ["seen"]}, gates={**PEOPLE["gates"], "seen": {"kind": "signoff", "role": "qa"}})


def asked(*votes: Vote, change: str = "", active: ActivePolicy = SIGNED_OFF) -> Count:
    question = replace(PROMOTION, change=change)
    found = counted(case(question, but(FINE, votes=votes), active.policy, NOW))
    assert isinstance(found, Count)
    return found


def test_the_agreement_itself_stands_whatever_is_still_to_be_signed_off() -> None:
    assert not asked().complete
    assert not asked(vote(QUINN)).complete
    assert asked(vote(OMAR)).complete


def test_what_a_type_spares_need_not_be_signed_off() -> None:
    spared = policy(
        {"requires": ["seen"]},
        gates={**PEOPLE["gates"], "seen": {"kind": "signoff", "role": "qa"}},
        change_types={"hotfix": {"waives": ["seen"]}, "config": {}},
    )
    assert [seat.gate for seat in asked(change="config", active=spared).open] == ["", "seen"]
    assert [seat.gate for seat in asked(change="hotfix", active=spared).open] == [""]


A, B, C = Human("a"), Human("b"), Human("c")
FOUR = tuple(Seat((str(number),)) for number in range(4))


@pytest.mark.parametrize(
    ("able", "optional", "seated"),
    [
        ({A: (), B: (0,)}, 3, {0: B}),
        ({A: (2,), B: (0,), C: (1,)}, 2, {0: B, 1: C, 2: A}),
        ({A: (2,), B: (0, 3), C: (0, 1)}, 2, {0: B, 1: C, 2: A}),
        ({A: (0, 2), B: (0, 1)}, 2, {0: A, 1: B}),
        ({A: (0, 1), B: (0,), C: (0, 1)}, 0, {0: B, 1: A}),
    ],
)
def test_what_must_be_filled_is_filled_before_what_may_stay_empty(
    able: dict[Human, tuple[int, ...]], optional: int, seated: dict[int, Human]
) -> None:
    assert matching(able, able, Terms(FOUR, timedelta(), optional=optional)) == seated


@pytest.mark.parametrize("alone", [(), ((frozenset({Human("omar")}), "one more"),)])
def test_nobody_waits_twice_for_a_seat_and_first_comes_who_had_no_hand_in_it(alone: Any) -> None:
    able = {Human("omar"): (0,), Human("olga"): (0,)}
    table = Table(Terms(FOUR, timedelta()), Apart(alone=alone), MAYA, EVERYBODY, able, frozenset())
    assert table.order(able) == (["olga", "omar"] if alone else ["omar", "olga"])
    assert table.lacking(()) == ()
    assert table.lacking([Human("omar")]) == (("one more",) if alone else ())


@pytest.mark.parametrize(
    ("then", "now", "role"),
    [
        (("tech_lead", "release_manager"), ("release_manager",), "release_manager"),
        (("release_manager",), ("tech_lead", "release_manager"), "release_manager"),
        (("tech_lead", "release_manager"), ("tech_lead", "release_manager"), "tech_lead"),
        (("tech_lead",), ("release_manager",), None),
    ],
)
def test_a_seat_is_filled_with_a_role_that_was_held_then_and_is_held_now(
    then: tuple[str, ...], now: tuple[str, ...], role: str | None
) -> None:
    slots = (Slot(any_of=("tech_lead", "release_manager")),)
    found = filling([vote(person("olga", *then))], slots, {Human("olga"): person("olga", *now)})
    assert (found and found[0].role) == role


def test_of_those_who_could_agree_nobody_left_or_is_a_bot_or_is_whoever_asked() -> None:
    others = {
        each.human: each
        for each in (
            person("ann", "release_manager", active=False),
            person("ci", "release_manager", kind=AccountKind.BOT),
            person("gus", "release_manager", kind=AccountKind.GUEST),
            replace(MAYA, human=Human("maya2"), roles=frozenset({"release_manager"})),
            person("maya", "release_manager"),
            person("rex", "release_manager"),
            person("out", "release_manager"),
            person("olga", "release_manager"),
        )
        if each.human
    }
    apart, rejecting = Apart({Human("out"): "wrote it"}), frozenset({Human("rex")})
    table = Table(Terms(FOUR, timedelta()), apart, MAYA, others, {}, rejecting)
    assert table.could(["release_manager"]) == ["olga"]
