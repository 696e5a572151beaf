"""What lies in a repository on GitHub, besides what somebody wants promoted? The port `Repositories`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, Field

from bot.github import protection
from bot.github.connection import Connection
from bot.github.credentials import Access
from bot.github.names import full
from bot.github.pull_requests import PullRead, PullRequests, text_of
from bot.github.reading import CommitRead, read, read_all
from bot.github.refusal import Refusal
from commands.ports import Proposed, Unmerged
from policy.model import Sha

WORKFLOWS = ".github/workflows"
BRANCHES_MAX = 100
"""Pages of branches."""
PULLS_MAX = 10
"""Pages of pull requests that are closed: nobody looks further back."""
_USES = re.compile(r"""^\s*(?:-\s*)?uses:\s*(?P<quote>["']?)(?P<part>[^\s"'#]+)(?P=quote)""", re.MULTILINE)


class _Commit(BaseModel):
    sha: str


class _Branch(BaseModel):
    name: str
    commit: _Commit


class _Environment(BaseModel):
    name: str


class _When(BaseModel):
    date: datetime | None = None


class _Text(BaseModel):
    committer: _When | None = None


class _Dated(BaseModel):
    commit: _Text


class _Compared(BaseModel):
    total_commits: int
    commits: list[dict[str, object]] = Field(default_factory=list)


class _File(BaseModel):
    path: str
    type: str


class _Updated(PullRead):
    updated_at: datetime


class GitHubRepositories:
    """GitHub's repositories, over the connection that everything else goes over too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def branches(self, repository: str) -> Mapping[str, Sha]:
        """Every branch, and where it stands."""
        client = await self._connection.client()
        listed = read_all(_Branch, await client.pages(repository, "/branches", most=BRANCHES_MAX))
        return {one.name: Sha(one.commit.sha) for one in listed}

    async def environments(self, repository: str) -> tuple[str, ...]:
        """As GitHub calls them."""
        client = await self._connection.client()
        listed = await client.pages(repository, "/environments", "environments", Access.ACTIONS)
        return tuple(one.name for one in read_all(_Environment, listed))

    async def proposals(self, repository: str, since: datetime) -> tuple[Proposed, ...]:
        """The open ones, and those merged since then, as far as GitHub tells them."""
        client = await self._connection.client()
        pulls = PullRequests(client, repository)
        opened = read_all(_Updated, await client.pages(repository, "/pulls", access=Access.PULL_REQUESTS, state="open"))
        merged: list[_Updated] = []
        query = {"state": "closed", "sort": "updated", "direction": "desc"}
        pages = 0
        async for page in client.each_page(repository, "/pulls", Access.PULL_REQUESTS, most=PULLS_MAX, **query):
            closed = read_all(_Updated, page)
            merged += [one for one in closed if one.merged_at is not None and one.merged_at >= since]
            pages += 1
            if pages == PULLS_MAX or any(one.updated_at < since for one in closed):
                break
        found = [*opened, *merged]
        seen = await asyncio.gather(*(pulls.seen(one, frozenset()) for one in found))
        return tuple(Proposed(pull, Sha(one.head.sha), one.merged_at) for one, pull in zip(found, seen, strict=True))

    async def required(self, repository: str, branch: str) -> frozenset[str]:
        """By name, whichever app reports them."""
        client = await self._connection.client()
        return frozenset(one.name for one in await protection.required(client, repository, branch))

    async def unmerged(self, repository: str, base: Sha, head: Sha) -> Unmerged:
        """What the one has that the other lacks."""
        client = await self._connection.client()
        said = read(_Compared, await client.read(repository, f"/compare/{full(base)}...{full(head)}"))
        if not said.commits:
            return Unmerged(0)
        first = read(_Dated, said.commits[0]).commit.committer
        return Unmerged(
            said.total_commits,
            first.date if first is not None else None,
            read(CommitRead, said.commits[-1]).change().author,
        )

    async def uses(self, repository: str) -> Mapping[str, tuple[str, ...]]:
        """Of each workflow on the default branch, in the order of its lines; none where there are no workflows."""
        client = await self._connection.client()
        try:
            listed = read_all(_File, await client.read(repository, f"/contents/{WORKFLOWS}"))
        except Refusal as refusal:
            if refusal.status == 404:
                return {}
            raise
        files = sorted(one.path for one in listed if one.type == "file" and one.path.endswith((".yml", ".yaml")))
        texts = await asyncio.gather(*(text_of(client, repository, file, "") for file in files))
        return {
            file: tuple(found["part"] for found in _USES.finditer(text or ""))
            for file, text in zip(files, texts, strict=True)
        }
