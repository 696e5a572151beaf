"""Two processes on one database: each thing is done once, whoever dies, and at once where somebody is told."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections import Counter as Tally
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import outbox as sending_module
from bot.controller import Controller
from bot.outbox import Outbox
from bot.store import Store
from bot.worker import Worker
from commands.errors import Unavailable
from commands.operation import Operation, Phase, Wish
from commands.ports import Lease, Message, Request, Writes
from commands.reply import Reply
from policy.model import Place
from tests.bot.books import HOUR, MAYA, Hands, closed, created, fresh, outside
from tests.bot.test_controller import controlling, over
from tests.bot.test_outbox import Talk
from tests.bot.test_postgres import started
from tests.conversation import render
from tests.pace import stopwatch
from tests.world import Town, story

pytestmark = pytest.mark.usefixtures("postgres")

LEASE = 2.0
COMMITS = 0.004
"""Seconds that a commit takes on a quiet machine, about."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return fresh(tmp_path)


async def until(holds: Any, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.005)


# Operations ---------------------------------------------------------------------------------------------------------

HANGS = """
import asyncio, sys
from dataclasses import replace
from datetime import timedelta
from bot.controller import Controller
from commands.operation import Phase
from commands.ports import Writes
from tests.bot.books import closed

async def advance(operation, lease):
    if operation.phase is Phase.BLOCKED:
        return Writes(operation=replace(operation, phase=Phase.RUNNING), due=timedelta(0))
    print("hangs", flush=True)
    await asyncio.Event().wait()

async def main():
    async with closed(sys.argv[1], lease=float(sys.argv[2])) as store:
        await Controller(store, advance).run()

asyncio.run(main())
"""


async def finishes(operation: Operation, _lease: Lease) -> Writes:
    assert operation.phase is Phase.RUNNING, "it goes on from what the other one committed"
    return Writes(operation=replace(operation, phase=Phase.DONE))


async def test_another_process_goes_on_within_a_lease_and_two_seconds_when_one_is_killed(url: str) -> None:
    async with closed(url, lease=LEASE) as store:
        await store.commit(created())
        with started(HANGS, url, str(LEASE)) as process:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == "hangs\n"
            async with controlling(store, finishes, poll=5.0):
                await asyncio.sleep(LEASE)  # it lives, and keeps its lease: nobody else touches the operation
                operation = await store.operation("op_1")
                assert operation is not None
                assert operation.phase is Phase.RUNNING
                process.kill()
                async with stopwatch() as since:
                    await over(store)
                    assert since() < LEASE + 2


async def test_a_click_wakes_another_process_within_20_ms(url: str) -> None:
    woken: asyncio.Queue[float] = asyncio.Queue()

    async def waits(operation: Operation, _lease: Lease) -> Writes:
        woken.put_nowait(time.perf_counter())
        return Writes(operation=replace(operation, phase=Phase.WAITING), due=HOUR)

    async def median() -> float:
        """As if a commit took next to nothing, as it does where nobody else has the machine."""
        took: list[float] = []
        for _ in range(20):
            began = time.perf_counter()
            await here.commit(Writes(wakes=("op_1",)))
            committed = time.perf_counter() - began
            took.append((await asyncio.wait_for(woken.get(), 60) - began) * min(1.0, COMMITS / committed))
        return statistics.median(took)

    async with closed(url) as here, closed(url) as there, controlling(there, waits):
        await here.commit(created())
        await woken.get()
        assert min([await median() for _ in range(3)]) <= 0.020


async def test_a_wish_cuts_off_who_carries_it_on_elsewhere_at_once(url: str) -> None:
    begun, cut_off = asyncio.Event(), asyncio.Event()

    async def stuck(_operation: Operation, _lease: Lease) -> Writes:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut_off.set()
        raise AssertionError

    class Idle(Store):
        async def claim(self) -> tuple[Operation, Lease] | None:
            return None if begun.is_set() else await super().claim()  # so that only the notification can tell

    idle = Idle(url, Hands(), closed(url)._render, lease=600.0)
    async with closed(url) as here, idle as there, controlling(there, stuck, poll=600.0):
        await here.commit(created())
        await asyncio.wait_for(begun.wait(), 60)
        await here.commit(Writes(wishes=(("op_1", Wish.ABORT),)))
        await asyncio.wait_for(cut_off.wait(), 60)  # its next heartbeat is 200 s away


