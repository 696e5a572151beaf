"""How long did it take, apart from what the machine gave to others meanwhile?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

TICK = 0.01
AT_MOST = 3 * TICK
"""So much counts from one tick to the next: whoever waits is served soon after, unless the machine is busy."""


@asynccontextmanager
async def stopwatch() -> AsyncIterator[Callable[[], float]]:
    """Seconds since it was entered, as far as this loop was served: its own waits count whole, a stall hardly does."""
    counted = 0.0

    async def ticks() -> None:
        nonlocal counted
        before = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            counted += min(now - before, AT_MOST)
            before = now

    ticking = asyncio.create_task(ticks())
    try:
        yield lambda: counted
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
