"""Who breaks things? Kills, freezes, crashes of the database and faults of the worlds, at random, until it is enough."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.books import Database, operations
from tests.chaos.bot import standing
from tests.chaos.fleet import Fleet, Replica
from tests.chaos.town import HALF, LATENCY, Town, site

FAULTS: dict[str, dict[str, dict[str, tuple[float, float] | str]]] = {
    "google": {
        "read_unavailable": {},
        "stale_read": {},
        "lost_reply": {},
        "lost_request": {},
        "late_write": {"seconds": (0.3, 3.0)},
        "poll_unavailable": {},
        "poll_forgotten": {},
        "rival": {"does": "touch", "when": "before"},
        "slow_reconcile": {"seconds": (1.0, 4.0)},
        "revision_fails": {},
        "empty_success": {},
        "monitoring_unavailable": {},
        "monitoring_silent": {},
    },
    "github": {
        "bad_gateway": {},
        "bad_gateway_after": {},
        "dropped": {},
        "secondary_limit": {"seconds": (0.5, 2.0)},
        "too_many_requests": {"seconds": (0.5, 2.0)},
        "stall": {"seconds": (0.5, 3.0)},
        "stale_read": {},
    },
    "slack": {
        "api_error": {},
        "api_stall": {"seconds": (0.5, 3.0)},
        "ratelimited": {"seconds": (1.0, 2.0)},
        "lost_reply": {},
        "click_twice": {},
    },
}
"""World, kind, and between which bounds its options are drawn. Left out: what only a person can put right (a refused
write, a revoked token), and what no replica can do anything about (a spent hour of requests)."""
MOVING = "('running', 'going back')"
GAP = 1.0
"""Seconds between two deeds of the same sort, at most, where there is much to catch up with."""
LOOK = 0.02
"""Seconds between two looks at who stands still."""
PATIENCE = 2.0
"""Seconds that it waits for somebody to be in the middle of a step."""
OTHERS_WITHIN = 60.0
"""Seconds within which somebody else goes on with what a frozen one has in hand, on a busy machine."""
AIMED = 0.7
"""Share of the kills and freezes that hit whoever is in the middle of a step."""


@dataclass(frozen=True)
class Wanted:
    """At least so many of each."""

    kills: int
    freezes: int
    crashes: int
    faults: int
    surprises: int = 0
    """Freezes of whoever has just decided to write, until somebody else has written there."""


@dataclass
class Done:
    """What was broken."""

    kills: int = 0
    freezes: int = 0
    crashes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    surprises: int = 0
    taken_over: list[float] = field(default_factory=list)
    """Seconds from a kill until somebody else had the operation that the dead one was carrying: those in which there was
    somebody else, neither dead nor frozen nor still starting."""
    orphaned: list[float] = field(default_factory=list)
    """The same, with those in which there was nobody."""

    def __str__(self) -> str:
        broken = f"{self.kills} kills, {self.freezes} freezes, {self.crashes} crashes, {self.faults.total()} faults"
        return f"{broken}, {self.surprises} surprises"


class Monkey:
    """Breaks what it is told to, at random, until it is enough."""

    def __init__(
        self,
        town: Town,
        fleet: Fleet,
        books: Database,
        wanted: Wanted,
        chance: random.Random,
        *,
        lease: float,
        order: Path,
        fenced: bool,
    ) -> None:
        self.done = Done()
        self._town = town
        self._fleet = fleet
        self._books = books
        self._wanted = wanted
        self._chance = chance
        self._lease = lease
        self._order = order
        """The file that tells a bot where to stop."""
        self._fenced = fenced
        self._watching: set[asyncio.Task[None]] = set()

    async def play(self, progress: Callable[[], float], seconds: float) -> None:
        """All that is wanted has been broken, evenly spread over the work: `progress` goes from 0 to 1 as it is done.

        Where the work does not get on, it goes by the `seconds` that the run should take, three times as slowly.
        """
        began = time.monotonic()

        def part() -> float:
            return max(progress(), (time.monotonic() - began) / seconds / 3)

        try:
            async with asyncio.TaskGroup() as hands:
                hands.create_task(self._again(self._wanted.kills, part, self._kill))
                hands.create_task(self._again(self._wanted.freezes, part, self._freeze))
                hands.create_task(self._again(self._wanted.crashes, part, self._crash))
                hands.create_task(self._again(self._wanted.faults, part, self._fault))
                hands.create_task(self._again(self._wanted.surprises, part, self._surprise))
        finally:
            for replica in self._fleet.replicas:
                replica.send(signal.SIGCONT)
            for task in list(self._watching):
                task.cancel()
            await asyncio.gather(*self._watching, return_exceptions=True)

    async def _again(self, times: int, part: Callable[[], float], deed: Callable[[], Awaitable[bool]]) -> None:
        """So many times, each at a random place of its part; where it cannot be done just then, a little later."""
        done = 0
        while done < times:
            place = (done + self._chance.uniform(0, 1)) / times
            await asyncio.sleep(self._chance.uniform(0.1, GAP))
            while part() < place:
                await asyncio.sleep(0.1)
            done += await deed()

    async def _kill(self) -> bool:
        replica = await self._victim()
        if replica is None:
            return False
        pid = replica.pid
        at = time.monotonic()
        if not replica.send(signal.SIGKILL):
            return False
        self.done.kills += 1
        if len(self._fleet.replicas) > 1:
            task = asyncio.create_task(self._takeover(f"{pid}-", at))
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)
        return True

    async def _takeover(self, owner: str, at: float) -> None:
        try:
            orphans = {
                one.id: one.fence
                for one in await asyncio.to_thread(operations, self._books)
                if one.owner.startswith(owner) and not one.over
            }
            before, with_others = at, 0.0
            while orphans and time.monotonic() < at + 60:
                await asyncio.sleep(0.05)
                now = time.monotonic()
                with_others += (now - before) * any(other.can_take_over for other in self._fleet.replicas)
                before = now
                for one in await asyncio.to_thread(operations, self._books):
                    if one.id in orphans and (one.fence > orphans[one.id] or one.over):
                        del orphans[one.id]
                        self.done.taken_over.append(with_others)
                        self.done.orphaned.append(now - at)
        except OSError:
            return  # the database has just crashed, too

    async def _freeze(self) -> bool:
        """Longer than the lease: whoever had an operation in hand finds it in another's."""
        if sum(one.frozen for one in self._fleet.replicas) >= max(1, len(self._fleet.replicas) - 1):
            return False
        replica = await self._victim()
        if replica is None:
            return False
        pid = replica.pid
        replica.frozen = True
        replica.send(signal.SIGSTOP)
        await asyncio.sleep(self._lease * self._chance.uniform(1.1, 1.8))
        if replica.pid != pid:
            return False  # it was killed meanwhile
        replica.send(signal.SIGCONT)
        replica.frozen = False
        self.done.freezes += 1
        return True

    async def _surprise(self) -> bool:
        """Whoever decided to write thaws once somebody newer has written there.

        Without the fence that counts only where the world then took the late write: some other fault may swallow it.
        """
        replica = await self._surprised()
        replica.frozen = True
        pid, stands, writes = replica.pid, self._stands(replica), self._town.there.google.engine.writes
        where, fence = stands.read_text().split()
        known = len(writes)

        def taken(newer: bool) -> bool:
            its = (write for write in writes[known:] if write.accepted and write.site == where and write.fence)
            return any(write.fence > int(fence) if newer else write.fence == int(fence) for write in its)

        went_on = await self._sees(lambda: taken(newer=True))
        replica.send(signal.SIGCONT)
        ended = await self._sees(lambda: not stands.exists())
        if replica.pid == pid:
            replica.frozen = False
        stands.unlink(missing_ok=True)
        if not (went_on and ended and (self._fenced or taken(newer=False))):
            return False
        self.done.surprises += 1
        return True

    async def _surprised(self) -> Replica:
        """It has decided to write, and stands still. Whoever died of something else meanwhile does not count."""
        while True:
            stand = [one for one in self._fleet.replicas if self._stands(one).exists()]
            for replica in stand:
                if replica.stands_still:
                    return replica
            if not stand and not self._order.exists():
                self._order.write_text(str(HALF))
            await asyncio.sleep(LOOK)

    def _stands(self, replica: Replica) -> Path:
        return standing(self._order, replica.pid or 0)

    async def _sees(self, what: Callable[[], bool]) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(OTHERS_WITHIN):
                while not what():
                    await asyncio.sleep(LOOK)
        return what()

    async def _crash(self) -> bool:
        await self._books.crash()
        self.done.crashes += 1
        return True

    async def _fault(self) -> bool:
        world = self._chance.choice(list(FAULTS))
        kind = self._chance.choice(list(FAULTS[world]))
        options: dict[str, Any] = {
            name: one if isinstance(one, str) else round(self._chance.uniform(*one), 2)
            for name, one in FAULTS[world][kind].items()
        }
        there = self._town.there
        if world == "google":
            if not kind.startswith(("monitoring", "poll")):
                options["site"] = site(self._chance.choice(self._town.services))
            there.google.inject(kind, **options)
        elif world == "github":
            there.github.inject(kind, **options)
        else:
            there.slack.inject(kind, **options)
        self.done.faults[world] += 1
        return True

    async def _victim(self) -> Replica | None:
        """One that runs: any, or one that has an operation in hand this moment."""
        busy: set[str] = set()
        if self._chance.random() < AIMED:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    while not busy:
                        busy = set(await asyncio.to_thread(self._in_hand))
                await asyncio.sleep(self._chance.uniform(0, LATENCY))
        running = [replica for replica in self._fleet.replicas if replica.pid is not None and not replica.frozen]
        aimed = [replica for replica in running if str(replica.pid) in busy]
        return self._chance.choice(aimed or running) if running else None

    def _in_hand(self) -> list[str]:
        """Processes that have claimed something that changes production, by number."""
        rows = self._books.rows("SELECT owner FROM operations WHERE owner IS NOT NULL AND phase IN " + MOVING)
        return [row[0].partition("-")[0] for row in rows]
