"""Who calls the services all day? A steady stream of real requests, with a memory of who answered the last ones."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import aiohttp

REMEMBERED = 200
_AT_ONCE = 32
"""Requests to one service under way; a slow service gets fewer, not more."""


class Called(Protocol):
    """A world with fronts to call."""

    sources: list[TrafficSource]

    def front(self, site: str) -> str: ...


class TrafficSource:
    """So many requests a second to the front of each site."""

    def __init__(self, world: Called, sites: Sequence[str], rate: float = 20.0) -> None:
        """`rate` in requests a second for each site; it may be set while it runs."""
        self.rate = rate
        self._world = world
        self._sites = tuple(sites)
        self._answers: dict[str, deque[str]] = {site: deque(maxlen=REMEMBERED) for site in sites}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        world.sources.append(self)

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=30)
        )
        for site in self._sites:
            self._keep(asyncio.create_task(self._stream(site, self._session)))

    async def stop(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def serving(self, site: str) -> dict[str, float]:
        """Share, 0 to 1, of each digest in the last answers of a site; what was not answered is `none`."""
        answers = self._answers.get(site, ())
        return {digest: round(count / len(answers), 3) for digest, count in Counter(answers).most_common()}

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stream(self, site: str, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        places = asyncio.Semaphore(_AT_ONCE)
        due = loop.time()
        while True:
            await places.acquire()
            self._keep(asyncio.create_task(self._one(site, session, places)))
            due = max(due + 1 / self.rate, loop.time() - 1)  # what a stall left undone is not made up for
            await asyncio.sleep(due - loop.time())

    async def _one(self, site: str, session: aiohttp.ClientSession, places: asyncio.Semaphore) -> None:
        digest = "none"
        try:
            with suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError):
                async with session.get(self._world.front(site) + "/") as response:
                    digest = (await response.json())["digest"]
            self._answers[site].append(digest)
        finally:
            places.release()
