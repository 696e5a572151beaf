"""The Google of the tests: one service that serves v1, with v0 behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.cloud_run import CloudRun
from bot.sandbox.google import GoogleWorld
from commands.ports import Lease, Settled, Share, Site

SITE = Site("acme-prod/europe-west1/checkout")
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
IMAGE = "europe-west1-docker.pkg.dev/acme/apps/checkout"
V0, V1, V2 = (f"sha256:{character * 64}" for character in "0ab")
R0, R1, R2 = (f"checkout-r-{character * 12}" for character in "0ab")
COMMIT = "c" * 40


class HandClock:
    """A clock that goes on by itself, from a start that can be moved."""

    def __init__(self) -> None:
        self._ahead = START.timestamp() - time.time()

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self._ahead, UTC)

    def advance(self, span: timedelta) -> None:
        self._ahead += span.total_seconds()


class Freezing(CloudRun):
    """Once `freezes` is set, its next write stands still between all that it looks at and its call, until thawed."""

    def __init__(self, address: str, *, write_deadline: float = 10.0) -> None:
        super().__init__(address, write_deadline=write_deadline)
        self.freezes = False
        self.frozen, self.thawed = asyncio.Event(), asyncio.Event()

    async def _as_seen(self, *given: Any) -> Any:
        current = await super()._as_seen(*given)
        if self.freezes:
            self.freezes = False
            self.frozen.set()
            await self.thawed.wait()
        return current


def image(digest: str) -> str:
    return f"{IMAGE}@{digest}"


def lease(operation: str = "op-1", fence: int = 7, seconds: float = 60) -> Lease:
    return Lease(operation, fence, time.monotonic() + seconds)


@asynccontextmanager
async def google(clock: HandClock | None = None) -> AsyncIterator[GoogleWorld]:
    """Everything up, and down again."""
    clock = clock or HandClock()
    world = GoogleWorld(clock)
    world.engine.reconcile_seconds = 0.02
    world.create_service(SITE, image(V0), revision=R0, created_at=START - timedelta(days=9), commit="d" * 40)
    world.add_revision(SITE, image(V1), revision=R1, created_at=START - timedelta(days=2), commit=COMMIT)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


@asynccontextmanager
async def runs_of(world: GoogleWorld, *, write_deadline: float = 10.0) -> AsyncIterator[CloudRun]:
    runs = CloudRun(world.grpc_address, write_deadline=write_deadline)
    try:
        yield runs
    finally:
        await runs.close()


async def deploy(runs: CloudRun, digest: str = V2, revision: str = R2, **given: object) -> str:
    """v2 at 0 % under the tag `green`; the handle."""
    wanted: dict[str, object] = {
        "seen": await runs.running(SITE),
        "image": image(digest),
        "revision": revision,
        "container": None,
        "shares": (Share(R1, 100), Share(revision, 0, "green")),
        "commit": COMMIT,
        "lease": lease(),
        **given,
    }
    return await runs.deploy(SITE, **wanted)  # type: ignore[arg-type]


async def done(runs: CloudRun, handle: str) -> Settled:
    """How it ended; asked again until it has, each question a whole round trip."""
    async with asyncio.timeout(120):
        while (settled := await runs.settled(handle)) is None:
            pass
    return settled