async def test_a_claim_cuts_off_nobody_else_and_not_itself(url: str) -> None:
    going: list[str] = []
    go = asyncio.Event()

    async def step(operation: Operation, _lease: Lease) -> Writes:
        going.append(operation.id)
        await go.wait()
        return Writes(operation=replace(operation, phase=Phase.DONE))

    async with closed(url) as one, closed(url) as other, controlling(one, step), controlling(other, step):
        for n in range(10):
            await one.commit(created(f"op_{n}", place=Place(f"s{n}", "prod")))
        await until(lambda: _reached(lambda: len(going) == 10))
        go.set()
        for n in range(10):
            assert (await over(one, f"op_{n}")).attempts == 0
    assert Tally(going) == Tally(f"op_{n}" for n in range(10))


async def _reached(holds: Any) -> bool:
    return bool(holds())


async def test_who_is_stopped_hands_over_at_once(url: str) -> None:
    begun = asyncio.Event()

    async def stuck(_operation: Operation, _lease: Lease) -> Writes:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def done(operation: Operation, _lease: Lease) -> Writes:
        return Writes(operation=replace(operation, phase=Phase.DONE))

    async with closed(url, lease=600.0) as there:
        async with closed(url, lease=600.0) as here:
            leaving = Controller(here, stuck, grace=0.1)
            running = asyncio.create_task(leaving.run())
            await here.commit(created())
            await here.take(Request("r1", "status", MAYA.account, "C0"), MAYA, answered=False)
            assert (await here.speaks_in("C0"))[0] > 0
            await begun.wait()
            async with controlling(there, done, poll=600.0):  # nor would it look again so soon by itself
                assert await there.pending_requests() == ()
                assert (await there.speaks_in("C0"))[0] < 0
                there.arrived.clear()
                await leaving.stop()
                await running
                await over(there)
        await asyncio.wait_for(there.arrived.wait(), 60)
        assert [each.id for each in await there.pending_requests()] == ["r1"]
        assert (await there.speaks_in("C0"))[0] > 0


# Requests -----------------------------------------------------------------------------------------------------------


