"""How often is the database asked between a click and what follows from it? Each turn is a network's way there and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.controller import Controller
from bot.postgres import Opened, Postgres
from bot.store import Store
from bot.worker import Worker
from commands.carry_out import advance
from commands.operation import Operation
from commands.ports import Lease, Request, Writes
from tests.bot.books import closed, created, fresh
from tests.conversation import render
from tests.world import People, Write, story

pytestmark = pytest.mark.usefixtures("postgres")


@dataclass
class Turns:
    """Those of every connection."""

    taken: int = 0
    commits: int = 0


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Turns]:
    """Every statement is one; what goes with a COMMIT is one with it."""
    turns = Turns()
    ending: set[Any] = set()
    execute, many, commit = Opened.execute, Opened.executemany, Postgres.commit

    def executed(self: Opened, *given: Any) -> Any:
        turns.taken += self not in ending
        return execute(self, *given)

    def all_executed(self: Opened, *given: Any) -> None:
        turns.taken += 1
        many(self, *given)

    def committed(self: Postgres, connection: Any, *given: Any) -> None:
        ending.add(connection)
        commit(self, connection, *given)
        ending.discard(connection)
        turns.taken += 1
        turns.commits += 1

    with monkeypatch.context() as patch:
        patch.setattr(Opened, "execute", executed)
        patch.setattr(Opened, "executemany", all_executed)
        patch.setattr(Postgres, "commit", committed)
        yield turns


async def test_a_rollback_reaches_the_traffic_in_five_commits_and_few_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = story(tmp_path)
    url = fresh(tmp_path)
    sent = asyncio.Event()

    async def witness(_: Write) -> None:
        sent.set()

    town.runs.witness = witness
    async with Store(url, town.clock, render, version="test", patience=30) as store:
        world = town.ports(store)

        async def step(operation: Operation, lease: Lease) -> Writes:
            return await advance(operation, lease, world)

        tasks = [asyncio.create_task(each.run()) for each in (Worker(store, world), Controller(store, step, poll=60.0))]
        ines = await town.people.person(People.account("ines"))
        with counted(monkeypatch) as turns:
            request = Request("r1", "rollback checkout prod", ines.account, "C0CHECKOUT")
            await store.take(request, ines, answered=False)
            await asyncio.wait_for(sent.wait(), 60)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert turns.commits <= 5, turns  # taken down, asked, claimed, begun, intended
    assert turns.taken <= 60, turns


async def test_a_click_is_claimed_elsewhere_in_few_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = fresh(tmp_path)
    awake = asyncio.Event()

    async def waits(operation: Operation, _lease: Lease) -> Writes:
        awake.set()
        return Writes(operation=operation, due=None)

    async with closed(url) as here, closed(url) as there:
        controller = Controller(there, waits, poll=60.0)
        task = asyncio.create_task(controller.run())
        await here.commit(created(due=None))
        with counted(monkeypatch) as turns:
            await here.commit(Writes(wakes=("op_1",)))
            await asyncio.wait_for(awake.wait(), 60)
        await controller.stop()
        await task
    assert turns.commits <= 2, turns
    assert turns.taken <= 12, turns
