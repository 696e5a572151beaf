"""Requests are answered once, oldest first, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot import worker as module
from bot.store import Store
from bot.worker import FLOOD, HANDS, Worker
from commands.errors import Unavailable
from commands.ports import Request, Taken, World, Writes
from policy.facts import Check, Deed
from policy.model import Person, Sha
from tests.bot.books import MAYA
from tests.conversation import render
from tests.world import GitHub, People, Town, story


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return story(tmp_path)


@asynccontextmanager
async def books(town: Town) -> AsyncIterator[Store]:
    async with Store(town.database_url, town.clock, render, version="test", patience=30) as store:
        yield store


@asynccontextmanager
async def working(store: Any, world: World) -> AsyncIterator[Worker]:
    worker = Worker(store, world)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def take(store: Store, *requests: Request) -> None:
    for request in requests:
        await store.take(request, MAYA, answered=False)


async def answered(store: Store) -> None:
    """Nothing waits any more; each look is a read of the books."""
    async with asyncio.timeout(60):
        while await store.pending_requests():
            await asyncio.sleep(0.01)


def request(number: int, words: str = "status search") -> Request:
    return Request(f"r{number}", words, MAYA.account, "C0RELEASES")


async def told(store: Store) -> list[str]:
    return [message.payload["text"] for message in await store.unsent("C0RELEASES", 1000)]


async def test_every_request_is_answered_once(town: Town) -> None:
    async with books(town) as store, working(store, town.ports(store)) as worker:
        await take(store, *(request(number) for number in range(3 * HANDS)))
        await take(store, request(0), request(1))
        await answered(store)
        assert await told(store) == ["Status of search: nothing under way."] * 3 * HANDS
        assert worker.failed == 0


class Lagging:
    """Books of which the second look shows what was answered before it came back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looks = 0
        self._looked, self._answered = asyncio.Event(), asyncio.Event()
        self.answers: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def pending_requests(self, limit: int) -> tuple[Request, ...]:
        found = await self._store.pending_requests(limit)
        self._looks += 1
        if self._looks == 2:
            self._looked.set()
            await self._answered.wait()
        return found

    async def commit(self, writes: Writes) -> None:
        if self._looks < 2:
            await self._looked.wait()
        self.answers.append(writes.answers)
        await self._store.commit(writes)
        self._answered.set()


async def test_what_an_old_look_still_shows_is_not_worked_on_again(town: Town) -> None:
    async with books(town) as store:
        await take(store, request(0))
        lagging = Lagging(store)
        async with working(lagging, town.ports(store)):
            await take(store, request(1))
            await answered(store)
        assert sorted(lagging.answers) == ["r0", "r1"]


async def test_what_was_taken_before_a_restart_is_answered_after_it(town: Town) -> None:
    async with books(town) as store:
        await take(store, request(1))
    async with books(town) as store, working(store, town.ports(store)):
        await answered(store)
        assert await told(store) == ["Status of search: nothing under way."]


async def test_two_who_ask_for_the_same_at_once_get_one_request_and_both_an_answer(town: Town) -> None:
    async with books(town) as store, working(store, town.ports(store)):
        words = "promote checkout stage→prod"
        await take(store, *(request(number, words) for number in range(HANDS)))
        await answered(store)
        says = await told(store)
        assert len(await store.open_operations()) == 1
        assert sum("already" in text for text in says) == HANDS - 1


class Refuses:
    """Books in which another operation is always in the way of an answer that is no apology."""

    def __init__(self, store: Store, error: Exception) -> None:
        self._store = store
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, writes: Writes) -> None:
        if not any("Nothing was done" in str(message.reply.title) for message in writes.messages):
            raise self._error
        await self._store.commit(writes)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Taken("op_1"), "Others were faster, several times in a row. Nothing was done; say it again in a moment."),
        (Unavailable("The books are closed."), "The books are closed. Nothing was done; say it again in a moment."),
    ],
)
async def test_whoever_cannot_be_served_is_told_that_nothing_was_done(town: Town, error: Exception, says: str) -> None:
    async with books(town) as store, working(Refuses(store, error), town.ports(store)) as worker:
        await take(store, request(1))
        await answered(store)
        assert await told(store) == [says]
        assert worker.failed == 0


class Broken:
    async def person(self, account: str) -> Person:
        raise ZeroDivisionError("the key is hunter2")


