"""Requests are answered once, oldest first, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from bot.store import Store
from bot.worker import HANDS, Worker
from commands.errors import Unavailable
from commands.ports import Request, Taken, World, Writes
from policy.model import Person
from tests.bot.books import MAYA
from tests.conversation import render
from tests.world import Town, story


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
