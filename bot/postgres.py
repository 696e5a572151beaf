"""What is peculiar to PostgreSQL? Several processes work with it at once, it may restart, and it can call the others.

Whoever writes holds one lock for the whole transaction, as SQLite's writer does, so the ledger has no gaps and readers
of one transaction meet no other. A process that freezes while it holds the lock loses it within `FROZEN` seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from commands.errors import Unavailable

if TYPE_CHECKING:
    from bot.dialect import Connection, Row, Statement

WRITERS = 7235906338042817  # the key of the writers' lock; any number that nobody else uses in this database
CHANNEL = "release_bot"
"""Where notifications go."""
FROZEN = 1.0  # seconds that an open transaction may stand still; a batch of 256 jobs takes 0.1 s
AGAIN = 0.05  # seconds between attempts to reach it
NETWORK = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
"""What a network that swallows packets is noticed by; a Unix socket has no need of it. Seconds, the last one ms."""

_SCHEME = re.compile(r"postgres(ql)?(\+\w+)?://")
_NAMES = re.compile(r"'[^']*'|:([a-z_]+)|%")
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"  # whatever is usual there: who waited for the lock sees what came first
_UNANSWERED = ("08", "57", "58", "XX")
"""Classes of errors after which it is not known what became of a COMMIT: the way there, the server, its disk broke."""


def is_postgres(database_url: str) -> bool:
    return _SCHEME.match(database_url) is not None


def address_of(database_url: str) -> str:
    """The URL in libpq's own spelling."""
    return _SCHEME.sub("postgresql://", database_url, count=1)


@lru_cache(maxsize=512)
def translated(sql: str) -> bytes:
    """The statement with psycopg's placeholders instead of `:name`."""

    def each(found: re.Match[str]) -> str:
        if found[0] == "%":
            return "%%"
        return f"%({found[1]})s" if found[1] else found[0].replace("%", "%%")

    return _NAMES.sub(each, sql).encode()


