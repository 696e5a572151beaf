"""Was the candidate taken back from here before?"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from policy import wording
from policy.case import Case
from policy.document import Policy
from policy.facts import Facts, Hold, Question
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.model import AccountKind, Digest, Unknown, short
from policy.wording import All, At

NO_HOLD = "no-hold"


class _Held(NamedTuple):
    """One hold in words, for whoever reads it."""

    hold: Hold
    policy: Policy

    def __str__(self) -> str:
        hold, since = self.hold, At(self.hold.since, self.policy.zone())
        taken = f"{short(hold.digest)} was taken back from {hold.place.environment} on {since}"
        return f"{taken}: {hold.reason} ({hold.id})"


def no_hold(case: Case) -> Finding:
    """Nothing holds this digest out of this place."""
    holds, candidate = case.facts.holds, case.facts.candidate
    if type(holds) is Unknown:
        return unknown(NO_HOLD, "{}", holds.why)
    if type(candidate) is Unknown:
        return unknown(NO_HOLD, "{}", candidate.why)
    held = holds_on(candidate.digest, case.question, holds)
    if not held:
        return met(NO_HOLD, "{} was not taken back from {}", short(candidate.digest), case.question.target)
    return taken_back(NO_HOLD, held, case)


def holds_on(digest: Digest, question: Question, holds: tuple[Hold, ...]) -> tuple[Hold, ...]:
    """Those that keep this digest out of the question's place."""
    return tuple(hold for hold in holds if hold.place == question.place and hold.digest == digest) if holds else ()


def taken_back(rule: str, held: tuple[Hold, ...], case: Case) -> Finding:
    """That these hold it, and who may let it in again."""
    return unmet(rule, "{}", All(tuple(_Held(hold, case.policy) for hold in held)), remedies=_lifted(held, case))


def _lifted(held: tuple[Hold, ...], case: Case) -> tuple[Remedy, ...]:
    roles, people = case.policy.may.lift, case.facts.people
    if not roles:
        return ()
    known = {} if type(people) is Unknown else people
    able = tuple(
        human
        for human, person in sorted(known.items())
        if person.active and person.kind is AccountKind.HUMAN and not person.roles.isdisjoint(roles)
    )

    def applied(facts: Facts) -> Facts:
        holds = () if type(facts.holds) is Unknown else facts.holds
        return replace(facts, holds=tuple(hold for hold in holds if hold not in held))

    which = f"the hold {held[0].id}" if len(held) == 1 else f"the holds {wording.listed(hold.id for hold in held)}"
    says = f"lift {which} ({wording.listed(map(wording.role, roles), 'or')} may)"
    return (Remedy(RemedyKind.LIFT, says, able, applied=applied),)
