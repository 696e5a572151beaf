"""Was the candidate taken back from here before?"""

from __future__ import annotations

from policy import wording
from policy.case import Case
from policy.document import Policy
from policy.facts import Hold, Question
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.model import Digest, Unknown, short

NO_HOLD = "no-hold"


def no_hold(case: Case) -> Finding:
    """Nothing holds this digest out of this place."""
    question, facts, policy = case.question, case.facts, case.policy
    if isinstance(facts.holds, Unknown):
        return unknown(NO_HOLD, facts.holds.why)
    if isinstance(facts.candidate, Unknown):
        return unknown(NO_HOLD, facts.candidate.why)
    held = holds_on(facts.candidate.digest, question, facts.holds)
    if not held:
        return met(NO_HOLD, f"{short(facts.candidate.digest)} was not taken back from {question.target}")
    return unmet(
        NO_HOLD, "; ".join(says(hold, policy) for hold in held), remedies=tuple(lift(hold, policy) for hold in held)
    )


def holds_on(digest: Digest, question: Question, holds: tuple[Hold, ...]) -> list[Hold]:
    """Those that keep this digest out of the question's place."""
    return [hold for hold in holds if hold.place == question.place and hold.digest == digest]


def says(hold: Hold, policy: Policy) -> str:
    since = wording.instant(hold.since, policy.zone())
    return f"{short(hold.digest)} was taken back from {hold.place.environment} on {since}: {hold.reason} ({hold.id})"


def lift(hold: Hold, policy: Policy) -> Remedy:
    able = wording.listed(map(wording.role, policy.may.lift), "or")
    return Remedy(RemedyKind.LIFT, f"lift the hold {hold.id} ({able} may)")