class Opened:
    """A connection that takes statements as SQLite's does."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.raw = connection

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> psycopg.Cursor[Row]:
        if not values:  # perhaps several statements in one, which cannot be prepared
            return self.raw.execute(sql.encode(), prepare=False)
        return self.raw.execute(translated(sql), values)

    def executemany(self, sql: str, values: Iterable[Mapping[str, Any]]) -> None:
        """All rows with one statement, which ends in its VALUES. The driver's own way is a pipeline, in the midst of
        which the server (18.4, seen) does not end a transaction that stands still: who froze there would hold the
        writers' lock for ever."""
        head, _, row = sql.partition(" VALUES ")
        names = [found[1] for found in _NAMES.finditer(row) if found[1]]
        given = [each[name] for each in values for name in names]
        rows = ", ".join([_NAMES.sub(lambda found: "%s" if found[1] else found[0], row)] * (len(given) // len(names)))
        self.raw.execute(f"{head} VALUES {rows}".encode(), given)

    @property
    def in_transaction(self) -> bool:
        return self.raw.info.transaction_status is not pq.TransactionStatus.IDLE

    def close(self) -> None:
        self.raw.close()


class Postgres:
    NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
    """The database's own clock in microseconds."""
    SKIP_LOCKED = "FOR UPDATE SKIP LOCKED"
    """What keeps two claims apart, should somebody ever write without the lock."""
    SHARED = True
    """Whether several processes may work with it at once."""

    def __init__(self, database_url: str, busy: float) -> None:
        self._address = address_of(database_url)
        self._busy = busy
        self.name = "the address in DATABASE_URL"

    def connect(self, *, reading: bool) -> Opened:
        """A connection for the calling thread. Tries for at most `busy` seconds: a database that restarts is back."""
        until = time.monotonic() + self._busy
        while True:
            try:
                return self._connected("reader" if reading else "writer", self._settings(reading=reading))
            except psycopg.OperationalError:
                if time.monotonic() + AGAIN >= until:
                    raise
                time.sleep(AGAIN)

    def listen(self) -> psycopg.Connection[Row]:
        """A connection that hears every notification from now on."""
        return self._connected("listener", {}, f"; LISTEN {CHANNEL}").raw

    def _settings(self, *, reading: bool) -> Mapping[str, str]:
        wait = round(self._busy * 1000)
        if reading:
            return {"default_transaction_read_only": "on", "statement_timeout": str(4 * wait)}
        return {
            "lock_timeout": str(wait),
            "statement_timeout": str(2 * wait),
            "idle_in_transaction_session_timeout": str(round(FROZEN * 1000)),
        }

    def _connected(self, name: str, settings: Mapping[str, str], then: str = "") -> Opened:
        raw = psycopg.connect(self._address, autocommit=True, application_name=f"release-bot {name}", **NETWORK)  # type: ignore[arg-type]  # libpq takes any
        try:
            raw.adapters.register_dumper(str, StrDumper)  # as text, not as something still to be guessed
            raw.adapters.register_dumper(int, Int8Dumper)
            if raw.info.host.startswith("/"):
                network: dict[str, str] = {}
            else:  # the database's side of the same: it must notice a dead writer, too
                network = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}
            given = "; ".join(f"SET {key} = '{value}'" for key, value in {**settings, **network}.items())
            durable = "; SET synchronous_commit = on" if _unsafe(raw) else ""
            opened = Opened(raw)
            opened.execute((given or "SELECT 1") + durable + then)
        except BaseException:
            raw.close()
            raise
        return opened

    def begin(self, connection: Connection, reads: str) -> Row | None:
        cursor = _ours(connection).execute(f"{_BEGIN}; SELECT pg_advisory_xact_lock({WRITERS}); {reads}")
        while cursor.nextset():
            pass
        return cursor.fetchone()

    def commit(self, connection: Connection, last: Sequence[Statement], words: Sequence[str]) -> None:
        """One turn for all of it, and one message: whoever freezes has sent nothing of it, or all."""
        cursor = psycopg.ClientCursor(_ours(connection).raw)  # puts values into the text, for a message has no others
        said = [cursor.mogrify(translated(sql), values) for sql, values in last]
        said += [cursor.mogrify(b"SELECT pg_notify(%s, %s)", (CHANNEL, each)) for each in words]
        cursor.execute("; ".join([*said, "COMMIT"]).encode())
        while cursor.nextset():
            pass
        if cursor.statusmessage != "COMMIT":
            raise psycopg.errors.InFailedSqlTransaction("a statement had failed, so COMMIT rolled back")

    @staticmethod
    def text_of(column: str) -> str:
        """The expression for bytes that are known to be text."""
        return f"convert_from({column}, 'UTF8')"

    def version(self) -> str | None:
        """That of the tables; None where there are none yet."""
        try:
            connection = self.connect(reading=True)
        except psycopg.OperationalError as error:
            raise Unavailable("The database that DATABASE_URL names cannot be reached.") from error
        try:
            if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
        return None if row is None else str(row[0])

    @staticmethod
    def is_trouble(error: BaseException) -> bool:
        """True for what the database cannot help (gone, locked, full), False for a mistake of ours."""
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError)

    @staticmethod
    def undone(error: BaseException) -> bool:
        """True where a COMMIT that ended so has certainly left nothing behind: it was refused, not left unanswered."""
        if not isinstance(error, psycopg.Error) or error.sqlstate is None:
            return False
        return not error.sqlstate.startswith(_UNANSWERED)

    @staticmethod
    def gone(connection: Connection) -> bool:
        """True where only a new connection can help."""
        return not isinstance(connection, Opened) or connection.raw.closed


def _ours(connection: Connection) -> Opened:
    assert isinstance(connection, Opened)  # noqa: S101 - for the type checker: it opened it
    return connection


def _unsafe(connection: psycopg.Connection[Row]) -> bool:
    """True where a COMMIT would be answered before it is on disk."""
    return connection.execute("SHOW synchronous_commit").fetchone() == ("off",)


def heard(connection: psycopg.Connection[Row]) -> Iterator[str]:
    """The words that have come in, without waiting for more. Raises where the connection is gone."""
    connection.pgconn.consume_input()
    while (notification := connection.pgconn.notifies()) is not None:
        yield notification.extra.decode()
