"""What is done all day long looks at what is open, however much is finished."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

from bot.store import Store
from commands.ports import Message, Writes
from commands.reply import Reply
from policy.model import Place
from tests.bench.books import fill
from tests.bot.books import CHECKOUT, MAYA, closed, created, entry, fresh, request, vote
from tests.postgres import Server

FINISHED = 5_000
TABLES = ("operations", "requests", "outbox", "entries", "place_locks", "votes")


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
    assert await store.claim() is None


async def begun(url: str) -> None:
    async with closed(url) as store:
        await store.commit(Writes(entries=(entry(),)))
    fill(url, 0, FINISHED)


async def test_sqlite_finds_what_is_open_by_an_index(tmp_path: Path) -> None:
    url = fresh(tmp_path)
    await begun(url)
    async with closed(url) as store:
        said: list[str] = []
        await store._reader.read(lambda connection: connection.set_trace_callback(said.append))  # type: ignore[attr-defined]
        await store._writer.write(lambda books: books.connection.set_trace_callback(said.append))
        await a_day(store)
        await store._reader.read(lambda connection: connection.set_trace_callback(None))  # type: ignore[attr-defined]
        plans = {
            (sql, step[3])
            for sql in set(said)
            if re.match("SELECT|UPDATE|DELETE", sql)
            for step in await store._all(f"EXPLAIN QUERY PLAN {sql}")
        }
    assert len(plans) > 20
    whole = [(sql, step) for sql, step in plans if re.fullmatch(rf"SCAN ({'|'.join(TABLES)})", step)]
    newest = "FROM entries WHERE 1 = 1 ORDER BY seq DESC LIMIT 10"  # the last ones, by the table's own order
    assert [sql for sql, step in whole if "place_locks" not in step and newest not in sql] == []


async def test_postgresql_reads_no_table_from_end_to_end(postgres: Server, tmp_path: Path) -> None:
    url = fresh(tmp_path)
    await begun(url)
    name = url.partition("@/")[2].partition("?")[0]

    def read() -> dict[str, int]:
        found = postgres.do("SELECT relname, seq_tup_read FROM pg_stat_user_tables", name)
        return {table: rows for table, rows in found if table in TABLES}

    before = await asyncio.to_thread(read)
    async with closed(url) as store:
        await a_day(store)
    async with asyncio.timeout(10):  # a session tells what it read when it ends
        while read() == before:
            await asyncio.sleep(0.05)
    after = read()
    assert {table: rows - before[table] for table, rows in after.items() if rows - before[table] > FINISHED // 2} == {}
