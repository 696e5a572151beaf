"""How patient and how gentle are we with GitHub?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

READ_TRIES = 3
SLOTS = 10  # requests at once; GitHub allows 100, https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
PAGES_MAX = 10
"""Of a hundred each; an answer that is longer is refused, not cut."""
SECONDARY_PAUSE = 60.0  # where no time is told, same page, "exceeding the rate limit"; doubled each time
SECONDARY_LONGEST = 15 * 60.0


class StoodStill(Exception):
    """Too much time has passed since we looked at what a write rests on; it was not sent."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Spans in seconds. The defaults are for the real GitHub; a local one needs no gap."""

    write_gap: float = 1.0  # at least one second between writes, same page, "secondary rate limits"
    retry_pause: float = 0.5
    """Before the first repetition of a read; doubled each time."""
    longest_wait: float = 10.0
    """We wait so long for a limit to pass; told to wait longer, nothing is sent before, and callers are told so."""
    read_timeout: float = 10.0
    write_timeout: float = 20.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class WriteQueue:
    """One writer at a time, and a gap between the starts of two writes."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._turn = asyncio.Lock()
        self._next = 0.0

    async def __aenter__(self) -> None:
        await self._turn.acquire()
        try:
            if (left := self._next - self._pace.monotonic()) > 0:
                await self._pace.sleep(left)
        except BaseException:
            self._turn.release()
            raise
        self._next = self._pace.monotonic() + self._pace.write_gap

    async def __aexit__(self, *_: object) -> None:
        self._turn.release()


class Limits:
    """Until when GitHub wants to hear nothing from us: what it said to one request holds for all of them."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._closed: dict[str, tuple[float, str]] = {}
        self._silent = 0
        """How often in a row it told us to wait without saying for how long."""

    def told(self, resource: str, seconds: float, why: str) -> None:
        """Nothing more for so long of this resource."""
        until = self._pace.monotonic() + seconds
        if until > self._closed.get(resource, (0.0, ""))[0]:
            self._closed[resource] = (until, why)

    def told_nothing(self, resource: str, why: str) -> None:
        """Nothing more for a minute, and for longer each time."""
        self.told(resource, min(SECONDARY_PAUSE * 2**self._silent, SECONDARY_LONGEST), why)
        self._silent += 1

    def served(self) -> None:
        """It answered again."""
        self._silent = 0

    def left(self, resource: str) -> tuple[float, str]:
        """Seconds until the next request of this resource may be sent, 0 for now; and why."""
        until, why = self._closed.get(resource, (0.0, ""))
        return max(0.0, until - self._pace.monotonic()), why
