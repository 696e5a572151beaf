"""A repository of its own for each test, in one local GitHub for all of them."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import jwt

from bot.sandbox.github import GitHubWorld
from tests.bot.github_world import NINE, Asker, HandClock, Said, key_pair

_numbers = itertools.count(1)
PROMOTER, BREAK_GLASS = 4711, 4712


@dataclass
class Place:
    """One repository, and people who ask about it."""

    world: GitHubWorld
    session: aiohttp.ClientSession
    clock: HandClock
    name: str

    @classmethod
    async def begin(cls, world: GitHubWorld, session: aiohttp.ClientSession, clock: HandClock) -> Place:
        """It has `main` with one commit."""
        place = cls(world, session, clock, f"acme/place-{next(_numbers)}")
        await world.create_repository(place.name)
        await place.write("main", {"README.md": "hello\n"})
        return place

    async def write(self, branch: str, files: Mapping[str, str | None], by: str = "maya", message: str = "Work") -> str:
        return await self.world.commit(self.name, branch, message, files, by, NINE)

    async def branch(self, name: str, files: Mapping[str, str | None], *, off: str = "main", by: str = "maya") -> str:
        """A branch off another with one commit of its own."""
        await self.world.set_ref(self.name, f"refs/heads/{name}", self.git("rev-parse", off))
        return await self.write(name, files, by)

    @property
    def directory(self) -> Path:
        return self.world.repository(self.name).git.directory

    def git(self, *arguments: str) -> str:
        """What the git command line says of it."""
        done = subprocess.run(["git", *arguments], cwd=self.directory, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def asks(self, token: str | None = None) -> Asker:
        return Asker(self.session, self.world, token, home=f"/repos/{self.name}")

    async def app(self, app_id: int = PROMOTER, **narrow: Any) -> Asker:
        """That app, by a token of its installation."""
        now = int(self.clock.now().timestamp())
        itself = jwt.encode({"iat": now - 60, "exp": now + 540, "iss": str(app_id)}, key_pair()[0], algorithm="RS256")
        ask = Asker(self.session, self.world, itself)
        given = await ask("POST", f"/app/installations/{app_id + 1000}/access_tokens", narrow or None)
        assert given.status == 201, given
        return self.asks(given.body["token"])

    async def graph(self, query: str, variables: Mapping[str, Any], by: Asker | None = None) -> Any:
        """What GraphQL answers: its data, or its errors where there are any."""
        said = await (by or self.asks())("POST", "/graphql", {"query": query, "variables": dict(variables)})
        assert said.status == 200, said
        return said.body.get("errors") or said.body["data"]

    async def pull(self, head: str, base: str = "main", by: Asker | None = None, **also: Any) -> Said:
        """A pull request, opened."""
        asks = by or self.asks(self.world.admit("maya"))
        return await asks("POST", "pulls", {"title": f"Bring {head}", "head": head, "base": base, **also})
