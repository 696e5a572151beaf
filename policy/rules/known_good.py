"""Does the rollback lead to something that was verified here?"""

from __future__ import annotations

from policy import wording
from policy.case import Case
from policy.finding import Finding, met, unknown, unmet
from policy.model import Unknown, short
from policy.rules import hold

KNOWN_GOOD_TARGET = "known-good-target"


def known_good_target(case: Case) -> Finding:
    """It was verified while it had all the traffic here, was not taken back since, and is not what serves now.

    What serves, and what is held, block where they are known and speak against it: in an outage they may be what
    cannot be had, and to go back to what was verified is right whatever serves.
    """
    question, facts, policy = case.question, case.facts, case.policy
    target = facts.rollback_to
    if isinstance(target, Unknown):
        return unknown(KNOWN_GOOD_TARGET, target.why)
    held = [] if isinstance(facts.holds, Unknown) else hold.holds_on(target.digest, question, facts.holds)
    if held:
        remedies = tuple(hold.lift(each, policy) for each in held)
        return unmet(KNOWN_GOOD_TARGET, "; ".join(hold.says(each, policy) for each in held), remedies=remedies)
    verified = f"was verified on {wording.instant(target.verified_at, policy.zone())} ({target.source})"
    name = f"{target.revision} ({short(target.digest)})"
    if isinstance(facts.target_serving, Unknown):
        return met(KNOWN_GOOD_TARGET, f"{name} {verified}; what serves now is not known")
    if facts.target_serving.revision == target.revision:
        return unmet(KNOWN_GOOD_TARGET, f"{question.target} already serves {name}")
    return met(KNOWN_GOOD_TARGET, f"{name} {verified}")
