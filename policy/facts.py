"""What is known at the instant of a decision? Frozen snapshots; what could not be had is `Unknown`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from policy.model import Digest, Human, Person, Place, Sha, Unknown

NOT_GATHERED = Unknown("nobody looked")


class Deed(StrEnum):
    """What is asked; each deed has its own rulebook."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    FREEZE = "freeze"
    """Start or end a freeze."""
    LIFT = "lift"
    """End the hold on a candidate that was rolled back."""


@dataclass(frozen=True, slots=True)
class Question:
    """May this be done?"""

    deed: Deed
    service: str
    target: str
    """Environment that would change."""
    source: str | None = None
    """Environment the candidate comes from; None where the deed has none."""

    @property
    def place(self) -> Place:
        return Place(self.service, self.target)


class Verdict(StrEnum):
    """Which way a vote goes."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote as it was cast; whether it counts is decided anew each time."""

    voter: Person
    """As they were when voting, roles included."""
    verdict: Verdict
    at: datetime
    plan: str
    """Hash of the plan that was voted on, hex."""
    reason: str = ""
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """What one place serves."""

    revision: str
    digest: Digest
    since: datetime
    """Since when it has had all the traffic, as far as is known."""
    commit: Sha | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What would be promoted."""

    digest: Digest
    commit: Sha | Unknown


class CheckState(StrEnum):
    """A check's newest result; only `PASSED` passes."""

    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Check:
    """The newest result of one check on exactly the candidate's commit."""

    name: str
    state: CheckState
    url: str = ""
    saw: str = ""
    """The host's own word for it: `failure`, `timed_out`."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A dated prohibition. Closed at `starts_at`, open at `ends_at`."""

    id: str
    environment: str
    service: str | None
    """None: every service."""
    starts_at: datetime
    ends_at: datetime
    reason: str
    owner: str
    """Whose freeze it is, for reading."""
    exit_criteria: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A candidate that was taken back stays out of a place until somebody lifts the hold."""

    id: str
    place: Place
    digest: Digest
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class KnownGood:
    """A revision that was verified while it served all traffic of a place."""

    revision: str
    digest: Digest
    verified_at: datetime
    source: str
    """Where that is recorded: `release op_…`, `GitHub deployment 17`."""
    commit: Sha | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a decision may look at. A rule takes what it needs and says `unknown` where that is missing."""

    asked_by: Person
    asked_at: datetime
    plan: str = ""
    """Hash of the plan as it stands now; votes on any other do not count."""
    expires_at: datetime | None = None
    candidate: Candidate | Unknown = NOT_GATHERED
    source_serving: Serving | Unknown = NOT_GATHERED
    target_serving: Serving | Unknown = NOT_GATHERED
    checks: Mapping[str, Check] | Unknown = NOT_GATHERED
    freezes: tuple[Freeze, ...] | Unknown = NOT_GATHERED
    """Declared ones, past and future too; the rule looks at the instant."""
    holds: tuple[Hold, ...] | Unknown = NOT_GATHERED
    known_good: tuple[KnownGood, ...] | Unknown = NOT_GATHERED
    """Newest first."""
    rollback_to: KnownGood | Unknown = NOT_GATHERED
    votes: tuple[Vote, ...] = ()
    people: Mapping[Human, Person] | Unknown = field(default=NOT_GATHERED)
    """Everybody who holds or votes with a role, as they are now: to see who counts and who could help."""
