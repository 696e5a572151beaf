"""What do our own books cost? On SQLite and on PostgreSQL, with a thousand finished operations and with a million.

Both are measured in one run, call by call in turns, each on a database that waits for its disk: what counts is the ratio
of their medians. Then, on PostgreSQL: how long after a click another process is awake, beside a bare commit and a bare
notification there and then; and how many transactions two processes make in which nothing happens.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import psycopg

from bot import migrations
from bot.controller import Controller
from bot.outbox import Outbox
from bot.store import Store
from bot.worker import Worker
from commands.operation import Operation
from commands.ports import Lease, World, Writes
from policy.model import Place
from tests.bot.books import (
    MAYA,
    START,
    closed,
    created,
    entry,
    in_words_of,
    outside,
    request,
    with_guard,
    without_guards,
)
from tests.bot.test_outbox import Talk
from tests.postgres import Server, running

FEW, MANY = 1_000, 1_000_000
FLAT = 1.2
"""What many may cost, as a multiple of what few do."""
WAKE_MS = 20
OPEN = 20
TURNS = 300
CLICKS = 200
IDLE_SECONDS = 60.0
SETTLES = 15.0  # PostgreSQL writes its statistics up to 10 s late
AT_ONCE = timedelta(0)

_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers (n) AS (SELECT {begin} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {end})",
    "postgresql": "WITH numbers (n) AS (SELECT generate_series({begin}, {end} - 1))",
}
_BODY = json.dumps(
    {"time": "2026-11-24T09:00:00+00:00", "kind": "operation", "phase": "outcome", "what": "confirmed", "actor": {
        "account": "bot:controller"}, "op": "op_old", "target": {"service": "s1"}}
).encode().hex()  # fmt: skip
_OVER = """
INSERT INTO operations (id, kind, service, environment, phase, over, data, asked_at, wish, fence, owner, lease_until,
    due_at, wake, attempts, trouble, open_key)
{numbers} SELECT 'op_old_' || n, 'promote', 's' || (n % 50), 'prod', 'done', 1, '{data}', n, 'run', 1, NULL, 0, NULL,
    3, 0, '', NULL FROM numbers;
INSERT INTO requests (id, seq, entry, words, account, channel, thread, message, via, at, answered_at)
{numbers} SELECT 'old' || n, 0, 'e', 'promote checkout', 'slack:T0ACME/U0MAYA', 'C0CHECKOUT', '', '', 'command', n, n
    FROM numbers;
INSERT INTO outbox (channel, operation, slot, thread, only_for, request, payload, state, ts, attempts, at)
{numbers} SELECT 'C' || (n % 50), 'op_old_' || n, 'root', '', '', '', '', 'sent', '1.0', 0, n FROM numbers;
INSERT INTO entries (seq, id, kind, phase, operation, effect, service, body, leaf)
{numbers} SELECT {seq} + n, 'e' || n, 'operation', CASE n % 2 WHEN 0 THEN 'intent' ELSE 'outcome' END,
    'op_old_' || (n / 2), 'shift:0', 's' || (n % 50), X'{body}', zeroblob(32) FROM numbers;
