from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot import policy_watch
from bot.policy_file import PolicyFile
from bot.policy_watch import PolicyWatch
from bot.sqlite import path_of
from bot.store import Store
from commands.operation import Moment, Phase, Step
from commands.ports import Recorded, Writes
from policy.model import Place
from tests.bot.books import GOOD, HOUR, OTHER, START, Hands, closed, created, fresh

MINIMAL = (Path(__file__).parents[2] / "deploy/policies/minimal.yaml").read_text("utf-8")
SEARCH = Place("search", "prod")


def version(number: int, effective: str = "2026-11-20") -> str:
    """The minimal policy with something to say of itself."""
    return (
        f"{MINIMAL}\nchanges:\n"
        f'  - {{version: "{number}", effective: {effective}, summary: Two more eyes, rationale: The audit asked for it}}\n'
    )


@dataclass
class Bench:
    """A watch that runs over a real file and real books."""

    file: Path
    clock: Hands
    store: Store
    policies: PolicyFile

    async def entries(self, how_many: int) -> list[Recorded]:
        """Every entry about the policy, oldest first, once there are so many."""
        async with asyncio.timeout(60):
            while True:
                found = [each for each in reversed(await self.store.newest(100)) if each.kind == "policy"]
                if len(found) >= how_many:
                    return found
                await asyncio.sleep(0.01)

    def write(self, text: str) -> None:
        self.file.write_text(text, "utf-8")
        self.policies.reload()


@asynccontextmanager
async def watched(directory: Path, text: str = MINIMAL, patience: float = 30.0) -> AsyncIterator[Bench]:
    file, clock = directory / "policy.yaml", Hands()
    file.write_text(text, "utf-8")
    url = f"sqlite:///{directory}/books.db"
    if not (directory / "books.db").exists():
        fresh(directory)
    async with closed(url, clock, patience=patience) as store:
        policies = PolicyFile(file, clock.now)
        watch = PolicyWatch(store, policies, clock, poll=0.02)
        await watch.begin()
        running = asyncio.create_task(watch.run())
        yield Bench(file, clock, store, policies)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def due(store: Store) -> set[str]:
    """Every operation that can be claimed now."""
    found = set()
    while (claimed := await store.claim()) is not None:
        found.add(claimed[0].id)
    return found


async def test_the_first_policy_and_each_that_came_while_nobody_ran_are_written_down(tmp_path: Path) -> None:
    async with watched(tmp_path) as bench:
        (first,) = await bench.entries(1)
        one = bench.policies.current().hash
        assert (first.what, first.target, first.private) == ("in force", {"policy": one}, {})
    async with watched(tmp_path) as bench:
        assert len(await bench.entries(1)) == 1, "the same policy again is no news"
    async with watched(tmp_path, version(2)) as bench:
        _, second = await bench.entries(2)
        assert second.target == {"policy": bench.policies.current().hash, "before": one}


async def test_a_new_version_is_written_down_with_what_it_says_of_itself_and_wakes_who_waits(tmp_path: Path) -> None:
    async with watched(tmp_path) as bench:
        before = bench.policies.current().hash
        await bench.store.commit(created("op_1", GOOD, due=None))
        await bench.store.commit(created("op_2", OTHER, due=None))
        await bench.store.commit(created("op_3", GOOD, SEARCH))
        claimed = await bench.store.claim()
        assert claimed is not None
        running = claimed[0].begun(START, Moment(Step.DEPLOY))
        await bench.store.commit(Writes(operation=running), claimed[1])
        assert await due(bench.store) == set()
        bench.write(version(2))
        _, entry = await bench.entries(2)
        after = bench.policies.current().hash
        assert (entry.what, entry.target) == ("in force", {"policy": after, "before": before, "version": after})
        assert entry.detail == {"source": str(bench.file), "version": "2", "effective": "2026-11-20"}
        assert entry.private == {"summary": "Two more eyes", "rationale": "The audit asked for it"}
        assert await due(bench.store) == {"op_1", "op_2"}, "what is under way goes on as it was decided"
        assert (running.phase, running.id) == (Phase.RUNNING, "op_3")


async def test_a_version_that_is_none_is_written_down_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(tmp_path) as bench:
        before = bench.policies.current().hash
        await bench.store.commit(created("op_1", due=None))
        bench.write(MINIMAL.replace("rank: 2", "rank: two"))
        _, entry = await bench.entries(2)
        assert (entry.what, entry.target["policy"]) == ("refused", before)
        assert entry.detail == {"complaints": 1}
        assert "line 18" in entry.private["complaints"]
        assert bench.policies.current().hash == before
        assert await due(bench.store) == set()
        assert any(record.levelname == "ERROR" and "stays in force" in record.message for record in caplog.records)


async def test_a_version_waits_for_its_time_and_takes_over_by_itself(tmp_path: Path) -> None:
    async with watched(tmp_path) as bench:
        before = bench.policies.current().hash
        await bench.store.commit(created("op_1", due=None))
        bench.write(version(2, "2026-11-24T11:00"))
        _, waiting = await bench.entries(2)
        assert (waiting.what, waiting.target["policy"]) == ("waiting", before)
        assert waiting.detail["effective_at"] == "2026-11-24T11:00:00+00:00"
        assert "put the version before it in place first" in waiting.detail["until_then"]
        bench.clock.move(2 * HOUR - timedelta(seconds=1))
        await asyncio.sleep(0.1)
        assert (len(await bench.entries(2)), await due(bench.store)) == (2, set())
        bench.clock.move(timedelta(seconds=1))
        *_, entry = await bench.entries(3)
        assert (entry.what, entry.target["policy"]) == ("in force", waiting.target["version"])
        assert entry.target["before"] == before
        assert await due(bench.store) == {"op_1"}


async def test_while_the_books_cannot_be_written_the_news_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_watch, "AGAIN_SECONDS", 0.02)
    async with watched(tmp_path, patience=0.2) as bench:
        path = path_of(f"sqlite:///{tmp_path}/books.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            bench.write(version(2))
            bench.write(version(3))
            await asyncio.sleep(0.5)
            other.execute("ROLLBACK")
        first, second, third = await bench.entries(3)
        assert [each.detail.get("version", "1") for each in (first, second, third)] == ["1", "2", "3"]
        assert third.target["before"] == second.target["policy"]
