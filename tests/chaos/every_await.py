"""What if the bot dies at an await? At every one of them, one after another, on SQLite.

First each tale is told without a death, and every await of it is written down: where it stands, what was being worked
on, and whether what it waited for had come yet. Then the tale is told once for each of them; the bot kills itself right
there, the next one goes on. In the end the judge looks at all of it at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from pathlib import Path

from bot.sandbox.supervisor import environment
from tests.chaos.books import sqlite_file
from tests.chaos.fleet import Fleet, Replica
from tests.chaos.judge import TITLES, Violations, judge
from tests.chaos.people import Desk, Fate, People
from tests.chaos.run import gathered, said
from tests.chaos.town import Nature, Town, town

LEASE = 2.0
FASTER = 10.0
"""So much faster goes the clock that holds and numbers go by; leases go by the database's own."""
STEP = 0.02
RATE = 200.0
"""Requests a second, so that there are enough of them all the same."""
TRIES = 3
"""Of a death whose await did not come, since what happens side by side came in another order."""


class Forked(Replica):
    """A bot forked from one that is loaded already."""

    def __init__(self, name: str, settings: Mapping[str, str], data: Path) -> None:
        super().__init__(name, ["-m", "tests.chaos.awaits"], settings, data)
        self._told = {"settings": {**settings, "PORT": self.url.rpartition(":")[2]}, "lease": LEASE}
        self._told |= {"folder": str(data), "log": str(data / f"{name}.log")}
        self._now: int | None = None

    async def run(self) -> None:
        with (self._data / "loaded.log").open("ab") as log:
            loaded = await asyncio.create_subprocess_exec(
                *self._arguments,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert loaded.stdin is not None
        assert loaded.stdout is not None
        try:
            while not self._stopping:
                loaded.stdin.write(json.dumps(self._told).encode() + b"\n")
                self._now = int(await loaded.stdout.readline())
                self.starts += 1
                while _lives(self._now):
                    await asyncio.sleep(0.02)
                self._now = None
        finally:
            loaded.kill()

    @property
    def pid(self) -> int | None:
        return self._now

    def send(self, number: signal.Signals) -> bool:
        if self._now is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(self._now, number)
        return True

    async def stop(self) -> None:
        self._stopping = True
        self.send(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                while self._now is not None:
                    await asyncio.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True)
class Tale:
    """What is told again and again."""

    name: str
    nature: Nature
    fate: Fate


TALES = (
    Tale("promote", Nature.GOOD, Fate.NOTHING),
    Tale("promote, and back by itself", Nature.BAD, Fate.NOTHING),
    Tale("promote, then roll back", Nature.GOOD, Fate.ROLLED_BACK_LATER),
)


@dataclass
class Told:
    """What came of one tale."""

    tale: Tale
    awaits: int = 0
    """Those that no tale before it had."""
    died: int = 0
    never: list[str] = field(default_factory=list)
    """Awaits that did not come again."""
    late: list[str] = field(default_factory=list)
    """Those after which it was not over in time."""


@dataclass
class Died:
    """What came of all of it."""

    tales: list[Told] = field(default_factory=list)
    left: int = 0
    """Deaths that were not tried."""
    violations: list[Violations] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not any(each.count for each in self.violations) and not any(told.late for told in self.tales)


class Teller:
    """One town, one bot at a time, and one tale after another in it."""

    def __init__(self, there: Town, bot: Forked, fleet: Fleet, people: People, desk: Desk, folder: Path) -> None:
        self._town = there
        self._bot = bot
        self._fleet = fleet
        self._people = people
        self._desk = desk
        self._folder = folder
        self._turn = 0

    async def awaits(self, tale: Tale) -> list[str]:
        """All there are, in the order in which they come."""
        found = self._folder / "awaits"
        found.unlink(missing_ok=True)
        await self._arm("")
        await self._tell(tale)
        return found.read_text("utf-8").splitlines()

    async def dies(self, tale: Tale, at: str) -> bool:
        """The tale is told to its end. True where the bot died there on the way."""
        await self._arm(at)
        before = self._bot.starts
        await self._tell(tale)
        return self._bot.starts > before

    async def verdict(self) -> Violations:
        """Of all that was told so far."""
        await asyncio.sleep(1.0)  # users go on calling a little, so that nobody is missed
        return judge(await gathered(self._town, self._desk.books, self._people))

    async def _arm(self, at: str) -> None:
        await self._fleet.ready()
        (self._folder / "armed").unlink(missing_ok=True)
        (self._folder / "arm").write_text(at, "utf-8")
        while not (self._folder / "armed").exists():
            self._bot.send(signal.SIGUSR2)
            await asyncio.sleep(0.02)

    async def _tell(self, tale: Tale) -> None:
        self._turn += 1
        service = self._town.services[self._turn % len(self._town.services)]
        async with asyncio.timeout(120):
            await self._people.release(service, tale.nature, tale.fate)
            await said(self._desk.books)


async def _faster(there: Town) -> None:
    """Time flies, where it is only waited for."""
    clock = there.there.clock
    while True:
        await asyncio.sleep(STEP)
        clock.set(clock.now() + timedelta(seconds=STEP * (FASTER - 1)))


@asynccontextmanager
async def _teller(data: Path, chance: random.Random) -> AsyncIterator[Teller]:
    with sqlite_file(data) as books:
        async with town(data, 4, chance, latency=0.0) as there:
            there.users.rate = RATE
            there.there.google.engine.reconcile_seconds = 0.1
            there.there.google.engine.enforce_etag = True
            settings = {**environment(there.there, data, 0, data / "policy.yaml"), "DATABASE_URL": books.url}
            bot = Forked("bot", settings, data)
            fleet = Fleet([bot], chance)
            desk = Desk(books)
            people = People(there, fleet, desk, chance)

            tasks = [asyncio.create_task(work) for work in (bot.run(), desk.watch(), _faster(there))]
            try:
                await fleet.ready()
                yield Teller(there, bot, fleet, people, desk, data)
            finally:
                await bot.stop()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def every_await(
    data: Path,
    *,
    tales: Sequence[Tale] = TALES,
    lanes: int = 2,
    thin: int = 1,
    first: int = 0,
    minutes: float = inf,
) -> Died:
    """Each await of each tale was died at, or with `thin` each so-manyth; in so many towns side by side.

    It begins with the `first` of those deaths, and ends after so many minutes, however many are left.
    """
    found = Died()
    async with AsyncExitStack() as stack:
        tellers = []
        for lane in range(lanes):
            folder = data / f"lane-{lane}"
            folder.mkdir()
            tellers.append(await stack.enter_async_context(_teller(folder, random.Random(lane))))
        deaths: list[tuple[Told, str]] = []
        known: set[str] = set()
        for tale in tales:
            fresh = [at for at in await tellers[0].awaits(tale) if at not in known]
            known.update(fresh)
            found.tales.append(told := Told(tale, len(fresh)))
            deaths += [(told, at) for at in fresh[::thin]]
        waiting = list(reversed(deaths[first:]))
        until = time.monotonic() + 60 * minutes
        await asyncio.gather(*(_die(teller, waiting, until) for teller in tellers))
        found.left = first + len(waiting)
        for teller in tellers:
            found.violations.append(await teller.verdict())
    return found


async def _die(teller: Teller, waiting: list[tuple[Told, str]], until: float) -> None:
    """At one after another, while there are any and there is time."""
    while waiting and time.monotonic() < until:
        told, at = waiting.pop()
        for _ in range(TRIES):
            try:
                if await teller.dies(told.tale, at):
                    told.died += 1
                    break
            except TimeoutError:
                told.late.append(at)
                break
        else:
            told.never.append(at)
        print(f"\r{len(waiting)} awaits to die at ", end="", file=sys.stderr, flush=True)


def telling(died: Died) -> str:
    """One line for each tale, and what went wrong."""
    width = max(len(told.tale.name) for told in died.tales)
    lines = [f"{'':{width}}  awaits  died at  never came again"]
    lines += [f"{told.tale.name:{width}}  {told.awaits:6}  {told.died:7}  {len(told.never):16}" for told in died.tales]
    lines += [f"{died.left} were not tried"] if died.left else []
    for name, title in TITLES.items():
        wrong = [line for each in died.violations for line in getattr(each, name)]
        lines += [f"{'✗' if wrong else '✓'} {len(wrong):4} {title}", *(f"       {line}" for line in wrong[:15])]
    late = [at for told in died.tales for at in told.late]
    lines += [f"{'✗' if late else '✓'} {len(late):4} deaths after which it did not end in time"]
    lines += [f"       {at}" for at in late[:15]]
    return "\n".join(lines)