INSERT INTO holds (id, service, environment, digest, since, reason, lifted_at)
{numbers} SELECT 'H-' || n, 's' || (n % 50), 'prod', 'sha256:' || n, n, '', n FROM numbers;
INSERT INTO known_good (service, environment, revision, digest, verified_at, source, commit_sha)
{numbers} SELECT 's' || (n / 20), 'prod', 'r' || n, 'sha256:{digest}', n, '', NULL FROM numbers;
INSERT INTO exceptions (id, asked_at, ends_at, revoked_at, data)
{numbers} SELECT 'X-' || n, n, n, NULL, '' FROM numbers;
INSERT INTO obligations (id, service, due_at, settled_at, data)
{numbers} SELECT 'O-' || n, 's1', n, n, '' FROM numbers
"""
"""What is left of finished operations: what was asked and said about each, what the ledger says of it, what it owed."""
_CONTIGUOUS = "entries_contiguous"
"""The guard that looks at each entry by itself; here they come by the million."""


def fill(url: str, begin: int, end: int) -> None:
    """So many operations are finished, each with all that is left of it."""
    database = url.partition(":")[0]
    numbers = _NUMBERS[database].format(begin=begin, end=end)
    with outside(url) as connection:
        ((size,),) = connection.execute("SELECT size FROM ledger_head").fetchall()
        grown = size + end - begin
        data = '{"plan":"' + "x" * 400 + '"}'
        seq = f"({size} - {begin})"
        filling = _OVER.format(numbers=numbers, data=data, seq=seq, body=_BODY, digest="3f" * 32)
        head = f"UPDATE ledger_head SET size = {grown}, frontier = X'{'00' * 32 * grown.bit_count()}'"
        statements = (
            *without_guards(database, _CONTIGUOUS),
            *filling.split(";"),
            head,
            *with_guard(database, _CONTIGUOUS),
        )
        for statement in statements:
            connection.execute(in_words_of(database, statement))
        connection.commit()
        if database == "postgresql":  # as autovacuum would by itself, a minute later
            connection.autocommit = True
            connection.execute("VACUUM ANALYZE")


Calls = dict[str, Callable[[], Awaitable[object]]]


async def calls(store: Store) -> Calls:
    """What is done all day long, with some operations open and due."""
    number = iter(range(10**9))
    for n in range(OPEN):
        await store.commit(created(f"op_open_{n}", place=Place(f"o{n}", "prod")))
    place = Place("s1", "prod")
    at = START

    async def asked() -> None:
        await store.take(request(f"{time.time_ns()}-{next(number)}"), MAYA, answered=True)

    async def made() -> None:
        id = f"op_{time.time_ns()}-{next(number)}"
        await store.commit(created(id, place=Place(id, "stage"), due=None, entries=(entry(),)))

    async def claimed_and_given_back() -> None:
        claimed = await store.claim()
        assert claimed is not None
        await store.let_go(*claimed)

    async def status() -> None:
        await asyncio.gather(
            store.open_operations(), store.holds(), store.freezes(at), store.exceptions(at), store.obligations()
        )

    return {
        "claim and give back": claimed_and_given_back,
        "next due": store.next_due,
        "take a command": asked,
        "create an operation": made,
        "status": status,
        "open at one place": lambda: store.open_operations(place),
        "one operation": lambda: store.operation("op_open_1"),
        "what was good there": lambda: store.known_good(place),
        "what to answer and say": lambda: asyncio.gather(store.pending_requests(), store.channels_to_tell()),
        "history of a service": lambda: store.history("s1", 10),
        "policy decided last": store.last_policy,
    }


async def in_turns(few: Calls, many: Calls) -> dict[str, tuple[float, float]]:
    """Milliseconds of each call, the median: few, many."""
    found = {}
    for what, work in few.items():
        took: tuple[list[float], list[float]] = ([], [])
        for turn in range(2 * TURNS):
            which = (work, many[what])[turn % 2]
            began = time.perf_counter()
            await which()
            took[turn % 2].append(1000 * (time.perf_counter() - began))
        found[what] = (statistics.median(took[0]), statistics.median(took[1]))
    return found


async def grown(few: str, many: str, most: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each call with few finished operations and with `most`."""
    for url, size in ((few, FEW), (many, most)):
        async with closed(url) as store:
            await store.commit(Writes(entries=(entry(),)))  # so that there is an entry to point to
        await asyncio.to_thread(fill, url, 0, size)
    async with closed(few, patience=60.0) as one, closed(many, patience=60.0) as other:
        return await in_turns(await calls(one), await calls(other))


