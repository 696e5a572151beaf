"""Does the request still stand?"""

from __future__ import annotations

from policy import wording
from policy.case import Case
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unmet

NOT_EXPIRED = "not-expired"


def not_expired(case: Case) -> Finding:
    """Its last instant has not come; at `expires_at` it is over."""
    facts, policy, at = case.facts, case.policy, case.at
    if facts.expires_at is None:
        return not_applicable(NOT_EXPIRED, "this request does not expire")
    ends = wording.instant(facts.expires_at, policy.zone())
    if at < facts.expires_at:
        return met(NOT_EXPIRED, f"the request stands until {ends}")
    return unmet(NOT_EXPIRED, f"the request expired on {ends}", remedies=(Remedy(RemedyKind.EVIDENCE, "ask again"),))
