"""Does the request still stand?"""

from __future__ import annotations

from datetime import datetime

from policy import wording
from policy.document import Policy
from policy.facts import Facts, Question
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unmet

NOT_EXPIRED = "not-expired"


def not_expired(_question: Question, facts: Facts, policy: Policy, at: datetime) -> Finding:
    """Its last instant has not come; at `expires_at` it is over."""
    if facts.expires_at is None:
        return not_applicable(NOT_EXPIRED, "this request does not expire")
    ends = wording.instant(facts.expires_at, policy.zone())
    if at < facts.expires_at:
        return met(NOT_EXPIRED, f"the request stands until {ends}")
    return unmet(NOT_EXPIRED, f"the request expired on {ends}", Remedy(RemedyKind.EVIDENCE, "ask again"))