async def woken(url: str) -> dict[str, float]:
    """Milliseconds from a click here to the step there, and of a bare commit and a bare notification in between."""
    awake: asyncio.Queue[float] = asyncio.Queue()

    async def waits(_operation: Operation, _lease: Lease) -> Writes:
        awake.put_nowait(time.perf_counter())
        return Writes(operation=_operation, due=timedelta(days=1))

    took: list[float] = []
    commits: list[float] = []
    heard: list[float] = []
    async with closed(url) as here, closed(url) as there:
        controller = Controller(there, waits, poll=60.0)
        task = asyncio.create_task(controller.run())
        await here.commit(created("op_click", place=Place("click", "prod")))
        await awake.get()
        with bare(url) as (commit, notify):
            for _ in range(CLICKS):
                commits.append(await asyncio.to_thread(commit))
                heard.append(await asyncio.to_thread(notify))
                began = time.perf_counter()
                await here.commit(Writes(wakes=("op_click",)))
                took.append(1000 * (await awake.get() - began))
        await controller.stop()
        await task
    middle = {"p50": statistics.median(took), "p95": statistics.quantiles(took, n=20)[-1]}
    return middle | {"commit": statistics.median(commits), "notify": statistics.median(heard)}


@contextmanager
def bare(url: str) -> Iterator[tuple[Callable[[], float], Callable[[], float]]]:
    """One row changed and committed; the same with a notification, until another connection has it. Milliseconds."""
    with (
        closing(psycopg.connect(url, autocommit=True)) as here,
        closing(psycopg.connect(url, autocommit=True)) as there,
    ):
        here.execute("CREATE TABLE bare (n INTEGER)")
        here.execute("INSERT INTO bare VALUES (0)")
        there.execute("LISTEN bare")

        def commit() -> float:
            began = time.perf_counter()
            here.execute("UPDATE bare SET n = n + 1")
            return 1000 * (time.perf_counter() - began)

        def notify() -> float:
            began = time.perf_counter()
            here.execute(
                "WITH changed AS (UPDATE bare SET n = n + 1 RETURNING n) SELECT pg_notify('bare', '') FROM changed"
            )
            for _ in there.notifies(stop_after=1):
                pass
            return 1000 * (time.perf_counter() - began)

        yield commit, notify


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


def measured(most: int = MANY) -> dict[str, Any]:
    """Everything that was measured, with up to so many finished operations."""
    found: dict[str, Any] = {"most": most}
    folder = Path(tempfile.mkdtemp(prefix="bench-books-"))
    try:
        urls = [f"sqlite:///{folder}/{name}.db" for name in ("few", "many")]
        for url in urls:
            migrations.upgrade(url)
        found["SQLite"] = asyncio.run(grown(urls[0], urls[1], most))
        with running(durable=True) as server:
            found["PostgreSQL"] = asyncio.run(grown(server.fresh(), server.fresh(), most))
            found["click to wake"] = asyncio.run(woken(server.fresh()))
            found["idle"] = asyncio.run(idle(server.fresh(), server))
    finally:
        shutil.rmtree(folder)
    return found


def told(found: dict[str, Any]) -> str:
    """The tables."""
    lines: list[str] = []
    most = found["most"]
    for database in ("SQLite", "PostgreSQL"):
        lines.append(f"{f'{database}, ms':24}{f'{FEW:,} finished':>20}{f'{most:,} finished':>20}{'ratio':>8}")
        lines += [f"{what:24}{few:20.2f}{many:20.2f}{many / few:8.2f}" for what, (few, many) in found[database].items()]
        ratio = statistics.median(many / few for few, many in found[database].values())
        lines += [f"{'median of the ratios':64}{ratio:8.2f}  (at most {FLAT})", ""]
    click = found["click to wake"]
    lines.append(
        f"click to wake in another process: p50 {click['p50']:.1f} ms, p95 {click['p95']:.1f} ms (median at most"
        f" {WAKE_MS}); a bare commit {click['commit']:.1f} ms, heard elsewhere {click['notify']:.1f} ms;"
        f" p50 is {click['p50'] / (click['notify'] + click['commit']):.1f} times both"
    )
    lines.append(f"two processes, {OPEN} operations that wait, nothing happens: {found['idle']:.2f} transactions/s")
    return "\n".join(lines)
