"""What holds on PostgreSQL alone: guards that always fire, a lock that nobody keeps, a server that crashes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import bot.tables  # noqa: F401  (its tables register themselves)
from bot import migrations
from bot.migrations import guards
from bot.postgres import CHANNEL, FROZEN, WRITERS, Postgres, translated
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.ports import Message, Writes
from commands.reply import Reply
from tests.bot.books import MAYA, REFUSED, closed, created, entry, exception, obligation, opened, outside, request, vote
from tests.pace import stopwatch
from tests.postgres import Server

pytestmark = pytest.mark.usefixtures("postgres")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT :id, :at", "SELECT %(id)s, %(at)s"),
        ("SELECT ':id', 'it''s :at', :id", "SELECT ':id', 'it''s :at', %(id)s"),
        ("SELECT 5 % 3, '100 %' LIKE :text", "SELECT 5 %% 3, '100 %%' LIKE %(text)s"),
    ],
)
def test_names_of_values_are_translated_and_nothing_else(ours: str, theirs: str) -> None:
    assert translated(ours) == theirs.encode()


@pytest.mark.parametrize(
    ("error", "undone"),
    [
        (psycopg.errors.UniqueViolation(), True),
        (psycopg.errors.SerializationFailure(), True),
        (psycopg.errors.IdleInTransactionSessionTimeout(), True),
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.AdminShutdown(), False),
        (psycopg.errors.CrashShutdown(), False),
        (psycopg.errors.ConnectionFailure(), False),
        (psycopg.errors.IoError(), False),
        (psycopg.errors.QueryCanceled(), False),
        (psycopg.OperationalError("server closed the connection unexpectedly"), False),
        (TimeoutError(), False),
    ],
)
def test_a_commit_is_undone_only_where_the_server_refused_it(error: Exception, undone: bool) -> None:
    assert Postgres.undone(error) is undone


# Tables and guards --------------------------------------------------------------------------------------------------


def test_the_migrated_tables_are_those_of_the_models(postgres: Server) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(postgres.fresh().replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    engine.dispose()


def test_ids_are_sorted_by_their_bytes_whatever_the_database_speaks(postgres: Server) -> None:
    with outside(postgres.fresh()) as connection:
        others = connection.execute(
            "SELECT relname, attname FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid"
            " JOIN pg_collation ON attcollation = pg_collation.oid WHERE relkind = 'r' AND attnum > 0"
            " AND relnamespace = 'public'::regnamespace AND collname <> 'C' AND relname <> 'alembic_version'"
        ).fetchall()
    assert others == []


def test_processes_that_start_together_bring_the_tables_up_to_date_once(postgres: Server) -> None:
    url = postgres.empty()
    assert migrations.needs_upgrade(url)
    script = f"from bot import migrations; migrations.upgrade({url!r})"
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert not migrations.needs_upgrade(url)
    with outside(url) as connection:
        assert migrations.missing_guards(connection) == frozenset()
        assert connection.execute("SELECT count(*) FROM ledger_head").fetchone() == (1,)


async def test_a_store_does_not_open_books_that_are_not_up_to_date_or_newer(postgres: Server) -> None:
    with pytest.raises(Rejected, match="db upgrade"):
        async with closed(postgres.empty()):
            pass
    newer = postgres.fresh()
    with outside(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(Rejected, match="newer"):
        migrations.needs_upgrade(newer)


def test_a_database_that_is_not_there_is_said_so_without_its_password() -> None:
    with pytest.raises(Unavailable, match="cannot be reached") as said:
        migrations.needs_upgrade("postgresql://bot:hush@127.0.0.1:9/books?connect_timeout=2")
    assert "hush" not in str(said.value)


async def full(url: str) -> None:
    async with closed(url) as store:
        await store.commit(created(entries=(entry(), entry())))
        await store.commit(Writes(entries=(entry(),), votes=(("op_1", vote()),), record_votes=(("X-1", vote()),)))
        await store.commit(Writes(exceptions=(exception(),), obligations=(obligation(),)))


@pytest.mark.parametrize("table", sorted({guard.table for guard in guards.POSTGRES.values()}))
async def test_no_table_that_keeps_its_rows_is_emptied_at_one_stroke(postgres: Server, table: str) -> None:
    url = postgres.fresh()
    await full(url)
    with outside(url) as connection, pytest.raises(psycopg.IntegrityError, match="append-only"):
        connection.execute(f"TRUNCATE {table} CASCADE")


async def test_guards_hold_in_a_session_that_calls_itself_a_replica(postgres: Server) -> None:
    url = postgres.fresh()
    await full(url)
    with outside(url) as connection:
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.IntegrityError, match="append-only"):
            connection.execute("UPDATE entries SET kind = 'x'")


@pytest.mark.parametrize("name", ["entries_no_update", "entries_contiguous", "votes_no_truncate"])
@pytest.mark.parametrize("how", ["gone", "off", "only sometimes", "weakened", "narrowed"])
async def test_a_guard_that_does_not_hold_for_everybody_counts_as_gone(postgres: Server, name: str, how: str) -> None:
    url = postgres.fresh()
    guard = guards.POSTGRES[name]
    create = guard.in_postgres[1]
    each = {
        "gone": [f"DROP TRIGGER {name} ON {guard.table}"],
        "off": [f"ALTER TABLE {guard.table} DISABLE TRIGGER {name}"],
        "only sometimes": [f"ALTER TABLE {guard.table} ENABLE TRIGGER {name}"],
        "weakened": [
            f"CREATE OR REPLACE FUNCTION guard_{name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
        ],
        "narrowed": [
            f"DROP TRIGGER {name} ON {guard.table}",
            create.replace("EXECUTE", "WHEN (false) EXECUTE"),
            f"ALTER TABLE {guard.table} ENABLE ALWAYS TRIGGER {name}",
        ],
    }
    with outside(url) as connection:
        for statement in each[how]:
            connection.execute(statement)
        connection.commit()
        assert migrations.missing_guards(connection) == {name}
    with pytest.raises(Rejected, match=name):
        async with closed(url):
            pass


async def test_a_role_that_does_not_own_the_tables_can_work_with_them_and_not_take_off_their_guards(
    postgres: Server,
) -> None:
    url = postgres.fresh()
    with outside(url) as connection:
        for statement in (
            "CREATE ROLE worker LOGIN",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO worker",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO worker",
        ):
            connection.execute(statement)
        connection.commit()
    as_worker = url.replace("postgres@", "worker@")
    try:
        await full(as_worker)
        async with closed(as_worker) as store:
            await store.commit(Writes(messages=(Message("C0", Reply("hello")),)))
            assert await store.claim() is not None
            await store.ready()
        for attack in (
            "ALTER TABLE entries DISABLE TRIGGER ALL",
            "DROP TRIGGER entries_no_update ON entries",
            "TRUNCATE entries CASCADE",
            "SET session_replication_role = replica",
            "CREATE OR REPLACE FUNCTION guard_entries_no_update() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
        ):
            with outside(as_worker) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attack)
    finally:
        postgres.drop(url)
        postgres.do("DROP ROLE worker")


async def test_text_with_a_zero_in_it_is_kept_without(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.take(request(words="promote \0checkout"), MAYA, answered=False)
        (asked,) = await store.pending_requests()
        assert asked.words == "promote \ufffdcheckout"
        assert (await store.verify()).ok


# A writer that freezes ----------------------------------------------------------------------------------------------

FREEZES = """
import asyncio, signal, sys, threading
from bot import postgres
from commands.ports import Message, Writes
from commands.reply import Reply
from tests.bot.books import closed, entry

