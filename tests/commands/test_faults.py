"""What if Google fails, stalls or lies right when it counts? Every fault of the local Cloud Run, in every deed.

All of it is real: our adapters speak gRPC to the local Google, whose time is the clock of the page; people call the
service all the while, and whoever answered them is written down. At the end everything that was told must be true.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.cloud_run import CloudRun
from bot.monitoring import Monitoring
from bot.probes import HttpProbes
from bot.sandbox.google import Behaviour, GoogleWorld
from commands.operation import Operation, Phase
from commands.ports import Request
from tests.bot.books import unsettled
from tests.bot.google_story import Freezing
from tests.conversation import Bot
from tests.world import HandClock, People, Town, digest, revision_of, site_of, story

PROD = site_of("checkout")
V0, V1, V2 = (revision_of("checkout", number) for number in (0, 1, 2))
CALLS = 200
"""Requests a second."""
LONG = 5
"""Seconds."""
UNCLEAR = timedelta(seconds=0.3)
"""Of real time: so long a write waits for an answer."""


class Deed(Enum):
    """What is being done when the fault strikes."""

    DEPLOY = auto()
    """A promotion, at its first write: the new revision at 0 %."""
    SHIFT = auto()
    """A promotion, at its second write: the first users."""
    ROLLBACK = auto()
    """Somebody wants the version before, at the only write."""
    GOING_BACK = auto()
    """A promotion of a bad build, at the write that takes it back."""


@dataclass(order=True)
class _Sleeper:
    at: datetime
    number: int
    wakes: asyncio.Future[None] = field(compare=False)


class Passing:
    """Time as the page lets it pass: whoever sleeps is woken, and people have called all the while."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self._sleepers: list[_Sleeper] = []
        self._numbers = itertools.count()
        self._called = clock.now()
        clock.moved = self._passed
        self.google = GoogleWorld(clock, self.sleep)
        self.stalled = asyncio.Event()
        """Something takes long."""
        self.answers: list[tuple[datetime, str]] = []
        """Who answered the users of production, and when."""

    async def sleep(self, seconds: float) -> None:
        wakes: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        until = self._clock.now() + timedelta(seconds=seconds)
        if seconds >= LONG:
            self.stalled.set()
        heapq.heappush(self._sleepers, _Sleeper(until, next(self._numbers), wakes))
        await wakes

    def _passed(self) -> None:
        now = self._clock.now()
        record = self.google.engine.records[PROD]
        record.split.weigh(self.google.engine.weights(record))
        while self._called < now:
            self._called = self._clock.at = min(now, self._called + timedelta(seconds=1) / CALLS)
            name = record.split.next() or ""
            behaviour = self.google.engine.behaviour(record, name)
            record.answered[name] = turn = record.answered.get(name, 0) + 1
            fails = behaviour.fail_every and turn % behaviour.fail_every == 0
            self.google.meter.record(PROD, name, 500 if fails else 200, behaviour.delay_ms)
            self.answers.append((self._called, name))
        while self._sleepers and self._sleepers[0].at <= now:
            sleeper = heapq.heappop(self._sleepers)
            if not sleeper.wakes.done():
                sleeper.wakes.set_result(None)


WRITE = {Deed.DEPLOY: 1, Deed.SHIFT: 2, Deed.ROLLBACK: 1, Deed.GOING_BACK: 3}
"""Which of the operation's writes it is."""


class Striking:
    """Our adapter, with something that happens when the bot has looked and is about to write."""

    def __init__(self, runs: CloudRun) -> None:
        self._runs = runs
        self.strikes: dict[int, Callable[[], None]] = {}
        """By the number of the write."""
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs, name)

    async def deploy(self, *given: Any, **named: Any) -> str:
        self._struck()
        return await self._runs.deploy(*given, **named)

    async def shift(self, *given: Any, **named: Any) -> str:
        self._struck()
        return await self._runs.shift(*given, **named)

    def _struck(self) -> None:
        self.writes += 1
        self.strikes.pop(self.writes, lambda: None)()


