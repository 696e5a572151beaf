"""Has the candidate served the source environment for long enough?"""

from __future__ import annotations

from datetime import datetime

from policy import wording
from policy.document import Policy
from policy.facts import Facts, Question
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet
from policy.model import Unknown, short

SOAK = "soak"


def soaked(question: Question, facts: Facts, policy: Policy, at: datetime) -> Finding:
    """It has had all the traffic there since so long ago, to the second the span that the policy asks for."""
    path = policy.path(question.service, question.source or "", question.target)
    if path is None:
        return unknown(SOAK, "without a path it is not known how long it must have served")
    if path.gates.soak is None:
        return not_applicable(SOAK, f"{path.name} requires no soak")
    for fact in (facts.candidate, facts.source_serving):
        if isinstance(fact, Unknown):
            return unknown(SOAK, fact.why)
    assert not isinstance(facts.candidate, Unknown)  # noqa: S101 (for the type checker: returned above)
    assert not isinstance(facts.source_serving, Unknown)  # noqa: S101 (the same)
    serving, zone = facts.source_serving, policy.zone()
    if serving.digest != facts.candidate.digest:
        return unmet(SOAK, f"{path.source} does not serve {short(facts.candidate.digest)}, so it does not soak")
    since = wording.instant(serving.since, zone)
    served, wanted = wording.lasting(at - serving.since), wording.lasting(path.gates.soak)
    ends = serving.since + path.gates.soak
    if at >= ends:
        return met(SOAK, f"{path.source} has served it for {served} since {since}; {wanted} are required")
    remedy = Remedy(RemedyKind.WAIT, f"wait until {wording.instant(ends, zone)}", at=ends)
    return unmet(SOAK, f"{path.source} has served it for {served} of {wanted}, since {since}", remedy)