class Counting:
    """Books that tell which requests were answered through them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.answered: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, writes: Writes) -> None:
        await self._store.commit(writes)
        self.answered.append(writes.answers)


@asynccontextmanager
async def working(town: Town, url: str, **settings: Any) -> AsyncIterator[tuple[Store, Counting, asyncio.Task[None]]]:
    async with Store(url, town.clock, render, version="test", patience=30, **settings) as store:
        books = Counting(store)
        task = asyncio.create_task(Worker(books, town.ports(store)).run())
        try:
            yield store, books, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def status(id: str) -> Request:
    return Request(id, "status search", MAYA.account, "C0RELEASES")


async def test_two_workers_never_answer_one_request_twice(tmp_path: Path, url: str) -> None:
    town = story(tmp_path)
    async with working(town, url) as (one, first, _), working(town, url) as (other, second, _):
        for n in range(40):
            await (one, other)[n % 2].take(status(f"r{n}"), MAYA, answered=False)
        await until(lambda: _reached(lambda: len(first.answered) + len(second.answered) >= 40), 60)
        assert sorted(first.answered + second.answered) == sorted(f"r{n}" for n in range(40))
        assert first.answered
        assert second.answered
        assert len(await one.unsent("C0RELEASES", 1000)) == 40


async def test_what_a_dead_worker_left_is_answered_by_another(tmp_path: Path, url: str) -> None:
    town = story(tmp_path)
    async with Store(url, town.clock, render, lease=LEASE) as dead:
        await dead.take(status("r1"), MAYA, answered=False)
        async with working(town, url, lease=LEASE) as (_, books, _):
            await until(lambda: _reached(lambda: books.answered == ["r1"]))


async def test_what_is_being_worked_on_stays_ours_however_long_it_takes(url: str) -> None:
    def pass_by(seconds: int) -> None:
        with outside(url) as connection:
            connection.execute("UPDATE requests SET claimed_until = claimed_until - %s", (seconds * 1_000_000,))
            connection.commit()

    async with closed(url, lease=600.0) as here, closed(url, lease=600.0) as there:
        await here.take(status("r1"), MAYA, answered=False)
        for _ in range(3):
            pass_by(400)
            assert await there.pending_requests() == ()
            assert [each.id for each in await here.pending_requests()] == ["r1"]
        pass_by(601)
        assert [each.id for each in await there.pending_requests()] == ["r1"]
        assert await here.pending_requests() == ()


# What is said -------------------------------------------------------------------------------------------------------

CHANNELS = ("C0CHECKOUT", "C0RELEASES", "C0SEARCH")


@asynccontextmanager
async def speaking(url: str, talk: Talk, **settings: Any) -> AsyncIterator[tuple[Store, asyncio.Task[None]]]:
    async with closed(url, patience=30.0, **settings) as store:
        outbox = Outbox(store, talk, gap=0.0)
        task = asyncio.create_task(outbox.run())
        try:
            yield store, task
        finally:
            await outbox.stop()
            await asyncio.gather(task, return_exceptions=True)


async def nothing_waits(store: Store) -> None:
    async def empty() -> bool:
        return not await store.channels_to_tell()

    await until(empty)


async def test_two_outboxes_never_send_one_message_twice_and_keep_the_order(url: str) -> None:
    talk = Talk()
    async with speaking(url, talk) as (one, _), speaking(url, talk) as (other, _):
        for n in range(60):
            messages = tuple(Message(channel, Reply(f"{n}")) for channel in CHANNELS)
            await (one, other)[n % 2].commit(Writes(messages=messages))
        await nothing_waits(one)
        for channel in CHANNELS:
            assert talk.texts(channel) == [f"{n}" for n in range(60)]


async def test_when_the_speaker_dies_another_goes_on_where_it_stopped(url: str) -> None:
    talk = Talk()
    async with closed(url, lease=LEASE) as dead, stopwatch() as since:
        began = time.monotonic()
        assert (await dead.speaks_in("C0CHECKOUT"))[0] > 0
        async with speaking(url, talk, lease=LEASE) as (store, _):
            for n in range(3):
                await store.commit(Writes(messages=(Message("C0CHECKOUT", Reply(f"{n}")),)))
            await nothing_waits(store)
            assert talk.texts() == ["0", "1", "2"]
            assert time.monotonic() - began > LEASE - 0.1
            assert since() < LEASE + 2


async def test_a_speaker_that_lost_the_channel_in_mid_speech_says_no_more(url: str) -> None:
    class Slow(Talk):
        def __init__(self) -> None:
            super().__init__()
            self.begun = asyncio.Event()

        async def post(self, channel: str, payload: Any, thread: str = "") -> str:
            if not self.begun.is_set():
                self.begun.set()
                await asyncio.Event().wait()
            return await super().post(channel, payload, thread)

    talk = Slow()
    async with speaking(url, talk, lease=0.9) as (one, _), closed(url) as outsider:
        await one.commit(Writes(messages=(Message("C0CHECKOUT", Reply("late")), Message("C0CHECKOUT", Reply("next")))))
        await talk.begun.wait()

        def taken(books: Any) -> None:
            books.run("UPDATE speakers SET owner = 'somebody', lease_until = lease_until + 3600000000")

        await outsider._writer.write(taken)
        await asyncio.sleep(1.5)  # longer than a lease
        assert talk.texts() == []
        assert await one.channels_to_tell() == {"C0CHECKOUT"}


async def test_a_long_wait_for_the_chat_keeps_the_channel(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk()
    monkeypatch.setattr(sending_module, "FIRST_RETRY", 2.0)
    talk.trouble = [Unavailable("no answer")]
    async with speaking(url, talk, lease=0.9) as (one, _), speaking(url, talk, lease=0.9) as (other, _):
        await one.commit(Writes(messages=(Message("C0CHECKOUT", Reply("a")),)))
        await other.commit(Writes(messages=(Message("C0CHECKOUT", Reply("b")),)))
        await nothing_waits(one)
        assert talk.texts() == ["a", "b"]


# A process that is killed, whole ------------------------------------------------------------------------------------

SPEAKS = """
import asyncio, sys
from bot.outbox import Outbox
from tests.bot.books import closed
from tests.bot.test_outbox import Talk

class Loud(Talk):
    async def post(self, channel, payload, thread=""):
        print(payload["text"], flush=True)
        return await super().post(channel, payload, thread)

async def main():
    async with closed(sys.argv[1], lease=float(sys.argv[2])) as store:
        await Outbox(store, Loud(), gap=0.02).run()

asyncio.run(main())
"""


async def test_a_kill_in_mid_speech_says_at_most_one_message_twice_and_none_never(url: str) -> None:
    talk = Talk()
    async with closed(url) as store:
        for n in range(40):
            await store.commit(Writes(messages=(Message("C0CHECKOUT", Reply(f"{n}")),)))
    with started(SPEAKS, url, str(LEASE)) as process:
        assert process.stdout is not None
        said = [(await asyncio.to_thread(process.stdout.readline)).strip() for _ in range(10)]
        os.kill(process.pid, signal.SIGKILL)
        said += [line.strip() for line in process.stdout]
    async with speaking(url, talk, lease=LEASE) as (store, _):
        await nothing_waits(store)
    rest = talk.texts()
    assert said + rest[len(said) + len(rest) - 40 :] == [f"{n}" for n in range(40)]
    assert len(said) + len(rest) <= 41
