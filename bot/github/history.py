"""How do commits lie to each other, and what came between two of them?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from bot.github.names import full, ref_path
from bot.github.pull_requests import PullRequests
from bot.github.reading import CommitRead, read, read_all
from bot.github.refusal import Refusal
from bot.github.written import breaks
from commands.errors import Rejected
from commands.ports import Look
from policy.evidence import Changes, Commit
from policy.glob import alike
from policy.model import Sha

if TYPE_CHECKING:
    from bot.github.client import Client

COMMITS_MAX = 1000
"""So many are followed; more in one release nobody looks at."""
BRANCHES_MAX = 50
"""Each a request."""
FILES_MAX = 300  # https://docs.github.com/rest/commits/commits#compare-two-commits


class _File(BaseModel):
    filename: str
    previous_filename: str | None = None


class _Page(BaseModel):
    total_commits: int
    commits: list[CommitRead]
    files: list[_File] = Field(default_factory=list)


class _Home(BaseModel):
    default_branch: str


class _Tree(BaseModel):
    sha: str


class _Made(BaseModel):
    sha: str
    tree: _Tree


class _Ref(BaseModel):
    ref: str
    object: _Tree


@dataclass(slots=True)
class Between:
    """What one commit has and the other lacks."""

    total: int
    commits: list[CommitRead]
    files: list[_File]


async def between(client: Client, repository: str, base: Sha, head: Sha) -> Between:
    """Every commit and file, as far as GitHub tells them."""
    whole: Between | None = None
    path = f"/compare/{full(base)}...{full(head)}"
    async for said in client.each_page(repository, path, most=COMMITS_MAX // 100):
        page = read(_Page, said)
        if page.total_commits > COMMITS_MAX:
            raise Rejected(f"{page.total_commits} commits lie between; more than {COMMITS_MAX} are not looked at.")
        if whole is None:
            whole = Between(page.total_commits, [], page.files)
        whole.commits += page.commits
    if whole is None:
        raise Rejected("GitHub told nothing of what lies between.")
    return whole


async def head(client: Client, repository: str, branch: str) -> Sha | None:
    try:
        said = read(_Ref, await client.read(repository, f"/git/ref/heads/{ref_path(branch)}"))
    except Refusal as refusal:
        if refusal.status == 404:
            return None
        raise
    return Sha(said.object.sha) if said.ref == f"refs/heads/{branch}" else None


async def trunk(client: Client, repository: str) -> str:
    """The default branch."""
    return read(_Home, await client.read(repository, "")).default_branch


async def holding(client: Client, repository: str, commit: Sha, like: Sequence[str]) -> tuple[str, ...]:
    """Branches that stand at the commit, or that are called like one of these and hold it."""
    alike_one, at = alike(tuple(like)), full(commit)
    listed = read_all(_Ref, await client.read(repository, "/git/matching-refs/heads/"))
    branches = {one.ref.removeprefix("refs/heads/"): one.object.sha for one in listed}
    asked = [name for name, stands in branches.items() if stands != at and alike_one(name)]
    if len(asked) > BRANCHES_MAX:
        raise Rejected(f"{repository} has more than {BRANCHES_MAX} branches like {', '.join(like)}.")
    beyond = await asyncio.gather(*(between(client, repository, Sha(branches[name]), commit) for name in asked))
    holds = {name for name, found in zip(asked, beyond, strict=True) if found.total == 0}
    return tuple(name for name, stands in branches.items() if stands == at or name in holds)


async def tree(client: Client, repository: str, commit: Sha) -> str:
    return read(_Made, await client.read(repository, f"/git/commits/{full(commit)}")).tree.sha


async def changes(client: Client, repository: str, base: Sha, tip: Sha, look: frozenset[Look], branch: str) -> Changes:
    """What came between, with its pull requests. Where GitHub cut a list short, that is said."""
    found, holds = await asyncio.gather(
        between(client, repository, base, tip), _holds(client, repository, branch, tip) if branch else _no()
    )
    pulls = PullRequests(client, repository)
    by = await asyncio.gather(*(pulls.of(Sha(one.sha)) for one in found.commits))
    each = {pull.number: pull for pull in by if pull is not None}
    seen = await asyncio.gather(*(pulls.seen(each[number], look) for number in sorted(each)))
    commits = []
    for one, pull in zip(found.commits, by, strict=True):
        change, link = one.change(), one.link()
        commits.append(
            Commit(
                change.commit,
                change.title,
                frozenset({change.author, *change.others}),
                pull.number if pull is not None else None,
                len(link.parents),
                link.picked_from,
                one.verified,
                breaks(one.commit.message),
            )
        )
    files = dict.fromkeys(name for file in found.files for name in (file.filename, file.previous_filename) if name)
    complete = len(found.commits) == found.total and len(found.files) < FILES_MAX
    return Changes(tuple(commits), tuple(seen), tuple(files), branch if holds else "", complete)


async def _holds(client: Client, repository: str, branch: str, commit: Sha) -> bool:
    stands = await head(client, repository, branch)
    return stands is not None and (await between(client, repository, stands, commit)).total == 0


async def _no() -> bool:
    return False
