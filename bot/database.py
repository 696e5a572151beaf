"""How do we reach our own database? One thread writes, one reads; each owns its connection of the raw driver.

The writer puts everything that queued up meanwhile into one transaction, each job behind its own savepoint: callers
share one flush to disk, and a job that fails takes nobody with it. Callers wait for the COMMIT.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from commands.errors import OutcomeUnknown, Unavailable

T = TypeVar("T")
Row = tuple[Any, ...]

NOTHING_DONE = "Our own records cannot be written right now, so nothing was done. Please try again in a moment."
NOT_READ = "Our own records cannot be read right now. Please try again in a moment."
WHO_KNOWS = "Our own records took too long to answer, so it is not known whether this was taken down."

BATCH_MAX = 256
"""Jobs in one transaction: 0.1 s of work at worst, so that nobody behind it waits long."""


class Sqlite:
    """What is peculiar to SQLite. Everything else speaks SQL that PostgreSQL speaks too."""

    NOW = "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"
    """The database's own clock in microseconds, good to a millisecond."""
    BEGIN = "BEGIN IMMEDIATE"
    SKIP_LOCKED = ""
    """What keeps two claims apart; here the write lock does."""

    def __init__(self, path: Path, busy: float) -> None:
        self._path = path
        self._busy = busy

    def connect(self, *, reading: bool) -> sqlite3.Connection:
        """A connection for the calling thread. It waits at most `busy` seconds for another process's lock."""
        connection = sqlite3.connect(
            f"file:{self._path.resolve()}?mode=rw", uri=True, timeout=self._busy, isolation_level=None
        )
        settings = ["foreign_keys = ON", "recursive_triggers = ON", "synchronous = FULL", "trusted_schema = OFF"]
        settings += ["query_only = ON"] if reading else ["journal_mode = WAL"]
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
        return connection

    @staticmethod
    def is_trouble(error: BaseException) -> bool:
        """True for what the database cannot help (locked, full, unreadable), False for a mistake of ours."""
        return isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError
        )

    @staticmethod
    def undone(error: sqlite3.Error) -> bool:
        """True where a COMMIT that ended so has certainly left nothing behind."""
        return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_READONLY"))


class Transaction:
    """What a writing job works on. Subclasses may keep state beside the tables and follow the savepoints."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.rings: set[asyncio.Event] = set()
        """Set on the event loop after the COMMIT, whatever became of the caller."""

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> sqlite3.Cursor:
        return self.connection.execute(sql, values or {})

    def one(self, sql: str, values: Mapping[str, Any] | None = None) -> Row | None:
        row: Row | None = self.run(sql, values).fetchone()
        return row

    def mark(self) -> None:
        """A job begins."""

    def undo(self) -> None:
        """That job failed; the tables are already as they were."""

    def finish(self) -> None:
        """Called right before the COMMIT."""


class _Job(Generic[T]):
    __slots__ = ("error", "future", "result", "rings", "taken", "work")

    def __init__(self, work: Callable[[Any], T], future: asyncio.Future[T]) -> None:
        self.work = work
        self.future = future
        self.taken = False
        """True from the moment the thread has it: it can no longer be withdrawn."""
        self.result: T | None = None
        self.error: BaseException | None = None
        self.rings: tuple[asyncio.Event, ...] = ()

    def settle(self) -> None:
        for event in self.rings:
            event.set()
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # T may be None


def _settle(jobs: Sequence[_Job[Any]]) -> None:
    for job in jobs:
        job.settle()


class _Lane:
    """A thread, its connection, and what waits for it."""

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection], patience: float) -> None:
        self._name = name
        self._connect = connect
        self._patience = patience
        self._connection: sqlite3.Connection | None = None
        self._waiting: deque[_Job[Any]] = deque()
        self._ready = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Everything queued is done, and the connection is closed."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        await self._ended.wait()

    async def do(self, work: Callable[[Any], T]) -> T:
        """What `work` returned, called in the thread. Raises what it raised, or what became of the database."""
        loop = asyncio.get_running_loop()
        job: _Job[T] = _Job(work, loop.create_future())
        with self._ready:
            if self._closed or self._thread is None:
                raise Unavailable(NOTHING_DONE)
            self._waiting.append(job)
            self._ready.notify()
        timer = loop.call_later(self._patience, self._lose_patience, job)
        try:
            return await job.future
        except asyncio.CancelledError:
            self._withdraw(job)
            raise
        finally:
            timer.cancel()

    def _withdraw(self, job: _Job[Any]) -> bool:
        """True where it had not begun, and now never will."""
        with self._ready:
            if not job.taken:
                with suppress(ValueError):
                    self._waiting.remove(job)
            return not job.taken

    def _lose_patience(self, job: _Job[Any]) -> None:
        if self._withdraw(job):
            if not job.future.done():
                job.future.set_exception(Unavailable(NOTHING_DONE))
        elif self._loop is not None:
            self._loop.call_later(self._patience, self._give_up, job)

    @staticmethod
    def _give_up(job: _Job[Any]) -> None:
        if not job.future.done():
            job.future.set_exception(OutcomeUnknown(WHO_KNOWS))

    def _serve(self) -> None:
        while jobs := self._next():
            self._work(jobs)
            self._call(partial(_settle, jobs))
        self._drop()
        self._call(self._ended.set)

    def _call(self, what: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(what)

    def _next(self) -> Sequence[_Job[Any]]:
        with self._ready:
            while not self._waiting:
                if self._closed:
                    return ()
                self._ready.wait()
            jobs = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            for job in jobs:
                job.taken = True
            return jobs

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _work(self, jobs: Sequence[_Job[Any]]) -> None:
        raise NotImplementedError


class Reader(_Lane):
    """Reads. Each job sees everything committed before it began."""

    def __init__(self, dialect: Sqlite, patience: float) -> None:
        super().__init__("reader", lambda: dialect.connect(reading=True), patience)
        self._dialect = dialect

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returned; `Unavailable` where the database could not be read."""
        return await self.do(work)

    def _work(self, jobs: Sequence[_Job[Any]]) -> None:
        for job in jobs:
            try:
                job.result = job.work(self._opened())
            except Exception as error:  # noqa: BLE001  (the caller's to judge; the thread must live)
                job.error = error
                if self._dialect.is_trouble(error):
                    self._drop()
                    job.error = Unavailable(NOT_READ)
                    job.error.__cause__ = error