@dataclass
class Scene:
    """The story over the local Google, with the bot that works on it."""

    town: Town
    passing: Passing
    runs: Striking
    adapter: Freezing
    bot: Bot
    """The process that works on it now."""
    around: Callable[[Any], Any]
    said: int = 0

    @property
    def google(self) -> GoogleWorld:
        return self.passing.google

    async def says(self, who: str, words: str) -> None:
        for operation in (await self.bot.store.open_operations())[-1:]:
            plan = operation.plan.hash[:8] if operation.plan else ""
            words = words.replace("{op}", operation.id).replace("{plan}", plan)
        self.said += 1
        await self.bot.hears(Request(f"r{self.said}", words, People.account(who), "C0RELEASES"))

    @asynccontextmanager
    async def another_takes_over(self) -> AsyncIterator[None]:
        """Another process opens the same books, whatever became of the one before."""
        async with Bot(self.town, self.around) as self.bot:
            yield

    def weights(self) -> dict[str, int]:
        return self.google.engine.weights(self.google.engine.records[PROD])

    def tags(self) -> dict[str, str]:
        return {line["tag"]: line["revision"] for line in self.google.snapshot()[PROD]["traffic"] if line["tag"]}

    def splits(self) -> list[dict[str, int]]:
        """What was in effect one after the other, from what served when it began."""
        return [split for _, split in self.google.engine.records[PROD].served][2:]


@asynccontextmanager
async def scene(directory: Path) -> AsyncIterator[Scene]:
    town = story(directory)
    town.policies.change(
        rollout={
            "steps": [{"percent": 10, "hold": "PT1S"}, {"percent": 100, "hold": "PT1S"}],
            "smoke": [{"path": "/"}],
            "deploy_within": "PT1M",
        }
        | {"health": {"max_error_percent": 1, "min_requests": 20}}
    )
    passing = Passing(town.clock)
    google = passing.google
    google.engine.reconcile_seconds = 1
    for site, place in town.runs.places.items():
        for name, made in place.revisions.items():
            google.add_revision(
                site, made.image, revision=name, created_at=made.created_at, commit=str(made.commit or "")
            )
    await google.start()
    runs = Freezing(google.grpc_address, write_deadline=UNCLEAR.total_seconds())
    metrics = Monitoring(google.grpc_address)
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            real: dict[int, Any] = {
                id(town.runs): (striking := Striking(runs)),
                id(town.metrics): metrics,
                id(town.probes): HttpProbes(session),
            }

            def around(port: Any) -> Any:
                return real.get(id(port), port)

            async with Bot(town, around) as bot:
                yield Scene(town, passing, striking, runs, bot, around)
    finally:
        await runs.close()
        await metrics.close()
        await google.stop()


async def begun(deed: Deed, at: Scene) -> None:
    """It is asked for, and allowed."""
    if deed is Deed.ROLLBACK:
        await at.says("ines", "rollback checkout reason:errors")
        return
    if deed is Deed.GOING_BACK:
        at.google.declare(digest("checkout", 2), Behaviour(fail_every=4))
    await at.says("maya", "promote checkout stage→prod")
    await at.bot.rests()
    await at.says("omar", "approve {op} plan:{plan}")


async def played(deed: Deed, at: Scene, fault: Fault) -> Operation:
    """The deed from its beginning until everything rests. The fault strikes right before its write, or early: while the
    bot has yet to look at the world for that write."""
    if not fault.early:
        at.runs.strikes[WRITE[deed]] = lambda: fault.strikes(at.google)
    elif deed in (Deed.ROLLBACK, Deed.DEPLOY):
        await struck_early(at, fault)
    await begun(deed, at)
    if fault.early and deed in (Deed.SHIFT, Deed.GOING_BACK):
        await at.bot.rests(lambda: V2 in at.weights() or (deed is Deed.SHIFT and at.runs.writes == 1))
        await struck_early(at, fault)
    await at.bot.rests()
    return await the_operation(at)


async def the_operation(at: Scene) -> Operation:
    entries = await at.bot.store.newest(10_000)
    (id,) = {entry.operation for entry in entries if entry.operation}
    operation = await at.bot.store.operation(id)
    assert operation is not None
    return operation


async def struck_early(at: Scene, fault: Fault) -> None:
    """The world is as the fault leaves it, and at rest."""
    fault.strikes(at.google)
    await passes(at, timedelta(seconds=6))


