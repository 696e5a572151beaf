"""What is there to know of a fix that goes from branch to branch: its words, its pull requests, the branches?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from bot.github.credentials import Access
from bot.github.names import full, ref_path
from bot.github.pull_requests import PullRead
from bot.github.reading import CommitRead, read, read_all
from commands.ports import Opened, Written
from policy.model import Sha

if TYPE_CHECKING:
    from bot.github.client import Client


class _Object(BaseModel):
    sha: str


class _Ref(BaseModel):
    ref: str
    object: _Object


class _Pull(PullRead):
    merge_commit_sha: str | None = None


async def refs(client: Client, repository: str, beginning: str) -> Mapping[str, Sha]:
    """By name, `heads/main` or `tags/v1.4.2`; all of them, though there may be many."""
    path = ref_path(f"{beginning}x").removesuffix("x")
    listed = await client.read(repository, f"/git/matching-refs/{path}")
    found = {one.ref.removeprefix("refs/"): Sha(one.object.sha) for one in read_all(_Ref, listed)}
    # where the beginning is not understood everything comes, so it is compared again
    return {name: at for name, at in found.items() if name.startswith(beginning)}


async def written(client: Client, repository: str, commit: Sha) -> Written:
    made = read(CommitRead, await client.read(repository, f"/commits/{full(commit)}"))
    change, link = made.change(), made.link()
    account = change.author not in change.strangers
    return Written(change.commit, made.commit.message, change.author, link.parents, account=account)


async def came_by(client: Client, repository: str, commit: Sha) -> int | None:
    """The number of the merged pull request that it first came by."""
    path = f"/commits/{full(commit)}/pulls"
    listed = read_all(PullRead, await client.pages(repository, path, access=Access.PULL_REQUESTS))
    merged = [(one.merged_at, one.number) for one in listed if one.merged_at is not None]
    return min(merged)[1] if merged else None


async def opened(client: Client, repository: str, number: int) -> Opened:
    pull = read(_Pull, await client.read(repository, f"/pulls/{number}", Access.PULL_REQUESTS))
    merged = pull.merged_at is not None
    return Opened(
        pull.number,
        pull.title,
        pull.body or "",
        pull.head.ref,
        pull.base.ref,
        Sha(pull.head.sha),
        open=pull.state == "open",
        merged=Sha(pull.merge_commit_sha) if merged and pull.merge_commit_sha else None,
    )


async def label(client: Client, repository: str, number: int, labels: tuple[str, ...]) -> None:
    """A label that it has already is no second one, so nothing is asked first."""
    await client.write(repository, f"/issues/{number}/labels", {"labels": list(labels)}, access=Access.PROPOSALS)
