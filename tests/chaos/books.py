"""Where do the bot's books lie, how are they read past the bot, and how does their database crash?"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from bot import migrations
from tests.postgres import Server, running

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


class Postgres:
    """A server of our own."""

    name = "PostgreSQL"

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.fresh()

    def rows(self, sql: str) -> list[Row]:
        try:
            with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as books:
                return list(books.execute(sql.encode()))
        except psycopg.Error as error:
            raise OSError(str(error)) from error

    async def crash(self) -> None:
        """No checkpoint, nobody is told: it recovers from its log as after a power cut."""
        await asyncio.to_thread(self._server.crash)


@contextmanager
def sqlite_file(data: Path) -> Iterator[SqliteFile]:
    """With up-to-date tables."""
    found = SqliteFile(data / "release-bot.db")
    migrations.upgrade(found.url)
    yield found


@contextmanager
def postgres(_: Path) -> Iterator[Postgres]:
    """With up-to-date tables; gone afterwards."""
    with running(durable=True) as server:
        yield Postgres(server)


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