async def test_a_mistake_of_ours_gets_a_number_to_quote_and_stops_nobody_else(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    async with books(town) as store:
        world = town.ports(store)
        object.__setattr__(world, "people", cast("Any", Broken()))
        with caplog.at_level(logging.CRITICAL, "bot.worker"):
            async with working(store, world) as worker:
                await take(store, request(1), request(2))
                await answered(store)
        says = await told(store)
        assert worker.failed == 2
        assert len(set(says)) == 2
        for text in says:
            assert text.startswith("Something went wrong on my side (quote ")
            assert "hunter2" not in text


class Stalls:
    """A GitHub that does not answer before it may, and counts who waits for it."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self.answers = asyncio.Event()
        self.waiting = 0
        self.most = 0
        """Waited at once, at any time."""
        self.changed = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._github, name)

    async def checks(self, repository: str, commit: Sha) -> Mapping[str, Check]:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        self.changed.set()
        await self.answers.wait()
        self.waiting -= 1
        return await self._github.checks(repository, commit)

    async def is_waited_for_by(self, count: int) -> None:
        async with asyncio.timeout(60):
            while self.waiting < count:
                self.changed.clear()
                await self.changed.wait()


WHY = "why checkout stage→prod"


def stalled(town: Town, store: Any) -> tuple[World, Stalls]:
    world, github = town.ports(store), Stalls(town.github)
    object.__setattr__(world, "code", github)
    return world, github


@pytest.mark.parametrize("others", [HANDS, 10 * HANDS])
async def test_what_takes_production_out_of_harm_waits_for_no_hand(town: Town, others: int) -> None:
    async with books(town) as store:
        world, github = stalled(town, store)
        await take(store, *(request(number, WHY) for number in range(others)))
        async with working(store, world):
            await github.is_waited_for_by(HANDS)
            back = replace(request(1000, "rollback checkout reason:errors"), account=People.account("ines"))
            await take(store, back, request(1001, "abort op_1"), request(1002, "pause op_1"), request(1003))
            async with asyncio.timeout(60):
                while {"r1000", "r1001", "r1002"} & {each.id for each in await store.pending_requests(1000)}:
                    await asyncio.sleep(0.01)
            assert [each.question.deed for each in await store.open_operations()] == [Deed.ROLLBACK]
            assert len(await store.pending_requests(1000)) == others + 1, "the status that came last waits its turn"
            assert github.most == HANDS
            github.answers.set()
            await answered(store)


class Pouring:
    """Books into which more words pour than anybody types, until they ebb."""

    def __init__(self, store: Store, per_second: float) -> None:
        self._store = store
        self._per_second = per_second
        self._since = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @property
    def taken(self) -> int:
        return int((time.monotonic() - self._since) * self._per_second)

    def ebbs(self) -> None:
        self._per_second = 0


async def test_in_a_flood_one_hand_works_and_afterwards_all_do(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLOOD_SECONDS", 0.05)
    async with books(town) as store:
        world, github = stalled(town, store)
        pouring = Pouring(store, 100.0 * FLOOD)
        await take(store, *(request(number, WHY) for number in range(3)))
        async with working(pouring, world):
            await github.is_waited_for_by(1)
            for _ in range(20):  # time enough for others, if there were any, to get as far
                assert len(await store.pending_requests()) == 3
            assert github.most == 1
            pouring.ebbs()
            github.answers.set()
            await answered(store)
            github.answers.clear()
            await take(store, *(request(number, WHY) for number in range(3, 3 + HANDS)))
            await github.is_waited_for_by(HANDS)
            github.answers.set()
            await answered(store)
        assert len(await told(store)) == 3 + HANDS


async def test_people_who_type_are_never_a_flood(town: Town) -> None:
    async with books(town) as store:
        world, github = stalled(town, store)
        typing = Pouring(store, FLOOD / 10)
        async with working(typing, world):
            await take(store, *(request(number, WHY) for number in range(HANDS)))
            await github.is_waited_for_by(HANDS)
            github.answers.set()
            await answered(store)


@pytest.mark.parametrize("steps", range(8))
async def test_it_ends_when_it_is_told_to_even_where_it_was_just_woken(town: Town, steps: int) -> None:
    async with books(town) as store:
        worker = Worker(store, town.ports(store))
        task = asyncio.create_task(worker.run())
        await take(store, request(0))
        await answered(store)
        store.arrived.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        ended, _ = await asyncio.wait([task], timeout=10)
        assert ended
