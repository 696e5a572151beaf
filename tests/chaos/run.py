"""How does one chaos run go? A town, a fleet on one database, people who release, a monkey; then the judge."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bot.sandbox.supervisor import Worlds, environment
from tests.chaos.books import Database, entries, operations, postgres, sqlite_file
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.judge import TITLES, Evidence, Violations, judge
from tests.chaos.monkey import MOVING, Done, Monkey, Wanted
from tests.chaos.people import Desk, People
from tests.chaos.town import LATENCY, Town, town

DATABASES: dict[str, Callable[[Path], AbstractContextManager[Database]]] = {
    "sqlite": sqlite_file,
    "postgres": postgres,
}
NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
SETTLES_WITHIN = 240.0
"""Seconds, after the last thing was broken: a write that Cloud Run forgot is waited for, and then for its way back."""
NEVER_SETTLES = 5.0
"""The same without the fence, where some of it may never come to an end, and the stale write has been seen."""
TELLS_EVERY = 30.0
PER_OPERATION = 30.0
"""Seconds from one operation of a service to the next, about, with everything else going on."""


Road = Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
"""The settings of one replica, made of those that lead straight to the worlds."""


@dataclass(frozen=True)
class Asked:
    """One run."""

    database: str = "sqlite"
    replicas: int = 1
    operations: int = 40
    wanted: Wanted = Wanted(10, 8, 0, 60)  # noqa: RUF009 - frozen
    seed: int = 1
    services: int = 12
    lease: float = 2.0
    fenced: bool = True
    etags: bool = True
    """Whether the world refuses a write with an old etag."""
    arguments: tuple[str, ...] = ()
    """More for each bot."""

    @property
    def title(self) -> str:
        many = "1 process" if self.replicas == 1 else f"{self.replicas} replicas"
        fence = "" if self.fenced else ", without the fence"
        etags = "" if self.etags else ", etags ignored"
        return f"{many} on {NAMES[self.database]}{fence}{etags}, seed {self.seed}"


@dataclass(frozen=True)
class Result:
    """What was done and what came of it."""

    asked: Asked
    seconds: float
    done: Done
    operations: Counter[str]
    accepted: int
    refused: Counter[str]
    claims: int
    violations: Violations
    unsettled_in_time: bool


def as_it_should(result: Result) -> bool:
    """With the fence: nothing went wrong, and all of it came to its end. Without: the world took a stale write."""
    clean = not result.violations.count and not result.unsettled_in_time
    return clean if result.asked.fenced else bool(result.violations.stale)


@dataclass(frozen=True)
class Stage:
    """Everything there is in one run."""

    town: Town
    books: Database
    bots: Fleet
    desk: Desk
    people: People


@asynccontextmanager
async def stage(
    asked: Asked, data: Path, *, latency: float = LATENCY, roads: Sequence[Road] = ()
) -> AsyncIterator[Stage]:
    """It all runs while this is entered, and the desk looks into the books. `roads`: by which each replica gets there,
    where not all of them go straight."""
    chance = random.Random(asked.seed)
    with DATABASES[asked.database](data) as books:
        async with town(data, asked.services, chance, latency=latency) as there:
            there.there.google.engine.enforce_etag = asked.etags
            settings = {**environment(there.there, data, 0, data / "policy.yaml"), "DATABASE_URL": books.url}
            arguments = ["-m", "tests.chaos.bot", "--lease", str(asked.lease)]
            arguments += ["--shared"] if asked.database == "sqlite" and asked.replicas > 1 else []
            arguments += [*asked.arguments] if asked.fenced else [*asked.arguments, "--unfenced"]
            each = [await road(settings) for road in roads] or [settings] * asked.replicas
            async with fleet(arguments, each, data, chance) as bots:
                desk = Desk(books)
                watching = asyncio.create_task(desk.watch())
                try:
                    yield Stage(there, books, bots, desk, People(there, bots, desk, chance))
                finally:
                    watching.cancel()
                    await asyncio.gather(watching, return_exceptions=True)


async def run(asked: Asked, data: Path) -> Result:
    """The whole of it, in that directory."""
    began = time.monotonic()
    order = data / "decides"
    async with stage(replace(asked, arguments=(*asked.arguments, "--decides", str(order))), data) as on:
        chance = random.Random(asked.seed)
        monkey = Monkey(
            on.town,
            on.bots,
            on.books,
            asked.wanted,
            chance,
            lease=asked.lease,
            order=order,
            fenced=asked.fenced,
        )
        in_time = await _play(asked, on, monkey)
        evidence = await gathered(on.town, on.books, on.people)
    fences = [one.fence for one in evidence.operations if one.fence]
    return Result(
        asked,
        time.monotonic() - began,
        monkey.done,
        Counter(f"{one.kind} {one.phase}" for one in evidence.operations),
        sum(write.accepted for write in evidence.writes),
        Counter(write.why for write in evidence.writes if not write.accepted),
        max(fences, default=0) - min(fences, default=0),
        judge(evidence),
        not in_time,
    )


async def _play(asked: Asked, on: Stage, monkey: Monkey) -> bool:
    """Until there were enough operations and enough was broken; True where all of it came to its end in time."""
    expected, tells = asked.operations * PER_OPERATION / asked.services, time.monotonic() + TELLS_EVERY
    living = asyncio.create_task(on.people.live())

    def progress() -> float:
        return sum(one.over for one in on.desk.known.values()) / asked.operations

    breaking = asyncio.create_task(monkey.play(progress, expected))
    try:
        async with asyncio.timeout(SETTLES_WITHIN + 5 * expected):
            while not (breaking.done() and len(on.desk.known) >= asked.operations):
                await asyncio.sleep(0.2)
                for task in (living, breaking):
                    if task.done() and not task.cancelled() and (error := task.exception()):
                        raise error
                if time.monotonic() >= tells:
                    tells = time.monotonic() + TELLS_EVERY
                    print(f"   {len(on.desk.known)} operations, {monkey.done}", file=sys.stderr, flush=True)
        on.people.enough.set()
        async with asyncio.timeout(SETTLES_WITHIN if asked.fenced else NEVER_SETTLES):
            await on.bots.ready()
            await living
            await said(on.books)
        await asyncio.sleep(1.0)  # users go on calling a little, so that nobody is missed
    except TimeoutError:
        return False
    else:
        return True
    finally:
        for task in (living, breaking):
            task.cancel()
        await asyncio.gather(living, breaking, return_exceptions=True)


async def said(books: Database) -> None:
    """Nothing waits to be said or answered any more, and no operation changes anything."""
    waiting = (
        "SELECT (SELECT count(*) FROM outbox WHERE state = 'waiting')"
        " + (SELECT count(*) FROM requests WHERE answered_at IS NULL)"
        f" + (SELECT count(*) FROM operations WHERE over = 0 AND phase IN {MOVING})"
    )
    while True:
        with suppress(OSError):
            if not (await asyncio.to_thread(books.rows, waiting))[0][0]:
                return
        await asyncio.sleep(0.2)


async def gathered(there: Town, books: Database, people: People) -> Evidence:
    """What the judge looks at, as it stands now."""
    worlds: Worlds = there.there
    github = await worlds.github.snapshot()
    google = worlds.google.engine
    return Evidence(
        entries=entries(books),
        operations=operations(books),
        asked=[(row[0], row[1], row[2] is not None) for row in _rows(books, "account, words, answered_at", "requests")],
        unsent=[(row[0], row[1]) for row in _rows(books, "channel, operation", "outbox WHERE state = 'waiting'")],
        locks=[row[0] for row in _rows(books, "operation", "place_locks")],
        writes=list(worlds.google.writes),
        answered=there.users.answered,
        serving={name: google.weights(record) for name, record in google.records.items()},
        deployments=[made for repository in github.values() for made in repository["deployments"]],
        acknowledged=people.acknowledged,
        apologies=people.apologies(),
    )


def _rows(books: Database, columns: str, table: str) -> Sequence[tuple[str, ...]]:
    return books.rows(f"SELECT {columns} FROM {table}")


def _of(which: Callable[[Sequence[float]], float], seconds: Sequence[float]) -> str:
    return f"{which(seconds):.1f}" if seconds else "-"


def table(results: Sequence[Result]) -> str:
    """One column for each run."""
    rows: list[tuple[str, list[str]]] = [
        ("", [NAMES[each.asked.database] for each in results]),
        ("processes", [str(each.asked.replicas) for each in results]),
        ("the fence is", ["on" if each.asked.fenced else "off" for each in results]),
        ("old etags are", ["refused" if each.asked.etags else "taken" for each in results]),
        ("seed", [str(each.asked.seed) for each in results]),
        ("seconds", [f"{each.seconds:.0f}" for each in results]),
        ("operations", [str(sum(each.operations.values())) for each in results]),
    ]
    phases = sorted({phase for each in results for phase in each.operations})
    rows += [(f"  {phase}", [str(each.operations[phase] or "") for each in results]) for phase in phases]
    rows += [
        ("kill -9", [str(each.done.kills) for each in results]),
        ("freezes beyond the lease", [str(each.done.freezes) for each in results]),
        ("freezes of who has just decided", [str(each.done.surprises) for each in results]),
        ("database crashes", [str(each.done.crashes) for each in results]),
        ("faults of the worlds", [str(each.done.faults.total()) for each in results]),
        ("fences drawn", [str(each.claims) for each in results]),
        ("writes accepted", [str(each.accepted) for each in results]),
        ("writes refused", [str(each.refused.total()) for each in results]),
        ("  for an old etag", [str(each.refused["ABORTED"]) for each in results]),
        ("taken over after a kill", [str(len(each.done.taken_over)) for each in results]),
        ("  median, s", [_of(median, each.done.taken_over) for each in results]),
        ("  longest, s", [_of(max, each.done.taken_over) for each in results]),
        ("  at most, s: lease + 2", [f"{each.asked.lease + 2:.1f}" for each in results]),
        ("  with none there to, longest, s", [_of(max, each.done.orphaned) for each in results]),
    ]
    for name, title in TITLES.items():
        counts = [len(getattr(each.violations, name)) for each in results]
        rows.append((f"{'✗' if any(counts) else '✓'} {title}", list(map(str, counts))))
    width = max(len(title) for title, _ in rows)
    widths = [max(len(cells[n]) for _, cells in rows) for n in range(len(results))]
    lines = [
        f"{title:{width}}  " + "  ".join(f"{cell:>{widths[n]}}" for n, cell in enumerate(cells))
        for title, cells in rows
    ]
    for each in results:
        for name in TITLES:
            found = getattr(each.violations, name)
            lines += [f"  {each.asked.title}: {TITLES[name]}: {one}" for one in found[:15]]
        if each.unsettled_in_time:
            lines.append(f"  {each.asked.title}: not everything settled in time")
    return "\n".join(line.rstrip() for line in lines)
