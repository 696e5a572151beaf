"""What is done all day long looks at what is open, however much is finished."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.store import Store
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.reply import Reply
from policy.model import Place
from tests.bench.books import fill
from tests.bot.books import CHECKOUT, MAYA, START, closed, created, entry, fresh, request, vote
from tests.postgres import Server

FEW, MANY = 200, 5_000
AGAIN = 20
"""So often that PostgreSQL no longer plans for what is asked, but for what is asked on average."""
GROWN = {"operations", "requests", "outbox", "entries", "holds", "known_good", "exceptions", "obligations"}
"""Tables in which something is left of what is over."""


async def a_day(store: Store) -> None:
    """Everything that happens all the time, a few times over."""
    for n in range(5):
        await store.take(request(f"r{n}"), MAYA, answered=False)
        await store.pending_requests()
        place = Place(f"s{n}", "prod")
        made = created(f"op_{n}", place=place, takes=place, entries=(entry(),), answers=f"r{n}")
        await store.commit(made)
        await store.commit(Writes(votes=((f"op_{n}", vote()),)))
        await store.votes(f"op_{n}")
        await store.next_due()
        claimed = await store.claim()
        assert claimed is not None
        await store.heartbeat(claimed[1])
        said = Message("C0CHECKOUT", Reply("hello"), operation=f"op_{n}", slot="root")
        going = Writes(operation=claimed[0], due=timedelta(days=1), messages=(said,), leaves=place)
        await store.commit(going, claimed[1])
        await store.channels_to_tell()
        for message in await store.unsent("C0CHECKOUT"):
            await store.sent(message, "1.0")
        await store.slot(f"op_{n}", "root")
        await store.open_operations()
        await store.open_operations(CHECKOUT)
        await store.operation(f"op_{n}")
        await store.operation("op_old_x")
        await store.holder(place)
        await store.history("checkout", 10)
        await store.newest(10)
        await store.last_policy()
        await store.holds()
        await store.holds("s1")
        await store.known_good(place)
        await store.freezes(START)
        await store.exceptions(START)
        await store.obligations()
        await store.obligations("s1")
    for _ in range(AGAIN):
        await store.history("search", 10)
    since = await store.say_once(Writes(entries=(config(),)), -1)
    await store.say_once(Writes(entries=(config(),)), since - 1)
    await store.commit(Writes(messages=(Message("C0GONE", Reply("hello"), request="r1"),)))
    await store.never_sent(await store.unsent("C0GONE"), Reply("goodbye"))
    assert await store.claim() is None


def config() -> Entry:
    return entry("in force", EntryPhase.CONFIG, target={"policy": "cafe"})


async def finished(url: str, count: int) -> None:
    """So many operations are."""
    async with closed(url) as store:
        await store.commit(Writes(entries=(entry(),)))
    await asyncio.to_thread(fill, url, 0, count)


async def on_both(store: Store, what: Callable[[Any], object]) -> None:
    """Done to the connections that read and write."""
    await store._reader.read(what)
    await store._writer.write(lambda books: what(books.connection))


async def test_sqlite_takes_as_many_steps_after_many_operations_as_after_few(tmp_path: Path) -> None:
    """Its own steps: seeking in an index is one, and so is each row looked at."""

    async def steps(count: int) -> int:
        (tmp_path / str(count)).mkdir()
        url = fresh(tmp_path / str(count))
        await finished(url, count)
        taken = itertools.count()
        async with closed(url) as store:
            await on_both(store, lambda connection: connection.set_progress_handler(lambda: next(taken) * 0, 1))
            await a_day(store)
            await on_both(store, lambda connection: connection.set_progress_handler(None, 1))
        return next(taken)

    few, many = await steps(FEW), await steps(MANY)
    assert few > MANY
    assert abs(many - few) < 50


async def test_sqlite_finds_what_is_open_by_an_index(tmp_path: Path) -> None:
    url = fresh(tmp_path)
    await finished(url, FEW)
    async with closed(url) as store:
        said: list[str] = []
        await on_both(store, lambda connection: connection.set_trace_callback(said.append))
        await a_day(store)
        await on_both(store, lambda connection: connection.set_trace_callback(None))
        plans = {
            (sql, step[3])
            for sql in set(said)
            if re.match("SELECT|UPDATE|DELETE", sql)
            for step in await store._all(f"EXPLAIN QUERY PLAN {sql}")
        }
    assert len(plans) > 20
    whole = [(sql, step) for sql, step in plans if re.fullmatch(rf"SCAN ({'|'.join(GROWN)})", step)]
    newest = "FROM entries WHERE 1 = 1 ORDER BY seq DESC LIMIT 10"  # the last ones, by the table's own order
    assert [sql for sql, _ in whole if newest not in sql] == []


async def test_postgresql_looks_at_as_many_rows_after_many_operations_as_after_few(
    postgres: Server, tmp_path: Path
) -> None:
    async def rows(count: int) -> dict[str, int]:
        url = fresh(tmp_path)
        await finished(url, count)
        name = url.partition("@/")[2].partition("?")[0]

        def looked_at() -> dict[str, int]:
            found = postgres.do("SELECT relname, seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables", name)
            return {table: rows for table, rows in found if table in GROWN}

        before = await asyncio.to_thread(looked_at)
        async with closed(url) as store:
            await a_day(store)
        async with asyncio.timeout(60):  # a session tells what it read when it ends
            while (after := await asyncio.to_thread(looked_at)) == before:
                await asyncio.sleep(0.05)
        return {table: after[table] - before[table] for table in GROWN}

    few, many = await rows(FEW), await rows(MANY)
    assert sum(few.values()) > 0
    assert {table: (few[table], many[table]) for table in GROWN if many[table] - few[table] > 20} == {}
