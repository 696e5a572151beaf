"""How soon? A dead replica's rollout is taken over."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.chaos.books import Kept, operations
from tests.chaos.monkey import Wanted
from tests.chaos.people import Fate
from tests.chaos.run import Asked, Stage, stage
from tests.chaos.town import Nature
from tests.pace import stopwatch

NOTHING = Wanted(0, 0, 0, 0)
LEASE = 10.0
"""Seconds, as in production."""
LOOK = 0.005
ENDS_WITHIN = 240.0
"""Seconds for a whole release, on a busy machine."""


async def in_hand(on: Stage) -> Kept:
    """A rollout that somebody is carrying right now."""
    async with asyncio.timeout(ENDS_WITHIN):
        while True:
            for one in await asyncio.to_thread(operations, on.books):
                if one.owner and one.phase == "running":
                    return one


@pytest.mark.slow
async def test_a_rollout_goes_on_at_another_replica_within_the_lease_and_two_seconds(tmp_path: Path) -> None:
    async with stage(Asked("postgres", 3, 1, NOTHING, services=1, lease=LEASE), tmp_path) as on:
        releasing = asyncio.create_task(on.people.release("s01", Nature.GOOD, Fate.NOTHING))
        orphan = await in_hand(on)
        (victim,) = (one for one in on.bots.replicas if str(one.pid) == orphan.owner.partition("-")[0])
        victim.send(signal.SIGKILL)
        async with stopwatch() as since:
            while (await asyncio.to_thread(operations, on.books))[0].fence == orphan.fence:
                assert since() < LEASE + 2, "nobody took it over"
                await asyncio.sleep(LOOK)
        await asyncio.wait_for(releasing, ENDS_WITHIN)
        assert [one.phase for one in on.desk.known.values()] == ["done"]
