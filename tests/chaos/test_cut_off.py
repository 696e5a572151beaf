"""What if the network parts one replica from the database, from Google, or from both, or if it is told to stop?"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.chaos.books import Kept, operations
from tests.chaos.fleet import Replica
from tests.chaos.judge import judge
from tests.chaos.people import Fate
from tests.chaos.run import Asked, Stage, gathered, said, stage
from tests.chaos.test_in_time import ENDS_WITHIN, LEASE, LOOK, NOTHING, in_hand
from tests.chaos.town import Nature
from tests.pace import stopwatch

SERVICE = "s01"
SOCKET = ".s.PGSQL.5432"
GRACE = 10.0
"""Seconds that Cloud Run gives between SIGTERM and SIGKILL (https://cloud.google.com/run/docs/container-contract)."""
LONG_LEASE = 30.0
"""Seconds; `GRACE` and some more are well below half of it."""
GOOGLE = ("CLOUD_RUN_ENDPOINT", "MONITORING_ENDPOINT", "SECRET_MANAGER_ENDPOINT")


Writer = asyncio.StreamWriter
Connecting = Coroutine[Any, Any, tuple[asyncio.StreamReader, Writer]]


class Network:
    """Between one replica and the worlds. Where it is down, nothing comes through either way, and nobody is told; what
    was on its way arrives when it is up again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.database, self.google = asyncio.Event(), asyncio.Event()
        self.up()
        self._servers: list[asyncio.Server] = []
        self._going: set[asyncio.Task[None]] = set()

    def up(self) -> None:
        self.database.set()
        self.google.set()

    async def lead(self, straight: Mapping[str, str]) -> Mapping[str, str]:
        """The same places, by way of it."""
        url = urlsplit(straight["DATABASE_URL"])
        there = f"{parse_qs(url.query)['host'][0]}/{SOCKET}"
        self._servers.append(
            await asyncio.start_unix_server(
                lambda *ends: self._carry(self.database, asyncio.open_unix_connection(there), *ends),
                self._directory / SOCKET,
            )
        )
        led = {"DATABASE_URL": url._replace(query=f"host={self._directory}").geturl()}
        for name in GOOGLE:
            if name in straight:
                led[name] = await self._google(straight[name])
        return {**straight, **led}

    async def _google(self, straight: str) -> str:
        host, _, port = straight.rpartition(":")
        server = await asyncio.start_server(
            lambda *ends: self._carry(self.google, asyncio.open_connection(host, int(port)), *ends), "127.0.0.1", 0
        )
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _carry(self, up: asyncio.Event, there: Connecting, ours: asyncio.StreamReader, back: Writer) -> None:
        theirs, forth = await there
        for read, write in ((ours, forth), (theirs, back)):
            task = asyncio.create_task(self._pump(up, read, write))
            self._going.add(task)
            task.add_done_callback(self._going.discard)

    @staticmethod
    async def _pump(up: asyncio.Event, read: asyncio.StreamReader, write: Writer) -> None:
        with suppress(OSError):
            while some := await read.read(65536):
                await up.wait()
                write.write(some)
                await write.drain()
        await up.wait()  # an end is as silent as everything else
        write.close()

    async def close(self) -> None:
        self.up()
        for server in self._servers:
            server.close()
        for task in list(self._going):
            task.cancel()
        await asyncio.gather(*self._going, return_exceptions=True)


@asynccontextmanager
async def apart(directory: Path, lease: float = LEASE) -> AsyncIterator[tuple[Stage, dict[Replica, Network]]]:
    """Two replicas on one database, each behind a network of its own."""
    networks = []
    for name in "ab":
        (directory / name).mkdir()
        networks.append(Network(directory / name))
    asked = Asked("postgres", 2, 1, NOTHING, services=1, lease=lease)
    try:
        async with stage(asked, directory, roads=[network.lead for network in networks]) as on:
            yield on, dict(zip(on.bots.replicas, networks, strict=True))
    finally:
        for network in networks:
            await network.close()


async def carrying(on: Stage) -> tuple[Kept, Replica, Replica]:
    """A rollout in somebody's hands, whose they are, and the other replica, which hears people from now on."""
    held = await in_hand(on)
    (its,) = (one for one in on.bots.replicas if str(one.pid) == held.owner.partition("-")[0])
    (other,) = (one for one in on.bots.replicas if one is not its)
    on.bots.address = lambda: other.url  # type: ignore[method-assign]
    return held, its, other


async def taken_over(on: Stage, held: Kept) -> None:
    async with asyncio.timeout(ENDS_WITHIN):
        while (await asyncio.to_thread(operations, on.books))[0].fence == held.fence:
            await asyncio.sleep(LOOK)


async def ends_well(on: Stage, releasing: asyncio.Task[None]) -> None:
    """It is live; nothing was written late or twice, and nobody was told anything that is not so."""
    await asyncio.wait_for(releasing, ENDS_WITHIN)
    assert [one.phase for one in on.desk.known.values()] == ["done"]
    await asyncio.wait_for(said(on.books), ENDS_WITHIN)
    violations = judge(await gathered(on.town, on.books, on.people))
    assert not violations.count, violations


@pytest.mark.slow
@pytest.mark.parametrize("also_google", [False, True], ids=["from the database", "from everything"])
async def test_who_is_parted_from_the_database_is_replaced_within_the_lease_and_two_seconds(
    tmp_path: Path, also_google: bool
) -> None:
    async with apart(tmp_path) as (on, networks):
        releasing = asyncio.create_task(on.people.release(SERVICE, Nature.GOOD, Fate.NOTHING))
        held, its, _ = await carrying(on)
        networks[its].database.clear()
        if also_google:
            networks[its].google.clear()
        async with stopwatch() as since:
            await taken_over(on, held)
            assert since() < LEASE + 2
        networks[its].up()  # and what it had sent by then arrives, too late
        await ends_well(on, releasing)


@pytest.mark.slow
async def test_who_is_parted_from_google_alone_holds_nothing_up_for_good_and_writes_nothing_late(
    tmp_path: Path,
) -> None:
    async with apart(tmp_path) as (on, networks):
        releasing = asyncio.create_task(on.people.release(SERVICE, Nature.GOOD, Fate.NOTHING))
        _, its, _ = await carrying(on)
        networks[its].google.clear()
        await asyncio.wait({releasing}, timeout=3 * LEASE)
        networks[its].up()
        await ends_well(on, releasing)


@pytest.mark.slow
async def test_who_is_told_to_stop_hands_its_rollout_over_at_once_and_ends_well(tmp_path: Path) -> None:
    """Nobody waits for the end of its lease: the other goes on long before."""
    async with apart(tmp_path, lease=LONG_LEASE) as (on, _):
        releasing = asyncio.create_task(on.people.release(SERVICE, Nature.GOOD, Fate.NOTHING))
        held, its, _ = await carrying(on)
        process, its._stopping = its._process, True
        assert process is not None
        async with stopwatch() as since:
            its.send(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), ENDS_WITHIN) == 0
            assert since() < GRACE
            await taken_over(on, held)
            assert since() < LONG_LEASE / 2
        await ends_well(on, releasing)
