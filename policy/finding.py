"""What did the rules find? Findings, the remedies that would help, and the decision they make together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from policy.facts import Facts


class Standing(StrEnum):
    """How a requirement stands."""

    MET = "met"
    UNMET = "unmet"
    WAIVED = "waived"
    """Unmet or unknown, and an exception or emergency in force lets it through."""
    WARNING = "warning"
    """Unmet or unknown, and the policy lets it through, seen or not."""
    NOT_APPLICABLE = "not applicable"
    UNKNOWN = "unknown"
    """Could not be evaluated; blocks like `UNMET`."""

    __hash__ = str.__hash__


class RemedyKind(StrEnum):
    """What sort of thing would help."""

    WAIT = "wait"
    APPROVE = "approve"
    EVIDENCE = "evidence"
    SAY = "say"
    """Whoever asked says or states more: a field, an attestation, a checklist item."""
    ROLE = "role"
    LIFT = "lift"
    SETTLE = "settle"
    """Something owed is done."""
    EXCEPTION = "exception"


Applied = Callable[["Facts"], "Facts"]
"""The facts as they would be, once somebody did what a remedy says."""


class Remedy(NamedTuple):
    """One thing that would turn an unmet finding into a met one."""

    kind: RemedyKind
    words: Any
    """What `says` says: a sentence, or what becomes one only when somebody reads it."""
    who: tuple[str, ...] = ()
    """Humans who can do it now, after separation of duties; empty where nobody in particular must."""
    at: datetime | None = None
    """For `WAIT`, aware UTC: as a rule finds it, the first instant at which that rule would be met; in a decision, the
    first at which every rule that turns with time is met, for the one without the other helps nobody."""
    applied: Applied | None = None
    """How to try it; None for `WAIT`, which is tried by the clock. A remedy that cannot be tried is never shown."""

    @property
    def says(self) -> str:
        """A sentence for people, without a full stop: `wait until 13:00`."""
        return str(self.words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remedy) and self._told() == other._told()

    def __ne__(self, other: object) -> bool:
        return not self == other  # a tuple would look at all five

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[object, ...]:
        return self.kind, self.says, self.who, self.at


class Finding(NamedTuple):
    """What one rule found."""

    rule: str
    """The requirement's name, in kebab case: `second-person`; of a gate, its name in the policy."""
    standing: Standing
    says: str
    """What was seen, with names and numbers, without a full stop: whole, or with a `{}` for each of `values`."""
    values: tuple[object, ...] = ()
    """Put into words only when somebody reads them: most decisions are never read."""
    remedies: tuple[Remedy, ...] = ()
    waits_for_people: bool = False
    """True where votes on this very question are what is missing, and nothing else."""
    source: str = ""
    """Where the rule is written in the policy that people signed: `L47`."""
    by: str = ""
    """What waives it: `X-4`, `E-1`."""

    @property
    def reason(self) -> str:
        return self.says.format(*self.values) if self.values else self.says


_MET: Final = Standing.MET
_UNMET: Final = Standing.UNMET
_UNKNOWN: Final = Standing.UNKNOWN
_NOT_APPLICABLE: Final = Standing.NOT_APPLICABLE
_made: Final = tuple.__new__
"""Of a finding's fields in their order: in half the time that its own constructor takes."""


def met(rule: str, says: str, *values: object) -> Finding:
    return _made(Finding, (rule, _MET, says, values, (), False, "", ""))


def unmet(
    rule: str, says: str, *values: object, remedies: tuple[Remedy, ...] = (), waits_for_people: bool = False
) -> Finding:
    return _made(Finding, (rule, _UNMET, says, values, remedies, waits_for_people, "", ""))


def unknown(rule: str, says: str, *values: object, remedies: tuple[Remedy, ...] = ()) -> Finding:
    return _made(Finding, (rule, _UNKNOWN, says, values, remedies, False, "", ""))


def not_applicable(rule: str, says: str, *values: object) -> Finding:
    return _made(Finding, (rule, _NOT_APPLICABLE, says, values, (), False, "", ""))


def written_at(source: str, finding: Finding) -> Finding:
    """The finding, with the place where its rule is written."""
    rule, standing, says, values, remedies, waits_for_people, _, by = finding
    return _made(Finding, (rule, standing, says, values, remedies, waits_for_people, source, by))


BLOCKING: Final = frozenset({Standing.UNMET, Standing.UNKNOWN})


class Decision(NamedTuple):
    """All findings of one question at one instant under one policy."""

    findings: tuple[Finding, ...]
    at: datetime
    policy_hash: str
    """SHA-256 of the policy file's bytes, hex."""
    earliest: datetime | None = None
    """First instant at which every rule that turns with time is met, checked on all of them together; what else blocks
    is still to be done. None: no opening is known, or nothing that time decides is in the way."""
    closes: datetime | None = None
    """When what is open now closes next, where that is known."""
    notes: tuple[str, ...] = ()
    """What people should know and no rule turns on: an ignored vote and why, the next close."""
    ways: tuple[tuple[Remedy, ...], ...] = ()
    """The smallest sets of remedies of which each, done whole, was seen to let it through; smallest first."""

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
