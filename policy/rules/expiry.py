"""Does the request still stand?"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policy.case import Case
from policy.facts import Facts
from policy.finding import Applied, Finding, Remedy, RemedyKind, met, not_applicable, unmet
from policy.wording import At

_made: Final = tuple.__new__

NOT_EXPIRED = "not-expired"


def not_expired(case: Case) -> Finding:
    """Its last instant has not come; at `expires_at` it is over."""
    expires_at = case.facts.expires_at
    if expires_at is None:
        return not_applicable(NOT_EXPIRED, "this request does not expire")
    if case.at < expires_at:
        return met(NOT_EXPIRED, "the request stands until {}", _made(At, (expires_at, case.zone)))
    remedy = Remedy(RemedyKind.EVIDENCE, "ask again", applied=asked_anew(case))
    return unmet(NOT_EXPIRED, "the request expired on {}", At(expires_at, case.zone), remedies=(remedy,))


def asked_anew(case: Case) -> Applied:
    """The facts of a new request for the same: what people agreed to before was another."""

    def applied(facts: Facts) -> Facts:
        expires_at = None if case.path is None else case.at + case.path.request_lasts
        return replace(facts, asked_at=case.at, expires_at=expires_at)

    return applied
