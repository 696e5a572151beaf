"""How soon after the click does a rollback send its traffic call? Real processes, over worlds on this machine.

What counts is our own time: from the click until the call leaves, without the spans in which this very rollback waited
for Cloud Run or GitHub. Beside it, in the same run and between the clicks: a bare commit of one row in the same
database, which waits for the same disk and is held up by the same neighbours; and the whole of it, until everybody is
answered by what they had before.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bot.sandbox.supervisor import environment
from tests.bench.clocked import NOTES, TRAFFIC
from tests.chaos.books import Database, postgres, sqlite_file
from tests.chaos.fleet import fleet
from tests.chaos.town import Town, site, town

LIMIT_MS = 100
LIMIT_SECONDS = 5.0
CLICKS = 15
REPLICAS = {"SQLite": 1, "PostgreSQL": 2}
SETTLES = 8.0
"""Seconds: every process has looked around once."""
RESTS = 2.0
"""Seconds between two clicks: the rollback before has ended."""
BARE = 10
"""Bare commits before each click."""
LOOK = 0.005
WITHIN = 30.0

Note = tuple[str, str, float, float]


def notes(folder: Path, about: str) -> list[Note]:
    """Of every process, as far as they are written."""
    lines = [line for file in folder.iterdir() for line in file.read_text().splitlines(keepends=True)]
    found = [json.loads(line) for line in lines if line.endswith("\n")]
    return [(whom, what, began, ended) for whom, what, began, ended in found if whom == about]


def own(clicked: float, found: Iterable[Note]) -> tuple[float, float] | None:
    """Milliseconds from the click to the first traffic call: ours alone, and all of it; None: none was sent yet."""
    found = list(found)
    sent = min((began for _, what, began, _ in found if what == TRAFFIC), default=None)
    if sent is None:
        return None
    waited, at = 0.0, clicked
    for _, what, began, ended in sorted(found, key=lambda each: each[2]):
        if what != TRAFFIC and began < sent:
            waited += max(0.0, min(ended, sent) - max(began, at))
            at = max(at, min(ended, sent))
    return 1000 * (sent - clicked - waited), 1000 * (sent - clicked)


@contextmanager
def bare(books: Database) -> Iterator[Callable[[], object]]:
    """One row changed and committed, on a connection of its own."""
    if books.url.startswith("postgres"):
        with closing(psycopg.connect(books.url, autocommit=True)) as connection:
            connection.execute("CREATE TABLE bare (n INTEGER)")
            connection.execute("INSERT INTO bare VALUES (0)")
            yield lambda: connection.execute("UPDATE bare SET n = n + 1")
        return
    path = Path(books.url.removeprefix("sqlite:///")).with_name("bare.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE bare (n INTEGER)"):
            file.execute(statement)
        file.execute("INSERT INTO bare VALUES (0)")
        yield lambda: file.execute("UPDATE bare SET n = n + 1")


@dataclass(frozen=True)
class Span:
    """One rollback, in milliseconds."""

    own: float
    """Without the worlds."""
    whole: float
    served: float
    """Until everybody was answered by what they had before."""


async def rolled_back(kept: Callable[[Path], Any], data: Path) -> dict[str, float]:
    """Milliseconds, medians but for the longest."""
    spans: list[Span] = []
    commits: list[float] = []
    chance = random.Random(1)
    folder = data / "notes"
    folder.mkdir()
    with kept(data) as books:
        async with town(data, CLICKS, chance, latency=0) as there:
            settings = {**environment(there.there, data, 0, data / "policy.yaml"), "DATABASE_URL": books.url}
            settings[NOTES] = str(folder)
            arguments = ["-m", "tests.bench.clocked"]
            async with fleet(arguments, [settings] * REPLICAS[books.name], data, chance) as bots:
                await asyncio.sleep(SETTLES)
                with bare(books) as commit:
                    for service in there.services:
                        commits += [_took(commit) for _ in range(BARE)]
                        there.there.slack.bind(bots.address())
                        spans.append(await one(there, service, folder))
                        await asyncio.sleep(RESTS)
    found = {
        "own": statistics.median(span.own for span in spans),
        "longest": max(span.own for span in spans),
        "whole": statistics.median(span.whole for span in spans),
        "served": statistics.median(span.served for span in spans),
    }
    return found | {"commit": statistics.median(commits)}


async def one(there: Town, service: str, folder: Path) -> Span:
    """That service is rolled back."""
    engine = there.there.google.engine
    (left,) = engine.weights(engine.record(site(service)))
    clicked = time.monotonic()
    said = await there.there.slack.say("ines", service, f"/release rollback {service} reason:slow")
    assert said.ok, said
    async with asyncio.timeout(WITHIN):
        while (span := own(clicked, notes(folder, f"rollback {service}"))) is None:
            await asyncio.sleep(LOOK)
        while left in engine.weights(engine.record(site(service))):
            await asyncio.sleep(LOOK)
    return Span(*span, 1000 * (time.monotonic() - clicked))


def _took(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def measured() -> dict[str, Any]:
    """On either database."""
    found = {}
    for name, kept in (("SQLite", sqlite_file), ("PostgreSQL", postgres)):
        data = Path(tempfile.mkdtemp(prefix="bench-rollback-"))
        try:
            found[name] = asyncio.run(rolled_back(kept, data))
        finally:
            shutil.rmtree(data, ignore_errors=True)
    return found


def told(found: dict[str, Any]) -> str:
    """The table."""
    names = [f"{name}, {REPLICAS[name]} process{'es' if REPLICAS[name] > 1 else ''}" for name in found]
    lines = [f"{f'a rollback, {CLICKS} clicks on each, ms':56}" + "".join(f"{name:>24}" for name in names)]
    for what, key in (
        (f"click to traffic call, our own time (at most {LIMIT_MS})", "own"),
        ("  the longest", "longest"),
        ("  with Cloud Run and GitHub, too", "whole"),
        ("a bare commit", "commit"),
        (f"until everybody has what they had (at most {1000 * LIMIT_SECONDS:.0f})", "served"),
    ):
        lines.append(f"{what:56}" + "".join(f"{one[key]:24.1f}" for one in found.values()))
    ratios = "".join(f"{one['own'] / one['commit']:24.1f}" for one in found.values())
    return "\n".join([*lines, f"{'our own time, in bare commits':56}{ratios}"])
