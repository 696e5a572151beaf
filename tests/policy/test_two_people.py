"""Can too few people change production? Every sequence of what they can do, in small worlds, up to a bound.

A world has a policy and a crew: accounts that speak, each with every role there is. The crew is fewer humans than the
policy wants. Whatever its accounts ask, vote, take back, end and grant, in whatever order, no promotion to production is
ever allowed; with one more human it soon is. Of each account the last word on a thing is kept, and whether that was
before or after the thing was asked; what leads to the same state is tried once. Small worlds are searched until nothing
new is found, so for sequences of any length; larger ones up to the length that they say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from policy.decide import decide_again
from policy.document import ActivePolicy
from policy.evidence import Authors
from policy.facts import (
    EMERGENCY,
    Check,
    CheckState,
    Deed,
    EmergencyRecord,
    ExceptionRecord,
    Facts,
    Question,
    Verdict,
    Vote,
)
from policy.model import AccountKind, Human, Person
from tests.policy.good import ALL_GOOD, NOW, PLAN, PROMOTION, but
from tests.policy.people import PEOPLE, SAID, freeze, policy, wanted

ROLES = frozenset(PEOPLE["roles"])
SECOND = timedelta(seconds=1)


def account(name: str, human: str | None, kind: AccountKind = AccountKind.HUMAN, *, active: bool = True) -> Person:
    return Person(f"slack:T0ACME/{name}", Human(human) if human else None, name, kind, active, ROLES)


SOLO, SOLO_TOO = account("solo", "solo"), account("solo-gh", "solo")
OTHER, THIRD = account("other", "other"), account("third", "third")
HANGERS_ON = (
    account("ci", None, AccountKind.BOT),
    account("robot", "robot", AccountKind.BOT),
    account("gus", "gus", AccountKind.GUEST),
    account("eve", "eve", AccountKind.STRANGER),
    account("nobody", None),
    account("left", "left", active=False),
)


# What they can do -----------------------------------------------------------------------------------------------------


class Cast(NamedTuple):
    """Somebody's last word on the request, or on the exception."""

    by: Person
    verdict: Verdict
    late: bool = True
    """After what it is on was asked; else before."""


class Asked(NamedTuple):
    """An exception that somebody asked for."""

    by: Person
    votes: frozenset[Cast] = frozenset()
    granted_by: tuple[Person, ...] = ()


class State(NamedTuple):
    """Where a sequence has led."""

    asked: tuple[Person, str] | None = None
    """Who asked for the promotion, and as a change of which type."""
    votes: frozenset[Cast] = frozenset()
    exception: Asked | None = None
    frozen: bool = False


@dataclass(frozen=True)
class World:
    """A policy, and what is true besides what people do."""

    active: ActivePolicy
    crew: tuple[Person, ...]
    facts: Facts
    changes: tuple[str, ...] = ("",)
    exceptions: str = ""
    """The kind of exception that can be asked for."""
    frozen: bool = False
    length: int | None = None
    """So many steps are taken, in every order; None: as many as ever lead to something new."""

    def all_states(self) -> Iterator[State]:
        """Each state that can be reached, once."""
        edge = {State(frozen=self.frozen)}
        seen, steps = set(edge), 0
        while edge:
            yield from edge
            if steps == self.length:
                return
            edge = {after for state in edge for after in self.steps(state)} - seen
            seen |= edge
            steps += 1

    def steps(self, state: State) -> Iterator[State]:
        """What anybody can do next."""
        for person in self.crew:
            for change in self.changes:
                before = frozenset(cast._replace(late=False) for cast in state.votes)
                yield state._replace(asked=(person, change), votes=before)
            others = frozenset(cast for cast in state.votes if cast.by != person)
            yield state._replace(votes=others)
            for verdict in Verdict:
                yield state._replace(votes=others | {Cast(person, verdict, state.asked is not None)})
            if self.exceptions:
                yield from self._of_exceptions(state, person)
            if state.frozen and self._allowed(
                Question(Deed.FREEZE, "checkout", "prod"), but(self.facts, asked_by=person)
            ):
                yield state._replace(frozen=False)

    def _of_exceptions(self, state: State, person: Person) -> Iterator[State]:
        yield state._replace(exception=Asked(person))
        asked = state.exception
        if asked is None or asked.granted_by:
            return
        votes = frozenset(cast for cast in asked.votes if cast.by != person) | {Cast(person, Verdict.APPROVE)}
        asked = asked._replace(votes=votes)
        record = self._record(asked)
        facts = replace(
            self.facts,
            asked_by=asked.by,
            asked_at=NOW - 30 * SECOND,
            wanted=record,
            votes=tuple(self._vote(cast, -25) for cast in asked.votes),
        )
        question = Question(Deed.EXCEPTION, "checkout", "prod", kind=self.exceptions)
        if self._allowed(question, facts):
            asked = asked._replace(granted_by=(person,))
        yield state._replace(exception=asked)

    def _record(self, asked: Asked) -> ExceptionRecord:
        kind = self.active.policy.exceptions[self.exceptions]
        return wanted(
            kind=self.exceptions,
            waives=frozenset(kind.waives),
            asked_by=asked.by,
            asked_at=NOW - 30 * SECOND,
            starts_at=NOW - 30 * SECOND,
            ends_at=NOW + 60 * SECOND,
            fields=dict.fromkeys(kind.fields, "said"),
            uses=kind.uses,
            granted_by=asked.granted_by,
            granted_at=NOW - 20 * SECOND if asked.granted_by else None,
        )

    def _vote(self, cast: Cast, seconds: int) -> Vote:
        confirms = frozenset({"F-7", *self.active.policy.gates})
        return Vote(cast.by, cast.verdict, NOW + seconds * SECOND, PLAN, "because", confirms=confirms)

    def _allowed(self, question: Question, facts: Facts) -> bool:
        return decide_again(question, facts, self.active, NOW).allowed

    def goes(self, state: State) -> bool:
        """Whether production would change now."""
        if state.asked is None:
            return False
        by, change = state.asked
        facts = replace(
            self.facts,
            asked_by=by,
            asked_at=NOW - 10 * SECOND,
            votes=tuple(self._vote(cast, -5 if cast.late else -15) for cast in state.votes),
            exceptions=() if state.exception is None else (self._record(state.exception),),
            freezes=(freeze(),) if state.frozen else (),
            emergency=EmergencyRecord("E-1", SAID, NOW + 60 * SECOND) if change == EMERGENCY else None,
            confirmed=frozenset(self.active.policy.gates),
            fields=dict.fromkeys(("incident", "rollback-target"), "said"),
        )
        return self._allowed(replace(PROMOTION, change=change), facts)


