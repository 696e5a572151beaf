"""What is the world of a chaos run? Local Slack, GitHub and Cloud Run that nobody kills, and users who call all day.

Every service has a stage and a production; a new build comes to stage whenever somebody wants one. Some builds are bad
from the first request, some turn bad once they have half of the traffic.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import random
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from bot.clock import MovableClock
from bot.sandbox.delivery import REGISTRY
from bot.sandbox.github.world import GitHubWorld
from bot.sandbox.google.engine import Behaviour
from bot.sandbox.google.world import GoogleWorld
from bot.sandbox.scene import BEGINS_AT
from bot.sandbox.supervisor import BOT_TOKEN, TRUSTED, Worlds, scene_of

TICK = 0.05
"""Seconds between two rounds of requests."""
RATE = 40.0
"""Requests a second to each production."""
LATENCY = 0.1
"""Seconds, at most, before a call to Cloud Run arrives, and again before its answer does."""
HALF = 50
"""Per cent of the traffic from which on a build turns bad."""

POLICY = """\
policy: 1
name: acme
workspace: T0ACME
people:
  maya: {slack: U0MAYA, github: maya-gh}
  omar: {slack: U0OMAR, github: omar}
  raj: {slack: U0RAJ, github: raj}
  ines: {slack: U0INES, github: ines}
roles:
  engineer: {members: [maya]}
  release_manager: {members: [omar, raj]}
  incident_commander: {members: [ines]}
may:
  promote: [engineer]
  rollback: [incident_commander]
  freeze: [incident_commander]
  lift: [incident_commander]
environments:
  stage: {rank: 1}
  prod: {rank: 2, production: true}
services:
%s
paths:
  - from: stage
    to: prod
    approvals: [{role: release_manager}]
    rollout:
      steps:
        - {percent: 10, hold: PT1S}
        - {percent: 50, hold: PT1S}
        - {percent: 100, hold: PT1S}
      smoke:
        - {path: /healthz, expect: [200]}
      health: {max_error_percent: 5, min_requests: 5, give_up_after: PT2M}
      deploy_within: PT1M
measure: {delay: PT1S, resolution: PT1S}
"""
SERVICE = """\
  %(name)s:
    repository: acme/%(name)s
    channel: C0%(upper)s
    cloud_run: {stage: acme-stage/europe-west1/%(name)s, prod: acme-prod/europe-west1/%(name)s}