async def passes(at: Scene, span: timedelta) -> None:
    """So much time, second by second, in which the bot does nothing."""
    for _ in range(int(span.total_seconds())):
        at.town.clock.move(timedelta(seconds=1))
        for _ in range(10):
            await asyncio.sleep(0)


WANTED = {
    Deed.DEPLOY: [{V1: 90, V2: 10}, {V2: 100}],
    Deed.SHIFT: [{V1: 90, V2: 10}, {V2: 100}],
    Deed.ROLLBACK: [{V0: 100}],
    Deed.GOING_BACK: [{V1: 90, V2: 10}, {V1: 100}],
}
"""Each split that comes into effect, in order: each of them once."""
WELL = {
    Deed.DEPLOY: Phase.DONE,
    Deed.SHIFT: Phase.DONE,
    Deed.ROLLBACK: Phase.DONE,
    Deed.GOING_BACK: Phase.ROLLED_BACK,
}
BACK = {Phase.ROLLED_BACK, Phase.FAILED, Phase.CANCELLED}


@dataclass(frozen=True)
class Fault:
    """How the local Google is told to fail, and what that makes of each deed; left out: nothing but time."""

    strikes: Callable[[GoogleWorld], None]
    ends: dict[Deed, Phase] = field(default_factory=dict)
    splits: dict[Deed, list[dict[str, int]]] = field(default_factory=dict)
    deeds: tuple[Deed, ...] = tuple(Deed)
    early: bool = False
    """Before the bot looks, or else between its look and its write."""


def injects(kind: str, times: int = 1, **options: Any) -> Callable[[GoogleWorld], None]:
    given = {"site": PROD, **options}
    return lambda google: google.inject(kind, times=times, **given)


def enforced(strikes: Callable[[GoogleWorld], None]) -> Callable[[GoogleWorld], None]:
    """The same in a world where an old etag is refused."""

    def both(google: GoogleWorld) -> None:
        google.inject("etag_enforced")
        strikes(google)

    return both


def rival(does: str, **options: Any) -> Callable[[GoogleWorld], None]:
    return injects("rival", does=does, **options)


