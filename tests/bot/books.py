"""A store on a file of its own, and the values that go into it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bot.migrations import guards
from bot.postgres import is_postgres
from bot.sqlite import path_of
from bot.store import Store
from commands.operation import Operation
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Recorded, Request, Writes
from commands.reply import Reply, plain
from policy.facts import Deed, ExceptionRecord, Obligation, Question, Verdict, Vote
from policy.model import Digest, Human, Person, Place, Sha
from tests import empty
from tests.postgres import Server

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
MAYA = Person("slack:T0ACME/U0MAYA", Human("maya"), "Maya Ng", roles=frozenset({"engineer"}))
OMAR = Person("slack:T0ACME/U0OMAR", Human("omar"), "Omar Said", roles=frozenset({"engineer", "release_manager"}))
BOT = Person("bot:controller", None, "Release Bot")
CHECKOUT = Place("checkout", "prod")
GOOD = Digest("sha256:" + "3f" * 32)
OTHER = Digest("sha256:" + "a1" * 32)
HOUR = timedelta(hours=1)


class Hands:
    """A clock that stands where it is put."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def move(self, span: timedelta) -> None:
        self.at += span


def render(reply: Reply) -> Mapping[str, Any]:
    return {"text": plain(reply.title)}


def fresh(directory: Path) -> str:
    """URL of a new, up-to-date database: in that directory, or on the server that the test runs on."""
    return _made[-1](directory)


def _in_a_file(directory: Path) -> str:
    path = directory / "books.db"
    path.write_bytes(empty.books())
    return f"sqlite:///{path}"


_made: list[Callable[[Path], str]] = [_in_a_file]


@contextmanager
def on(server: Server) -> Iterator[None]:
    """All fresh books stand on that server, and are gone afterwards."""
    urls: list[str] = []

    def fresh(_directory: Path) -> str:
        urls.append(server.fresh())
        return urls[-1]

    _made.append(fresh)
    try:
        yield
    finally:
        _made.pop()
        for url in urls:
            server.drop(url)


@contextmanager
def outside(url: str) -> Iterator[Any]:
    """A connection of somebody else, with settings of its own: the defaults. What it does must be committed."""
    with closing(psycopg.connect(url) if is_postgres(url) else sqlite3.connect(path_of(url))) as connection:
        yield connection


REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""What a guard answers, by the database."""


def in_words_of(database: str, sql: str) -> str:
    """The statement, written for SQLite, as somebody would write it for that database."""
    if database == "sqlite":
        return sql
    sql = sql.replace("OR REPLACE ", "").replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')")
    sql = sql.replace("CAST(replace(CAST(body AS TEXT), 'asked', 'acted') AS BLOB)",
                      "convert_to(replace(convert_from(body, 'UTF8'), 'asked', 'acted'), 'UTF8')")  # fmt: skip
    return re.sub(r"X'(\w*)'", r"'\\x\1'::bytea", sql)


def without_guards(database: str, *names: str) -> Iterator[str]:
    """Statements that take those guards off, or all, and what else would look."""
    if database != "sqlite" and not names:
        yield "SET session_replication_role = replica"
    for name in names or guards.SQLITE:
        table = guards.POSTGRES[name].table
        yield f"DROP TRIGGER {name}" if database == "sqlite" else f"DROP TRIGGER {name} ON {table}"


def with_guard(database: str, name: str) -> Iterator[str]:
    """Statements that put a guard that was taken off back."""
    yield from [guards.SQLITE[name]] if database == "sqlite" else guards.POSTGRES[name].in_postgres[1:]


def closed(url: str, clock: Hands | None = None, **settings: Any) -> Store:
    """`patience`: that of a busy machine."""
    return Store(url, clock or Hands(), render, version="0.1.0", **{"patience": 30.0, **settings})


@asynccontextmanager
async def opened(directory: Path, clock: Hands | None = None, **settings: Any) -> AsyncIterator[Store]:
    async with closed(fresh(directory), clock, **settings) as store:
        yield store


async def unsettled(store: Store) -> tuple[Recorded, ...]:
    """Intents without an outcome yet, oldest first, in the whole ledger."""
    return await store._entries(
        "phase = 'intent' AND effect <> '' AND NOT EXISTS (SELECT 1 FROM entries AS later WHERE later.effect <> ''"
        " AND later.operation = entries.operation AND later.effect = entries.effect"
        " AND later.phase = 'outcome' AND later.seq > entries.seq) ORDER BY seq"
    )


def plan(digest: Digest = GOOD) -> Plan:
    return Plan(
        deed="promote",
        service="checkout",
        target="prod",
        digest=digest,
        revision="checkout-r-3f3f3f3f3f3f",
        from_digest=OTHER,
        from_revision="checkout-r-a1a1a1a1a1a1",
        repository="acme/checkout",
        policy_hash="0" * 64,
        site="acme-prod/europe-west1/checkout",
        commit=Sha("c" * 40),
    )


def operation(id: str = "op_1", digest: Digest = GOOD, place: Place = CHECKOUT) -> Operation:
    return Operation(
        id=id,
        question=Question(Deed.PROMOTE, place.service, place.environment, "stage"),
        asked_by=MAYA,
        asked_at=START,
        expires_at=START + 24 * HOUR,
        channel="C0CHECKOUT",
        plan=replace(plan(digest), service=place.service, target=place.environment),
        seen={"judge:0": {"p99": 12.5}},
    )


def created(id: str = "op_1", digest: Digest = GOOD, place: Place = CHECKOUT, **more: Any) -> Writes:
    return Writes(operation=operation(id, digest, place), creates=True, **{"due": timedelta(0), **more})


def entry(what: str = "asked", phase: EntryPhase = EntryPhase.RECORD, **more: Any) -> Entry:
    return Entry("operation", phase, what, **{"actor": BOT, "target": {"service": "checkout"}, **more})


def request(id: str = "r1", words: str = "promote checkout stage→prod") -> Request:
    return Request(id, words, MAYA.account, "C0CHECKOUT", at=START)


def vote(voter: Person = OMAR, verdict: Verdict = Verdict.APPROVE, at: datetime = START) -> Vote:
    return Vote(voter, verdict, at, plan().hash)


def exception(id: str = "X-1", **more: Any) -> ExceptionRecord:
    """Asked for by Maya, granted by nobody yet."""
    wanted: dict[str, Any] = {
        "kind": "flaky",
        "waives": frozenset({"unit", "window"}),
        "environment": "prod",
        "service": "checkout",
        "digest": GOOD,
        "asked_by": MAYA,
        "asked_at": START,
        "starts_at": START,
        "ends_at": START + 24 * HOUR,
        "fields": {"reason": "the runner was out of disk", "risk": "small"},
        "uses": 2,
        "plan": "9" * 64,
    }
    return ExceptionRecord(id, **wanted | more)


def obligation(id: str = "O-1", **more: Any) -> Obligation:
    """A review that is due in a day."""
    owed: dict[str, Any] = {
        "kind": "review",
        "about": "E-1",
        "service": "checkout",
        "environment": "prod",
        "owner": "tech_lead",
        "due_at": START + 24 * HOUR,
        "says": "review the emergency",
        "takers": frozenset({Human("maya"), Human("omar")}),
    }
    return Obligation(id, **owed | more)
