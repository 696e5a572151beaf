"""Votes: the 23 scenarios, and each reason for which a vote does not count."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from policy.case import case
from policy.document import Slot
from policy.facts import Verdict, Vote
from policy.model import AccountKind, Human, Person, Unknown
from policy.votes import Apart, Count, Terms, count, counted, seats
from tests.policy.good import (
    ALL_GOOD,
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
    vote,
)

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
    known = counted(case(PROMOTION, ALL_GOOD, POLICY, NOW))
    assert isinstance(known, Count)
    assert known.complete


def test_nobody_outside_the_roles_is_asked_for_help() -> None:
    assert RAJ.human not in counting().helpers()
    assert INES.human not in counting().helpers()
