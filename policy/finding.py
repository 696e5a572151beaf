"""What did the rules find? Findings, the remedies that would help, and the decision they make together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Standing(StrEnum):
    """How a requirement stands."""

    MET = "met"
    UNMET = "unmet"
    WAIVED = "waived"
    NOT_APPLICABLE = "not applicable"
    UNKNOWN = "unknown"
    """Could not be evaluated; blocks like `UNMET`."""


class RemedyKind(StrEnum):
    """What sort of thing would help."""

    WAIT = "wait"
    APPROVE = "approve"
    EVIDENCE = "evidence"
    ROLE = "role"
    LIFT = "lift"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing that would turn an unmet finding into a met one."""

    kind: RemedyKind
    says: str
    """A sentence for people, without a full stop: `wait until 13:00`."""
    who: tuple[str, ...] = ()
    """Humans who can do it now, after separation of duties; empty where nobody in particular must."""
    at: datetime | None = None
    """For `WAIT`, aware UTC: as a rule finds it, the first instant at which that rule would be met; in a decision, the
    first at which every rule that turns with time is met, for the one without the other helps nobody."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found."""

    rule: str
    """The requirement's name, in kebab case: `second-person`."""
    standing: Standing
    reason: str
    """What was seen, with names and numbers, without a full stop."""
    remedies: tuple[Remedy, ...] = ()
    waits_for_people: bool = False
    """True where votes on this very question are what is missing, and nothing else."""


def met(rule: str, reason: str) -> Finding:
    return Finding(rule, Standing.MET, reason)


def unmet(rule: str, reason: str, *remedies: Remedy, waits_for_people: bool = False) -> Finding:
    return Finding(rule, Standing.UNMET, reason, remedies, waits_for_people)


def unknown(rule: str, why: str, *remedies: Remedy) -> Finding:
    return Finding(rule, Standing.UNKNOWN, why, remedies)


def not_applicable(rule: str, why: str) -> Finding:
    return Finding(rule, Standing.NOT_APPLICABLE, why)


BLOCKING = frozenset({Standing.UNMET, Standing.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Decision:
    """All findings of one question at one instant under one policy."""

    findings: tuple[Finding, ...]
    at: datetime
    policy_hash: str
    """SHA-256 of the policy file's bytes, hex."""
    earliest: datetime | None = None
    """First instant at which every rule that turns with time is met, checked on all of them together; what else blocks
    is still to be done. None: no opening is known, or nothing that time decides is in the way."""
    notes: tuple[str, ...] = field(default=())
    """What people should know and no rule turns on: an ignored vote and why, the next close."""

    @property
    def allowed(self) -> bool:
        """Silence is not consent: without a single finding nothing is allowed."""
        return bool(self.findings) and not self.blockers

    @property
    def blockers(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.standing in BLOCKING)

    @property
    def waits_for_people_only(self) -> bool:
        """True where votes are all that is missing."""
        return bool(self.blockers) and all(finding.waits_for_people for finding in self.blockers)
