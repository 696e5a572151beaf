"""A store on a file of its own, and the values that go into it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from bot import migrations
from bot.store import Store
from commands.operation import Operation
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Request, Writes
from commands.reply import Reply, plain
from policy.facts import Deed, ExceptionRecord, Obligation, Question, Verdict, Vote
from policy.model import Digest, Human, Person, Place, Sha

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


@cache
def _template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="books-")) / "empty.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


def fresh(directory: Path) -> str:
    """URL of a new, up-to-date database in that directory."""
    path = directory / "books.db"
    shutil.copyfile(_template(), path)
    return f"sqlite:///{path}"


def closed(url: str, clock: Hands | None = None, **settings: Any) -> Store:
    return Store(url, clock or Hands(), render, version="0.1.0", **settings)


@asynccontextmanager
async def opened(directory: Path, clock: Hands | None = None, **settings: Any) -> AsyncIterator[Store]:
    async with closed(fresh(directory), clock, **settings) as store:
        yield store


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
