"""What is known at the instant of a decision? Frozen snapshots; what could not be had is `Unknown`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from policy.evidence import NOT_GATHERED, NOTHING, Authors, Check, CheckState, Evidence
from policy.model import Digest, Human, Person, Place, Sha, Unknown, short

__all__ = ["NOT_GATHERED", "Check", "CheckState"]


class Deed(StrEnum):
    """What is asked; each deed has its own rulebook."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    FREEZE = "freeze"
    """Start or end a freeze."""
    LIFT = "lift"
    """End the hold on a candidate that was rolled back."""
    EXCEPTION = "exception"
    """Waive rules for a time."""

    __hash__ = str.__hash__
    WATCH = "watch"
    """Look after what was released. Nobody asks for it, and no rule judges it."""
    REMIND = "remind"
    """Say, when the time has come, that it has. Nobody asks for that either."""
    RELAX = "relax"
    """Relax what guards a branch as an exception says, and put it back. Nobody asks for it but by that exception."""
    REWIND = "rewind"
    """Take a branch back to what was good, after traffic went back. Nobody asks for it but what went back."""
    LOG = "log"
    """Write down in the repository what a release or a rollback came to. Nobody asks for that either."""
    PUBLISH = "publish"
    """Make a release of what shipped. Nobody asks for it but the promotion that is over."""
    HOTFIX = "hotfix"
    """Begin a fix on top of what production serves, or bring one to the branches that must get it, too."""


DESPITE = "database"
"""What whoever asks for a rollback states to go back over what the database became: `despite:database`."""
TOGETHER = "ships-together"
"""What asks for a rollback by itself where another one of a set went bad (`manifest.if_one_fails`)."""
EMERGENCY = "emergency"
"""The change type of a promotion outside the normal rules."""


@dataclass(frozen=True, slots=True)
class Question:
    """May this be done?"""

    deed: Deed
    service: str
    target: str
    """Environment that would change."""
    source: str | None = None
    """Environment the candidate comes from; None where the deed has none."""
    change: str = ""
    """A type under `change_types`, or `emergency`; empty: an ordinary one."""
    kind: str = ""
    """For `EXCEPTION`: a kind under `exceptions`."""

    @property
    def place(self) -> Place:
        return Place(self.service, self.target)

    @property
    def services(self) -> tuple[str, ...]:
        """Those that it is about: several are named with commas between, in the order in which they are done."""
        return tuple(self.service.split(","))


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
    confirms: frozenset[str] = frozenset()
    """What the voter states besides: names of gates they have seen or attest, checklist items, freezes let through."""


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

    @property
    def called(self) -> str:
        """By its commit, or else by its digest, for people to read."""
        return short(self.digest if type(self.commit) is Unknown else self.commit)

    def __str__(self) -> str:
        return self.called


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
    approved: bool = True
    """False: somebody must still agree to it, and it holds only until `lapses_at`."""
    lapses_at: datetime | None = None
    """When a freeze that nobody agreed to is over; None with `approved` false: it does not hold yet."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What else the policy asks for: `re-enable-plan`."""

    def holds(self, at: datetime) -> bool:
        """Whether it is in force at that instant."""
        if not self.starts_at <= at < self.ends_at:
            return False
        return self.approved or (self.lapses_at is not None and at < self.lapses_at)

    @property
    def over_at(self) -> datetime:
        """When it ends, if nobody does anything."""
        if self.approved or self.lapses_at is None:
            return self.ends_at
        return min(self.ends_at, self.lapses_at)


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
    image: str = ""
    """What it ran, in full and by digest: `registry/name@sha256:…`; empty: nobody kept that."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A release that declared what it does to the database."""

    digest: Digest
    declared: str
    """A word under `rollback.database.declares`."""
    by: str
    """Who asked for it, for reading."""
    at: datetime
    """When it began."""
    finished: bool = True
    """False: its rollout is under way, or ended before it had all the traffic and was well."""


