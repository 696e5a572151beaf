"""What does somebody want? One type for each thing that can be wanted; words, buttons and modals all become these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Promote:
    service: str
    source: str
    target: str
    version: str = ""
    """Digest or commit, whole or its beginning; empty: what the source environment serves."""
    reason: str = ""
    change: str = ""
    """A type under `change_types`, or `emergency`; empty: an ordinary one."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What else was said, by key."""
    confirms: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PromoteSeveral:
    """All of them, as one candidate."""

    services: tuple[str, ...]
    """In the order in which they ship."""
    source: str
    target: str
    manifest: str = ""
    """Which set it must be, `M-…`; empty: whatever the source environment serves of them."""
    reason: str = ""
    change: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    confirms: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would be done, were this asked for?"""

    promote: Promote | PromoteSeveral


@dataclass(frozen=True, slots=True)
class Rollback:
    service: str
    target: str
    to: str = ""
    """A whole revision, or the first seven letters or more of a digest or commit; empty: the last verified good one."""
    reason: str = ""
    incident: str = ""
    despite: frozenset[str] = frozenset()
    """What it goes back over all the same: `database`."""
    leaves: frozenset[str] = frozenset()
    """The revision that is to be taken back; empty: whatever serves. What a button offered is over once it is left."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What else was said, by key."""


@dataclass(frozen=True, slots=True)
class RollbackSeveral:
    """Each to its last verified good one, one after the other."""

    services: tuple[str, ...]
    """In the order in which they ship; they go back in the reverse."""
    target: str
    to: str = ""
    """A set that was verified there, `M-…`; empty: the one before what serves, or else each one's last good one."""
    reason: str = ""
    incident: str = ""
    despite: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset()
    """As with one: that of each."""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Switched:
    """Somebody switched a flag, or changed the configuration, to bring a place back."""

    service: str
    target: str
    what: str
    """`flag` or `config`."""
    name: str
    value: str = ""
    """Of a flag; a configuration's may be secret, and is not written down."""
    by: str = ""
    """Who did; empty: whoever says so."""
    link: str = ""
    reason: str = ""
    incident: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StartFreeze:
    environment: str
    service: str | None
    said: Mapping[str, str] = field(default_factory=dict)
    """By key, as it was said: what is missing or makes no sense is asked for again."""


@dataclass(frozen=True, slots=True)
class EndFreeze:
    which: str = ""
    """Id of a freeze or hold, or an environment; empty: the only one there is."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ListFreezes:
    pass


@dataclass(frozen=True, slots=True)
class RequestException:
    environment: str
    service: str | None
    said: Mapping[str, str] = field(default_factory=dict)
    """As with a freeze."""


@dataclass(frozen=True, slots=True)
class ListExceptions:
    """And what is owed."""


@dataclass(frozen=True, slots=True)
class RevokeException:
    which: str
    reason: str


@dataclass(frozen=True, slots=True)
class Settle:
    """What was owed is done."""

    obligation: str
    note: str


@dataclass(frozen=True, slots=True)
class StartHotfix:
    """A branch on top of what production serves."""

    service: str
    target: str
    """Environment: production."""
    said: Mapping[str, str] = field(default_factory=dict)
    """By key, as it was said."""


@dataclass(frozen=True, slots=True)
class PortFix:
    """A fix comes to other branches, too."""

    service: str
    target: str
    """Environment: production."""
    what: str
    """`#120`, or a whole commit."""
    to: tuple[str, ...] = ()
    """Branches; none: all that must have fixes."""
    mainline: int = 0
    """Of a merge, the parent from which its change is counted; 0: not said."""
    said: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approve:
    operation: str
    """Or a freeze or an exception."""
    plan: str
    """Beginning of the hash of the plan that was looked at."""
    confirms: frozenset[str] = frozenset()
    reason: str = ""


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
    """Change what is wanted of an operation: cancel, abort, pause, resume or continue."""

    operation: str
    word: str
    reason: str = ""
    question: str = ""
    """With `continue`: the number of the question that was read; empty: the one that stands."""


@dataclass(frozen=True, slots=True)
class Status:
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Why:
    operation: str = ""
    promote: Promote | PromoteSeveral | None = None


@dataclass(frozen=True, slots=True)
class Log:
    service: str
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Help:
    topic: str = ""


Intent = (
    Promote
    | PromoteSeveral
    | DryRun
    | Rollback
    | RollbackSeveral
    | Switched
    | StartFreeze
    | EndFreeze
    | ListFreezes
    | RequestException
    | ListExceptions
    | RevokeException
    | Settle
    | StartHotfix
    | PortFix
    | Approve
    | Reject
    | Withdraw
    | Steer
    | Status
    | Why
    | Log
    | Help
)