FORWARD = (Deed.DEPLOY, Deed.SHIFT)
BACKWARD = (Deed.ROLLBACK, Deed.GOING_BACK)
TO_10, TO_100, SPLIT = {V1: 90, V2: 10}, {V2: 100}, {V1: 50, V0: 50}
TRANSIENT = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "CANCELLED")
ASKS = dict.fromkeys(BACKWARD, Phase.UNCERTAIN)
"""Backwards only a person can help."""
NEVER: dict[Deed, list[dict[str, int]]] = {Deed.DEPLOY: [], Deed.SHIFT: [], Deed.ROLLBACK: [], Deed.GOING_BACK: [TO_10]}
"""Splits where the write has no effect at all."""
FAULTS = {
    "none": Fault(lambda _: None),
    "lost reply": Fault(injects("lost_reply")),
    "lost replies": Fault(injects("lost_reply", 3)),
    "lost request": Fault(injects("lost_request")),
    "lost requests": Fault(injects("lost_request", 3)),
    "late by 2 s, etags count": Fault(enforced(injects("late_write", seconds=2))),
    "late by 2 s": Fault(injects("late_write", seconds=2)),
    "late by 8 s, etags count": Fault(enforced(injects("late_write", seconds=8))),
    "late by 8 s": Fault(injects("late_write", seconds=8), splits={Deed.SHIFT: [TO_10, TO_100] * 2}),
    "late by 25 s, etags count": Fault(enforced(injects("late_write", seconds=25))),
    "late by 25 s": Fault(injects("late_write", seconds=25), splits={Deed.SHIFT: [TO_10, TO_100] * 2}),
    **{f"polls end with {code}": Fault(injects("poll_unavailable", 3, code=code, site="")) for code in TRANSIENT},
    "polls forbidden": Fault(injects("poll_unavailable", 1000, code="PERMISSION_DENIED", site="")),
    "operation forgotten": Fault(injects("poll_forgotten", site="")),
    "operations forgotten": Fault(injects("poll_forgotten", 1000, site="")),
    "conflict": Fault(injects("write_refused", code="ABORTED")),
    "conflicts": Fault(injects("write_refused", 3, code="ABORTED")),
    "asked to wait": Fault(injects("write_refused", 3, code="RESOURCE_EXHAUSTED")),
    "forbidden": Fault(
        injects("write_refused", 1000), {Deed.DEPLOY: Phase.FAILED, Deed.SHIFT: Phase.UNCERTAIN, **ASKS}, NEVER
    ),
    "touched before, etags count": Fault(enforced(rival("touch", when="before"))),
    "touched before": Fault(rival("touch", when="before")),
    "touched after": Fault(rival("touch", when="after")),
    "deployed before": Fault(rival("deploy", when="before")),
    "deployed after": Fault(rival("deploy", when="after")),
    "broken before": Fault(rival("broken", when="before")),
    "broken after": Fault(rival("broken", when="after")),
    "shifted before, etags count": Fault(
        enforced(rival("shift", when="before", revision=V0)),
        dict.fromkeys(FORWARD, Phase.UNCERTAIN),
        {Deed.DEPLOY: [{V0: 100}], Deed.SHIFT: [{V0: 100}], Deed.GOING_BACK: [TO_10, {V0: 100}, {V1: 100}]},
    ),
    "shifted before": Fault(rival("shift", when="before", revision=V0)),
    "split after": Fault(
        rival("split", when="after", revision=V0),
        dict.fromkeys(FORWARD, Phase.UNCERTAIN),
        {
            Deed.DEPLOY: [SPLIT],
            Deed.SHIFT: [SPLIT],
            Deed.ROLLBACK: [SPLIT, {V0: 100}],
            Deed.GOING_BACK: [TO_10, SPLIT, {V1: 100}],
        },
    ),
    "tagged first": Fault(rival("tag"), early=True),
    "on the latest": Fault(rival("latest"), early=True, deeds=(Deed.DEPLOY, Deed.ROLLBACK)),
    "broken latest": Fault(rival("broken"), early=True),
    "slow for 20 s": Fault(injects("slow_reconcile", seconds=20)),
    "slow for an hour": Fault(injects("slow_reconcile", seconds=3600), dict.fromkeys(Deed, Phase.UNCERTAIN), NEVER),
    "reads lag 3 s": Fault(injects("lagging_reads", seconds=3)),
    "reads lag 20 s": Fault(injects("lagging_reads", seconds=20), deeds=(Deed.DEPLOY, *BACKWARD)),
    "stale reads": Fault(injects("stale_read", 2)),
    "reads fail": Fault(injects("read_unavailable", 5)),
    "reads put off": Fault(injects("read_unavailable", 5, code="RESOURCE_EXHAUSTED")),
    "empty success": Fault(injects("empty_success")),
    "deleted before": Fault(rival("delete", when="before", revision=V0), ASKS, NEVER, deeds=(Deed.ROLLBACK,)),
    "revision fails": Fault(injects("revision_fails"), {Deed.DEPLOY: Phase.FAILED}, NEVER, deeds=(Deed.DEPLOY,)),
}


@pytest.mark.parametrize(
    ("name", "deed"),
    [
        pytest.param(name, deed, id=f"{name}-{deed.name.lower()}")
        for name, fault in FAULTS.items()
        for deed in fault.deeds
    ],
)
async def test_whatever_fails_what_is_told_is_true(tmp_path: Path, name: str, deed: Deed) -> None:
    fault = FAULTS[name]
    async with scene(tmp_path) as at:
        operation = await played(deed, at, fault)
        assert at.bot.surprises == []
        assert operation.phase is fault.ends.get(deed, WELL[deed]), operation.note
        assert await at.bot.store.open_operations() == ()
        assert await unsettled(at.bot.store) == ()
        await passes(at, timedelta(minutes=1))  # whatever may still be on its way has come
        assert at.splits() == fault.splits.get(deed, WANTED[deed])
        told_is_true(at, operation)


