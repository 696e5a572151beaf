"""Who does the work after the acknowledgement? Takes requests from our books, oldest first, and has them answered."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from typing import Protocol

from commands.answer import answer, apology
from commands.errors import ReleaseBotError, Unavailable
from commands.ports import Request, Taken, World, Writes

log = logging.getLogger(__name__)

HANDS = 8
"""Requests worked on at once."""
URGENT = frozenset({"rollback", "abort", "pause"})
URGENT_HANDS = 4
"""More hands, for words that take production out of harm: they do not wait for others whose GitHub does not answer."""
QUEUE = 1000
"""Requests looked through for such words: so many others may have come before them."""
TRIES = 3
FLOOD = 250
"""Requests a second; people type less. While they pour in faster, acknowledging comes first and work waits a little."""
FLOOD_SECONDS = 0.5
"""But never longer than this between one piece of work and the next."""
AGAIN_SECONDS = 2.0
"""While our own books cannot be read."""
POLL = 5.0  # seconds between looks without a reason: another process may have died over its requests


class Books(Protocol):
    """What the worker needs of the store."""

    async def pending_requests(self, limit: int) -> tuple[Request, ...]:
        """Those that are this process's to answer, oldest first; they stay so while asked for each third of a lease."""

    @property
    def lease_seconds(self) -> float: ...

    @property
    def arrived(self) -> asyncio.Event: ...

    @property
    def taken(self) -> int:
        """Requests taken down since the start."""

    async def commit(self, writes: Writes) -> None: ...


class Worker:
    """Runs until it is cancelled. A request that was begun when a process died is begun again by whoever finds it: it
    is not answered before what it writes is on disk, and then never twice."""

    def __init__(self, books: Books, world: World) -> None:
        self._books = books
        self._world = world
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._ended: set[str] = set()
        """Requests whose work ended since the last look began: that look may still show them as unanswered."""
        self._freed = asyncio.Event()
        self._looked = (time.monotonic(), 0)
        self.failed = 0

    async def run(self) -> None:
        try:
            while True:
                self._books.arrived.clear()
                self._freed.clear()
                self._ended.clear()
                hands = 1 if await self._flooded() else HANDS
                try:
                    pending = await self._books.pending_requests(QUEUE if hands == HANDS else HANDS * 4)
                except Unavailable:
                    log.exception("our own books cannot be read")
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                for request in pending:
                    room = hands + (URGENT_HANDS if _urgent(request) else 0)
                    if request.id not in self._busy and request.id not in self._ended and len(self._busy) < room:
                        self._busy[request.id] = asyncio.create_task(self._work(request))
                await self._wait(full=len(self._busy) >= (hands + URGENT_HANDS if hands == HANDS else hands))
        finally:
            tasks = list(self._busy.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _flooded(self) -> bool:
        """True where words still pour in after it has waited for them to ebb."""
        until = time.monotonic() + FLOOD_SECONDS
        while self._rate() > FLOOD:
            if time.monotonic() >= until:
                return True
            await asyncio.sleep(FLOOD_SECONDS / 10)
        return False

    def _rate(self) -> float:
        """Requests a second taken down since it was last asked."""
        (before, then), self._looked = self._looked, (time.monotonic(), self._books.taken)
        now, taken = self._looked
        return (taken - then) / max(now - before, 0.01)

    async def _wait(self, *, full: bool) -> None:
        """Until another request has come, or a hand is free, or it is time to look anyway."""
        most = min(POLL, self._books.lease_seconds / 3) if self._busy else POLL
        waiting = [asyncio.ensure_future(self._freed.wait())]
        if not full:
            waiting.append(asyncio.ensure_future(self._books.arrived.wait()))
        try:
            await asyncio.wait(waiting, timeout=most, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)  # told to end meanwhile, it does

    async def _work(self, request: Request) -> None:
        try:
            await self._answered(request)
        except ReleaseBotError:
            log.exception("request %s stays unanswered for now", request.id)
            await asyncio.sleep(AGAIN_SECONDS)
        finally:
            del self._busy[request.id]
            self._ended.add(request.id)
            self._freed.set()

    async def _answered(self, request: Request) -> None:
        try:
            for _ in range(TRIES):
                with suppress(Taken):  # somebody asked for the same at the same moment: now it can be seen
                    await self._books.commit(await answer(request, self._world))
                    return
            error: ReleaseBotError = Unavailable("Others were faster, several times in a row.")
        except ReleaseBotError as seen:
            log.warning("request %s: %s", request.id, seen)
            error = seen
        except Exception:
            self.failed += 1
            number = secrets.token_hex(4)
            log.exception("request %s failed, told the person to quote %s", request.id, number)
            error = Unavailable(f"Something went wrong on my side (quote {number}).")
        await self._books.commit(apology(request, error))


def _urgent(request: Request) -> bool:
    return request.words.split(" ", 1)[0].lower() in URGENT
