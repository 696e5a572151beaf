from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from bot.database import Bell, Transaction, Writer
from bot.dialect import Connection
from bot.sqlite import Sqlite
from commands.errors import Unavailable

TABLE = "CREATE TABLE numbers (n INTEGER PRIMARY KEY, CHECK (n <> 13))"


class Seen(Transaction):
    """Counts transactions."""

    begun = 0

    def __init__(self, connection: Connection, _: object) -> None:
        super().__init__(connection)
        type(self).begun += 1


def prepared(directory: Path) -> Path:
    path = directory / "numbers.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(TABLE)
    return path


@asynccontextmanager
async def writing(path: Path, patience: float = 5.0, busy: float = 5.0) -> AsyncIterator[Writer]:
    Seen.begun = 0
    async with Writer(Sqlite(path, busy), Seen, patience) as writer:
        yield writer


def add(n: int) -> Callable[[Seen], int]:
    def work(books: Seen) -> int:
        books.run("INSERT INTO numbers VALUES (:n)", {"n": n})
        return n

    return work


def numbers(path: Path) -> list[int]:
    """What somebody else sees: only what is committed."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT n FROM numbers ORDER BY n")]


async def held_up(writer: Writer) -> tuple[asyncio.Task[None], threading.Event]:
    """The writer is busy with a job until the event is set."""
    go, begun = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(_books: Seen) -> None:
        loop.call_soon_threadsafe(begun.set)
        go.wait(10)

    task = asyncio.create_task(writer.write(work))
    await begun.wait()
    return task, go


async def test_what_was_waited_for_is_on_disk(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    async with writing(path) as writer:
        assert await writer.write(add(1)) == 1
        assert numbers(path) == [1]


async def test_everything_queued_meanwhile_shares_one_transaction(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    async with writing(path) as writer:
        busy, go = await held_up(writer)
        callers = [asyncio.create_task(writer.write(add(n))) for n in range(100, 150)]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(busy, *callers)
        assert Seen.begun == 2
    assert numbers(path) == list(range(100, 150))


async def test_one_bad_job_fails_alone(tmp_path: Path) -> None:
    path = prepared(tmp_path)

    def half_done(books: Seen) -> None:
        add(50)(books)
        raise LookupError("changed its mind")

    async with writing(path) as writer:
        busy, go = await held_up(writer)
        callers = [asyncio.create_task(writer.write(work)) for work in (add(1), add(13), half_done, add(1), add(2))]
        await asyncio.sleep(0)
        go.set()
        await busy
        results = await asyncio.gather(*callers, return_exceptions=True)
        assert [type(result).__name__ for result in results] == [
            "int",
            "IntegrityError",
            "LookupError",
            "IntegrityError",
            "int",
        ]
        with pytest.raises(LookupError):  # and where it is the only one
            await writer.write(half_done)
        await writer.write(add(3))
    assert numbers(path) == [1, 2, 3]


async def test_a_locked_database_is_unavailable_and_nothing_was_done(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    async with writing(path, busy=0.05) as writer:
        await writer.write(add(1))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="nothing was done"):
                await writer.write(add(2))
            other.execute("ROLLBACK")
        await writer.write(add(3))
    assert numbers(path) == [1, 3]


async def test_a_commit_that_finds_no_room_fails_everybody_in_it_and_leaves_nothing(tmp_path: Path) -> None:
    path = prepared(tmp_path)

    def too_much(books: Seen) -> None:
        books.run("PRAGMA max_page_count = 3")
        books.run("CREATE TABLE a (x)")
        books.run("CREATE TABLE b (x)")

    async with writing(path) as writer:
        busy, go = await held_up(writer)
        callers = [asyncio.create_task(writer.write(work)) for work in (add(1), too_much, add(2))]
        await asyncio.sleep(0)
        go.set()
        await busy
        results = await asyncio.gather(*callers, return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable] * 3
        await writer.write(lambda books: books.run("PRAGMA max_page_count = 1000").fetchone())
        await writer.write(add(4))
    assert numbers(path) == [4]


async def test_who_lost_patience_is_told_and_never_served(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    async with writing(path, patience=0.05) as writer:
        busy, go = await held_up(writer)
        with pytest.raises(Unavailable):
            await writer.write(add(1))
        go.set()
        await busy
        await writer.write(add(2))
    assert numbers(path) == [2]


async def test_who_was_cancelled_before_their_turn_is_never_served(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    async with writing(path) as writer:
        busy, go = await held_up(writer)
        cancelled = asyncio.create_task(writer.write(add(1)))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        go.set()
        await busy
        await writer.write(add(2))
    assert numbers(path) == [2]


async def test_bells_ring_after_the_commit_even_when_nobody_waits_any_more(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    bell, begun, go = Bell(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(books: Seen) -> None:
        add(1)(books)
        books.rings.add(bell)
        loop.call_soon_threadsafe(begun.set)
        go.wait(10)

    async with writing(path) as writer:
        caller = asyncio.create_task(writer.write(work))
        await begun.wait()
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        assert not bell.is_set()
        go.set()
        await asyncio.wait_for(bell.wait(), 60)
        assert numbers(path) == [1]


async def test_closing_finishes_what_was_queued_and_refuses_what_comes_later(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    async with writing(path) as writer:
        callers = [asyncio.create_task(writer.write(add(n))) for n in range(20, 40)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*callers) == list(range(20, 40))
    with pytest.raises(Unavailable):
        await writer.write(add(99))
    assert numbers(path) == list(range(20, 40))