def told_is_true(at: Scene, operation: Operation) -> None:
    plan = operation.plan
    assert plan is not None
    users = {name for when, name in at.passing.answers if when > at.town.clock.now() - timedelta(seconds=30)}
    if operation.phase is Phase.UNCERTAIN:
        assert "Look at acme-prod/europe-west1/checkout" in operation.note
    elif operation.phase in BACK:
        assert users == {plan.from_revision}
        assert "green" not in at.tags()
    else:
        assert users == {plan.revision}
    ours = [write for write in at.google.writes if write.site == PROD and write.operation]
    assert {write.operation for write in ours} <= {operation.id}
    assert all(write.fence for write in ours)
    made = [write.new_revision for write in ours if write.new_revision]
    assert len(made) == len(set(made)) <= 1


# Images ---------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S2-16")
async def test_production_gets_the_very_image_that_stage_serves(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await begun(Deed.DEPLOY, at)
        await at.bot.rests()
        stage = at.google.engine.records[site_of("checkout", "stage")]
        prod = at.google.engine.records[PROD]
        assert at.weights() == {V2: 100}
        tested, served = stage.revisions[V2].containers[0].image, prod.revisions[V2].containers[0].image
        assert tested == served
        assert served.endswith(f"@{digest('checkout', 2)}")
        (deployed,) = [
            entry for entry in await at.bot.store.newest(100) if "digest" in entry.detail and entry.kind == "deploy"
        ]
        assert deployed.detail["digest"] == digest("checkout", 2)


@pytest.mark.requirement("S4-084")
async def test_an_image_that_is_not_pinned_by_digest_is_not_known(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        stage = at.google.engine.records[site_of("checkout", "stage")]
        stage.revisions[V2].containers[0].image = "registry/acme/app:v2"
        await at.says("maya", "promote checkout stage→prod")
        (refused,) = [message.now for message in at.town.slack.messages]
        assert refused["text"].startswith("checkout stage→prod cannot be promoted: ")
        same = next(line for line in refused["body"] if "same-digest" in line)
        assert same.startswith("? ")
        assert same.endswith(f"Revision {V2} does not say by digest what it runs.")
        assert not [write for write in at.google.writes if write.site == PROD]


# Two processes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", Deed, ids=lambda deed: deed.name.lower())
async def test_a_write_that_arrives_after_its_process_died_is_put_right(tmp_path: Path, deed: Deed) -> None:
    async with scene(tmp_path) as at:
        at.runs.strikes[WRITE[deed]] = lambda: at.google.inject("late_write", seconds=8, site=PROD)
        await begun(deed, at)
        works = asyncio.create_task(at.bot.rests())
        await at.passing.stalled.wait()
        works.cancel()
        await asyncio.gather(works, return_exceptions=True)
        async with at.another_takes_over():
            await at.bot.rests()
            await passes(at, timedelta(minutes=1))
            await at.bot.rests()
            operation = await the_operation(at)
            assert operation.phase is WELL[deed], operation.note
            told_is_true(at, operation)


@pytest.mark.parametrize("counts", [True, False], ids=["etags count", "etags do not count"])
async def test_who_was_frozen_while_somebody_aborted_brings_nobody_to_the_bad_revision(
    tmp_path: Path, counts: bool
) -> None:
    """It thaws when the other one has gone back already, right between its last look and its call."""
    async with scene(tmp_path) as at:
        at.google.inject("etag_enforced" if counts else "etag_ignored")
        at.bot.store._lease = 300  # whoever is frozen hears no heartbeat either
        at.runs.strikes[WRITE[Deed.SHIFT]] = lambda: setattr(at.adapter, "freezes", True)
        await begun(Deed.SHIFT, at)
        frozen = asyncio.create_task(at.bot.rests(at.adapter.thawed.is_set))
        await at.adapter.frozen.wait()
        async with at.another_takes_over():
            await at.says("maya", "abort {op}")
            await at.bot.rests(lambda: "green" not in at.tags())
            before = len(at.google.writes)
            at.adapter.thawed.set()
            await frozen
            await at.bot.rests()
            await passes(at, timedelta(minutes=1))
            operation = await the_operation(at)
            assert operation.phase in BACK
            told_is_true(at, operation)
            assert at.google.writes[before].accepted is not counts
            assert at.splits() == ([] if counts else [TO_10, {V1: 100}])
