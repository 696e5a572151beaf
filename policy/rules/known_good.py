"""Does the rollback lead to something that was verified here?"""

from __future__ import annotations

from policy.case import Case
from policy.finding import Finding, met, unknown, unmet
from policy.model import Unknown, short
from policy.rules.hold import holds_on, taken_back
from policy.wording import At

KNOWN_GOOD_TARGET = "known-good-target"


def known_good_commit(case: Case) -> Finding:
    """What the branch would go back to was verified here."""
    target = case.facts.rollback_to
    if type(target) is Unknown:
        return unknown(KNOWN_GOOD_TARGET, "{}", target.why)
    if target.commit is None:
        return unknown(KNOWN_GOOD_TARGET, "which commit was verified is not recorded")
    says = "{} was verified on {} ({})"
    return met(KNOWN_GOOD_TARGET, says, short(target.commit), At(target.verified_at, case.zone), target.source)


def known_good_target(case: Case) -> Finding:
    """It was verified while it had all the traffic here, was not taken back since, and is not what serves now.

    What serves, and what is held, block where they are known and speak against it: in an outage they may be what
    cannot be had, and to go back to what was verified is right whatever serves.
    """
    question, facts = case.question, case.facts
    target, serving = facts.rollback_to, facts.target_serving
    if type(target) is Unknown:
        return unknown(KNOWN_GOOD_TARGET, "{}", target.why)
    held = () if type(facts.holds) is Unknown else holds_on(target.digest, question, facts.holds)
    if held:
        return taken_back(KNOWN_GOOD_TARGET, held, case)
    says = "{} ({}) was verified on {} ({})"
    seen = (target.revision, short(target.digest), At(target.verified_at, case.zone), target.source)
    if type(serving) is Unknown:
        return met(KNOWN_GOOD_TARGET, says + "; what serves now is not known", *seen)
    if serving.revision == target.revision:
        return unmet(KNOWN_GOOD_TARGET, "{} already serves {} ({})", question.target, *seen[:2])
    return met(KNOWN_GOOD_TARGET, says, *seen)