@dataclass(frozen=True, slots=True)
class ExceptionRecord:
    """A dated, scoped, approved waiver of named rules (R2). It never changes but by being granted, used or revoked."""

    id: str
    """`X-…`, never given twice."""
    kind: str
    """Under `exceptions` in the policy."""
    waives: frozenset[str]
    """Names of rules."""
    environment: str
    service: str | None
    """None: every service."""
    digest: Digest | None
    """None: any candidate."""
    asked_by: Person
    asked_at: datetime
    starts_at: datetime
    ends_at: datetime | None
    """None: permanent, which only kinds may be that say so."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What was said for it: `reason`, `risk`, `controls`."""
    uses: int | None = None
    """So many promotions may rest on it; None: as many as come."""
    used: tuple[str, ...] = ()
    """Operations that did."""
    granted_by: tuple[Person, ...] = ()
    granted_at: datetime | None = None
    """None: nobody has granted it yet."""
    revoked_at: datetime | None = None
    plan: str = ""
    """Hash of what is asked for; votes bind to it."""

    def holds(self, at: datetime) -> bool:
        """Whether it is in force: granted, begun, not ended by so much as a second, not revoked, not used up."""
        return (
            self.granted_at is not None
            and self.granted_at <= at
            and self.starts_at <= at
            and (self.ends_at is None or at < self.ends_at)
            and (self.revoked_at is None or at < self.revoked_at)
            and (self.uses is None or len(self.used) < self.uses)
        )


@dataclass(frozen=True, slots=True)
class EmergencyRecord:
    """What is on record for one production change outside the normal rules (R3). Good for one operation only."""

    id: str
    """`E-…`."""
    fields: Mapping[str, str]
    """`incident`, `reason`, `scope`, `rollback-plan` …"""
    ends_at: datetime
    """After that it lets nothing through."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something owed after the fact, with an owner and a due date."""

    id: str
    """`O-…`."""
    kind: str
    """`review`, `remediation`, `checklist` …"""
    about: str
    """What it follows from: `E-…`, `X-…`, `op_…`."""
    service: str | None
    """None: every service."""
    environment: str
    owner: str
    """A role, or a human by name."""
    due_at: datetime
    says: str
    """What is owed, a sentence without the full stop."""
    takers: frozenset[Human] = frozenset()
    """Who took part, and so cannot settle a review."""
    settled_at: datetime | None = None
    blocks: bool = True
    """Whether it blocks ordinary production changes of that service once it is overdue."""


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
    goes_over: tuple[Shipped, ...] = ()
    """Releases that a rollback goes back over, of those that declared something, newest first."""
    votes: tuple[Vote, ...] = ()
    people: Mapping[Human, Person] | Unknown = field(default=NOT_GATHERED)
    """Everybody who holds or votes with a role, as they are now: to see who counts and who could help."""
    authors: Authors | Unknown = NOT_GATHERED
    reviewers: frozenset[Human] | Unknown = NOT_GATHERED
    """Who approved a pull request in the range."""
    evidence: Evidence = NOTHING
    fields: Mapping[str, str] = field(default_factory=dict)
    """What whoever asked said: `summary`, `ticket`, `risk`."""
    confirmed: frozenset[str] = frozenset()
    """What whoever asked states: attestations and checklist items by name."""
    exceptions: tuple[ExceptionRecord, ...] | Unknown = NOT_GATHERED
    """Those that somebody asked for and nobody ended."""
    emergency: EmergencyRecord | None = None
    obligations: tuple[Obligation, ...] | Unknown = NOT_GATHERED
    """Those that nobody settled."""
    trigger: str = ""
    """The trigger of the policy that asks for a rollback by itself; empty: somebody asks."""
    wanted: ExceptionRecord | Freeze | None = None
    """For `EXCEPTION` and `FREEZE`: what would come into force."""
