"""How do we reach our own database? One thread writes, one reads; each owns its connection of the raw driver.

The writer puts everything that queued up meanwhile into one transaction, each job behind its own savepoint: callers
share one flush to disk, and a job that fails takes nobody with it. Callers wait for the COMMIT.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar

from bot.dialect import Connection, Cursor, Dialect, Row, Statement
from bot.sqlite import Sqlite, path_of
from commands.errors import OutcomeUnknown, Unavailable

T = TypeVar("T")

NOTHING_DONE = "Our own records cannot be written right now, so nothing was done. Please try again in a moment."
NOT_READ = "Our own records cannot be read right now. Please try again in a moment."
WHO_KNOWS = "Our own records took too long to answer, so it is not known whether this was taken down."

BATCH_MAX = 256
"""Jobs in one transaction: 0.1 s of work at worst, so that nobody behind it waits long."""


class Broken(Exception):
    """Rows that must be there are not: the database cannot be worked with."""


def dialect(database_url: str, busy: float) -> Dialect:
    """That of the database that the URL names; it waits at most `busy` seconds. `Rejected` for every other URL."""
    if database_url.startswith("postgres"):
        from bot.postgres import Postgres  # 0.2 s that a start on SQLite can do without

        return Postgres(database_url, busy)
    return Sqlite(path_of(database_url), busy)


class Ring(Protocol):
    """Somebody to be told after a COMMIT."""

    @property
    def words(self) -> str:
        """What other processes hear, where the database can call them; empty: nothing."""

    def ring(self) -> None:
        """Called on the event loop of this process."""


class Bell(asyncio.Event):
    """An event that may also be set from another process."""

    def __init__(self, words: str = "") -> None:
        super().__init__()
        self.words = words

    def ring(self) -> None:
        self.set()


class Transaction:
    """What a writing job works on. Subclasses may keep state beside the tables and follow the savepoints."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.rings: set[Ring] = set()
        """Rung after the COMMIT, whatever became of the caller."""

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> Cursor:
        return self.connection.execute(sql, values or {})

    def one(self, sql: str, values: Mapping[str, Any] | None = None) -> Row | None:
        row: Row | None = self.run(sql, values).fetchone()
        return row

    def mark(self) -> None:
        """A job begins."""

    def undo(self) -> None:
        """That job failed; the tables are already as they were."""

    def finish(self) -> Sequence[Statement]:
        """What goes with the COMMIT."""
        return ()


class _Job(Generic[T]):
    __slots__ = ("error", "future", "result", "rings", "taken", "work")

    def __init__(self, work: Callable[[Any], T], future: asyncio.Future[T]) -> None:
        self.work = work
        self.future = future
        self.taken = False
        """True from the moment the thread has it: it can no longer be withdrawn."""
        self.result: T | None = None
        self.error: BaseException | None = None
        self.rings: tuple[Ring, ...] = ()

    def settle(self) -> None:
        for ring in self.rings:
            ring.ring()
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

    def __init__(self, name: str, dialect: Dialect, patience: float, *, reading: bool) -> None:
        self._name = name
        self._dialect = dialect
        self._reading = reading
        self._patience = patience
        self._connection: Connection | None = None
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

    def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = self._dialect.connect(reading=self._reading)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(Exception):  # whatever it says, it is not used any more
                self._connection.close()
            self._connection = None

    def _is_trouble(self, error: BaseException) -> bool:
        return isinstance(error, Broken) or self._dialect.is_trouble(error)

    def _went_away(self) -> bool:
        """True where the connection is gone, so that the same may do on a new one."""
        if self._connection is None or not self._dialect.gone(self._connection):
            return False
        self._drop()
        return True

    def _work(self, jobs: Sequence[_Job[Any]]) -> None:
        raise NotImplementedError


class Reader(_Lane):
    """Reads. Each job sees everything committed before it began."""

    def __init__(self, dialect: Dialect, patience: float) -> None:
        super().__init__("reader", dialect, patience, reading=True)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returned; `Unavailable` where the database could not be read. It may be called twice."""
        return await self.do(work)

    def _work(self, jobs: Sequence[_Job[Any]]) -> None:
        for job in jobs:
            try:
                try:
                    job.result = job.work(self._opened())
                except Exception:
                    if not self._went_away():
                        raise
                    job.result = job.work(self._opened())
            except Exception as error:  # noqa: BLE001  (the caller's to judge; the thread must live)
                job.error = error
                if self._is_trouble(error):
                    self._drop()
                    job.error = Unavailable(NOT_READ)
                    job.error.__cause__ = error


class Writer(_Lane):
    """Writes, many callers to a transaction."""

    def __init__(
        self,
        dialect: Dialect,
        transaction: Callable[[Connection, Row | None], Transaction],
        patience: float,
        me: str = "-",
        reads: str = "SELECT 1",
    ) -> None:
        """`transaction` is made with what `reads` reads once nobody else writes; `me`: the name under which other
        processes hear of it."""
        super().__init__("writer", dialect, patience, reading=False)
        self._transaction = transaction
        self._me = me
        self._reads = reads

    async def write(self, work: Callable[[Any], T]) -> T:
        """What `work` returned, called with the transaction, once that is on disk. It may be called twice.

        `Unavailable`: nothing was written. `OutcomeUnknown`: perhaps. What `work` raises undoes its own writes only.
        """
        return await self.do(work)

    def _work(self, jobs: Sequence[_Job[Any]]) -> None:
        try:
            try:
                connection, last = self._filled(jobs)
            except Exception:
                if not self._went_away():
                    raise
                connection, last = self._filled(jobs)  # nothing was committed, so nothing is done twice
        except Exception as error:  # noqa: BLE001  (every caller hears of it; the thread must live)
            self._fail(jobs, error, undone=True)
            return
        try:
            words = {f"{self._me} {ring.words}" for job in jobs for ring in job.rings if ring.words}
            self._dialect.commit(connection, last, sorted(words))
        except Exception as error:  # noqa: BLE001  (as above)
            self._fail(jobs, error, undone=self._dialect.undone(error))

    def _filled(self, jobs: Sequence[_Job[Any]]) -> tuple[Connection, Sequence[Statement]]:
        """The connection, in a transaction that lacks only its COMMIT and what goes with that."""
        connection = self._opened()
        transaction = self._transaction(connection, self._dialect.begin(connection, self._reads))
        for job in jobs:
            self._run(job, transaction, alone=len(jobs) == 1)
        return connection, transaction.finish()

    def _run(self, job: _Job[Any], transaction: Transaction, *, alone: bool) -> None:
        connection = transaction.connection
        job.error, job.rings = None, ()
        transaction.mark()
        transaction.rings = set()
        if not alone:
            connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(transaction)
            job.rings = tuple(transaction.rings)
        except Exception as error:
            if self._is_trouble(error):
                raise
            job.error = error
            if alone:
                connection.execute("ROLLBACK")
                self._dialect.begin(connection, self._reads)
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
            except Exception:  # noqa: BLE001  (whatever it is, this connection is not used any more)
                self._drop()
            if not undone:
                self._drop()
        for job in jobs:
            if job.error is None or self._is_trouble(job.error):
                trouble = self._is_trouble(error)
                job.error = (Unavailable(NOTHING_DONE) if undone else OutcomeUnknown(WHO_KNOWS)) if trouble else error
                if job.error is not error:
                    job.error.__cause__ = error
            job.rings = ()