# The worlds -----------------------------------------------------------------------------------------------------------

RED = {"build": Check("build", CheckState.FAILED), "unit-tests": Check("unit-tests", CheckState.PASSED)}
GATES = {
    "unit": {"kind": "checks", "names": ["build"]},
    "sast": {"kind": "checks", "names": ["unit-tests"]},
    "security": {"kind": "signoff", "role": "security_engineer"},
    "read": {"kind": "attest", "statement": "I read it", "by": ["requester", "approver"]},
}
ONE = [{"role": "release_manager"}]
TWO = [{"role": "release_manager", "count": 2}]


def ruled(path: dict[str, Any] | None = None, **changes: Any) -> ActivePolicy:
    everybody = list(PEOPLE["roles"])
    may = dict.fromkeys(PEOPLE["may"], everybody)
    return policy({"gates": {}, "requires": ["sast"], **(path or {})}, gates=GATES, may=may, **{**KINDS, **changes})


KINDS: dict[str, Any] = {
    "exceptions": {"any": {"waives": ["unit", "sast", "no-freeze"], "approvals": ONE, "emergency": True}},
    "emergency": {**PEOPLE["emergency"], "waives": ["sast", "no-freeze", "unit"]},
    "change_types": {"hotfix": {"approvals": [{"role": "on_call"}], "instead": True, "freeze": "any"}},
}


def facts(*humans: Person, **changes: Any) -> Facts:
    people = {person.human: person for person in (*HANGERS_ON, *humans) if person.human}
    return but(ALL_GOOD, **{"people": MappingProxyType(people), "votes": (), "obligations": (), **changes})


SMALL = (SOLO, SOLO_TOO, HANGERS_ON[1], HANGERS_ON[4])
PAIR = (SOLO, SOLO_TOO, OTHER)
BOTH = (SOLO, OTHER)
EVERY_TYPE = ("", "hotfix", EMERGENCY)
THEIRS = frozenset({Human("solo"), Human("other")})

WORLDS: dict[str, World] = {
    "one human, with two accounts, bots, guests and others": World(
        ruled(), (SOLO, SOLO_TOO, *HANGERS_ON), facts(SOLO), ("", EMERGENCY), length=3
    ),
    "one human, whatever the type of the change": World(ruled(), SMALL, facts(SOLO), EVERY_TYPE),
    "one human, in a freeze that an approval lets through": World(
        ruled(freezes={"override": [{"role": "release_owner"}], "override_fields": ["incident"]}),
        (SOLO, SOLO_TOO, HANGERS_ON[1]),
        facts(SOLO),
        EVERY_TYPE,
        frozen=True,
    ),
    "two humans where two must agree": World(ruled({"approvals": TWO}), PAIR, facts(*BOTH)),
    "two humans where one more signs off": World(
        ruled({"requires": ["security", "read"]}), PAIR, facts(*BOTH), ("", EMERGENCY)
    ),
    "two humans who wrote it": World(ruled(), PAIR, facts(*BOTH, authors=Authors(THEIRS)), EVERY_TYPE),
    "two humans who reviewed it, and may not be alone": World(
        ruled({"separation": {"reviewers": "not_alone"}}), PAIR, facts(*BOTH, reviewers=THEIRS), EVERY_TYPE
    ),
    "two humans, a red check, and an exception for it": World(
        ruled({"requires": ["unit"]}), BOTH, facts(*BOTH, checks=RED), exceptions="any"
    ),
    "one human, a red check, exceptions and emergencies": World(
        ruled({"requires": ["unit"]}),
        (SOLO, SOLO_TOO, HANGERS_ON[4]),
        facts(SOLO, checks=RED),
        ("", EMERGENCY),
        exceptions="any",
        frozen=True,
        length=5,
    ),
}


@pytest.mark.requirement("S4-005", "S4-124", "S4-161", "D-03")
@pytest.mark.parametrize("name", WORLDS)
def test_too_few_people_never_change_production_whatever_they_do(name: str) -> None:
    world = WORLDS[name]
    tried = 0
    for state in world.all_states():
        assert not world.goes(state), state
        tried += 1
    bound = "any number of" if world.length is None else f"up to {world.length}"
    print(f"{name}: {tried} states, {bound} steps")


@pytest.mark.parametrize("name", WORLDS)
def test_one_more_human_can(name: str) -> None:
    """Else the search above would be one of nothing."""
    world = WORLDS[name]
    humans = {person.human for person in world.crew if person in {SOLO, SOLO_TOO, OTHER}}
    crew = (SOLO, OTHER) if len(humans) == 1 else (SOLO, OTHER, THIRD)
    enough = replace(world, crew=crew, facts=replace(world.facts, people=facts(*crew).people), length=6)
    assert any(map(enough.goes, enough.all_states()))
