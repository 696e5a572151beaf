"""Which exact versions of several services are one candidate? The pinned set, in canonical bytes, with its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from commands.plan import Plan
from commands.record import manifest_id
from policy.model import Digest, Place, Sha, short


@dataclass(frozen=True, slots=True)
class Pinned:
    """One service in exactly one version."""

    service: str
    repository: str
    commit: Sha
    digest: Digest
    image: str
    """In full and by digest."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What goes together, in the order in which it ships. Two are the same exactly where their hashes are.

    Where it goes to, and on which conditions, is no part of it: what was tested in one environment has the same hash in
    the next.
    """

    pinned: tuple[Pinned, ...]

    def to_bytes(self) -> bytes:
        return json.dumps(
            [asdict(each) for each in self.pinned], sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical bytes, hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def id(self) -> str:
        return manifest_id(self.hash)

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(each.service for each in self.pinned)

    def digest(self, service: str) -> Digest | None:
        """What it pins that service to; None: the service is no part of it."""
        return next((each.digest for each in self.pinned if each.service == service), None)

    def __str__(self) -> str:
        """`payments a2a2a2a2a2a2, checkout c2c2c2c2c2c2`."""
        return ", ".join(f"{each.service} {short(each.digest)}" for each in self.pinned)


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """One promotion of a set, as our books keep it."""

    operation: str
    """Id of the promotion."""
    environment: str
    manifest: Manifest
    references: dict[str, dict[str, str]]
    """Service → what belongs to it besides: `tag`, `sbom`, `provenance`, as they were found when it began."""
    began_at: datetime
    verified_at: datetime | None = None
    """When all of it served and was well; None: not yet, or never."""


def lacking(plans: Iterable[Plan]) -> tuple[str, ...]:
    """What a manifest of these would lack: `web: commit`."""
    return tuple(
        f"{plan.service}: {what}"
        for plan in plans
        for what, there in (("commit", plan.commit), ("image", plan.image))
        if not there
    )


def of(plans: Sequence[Plan]) -> Manifest:
    """The set that these promotions would ship; each knows its commit (`lacking`)."""
    return Manifest(
        tuple(
            Pinned(plan.service, plan.repository, plan.commit, plan.digest, plan.image)
            for plan in plans
            if plan.commit is not None
        )
    )


def known_good(shipped: Sequence[ManifestRecord], held: Iterable[tuple[Place, Digest]]) -> tuple[ManifestRecord, ...]:
    """Those that were verified as a whole and of which nothing is held, newest first, each set once."""
    out = set(held)
    found = {
        each.manifest.hash: each
        for each in sorted(shipped, key=lambda one: one.began_at)
        if each.verified_at is not None
        and not any((Place(one.service, each.environment), one.digest) in out for one in each.manifest.pinned)
    }
    return tuple(sorted(found.values(), key=lambda one: one.began_at, reverse=True))
