"""What tests of the local GitHub share: one world for each module, a repository for each test, all exchanges checked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from bot.sandbox.github import GitHubWorld
from tests.bot.github_world import HandClock, key_pair, violations
from tests.bot.sandbox.github_place import BREAK_GLASS, PROMOTER, Place


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_clock() -> HandClock:
    return HandClock()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_world(tmp_path_factory: pytest.TempPathFactory, shared_clock: HandClock) -> AsyncIterator[GitHubWorld]:
    async with GitHubWorld(tmp_path_factory.mktemp("github"), shared_clock) as world:
        for app, name, permissions in (
            (PROMOTER, "Release Bot", {}),
            (BREAK_GLASS, "Break Glass", {"administration": "write"}),
        ):
            granted = {"metadata": "read", "contents": "write", "pull_requests": "write", "checks": "write"}
            world.register_app(app, key_pair()[1], app + 1000, name=name, permissions=granted | permissions)
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture(loop_scope="module")
async def place(
    shared_world: GitHubWorld, shared_session: aiohttp.ClientSession, shared_clock: HandClock
) -> AsyncIterator[Place]:
    """At the end everything said is checked against GitHub's published contract."""
    shared_world.exchanges.clear()
    yield await Place.begin(shared_world, shared_session, shared_clock)
    wrong = violations(shared_world.exchanges)
    assert not wrong, "\n".join(wrong[:5])
