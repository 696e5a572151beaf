"""What does somebody want? One type for each thing that can be wanted; words, buttons and modals all become these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Promote:
    service: str
    source: str
    target: str
    version: str = ""
    """Digest or commit, whole or its beginning; empty: what the source environment serves."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    service: str
    target: str
    to: str = ""
    """A whole revision, or the first seven letters or more of a digest or commit; empty: the last verified good one."""
    reason: str = ""
    incident: str = ""


@dataclass(frozen=True, slots=True)
class StartFreeze:
    environment: str
    service: str | None
    starts_at: datetime | None
    ends_at: datetime
    reason: str
    exit_criteria: str = ""


@dataclass(frozen=True, slots=True)
class EndFreeze:
    which: str = ""
    """Id of a freeze or hold, or an environment; empty: the only one there is."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ListFreezes:
    pass


@dataclass(frozen=True, slots=True)
class Approve:
    operation: str
    plan: str
    """Beginning of the hash of the plan that was looked at."""


@dataclass(frozen=True, slots=True)
class Reject:
    operation: str
    plan: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Withdraw:
    operation: str


@dataclass(frozen=True, slots=True)
class Steer:
    """Change what is wanted of an operation: cancel, abort, pause or resume."""

    operation: str
    word: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Why:
    operation: str = ""
    promote: Promote | None = None


@dataclass(frozen=True, slots=True)
class Log:
    service: str
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Help:
    topic: str = ""


Intent = (
    Promote
    | Rollback
    | StartFreeze
    | EndFreeze
    | ListFreezes
    | Approve
    | Reject
    | Withdraw
    | Steer
    | Status
    | Why
    | Log
    | Help
)
