"""How soon? A dead replica's rollout is taken over, and a rollback sends its traffic call at once."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from statistics import median

import pytest

from tests.chaos.books import Kept, operations
from tests.chaos.monkey import Wanted
from tests.chaos.people import Fate
from tests.chaos.run import Asked, Stage, stage
from tests.chaos.town import Nature, site

NOTHING = Wanted(0, 0, 0, 0)
LEASE = 10.0
"""Seconds, as in production."""
OWN_MS = 100
"""From the click to the traffic call, without what the worlds take: here they take next to nothing."""
END_TO_END = 5.0
"""Seconds, from the click until everybody is answered by what they had before."""
ENDS_WITHIN = 240.0
"""Seconds for a whole release, on a busy machine."""
LOOK = 0.005


async def soon(what: Callable[[], object], within: float) -> None:
    async with asyncio.timeout(within):
        while not what():
            await asyncio.sleep(LOOK)


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
        died = time.monotonic()
        while (await asyncio.to_thread(operations, on.books))[0].fence == orphan.fence:
            assert time.monotonic() < died + LEASE + 2, "nobody took it over"
        await asyncio.wait_for(releasing, ENDS_WITHIN)
        assert [one.phase for one in on.desk.known.values()] == ["done"]


@pytest.mark.slow
@pytest.mark.parametrize(("database", "replicas"), [("sqlite", 1), ("postgres", 3)])
async def test_a_rollback_writes_its_traffic_at_once_and_everybody_has_what_they_had_within_5_s(
    tmp_path: Path, database: str, replicas: int
) -> None:
    own: list[float] = []
    total: list[float] = []
    async with stage(Asked(database, replicas, 1, NOTHING, services=6, lease=LEASE), tmp_path, latency=0) as on:
        there = on.town.there
        engine = there.google.engine
        for service in on.town.services:
            (left,) = engine.weights(engine.record(site(service)))
            before = len(engine.writes)
            others = waited(on)
            clicked = there.clock.now()
            there.slack.bind(on.bots.address())
            said = await there.slack.say("ines", service, f"/release rollback {service} reason:practice")
            assert said.ok
            await soon(lambda before=before: len(engine.writes) > before, END_TO_END)  # type: ignore[misc]
            took = (engine.writes[before].at - clicked) / timedelta(milliseconds=1)
            own.append(took - longest(others, waited(on)))
            total.append(took)
            its = engine.record(site(service))
            await soon(lambda its=its, left=left: left not in engine.weights(its), END_TO_END)  # type: ignore[misc]
            assert there.clock.now() - clicked <= timedelta(seconds=END_TO_END)
        print(f"{database}: from click to traffic call, ms: {_rounded(total)}, by itself {_rounded(own)}")
        await soon(lambda: len(on.desk.known) == len(own) and not on.desk.open(), 60)
    assert {one.phase for one in on.desk.known.values()} == {"done"}
    if replicas == 1:  # with more of them it is also the database's time, and that of all others on this machine
        assert median(own) <= OWN_MS


def _rounded(spans: list[float]) -> list[int]:
    return [round(span) for span in sorted(spans)]


def waited(on: Stage) -> dict[str, float]:
    """By thread of the bots and of these worlds: milliseconds so far in which it was ready and others ran instead.

    The second field, https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat; nothing where there is none.
    """
    found = {}
    for pid in ("self", *(str(one.pid) for one in on.bots.replicas)):
        for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # a thread that has just ended
                found[str(schedstat)] = int(schedstat.read_text().split()[1]) / 1e6
    return found


def longest(before: dict[str, float], now: dict[str, float]) -> float:
    """Milliseconds that the one which waited longest had to wait meanwhile."""
    return max((waited - before.get(thread, 0.0) for thread, waited in now.items()), default=0.0)