"""


def policy(services: int) -> str:
    """For so many of them, s01 and so on."""
    names = [f"s{number:02}" for number in range(1, services + 1)]
    return POLICY % "".join(SERVICE % {"name": name, "upper": name.upper()} for name in names)


def site(service: str, environment: str = "prod") -> str:
    return f"acme-{environment}/europe-west1/{service}"


class Nature(Enum):
    """How a build behaves."""

    GOOD = "good"
    BAD = "bad"
    """From its first request on."""
    TURNS = "turns bad at 50 %"


@dataclass
class Answered:
    """A stretch of time in which a revision answered users without a pause."""

    first: datetime
    last: datetime
    requests: int = 0


@dataclass
class Users:
    """Requests to every production, spread over its revisions as Cloud Run would, and counted by its monitoring."""

    there: Worlds
    sites: list[str]
    rate: float = RATE
    turning: set[str] = field(default_factory=set)
    """Digests that turn bad."""
    answered: dict[tuple[str, str], list[Answered]] = field(default_factory=dict)
    """By site and revision, in order."""

    async def call(self) -> None:
        """All day."""
        loop = asyncio.get_running_loop()
        before, owed = loop.time(), 0.0
        while True:
            await asyncio.sleep(TICK)
            now = loop.time()
            owed += min(now - before, 1.0) * self.rate  # what a stall left undone is not made up for
            before = now
            requests = int(owed)
            owed -= requests
            for one in self.sites:
                self._round(one, requests)

    def _round(self, one: str, requests: int) -> None:
        google = self.there.google
        engine, at = google.engine, self.there.clock.now()
        record = engine.record(one)
        weights = engine.weights(record)
        record.split.weigh(weights)
        for name, percent in weights.items():
            digest = engine.digest(record, name)
            if percent >= HALF and digest in self.turning:
                self.turning.discard(digest)
                google.declare(digest, Behaviour(fail_every=2))
        for _ in range(requests):
            name = record.split.next() or ""
            if not name:
                continue
            behaviour = engine.behaviour(record, name)
            record.answered[name] = turn = record.answered.get(name, 0) + 1
            failed = behaviour.fail_every and turn % behaviour.fail_every == 0
            google.meter.record(one, name, 500 if failed else 200, behaviour.delay_ms)
            self._note(one, name, at)

    def _note(self, one: str, name: str, at: datetime) -> None:
        stretches = self.answered.setdefault((one, name), [])
        if not stretches or at - stretches[-1].last > timedelta(seconds=2):
            stretches.append(Answered(at, at))
        stretches[-1].last = at
        stretches[-1].requests += 1


class Town:
    """The worlds, and what is built in them."""

    def __init__(self, there: Worlds, users: Users, services: list[str]) -> None:
        self.there = there
        self.users = users
        self.services = services
        self._builds = 0

    async def build(self, service: str, nature: Nature) -> str:
        """The digest of a new build that serves stage."""
        self._builds += 1
        there, repository = self.there, f"acme/{service}"
        digest = "sha256:" + hashlib.sha256(f"{service} build {self._builds}".encode()).hexdigest()
        if nature is Nature.BAD:
            there.google.declare(digest, Behaviour(fail_every=2))
        elif nature is Nature.TURNS:
            self.users.turning.add(digest)
        at = there.clock.now() - timedelta(minutes=5)
        files: dict[str, str | None] = {"version.txt": f"build {self._builds}\n"}
        commit = await there.github.commit(repository, "main", f"Build {self._builds}", files, "maya-gh", at)
        revision = f"{service}-r-{digest[7:19]}"
        image = f"{REGISTRY}/{repository}/{service}@{digest}"
        there.google.add_revision(site(service, "stage"), image, revision=revision, created_at=at, commit=commit)
        there.github.add_deployment(
            repository, commit, "stage", {"digest": digest, "revision": revision}, "success", at
        )
        return digest


@asynccontextmanager
async def town(data: Path, services: int, chance: random.Random, *, latency: float = LATENCY) -> AsyncIterator[Town]:
    """It all runs while this is entered."""
    file = data / "policy.yaml"
    file.write_text(policy(services), "utf-8")
    names = [f"s{number:02}" for number in range(1, services + 1)]
    async with AsyncExitStack() as stack:
        there = await _worlds(stack, data, file, chance, latency)
        users = Users(there, [site(name) for name in names])
        calling = asyncio.create_task(users.call())
        stack.push_async_callback(_ended, calling)
        yield Town(there, users, names)


async def _worlds(stack: AsyncExitStack, data: Path, file: Path, chance: random.Random, latency: float) -> Worlds:
    """As in the sandbox, but Cloud Run is as far away as it is."""
    scene = scene_of(file)
    clock = MovableClock(data / "clock")
    clock.set(BEGINS_AT)
    signing_secret = secrets.token_hex(16)
    slack = scene.slack(clock, signing_secret, BOT_TOKEN)
    google = GoogleWorld(clock)
    github = GitHubWorld(data / "github", clock)
    (data / TRUSTED).write_text(github.sigstore.trusted_root(), "utf-8")
    github._books.limit = 1_000_000  # nobody ships that much in an hour, so nobody may run out of requests either
    for name in ("get_service", "get_revision", "get_operation", "update_service"):
        setattr(google.engine, name, far(getattr(google.engine, name), chance, latency))
    for world in (slack, google, github):
        await world.start()
        stack.push_async_callback(world.stop)
    await scene.tell(google, github)
    return Worlds(clock, slack, google, github, signing_secret, scene)


def far(work: Callable[[Any], Any], chance: random.Random, latency: float) -> Callable[[Any], Any]:
    """The same call over a network: what was sent arrives although its sender has died, and an answer may be old."""
    going: set[asyncio.Task[Any]] = set()

    async def arrives(request: Any) -> Any:
        await asyncio.sleep(chance.uniform(0, latency))
        answer = work(request)
        answer = await answer if inspect.isawaitable(answer) else answer
        copy = type(answer)()
        copy.CopyFrom(answer)
        await asyncio.sleep(chance.uniform(0, latency))
        return copy

    def ended(task: asyncio.Task[Any]) -> None:
        going.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever asked may be gone

    async def call(request: Any) -> Any:
        task = asyncio.ensure_future(arrives(request))
        going.add(task)
        task.add_done_callback(ended)
        return await asyncio.shield(task)

    return call


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
