"""What do our own books cost? On SQLite and on PostgreSQL, from a thousand finished operations to a million.

Each figure is the median of single calls on a database that waits for its disk. Then, on PostgreSQL: how long after a
click another process is awake, and how many transactions two processes make in which nothing happens.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from bot import migrations
from bot.controller import Controller
from bot.outbox import Outbox
from bot.store import Store
from bot.worker import Worker
from commands.operation import Operation
from commands.ports import Lease, World, Writes
from policy.model import Place
from tests.bot.books import MAYA, Hands, closed, created, entry, outside, request
from tests.bot.test_outbox import Talk
from tests.postgres import Server, running

SIZES = (1_000, 10_000, 100_000, 1_000_000)
OPEN = 20
TURNS = 100
CLICKS = 200
IDLE_SECONDS = 60.0
SETTLES = 15.0  # PostgreSQL writes its statistics up to 10 s late
AT_ONCE = timedelta(0)

_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers (n) AS (SELECT {begin} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {end})",
    "postgresql": "WITH numbers (n) AS (SELECT generate_series({begin}, {end} - 1))",
}
_OPERATIONS = (
    "INSERT INTO operations (id, kind, service, environment, phase, over, data, asked_at, wish, fence, owner,"
    " lease_until, due_at, wake, attempts, trouble, open_key) {numbers} SELECT 'op_old_' || n, 'promote',"
    " 's' || (n % 50), 'prod', 'done', 1, '{data}', n, 'run', 1, NULL, 0, NULL, 3, 0, '', NULL FROM numbers"
)
_REQUESTS = (
    "INSERT INTO requests (id, seq, entry, words, account, channel, thread, message, via, at, answered_at) {numbers}"
    " SELECT 'old' || n, 0, 'e', 'promote checkout', 'slack:T0ACME/U0MAYA', 'C0CHECKOUT', '', '', 'command', n, n"
    " FROM numbers"
)
_MESSAGES = (
    "INSERT INTO outbox (channel, operation, slot, thread, only_for, request, payload, state, ts, attempts, at)"
    " {numbers} SELECT 'C' || (n % 50), 'op_old_' || n, 'root', '', '', '', '', 'sent', '1.0', 0, n FROM numbers"
)


def fill(url: str, begin: int, end: int) -> None:
    """So many operations are finished, each with what was asked and said about it."""
    database = url.partition(":")[0]
    numbers = _NUMBERS[database].format(begin=begin, end=end)
    with outside(url) as connection:
        for statement in (_OPERATIONS, _REQUESTS, _MESSAGES):
            connection.execute(statement.format(numbers=numbers, data='{"plan":"' + "x" * 400 + '"}'))
        connection.commit()
        if database == "postgresql":  # as autovacuum would by itself, a minute later
            connection.autocommit = True
            connection.execute("VACUUM ANALYZE")


async def median(work: Callable[[], Awaitable[object]], turns: int = TURNS) -> float:
    """Milliseconds."""
    took = []
    for _ in range(turns):
        began = time.perf_counter()
        await work()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


async def calls(url: str) -> dict[str, float]:
    """Milliseconds of each."""
    clock = Hands()
    async with closed(url, clock, patience=60.0) as store:
        number = iter(range(10**9))

        async def asked() -> None:
            await store.take(request(f"{time.time_ns()}-{next(number)}"), MAYA, answered=True)

        async def made_and_over() -> None:
            id = f"op_{time.time_ns()}-{next(number)}"
            await store.commit(created(id, place=Place(id, "prod"), due=timedelta(days=9), entries=(entry(),)))

        async def claimed_and_given_back() -> None:
            claimed = await store.claim()
            assert claimed is not None
            await store.let_go(*claimed)

        async def nothing_due() -> None:
            assert await store.claim() is None

        found = {"claim, nothing due": await median(nothing_due)}
        for n in range(OPEN):
            await store.commit(created(f"op_open_{time.time_ns()}_{n}", place=Place(f"s{n}", f"e{time.time_ns()}")))
        found["claim and give back"] = await median(claimed_and_given_back)
        found["take a command"] = await median(asked)
        found["create an operation"] = await median(made_and_over)
        found["next due"] = await median(store.next_due)
        found["open operations"] = await median(store.open_operations)
        (some, *_) = await store.open_operations()
        found["one operation"] = await median(lambda: store.operation(some.id))
        found["requests, messages"] = await median(
            lambda: asyncio.gather(store.pending_requests(), store.channels_to_tell())
        )
    with outside(url) as connection:  # the next, larger size begins with as few open ones as this one
        connection.execute(
            "UPDATE operations SET over = 1, due_at = NULL, open_key = NULL, owner = NULL WHERE over = 0"
        )
        connection.commit()
    return found


async def woken(url: str) -> list[float]:
    """Milliseconds from a click here to the step there, in order."""
    awake: asyncio.Queue[float] = asyncio.Queue()

    async def waits(_operation: Operation, _lease: Lease) -> Writes:
        awake.put_nowait(time.perf_counter())
        return Writes(operation=_operation, due=timedelta(days=1))

    took = []
    async with closed(url) as here, closed(url) as there:
        controller = Controller(there, waits, poll=60.0)
        task = asyncio.create_task(controller.run())
        await here.commit(created("op_click", place=Place("click", "prod")))
        await awake.get()
        for _ in range(CLICKS):
            began = time.perf_counter()
            await here.commit(Writes(wakes=("op_click",)))
            took.append(1000 * (await awake.get() - began))
        await controller.stop()
        await task
    return sorted(took)


async def idle(url: str, server: Server) -> float:
    """Transactions a second of two processes in which nothing happens, with operations that wait for people."""
    count = f"SELECT xact_commit FROM pg_stat_database WHERE datname = '{url.partition('@/')[2].partition('?')[0]}'"
    async with closed(url) as one, closed(url) as other:
        for n in range(OPEN):
            await one.commit(created(f"op_wait_{n}", place=Place(f"wait{n}", "prod"), due=None))
        tasks = [asyncio.create_task(work) for store in (one, other) for work in _working(store)]
        await asyncio.sleep(SETTLES)
        ((before,),) = server.do(count)
        await asyncio.sleep(IDLE_SECONDS)
        ((after,),) = server.do(count)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return float(after - before) / IDLE_SECONDS


def _working(store: Store) -> Iterator[Any]:
    async def never(_operation: Operation, _lease: Lease) -> Writes:
        raise AssertionError

    yield Controller(store, never).run()
    yield Outbox(store, Talk()).run()
    yield Worker(store, cast("World", None)).run()


@contextmanager
def _in_a_file(folder: Path) -> Iterator[str]:
    url = f"sqlite:///{folder}/books.db"
    migrations.upgrade(url)
    yield url


def measured(most: int = SIZES[-1]) -> dict[str, Any]:
    """Everything that was measured, with up to so many finished operations."""
    found: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="bench-books-"))
    try:
        with _in_a_file(folder) as url:
            found["SQLite"] = _grown(url, most)
        with running(durable=True) as server:
            found["PostgreSQL"] = _grown(server.fresh(), most)
            clicks = asyncio.run(woken(server.fresh()))
            found["click to wake"] = {"p50": clicks[len(clicks) // 2], "p95": clicks[len(clicks) * 95 // 100]}
            found["idle"] = asyncio.run(idle(server.fresh(), server))
    finally:
        shutil.rmtree(folder)
    return found


def _grown(url: str, most: int) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    asyncio.run(_first(url))
    there = 0
    for size in SIZES:
        if size <= most:
            fill(url, there, size)
            there = size
            found[size] = asyncio.run(calls(url))
    return found


async def _first(url: str) -> None:
    """There is an entry that what is filled in may point to."""
    async with closed(url) as store:
        await store.commit(Writes(entries=(entry(),)))


def told(found: dict[str, Any]) -> str:
    """The tables."""
    lines: list[str] = []
    for database in ("SQLite", "PostgreSQL"):
        sizes = found[database]
        lines.append(f"{f'{database}, ms':24}" + "".join(f"{f'{size:,} finished':>20}" for size in sizes))
        whats = next(iter(sizes.values()))
        lines += [f"{what:24}" + "".join(f"{one[what]:20.2f}" for one in sizes.values()) for what in whats]
        lines.append("")
    click = found["click to wake"]
    lines.append(f"click to wake in another process: p50 {click['p50']:.1f} ms, p95 {click['p95']:.1f} ms")
    lines.append(f"two processes, {OPEN} operations that wait, nothing happens: {found['idle']:.2f} transactions/s")
    return "\n".join(lines)
