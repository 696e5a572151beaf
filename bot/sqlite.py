"""What is peculiar to SQLite? One file, one process at a time that works with it, and a lock for whoever writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from commands.errors import Rejected

if TYPE_CHECKING:
    from bot.dialect import Connection, Row, Statement

_SCHEMES = ("sqlite:///", "sqlite+aiosqlite:///")


def path_of(database_url: str) -> Path:
    """The file that a `sqlite:///` URL names; `Rejected` for every other URL."""
    for scheme in _SCHEMES:
        if database_url.startswith(scheme):
            name = database_url.removeprefix(scheme).partition("?")[0]
            if name and name != ":memory:":
                return Path(name)
    kind = database_url.partition(":")[0]
    raise Rejected(f"DATABASE_URL must be postgresql://… or sqlite:///PATH, not a {kind or 'missing'} address.")


class Sqlite:
    NOW = "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"
    """The database's own clock in microseconds, good to a millisecond."""
    SKIP_LOCKED = ""
    """What keeps two claims apart; here the write lock does."""
    SHARED = False
    """Whether several processes may work with it at once."""

    def __init__(self, path: Path, busy: float) -> None:
        self._path = path
        self._busy = busy
        self.name = str(path)

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

    def begin(self, connection: Connection, reads: str) -> Row | None:
        connection.execute("BEGIN IMMEDIATE")
        return connection.execute(reads).fetchone()

    def commit(self, connection: Connection, last: Sequence[Statement], words: Sequence[str]) -> None:
        del words  # there is nobody else to tell
        for sql, values in last:
            connection.execute(sql, values)
        connection.execute("COMMIT")

    @staticmethod
    def text_of(column: str) -> str:
        """The expression for bytes that are known to be text."""
        return f"CAST({column} AS TEXT)"

    def version(self) -> str | None:
        """That of the tables; None where there are none yet."""
        if not self._path.exists() or self._path.stat().st_size == 0:
            return None
        with closing(sqlite3.connect(f"file:{self._path.resolve()}?mode=ro", uri=True)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])

    @staticmethod
    def is_trouble(error: BaseException) -> bool:
        """True for what the database cannot help (locked, full, unreadable), False for a mistake of ours."""
        return isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError
        )

    @staticmethod
    def undone(error: BaseException) -> bool:
        """True where a COMMIT that ended so has certainly left nothing behind."""
        return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_READONLY"))

    @staticmethod
    def gone(_connection: Connection) -> bool:
        """True where only a new connection can help; a file does not go away."""
        return False