class Writer(_Lane):
    """Writes, many callers to a transaction."""

    def __init__(
        self, dialect: Sqlite, transaction: Callable[[sqlite3.Connection], Transaction], patience: float
    ) -> None:
        super().__init__("writer", lambda: dialect.connect(reading=False), patience)
        self._dialect = dialect
        self._transaction = transaction

    async def write(self, work: Callable[[Any], T]) -> T:
        """What `work` returned, called with the transaction, once that is on disk.

        `Unavailable`: nothing was written. `OutcomeUnknown`: perhaps. What `work` raises undoes its own writes only.
        """
        return await self.do(work)

    def _work(self, jobs: Sequence[_Job[Any]]) -> None:
        try:
            connection = self._opened()
            connection.execute(self._dialect.BEGIN)
            transaction = self._transaction(connection)
            for job in jobs:
                self._run(job, transaction, alone=len(jobs) == 1)
            transaction.finish()
        except Exception as error:  # noqa: BLE001  (every caller hears of it; the thread must live)
            self._fail(jobs, error, undone=True)
            return
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._fail(jobs, error, undone=self._dialect.undone(error))

    def _run(self, job: _Job[Any], transaction: Transaction, *, alone: bool) -> None:
        connection = transaction.connection
        transaction.mark()
        transaction.rings = set()
        if not alone:
            connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(transaction)
            job.rings = tuple(transaction.rings)
        except Exception as error:
            if self._dialect.is_trouble(error):
                raise
            job.error = error
            if alone:
                connection.execute("ROLLBACK")
                connection.execute(self._dialect.BEGIN)
            else:
                connection.execute("ROLLBACK TO job")  # fails, and all with it, if the database dropped the transaction
            transaction.undo()
        if not alone:
            connection.execute("RELEASE job")

    def _fail(self, jobs: Sequence[_Job[Any]], error: Exception, *, undone: bool) -> None:
        connection = self._connection
        if connection is not None:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._drop()
            if not undone:
                self._drop()
        for job in jobs:
            if job.error is None or self._dialect.is_trouble(job.error):
                trouble = self._dialect.is_trouble(error)
                job.error = (Unavailable(NOTHING_DONE) if undone else OutcomeUnknown(WHO_KNOWS)) if trouble else error
                if job.error is not error:
                    job.error.__cause__ = error
            job.rings = ()