async def main():
    async with closed(sys.argv[1], patience=20.0) as store:
        await store.commit(Writes(entries=(entry("before"),)))
        asleep = []
        def work(books):
            store._write(books, store._step(Writes(entries=(entry("of the frozen one"),)), None))
            if not asleep:
                asleep.append(True)
                print("frozen", flush=True)
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # to this thread: it stops right here
                postgres.FROZEN = 60.0  # the second try may take as long as a busy machine makes it
            books.one("SELECT 1")
        await store._writer.write(work)
        print("written", flush=True)

asyncio.run(main())
"""


@contextmanager
def started(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is gone afterwards, however it went."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_what_fails_beside_the_commit_undoes_all_of_it(postgres: Server) -> None:
    url = postgres.fresh()
    async with closed(url) as store:
        await store.commit(Writes(entries=(entry(),)))
        with outside(url) as connection:  # somebody writes a head of the tree that only we may write
            connection.execute("INSERT INTO checkpoints (size, root, at) SELECT 2, root, at FROM checkpoints")
            connection.commit()
        with pytest.raises(REFUSED):
            await store.commit(created(entries=(entry(),)))
        assert await store.operation("op_1") is None
        assert len(await store.newest(10)) == 1
        await store.commit(created())
        assert await store.operation("op_1") is not None


async def test_who_waited_to_write_sees_what_was_written_meanwhile_whatever_is_usual_there(postgres: Server) -> None:
    url = postgres.fresh()
    name = url.partition("@/")[2].partition("?")[0]
    postgres.do(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    async with closed(url, patience=20.0) as one, closed(url, patience=20.0) as other:
        with outside(url) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (WRITERS,))
            both = [
                asyncio.create_task(store.take(request(id), MAYA, answered=False))
                for store, id in ((one, "r1"), (other, "r2"))
            ]
            async with asyncio.timeout(60):
                while postgres.do("SELECT count(*) FROM pg_locks WHERE NOT granted") != [(2,)]:
                    await asyncio.sleep(0.01)
            connection.execute("SELECT pg_advisory_unlock(%s)", (WRITERS,))
            connection.commit()
            assert await asyncio.gather(*both) == [True, True]


async def test_who_freezes_in_mid_transaction_holds_up_nobody_for_long_and_writes_anew(postgres: Server) -> None:
    url = postgres.fresh()
    with started(FREEZES, url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "frozen\n"
        os.waitpid(process.pid, os.WUNTRACED)
        async with closed(url, patience=20.0) as store, stopwatch() as since:
            assert await store.take(request(), MAYA, answered=False)
            assert since() < FROZEN + 0.5
            process.send_signal(signal.SIGCONT)
            assert process.stdout.readline() == "written\n"
            assert [each.what for each in await store.newest(9)] == ["of the frozen one", "asked", "before"]
            assert (await store.verify()).ok


# A server that goes away --------------------------------------------------------------------------------------------


async def test_a_database_that_restarted_meanwhile_costs_nobody_an_answer(postgres: Server, tmp_path: Path) -> None:
    async with opened(tmp_path, patience=20.0) as store:
        assert await store.take(request("r1"), MAYA, answered=False)
        await asyncio.to_thread(postgres.crash)
        assert await store.take(request("r2"), MAYA, answered=False)
        assert [each.id for each in await store.pending_requests()] == ["r1", "r2"]


async def test_nothing_acknowledged_is_lost_when_the_database_crashes_under_load(
    postgres: Server, tmp_path: Path
) -> None:
    said: list[str] = []
    refused: list[str] = []
    over = asyncio.Event()

    async def caller(me: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            id = f"{me}-{number}"
            try:
                await store.take(request(id), MAYA, answered=True)
                said.append(id)
            except Unavailable:
                refused.append(id)
            except OutcomeUnknown:
                pass

    async with opened(tmp_path, patience=2.0) as store:
        callers = [asyncio.create_task(caller(me)) for me in range(16)]
        for _ in range(3):
            before = len(said)
            async with asyncio.timeout(120):
                while len(said) < before + 50:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(postgres.crash)
        over.set()
        await asyncio.gather(*callers)
        found = await store.verify()
        assert found.ok, found.problems
        with outside(store._url) as connection:
            there = {id for (id,) in connection.execute("SELECT id FROM requests").fetchall()}
        assert set(said) <= there
        assert not set(refused) & there, "who was told that nothing was done, was told the truth"
        assert found.size == len(there)


async def test_the_listener_hears_again_after_a_crash_and_looks_at_what_it_missed(
    postgres: Server, tmp_path: Path
) -> None:
    url = postgres.fresh()
    async with closed(url, patience=20.0) as one, closed(url, patience=20.0) as other:
        for _ in range(2):
            other.changed.clear()
            await asyncio.to_thread(postgres.crash)
            await asyncio.wait_for(other.changed.wait(), 60)  # whatever was written meanwhile
            other.changed.clear()
            await one.commit(Writes(wakes=("op_1",)))
            await asyncio.wait_for(other.changed.wait(), 60)


async def test_a_listener_that_was_cut_off_alone_comes_back(postgres: Server) -> None:
    url = postgres.fresh()
    async with closed(url) as one, closed(url) as other:
        with outside(url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'release-bot listener' AND datname = current_database()"
            )
        await asyncio.wait_for(other.filled.wait(), 60)
        other.filled.clear()
        await one.commit(Writes(wakes=("op_1",)))
        await asyncio.wait_for(other.changed.wait(), 60)
        assert not other.filled.is_set(), "only what was said was heard"


async def test_words_that_nobody_of_ours_said_disturb_nothing(postgres: Server) -> None:
    url = postgres.fresh()
    async with closed(url) as one, closed(url) as other:
        with outside(url) as connection:
            for words in ("", "x", "x fence", "x fence op_1 many", "x changed changed"):
                connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, words))
            connection.commit()
        await one.commit(created())
        await asyncio.wait_for(other.changed.wait(), 60)


class Wire:
    """A way to the server that can be cut right before or right after the next COMMIT has gone through.

    Or whoever uses it freezes: of what is sent with `freezes` in it one message arrives, and nothing more.
    """

    def __init__(self, directory: Path, server: Path) -> None:
        self.cut = ""
        self.mute = False
        self.freezes = b""
        self.frozen, self.thawed = threading.Event(), threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(directory / ".s.PGSQL.5432"))
        self._listening.listen()
        self._server = str(server / ".s.PGSQL.5432")
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._server)
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with one, other, suppress(OSError):
            while data := one.recv(65536):
                if self.freezes and self.freezes in data:
                    self.freezes = b""
                    other.sendall(_one_that_does_something(data))
                    self.frozen.set()
                    self.thawed.wait()
                    break
                cut = self.cut if b"COMMIT\0" in data else ""
                if cut:
                    self.cut = ""
                self.mute = self.mute or cut == "after"
                if cut != "before" and not (self.mute and not cut):
                    other.sendall(data)
                if cut == "after":
                    time.sleep(0.2)  # the server has long answered; nobody hears it
                if cut:
                    self.mute = False
                    break
            for end in (one, other):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.thawed.set()
        self._listening.close()


def _one_that_does_something(data: bytes) -> bytes:
    """Up to the first message that has a statement carried out.

    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """
    end = 0
    while end < len(data):
        kind, size = data[end : end + 1], int.from_bytes(data[end + 1 : end + 5])
        end += 1 + size
        if kind in {b"Q", b"E"}:
            break
    return data[:end]


@contextmanager
def wired(postgres: Server, directory: Path) -> Iterator[tuple[Wire, str]]:
    url = postgres.fresh()
    wire = Wire(directory, postgres.directory)
    try:
        yield wire, url.replace(str(postgres.directory), str(directory))
    finally:
        wire.close()


@pytest.mark.parametrize(("cut", "there"), [("before", False), ("after", True)])
async def test_a_commit_without_an_answer_is_not_known_and_saying_it_again_tells(
    postgres: Server, tmp_path: Path, cut: str, there: bool
) -> None:
    with wired(postgres, tmp_path) as (wire, url):
        async with closed(url) as store:
            wire.cut = cut
            with pytest.raises(OutcomeUnknown):
                await store.take(request(), MAYA, answered=False)
            assert await store.take(request(), MAYA, answered=False) is not there
            assert (await store.verify()).size == 1


async def test_who_freezes_in_the_midst_of_its_commit_holds_up_nobody_for_long(
    postgres: Server, tmp_path: Path
) -> None:
    with wired(postgres, tmp_path) as (wire, url):
        direct = url.replace(str(tmp_path), str(postgres.directory))
        async with closed(url) as frozen, closed(direct, patience=20.0) as store:
            wire.freezes = b"UPDATE ledger_head"
            asked = asyncio.create_task(frozen.take(request("r1"), MAYA, answered=False))
            await asyncio.to_thread(wire.frozen.wait)
            try:
                async with stopwatch() as since:
                    assert await store.take(request("r2"), MAYA, answered=False)
                    assert since() < FROZEN + 0.5
            finally:
                wire.thawed.set()
            with suppress(OutcomeUnknown):  # its way to the server is cut, perhaps before the answer came through
                await asked
            assert (await store.verify()).size == 2
