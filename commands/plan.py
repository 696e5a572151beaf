"""What exactly will be done? The full description, in canonical bytes, with the hash that approvals bind to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from policy.model import Digest, Place, Sha


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """So much traffic for so long."""

    percent: int
    hold_seconds: int
    min_requests: int | None = None
    """Instead of the health's."""
    probes: tuple[PlannedProbe, ...] = ()
    """What must pass before the next step."""


@dataclass(frozen=True, slots=True)
class PlannedProbe:
    """One request and what must come back."""

    method: str
    path: str
    expect: tuple[int, ...]
    repeat: int
    within_seconds: float
    body: str | None = None
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class PlannedTrigger:
    """What takes it back by itself, or asks people whether to (`policy.schema.Trigger`)."""

    name: str
    signal: str
    """`error_percent`, `p99_ms`, `memory_percent`, `cpu_percent`, `probes`."""
    above: float | None
    lasts_seconds: int
    """0: once will do."""
    min_requests: int
    probes: tuple[PlannedProbe, ...]
    in_a_row: int
    every_seconds: float
    during: str
    """`rollout`, `watch`, `both`."""
    then: str
    """`back`, `ask`."""


@dataclass(frozen=True, slots=True)
class PlannedHealth:
    """The bounds that each step is judged by."""

    max_error_percent: float
    max_p99_ms: float | None
    min_requests: int
    give_up_seconds: int
    delay_seconds: float
    resolution_seconds: float


@dataclass(frozen=True, slots=True)
class PlannedBranch:
    """The branch that moves before traffic does, and exactly how it stood when that was planned."""

    source: str
    target: str
    head: Sha
    """Where the source stood: what is merged, or moved to."""
    base: Sha
    """Where the target stood."""
    pull_request: int | None = None
    """Of a merge; None: a fast-forward has none, or nobody opened it yet."""
    description: str = ""
    """SHA-256 of what its description said, hex."""
    url: str = ""
    """Where people read it."""
    held: bool = False
    """The target has all of it already: nothing moves. Of a rollback: nothing of it is taken back."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, in full. Two plans are the same exactly where their hashes are."""

    deed: str
    """`promote` or `rollback`."""
    service: str
    target: str
    digest: Digest
    """What will serve."""
    revision: str
    """The revision that will serve it: a new one for a promotion, one that exists for a rollback."""
    from_digest: Digest
    """What serves the target now."""
    from_revision: str
    """What traffic goes back to if it goes bad; for a rollback, what it leaves."""
    repository: str
    policy_hash: str
    site: str
    """Where it runs: `project/region/service`."""
    production: bool = False
    container: str | None = None
    """The container that carries the image; None: there is only one."""
    source: str | None = None
    """Environment the candidate comes from."""
    image: str = ""
    """Full reference by digest, `registry/name@sha256:…`."""
    commit: Sha | None = None
    from_commit: Sha | None = None
    style: str = "canary"
    """Or `blue_green`: all at once, beside what serves."""
    steps: tuple[PlannedStep, ...] = ()
    smoke: tuple[PlannedProbe, ...] = ()
    health: PlannedHealth | None = None
    triggers: tuple[PlannedTrigger, ...] = ()
    watch_seconds: int = 0
    """After 100 % the triggers go on for so long."""
    inconclusive: str = "ask"
    """Or `back`: what becomes of it where too few requests came for too long."""
    deploy_within_seconds: int = 600
    restore_within_seconds: int = 0
    """Of a rollback: it serves again within so long after it was asked for, or is said to be late. 0: no such limit."""
    recovered: tuple[PlannedProbe, ...] = ()
    """Of a rollback: what must pass before recovery is declared."""
    model: str = "artifact"
    """How the candidate goes along the path."""
    branch: PlannedBranch | None = None
    """None: no branch moves."""
    change: str = ""
    """The change's type; empty: an ordinary one."""
    emergency: str = ""
    """Id of the emergency it is done under: `E-…`."""
    split: tuple[tuple[str, int], ...] = ()
    """Where somebody left the traffic split: each revision and its whole per cent. It stands until the first step."""
    database: str = ""
    """What it declares that it does to the database (`rollback.database.declares`); empty: nobody said."""
    fields: dict[str, str] = field(default_factory=dict)
    """What was said for it, so that nobody agrees to other words than they read."""
    confirmed: tuple[str, ...] = ()
    """What whoever asked stated with it, in order."""
    manifest: str = ""
    """Hash of the set that it is part of, or is, hex; empty: it goes alone."""
    parts: tuple[Plan, ...] = ()
    """Of several services that go as one candidate: each one's own plan, in the order in which they ship."""

    @property
    def place(self) -> Place:
        return Place(self.service, self.target)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical bytes, hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_bytes(self) -> bytes:
        said = {name: value for name, value in asdict(self).items() if name not in _LATER or value}
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


_LATER = frozenset({"manifest", "parts"})
"""Left out where they say nothing: people agreed to plans before there were any, and their votes stand."""
