"""How do branches move on GitHub? Each write on a condition, and looked for before it is sent again: `Branches`."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from bot.github import fixes, history
from bot.github.connection import LOOKS, Connection
from bot.github.credentials import Access
from bot.github.names import file_path, full, ref_path
from bot.github.pace import StoodStill
from bot.github.pull_requests import PullRead, PullRequests, text_hash, text_of
from bot.github.reading import CommitRead, ComparisonRead, read, read_all
from bot.github.refusal import Refusal
from bot.github.three_way import GitCommit, ThreeWay
from commands.errors import Conflict, OutcomeUnknown, Rejected, ReleaseBotError, Unavailable
from commands.ports import Merged
from policy.model import Sha, short

APPENDS = 5
"""So often a file is read anew where somebody else moved its branch meanwhile."""
# https://docs.github.com/graphql/reference/mutations#updaterefs: compare and swap, which REST lacks
_MOVE = "mutation($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }"
_APPEND = "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }"
_PULL = """query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      state isDraft body headRefOid headRefName baseRefName mergeable
      mergeCommit { oid parents(first: 3) { nodes { oid } } tree { oid } }
    }
  }
}"""
_SLOW = "GitHub answers so slowly that no branch can be moved safely; nothing was sent."


class _Object(BaseModel):
    oid: str


class _Parents(BaseModel):
    nodes: list[_Object]


class _MergeCommit(BaseModel):
    oid: str
    parents: _Parents
    tree: _Object


class _Pull(BaseModel):
    state: str
    is_draft: bool = Field(alias="isDraft")
    body: str
    head: str = Field(alias="headRefOid")
    source: str = Field(alias="headRefName")
    target: str = Field(alias="baseRefName")
    mergeable: str
    merge_commit: _MergeCommit | None = Field(alias="mergeCommit")


class _Home(BaseModel):
    node_id: str


class _MergeAnswer(BaseModel):
    sha: str


class _Appended(BaseModel):
    commit: _Object


class GitHubBranches:
    """GitHub's branches and pull requests, over the connection that reads go over too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Pull requests --------------------------------------------------------------------------------------------------

    async def propose(self, repository: str, *, source: str, target: str, title: str, body: str) -> int:
        """The number of the one open pull request from the one branch to the other: found as it is, or else opened."""
        client, connection = await self._connection.client(), self._connection

        async def find() -> int | None:
            found = await PullRequests(client, repository).open_between(source, target)
            return found.number if found is not None else None

        for _ in range(LOOKS):
            looked_at = connection.pace.monotonic()
            if (number := await find()) is not None:
                return number
            await self._something_between(repository, source, target)
            try:
                said = await client.write(
                    repository,
                    "/pulls",
                    {"title": title, "head": source, "base": target, "body": body},
                    access=Access.PROPOSALS,
                    until=looked_at + connection.FRESH,
                )
            except StoodStill:
                continue
            except OutcomeUnknown as lost:
                return await connection.looked(find, lost)
            except Refusal:
                if (number := await find()) is not None:  # somebody was quicker
                    return number
                raise
            try:
                return read(PullRead, said).number
            except Unavailable as error:
                return await connection.looked(find, OutcomeUnknown(str(error)))
        raise Unavailable(_SLOW)

    async def _something_between(self, repository: str, source: str, target: str) -> None:
        ends = [await self._head(repository, branch) for branch in (target, source)]
        for branch, stands in zip((target, source), ends, strict=True):
            if stands is None:
                raise Rejected(f"{repository} has no branch {branch}.")
        base, head = (Sha(stands or "") for stands in ends)
        if (await self._compared(repository, base, head)).ahead_by == 0:
            raise Rejected(f"{target} of {repository} has all that {source} has already.")

    async def label(self, repository: str, number: int, labels: Sequence[str]) -> None:
        """That pull request has these labels, besides those it had."""
        await fixes.label(await self._connection.client(), repository, number, tuple(labels))

    async def merge(
        self, repository: str, number: int, *, head: Sha, base: Sha, description: str, title: str, message: str
    ) -> Merged:
        """That pull request is merged with a merge commit, at exactly that head; found merged, what became of it.

        GitHub takes a condition for the head alone; how the rest stands is looked at right before.
        """
        client, connection = await self._connection.client(), self._connection
        body = {"merge_method": "merge", "sha": full(head), "commit_title": title, "commit_message": message}

        async def find() -> Merged | None:
            found = await self._pull(repository, number)
            return _became(number, found, head) if found.state == "MERGED" else None

        for _ in range(LOOKS):
            looked_at = connection.pace.monotonic()
            pull = await self._pull(repository, number)
            if pull.state == "MERGED":
                return _became(number, pull, head)
            _demand_mergeable(number, pull, head)
            if text_hash(pull.body) != description:
                raise Conflict(f"#{number} says something else than when it was looked at.")
            if (stands := await self._head(repository, pull.target)) != base:
                raise Conflict(_elsewhere(pull.target, base, stands))
            try:
                said = await client.write(
                    repository,
                    f"/pulls/{number}/merge",
                    body,
                    method="PUT",
                    access=Access.BRANCHES,
                    until=looked_at + connection.FRESH,
                )
            except StoodStill:
                continue
            except OutcomeUnknown as lost:
                return await connection.looked(find, lost)
            except Refusal as refusal:
                return await self._unmerged(repository, number, head, refusal)
            try:
                made = await ThreeWay(connection, repository).commit(Sha(read(_MergeAnswer, said).sha))
            except (Unavailable, Rejected) as error:
                silent = OutcomeUnknown(f"#{number} was merged; what became of it is not told: {error}")
                return await connection.looked(find, silent)
            return _checked(number, made, head)
        raise Unavailable(_SLOW)

    async def _unmerged(self, repository: str, number: int, head: Sha, refusal: Refusal) -> Merged:
        """Why it was refused, by how it stands now; or what became of it where it was merged after all."""
        pull = await self._pull(repository, number)
        if pull.state == "MERGED":
            return _became(number, pull, head)
        _demand_mergeable(number, pull, head)
        said = refusal.said.lower()
        if refusal.status == 409 or "base branch was modified" in said:
            raise Conflict(f"{pull.target} moved just when #{number} was to be merged; nothing was.") from refusal
        if refusal.status == 405 and "not mergeable" in said and pull.mergeable == "UNKNOWN":
            raise Unavailable(f"GitHub has not found out yet whether #{number} can be merged.") from refusal
        raise refusal

    async def _pull(self, repository: str, number: int) -> _Pull:
        client = await self._connection.client()
        owner, _, name = repository.partition("/")
        asked = {"owner": owner, "name": name, "number": number}
        said = await client.ask(repository, _PULL, asked, Access.PULL_REQUESTS)
        found = (said.get("repository") or {}).get("pullRequest")
        if found is None:
            raise Rejected(f"{repository} has no pull request #{number}.")
        return read(_Pull, found)

    # Branches -------------------------------------------------------------------------------------------------------

    async def move(self, repository: str, branch: str, *, seen: Sha, to: Sha, back: bool = False) -> None:
        """The branch stands at `to`: moved forward from where it was seen, or found there.

        What GitHub answers decides nothing here; where the branch stands afterwards does.
        """
        client, connection = await self._connection.client(), self._connection
        swap = {"name": f"refs/heads/{branch}", "beforeOid": full(seen), "afterOid": full(to), "force": back}
        ref_path(branch)
        for _ in range(LOOKS):
            looked_at = connection.pace.monotonic()
            stands = await self._head(repository, branch)
            if stands == to:
                return
            if stands != seen:
                raise Conflict(_elsewhere(branch, seen, stands))
            home = read(_Home, await client.read(repository, "", Access.BRANCHES))
            asked = {"input": {"repositoryId": home.node_id, "refUpdates": [swap]}}
            until = looked_at + connection.FRESH
            try:
                await client.change(repository, _MOVE, asked, Access.BRANCHES, until=until)
            except StoodStill:
                continue
            except OutcomeUnknown as lost:
                await self._moved(repository, branch, seen, to, lost)
            except Refusal as refusal:
                await self._unmoved(repository, branch, seen, to, refusal)
            else:
                hidden = OutcomeUnknown(f"GitHub said that {branch} moved to {short(to)}, but does not show it there.")
                await self._moved(repository, branch, seen, to, hidden)
            return
        raise Unavailable(_SLOW)

    async def _moved(self, repository: str, branch: str, seen: Sha, to: Sha, lost: OutcomeUnknown) -> None:
        async def look() -> Sha | None:
            stands = await self._head(repository, branch)
            return None if stands == seen else stands

        stands = await self._connection.looked(look, lost)
        if stands == to:
            return
        if (await self._compared(repository, to, stands)).behind_by == 0:  # somebody else took it further since
            raise lost
        raise Conflict(_elsewhere(branch, seen, stands)) from lost

    async def _unmoved(self, repository: str, branch: str, seen: Sha, to: Sha, refusal: Refusal) -> None:
        stands = await self._head(repository, branch)
        if stands == to:
            return
        if stands != seen:
            raise Conflict(_elsewhere(branch, seen, stands)) from refusal
        if "fast forward" in refusal.said.lower():
            raise Rejected(f"{short(to)} does not come after {short(seen)}, where {branch} stands.") from refusal
        raise refusal

    async def begin(self, repository: str, branch: str, at: Sha) -> None:
        """That branch is there and stands at that commit: made, or found so."""
        client, connection = await self._connection.client(), self._connection
        ref_path(branch)

        async def find() -> bool | None:
            stands = await self._head(repository, branch)
            if stands is not None and stands != at:
                raise Conflict(f"There is a branch {branch} already, at {short(stands)} and not at {short(at)}.")
            return stands is not None or None

        for _ in range(LOOKS):
            looked_at = connection.pace.monotonic()
            if await find():
                return
            try:
                body = {"ref": f"refs/heads/{branch}", "sha": full(at)}
                until = looked_at + connection.FRESH
                await client.write(repository, "/git/refs", body, access=Access.BRANCHES, until=until)
            except StoodStill:
                continue
            except OutcomeUnknown as lost:
                await connection.looked(find, lost)
            except Refusal:
                if not await find():
                    raise
            return
        raise Unavailable(_SLOW)

    # Commits that stand on no branch yet ----------------------------------------------------------------------------

    async def reverted(self, repository: str, *, onto: Sha, commit: Sha, mainline: int, message: str) -> Sha | None:
        """A commit on top of `onto` that takes back what `commit` brought to that parent of it."""
        parent = await self._parent(repository, commit, mainline)
        return await ThreeWay(self._connection, repository).made(commit, onto, parent, message)

    async def picked(self, repository: str, *, onto: Sha, commit: Sha, mainline: int, message: str) -> Sha | None:
        """A commit on top of `onto` that brings what `commit` did to that parent of it."""
        parent = await self._parent(repository, commit, mainline)
        return await ThreeWay(self._connection, repository).made(parent, onto, commit, message)

    async def _parent(self, repository: str, commit: Sha, mainline: int) -> Sha:
        made = await ThreeWay(self._connection, repository).commit(commit)
        parents = [Sha(one.sha) for one in made.parents]
        if not 1 <= mainline <= len(parents):
            raise Rejected(f"{short(commit)} has no parent number {mainline}.")
        return parents[mainline - 1]

    # Files ----------------------------------------------------------------------------------------------------------

    async def append(self, repository: str, branch: str, path: str, *, text: str, mark: str, title: str) -> Sha:
        """The commit by which that file of that branch ends with this text; found there where it holds the mark.

        It is written only on top of what was read, so that nothing is lost and nothing stands there twice.
        """
        if not mark or mark not in text:
            message = f"{mark!r} marks a text that does not hold it"
            raise ValueError(message)
        client = await self._connection.client()
        file_path(path), ref_path(branch)
        trouble: ReleaseBotError = Unavailable(_SLOW)
        for _ in range(APPENDS):
            looked_at = self._connection.pace.monotonic()
            stands = await self._head(repository, branch)
            if stands is None:
                raise Rejected(f"{repository} has no branch {branch}.")
            old = await text_of(client, repository, path, stands) or ""
            if mark in old:
                return await self._brought(repository, stands, path, mark)
            if old and not old.endswith("\n"):
                raise Rejected(f"{path} on {branch} does not end with a line break; somebody must end its last line.")
            asked = _addition(repository, branch, stands, path, old + text.removesuffix("\n") + "\n", (title, mark))
            until = looked_at + self._connection.FRESH
            try:
                said = await client.change(repository, _APPEND, asked, Access.BRANCHES, until=until)
                return Sha(read(_Appended, said.get("createCommitOnBranch")).commit.oid)
            except StoodStill:
                continue
            except OutcomeUnknown as error:
                # It can only have been carried out where the branch stood: what is sent next to the same place loses
                # against it, and what is sent after it finds the mark.
                trouble = error
            except Refusal as refusal:
                if await self._head(repository, branch) == stands:
                    raise
                trouble = Conflict(f"{branch} moves so often that nothing can be added to {path}.")
                trouble.__cause__ = refusal
        raise trouble

    async def _brought(self, repository: str, stands: Sha, path: str, mark: str) -> Sha:
        """The commit by which the mark came into that file; where none says so, the one that the branch stands at."""
        client = await self._connection.client()
        async for page in client.each_page(repository, "/commits", sha=stands, path=path):
            for one in read_all(CommitRead, page):
                if mark in one.commit.message:
                    return Sha(one.sha)
        return stands

    # Reading --------------------------------------------------------------------------------------------------------

    async def _head(self, repository: str, branch: str) -> Sha | None:
        return await history.head(await self._connection.client(), repository, branch)

    async def _compared(self, repository: str, base: Sha, head: Sha) -> ComparisonRead:
        client = await self._connection.client()
        said = await client.read(repository, f"/compare/{full(base)}...{full(head)}")
        return read(ComparisonRead, said)


def _demand_mergeable(number: int, pull: _Pull, head: Sha) -> None:
    """What can be told without trying; that it could be merged is not."""
    if pull.state != "OPEN":
        raise Rejected(f"#{number} was closed without being merged.")
    if pull.head != head:
        raise Conflict(f"{pull.source} moved from {short(head)} to {short(pull.head)} since #{number} was looked at.")
    if pull.is_draft:
        raise Rejected(f"#{number} is still a draft.")
    if pull.mergeable == "CONFLICTING":
        raise Rejected(
            f"#{number} conflicts with {pull.target}: somebody must merge {pull.target} into {pull.source}, settle what"
            " conflicts, and push."
        )


def _became(number: int, pull: _Pull, head: Sha) -> Merged:
    made = pull.merge_commit
    if made is None:
        raise Unavailable(f"#{number} is merged; GitHub does not tell yet what became of it.")
    parents = tuple(Sha(one.oid) for one in made.parents.nodes)
    return _only_so(number, Merged(Sha(made.oid), parents, made.tree.oid), head)


def _checked(number: int, made: GitCommit, head: Sha) -> Merged:
    parents = tuple(Sha(one.sha) for one in made.parents)
    return _only_so(number, Merged(Sha(made.sha), parents, made.tree.sha), head)


def _only_so(number: int, merged: Merged, head: Sha) -> Merged:
    if len(merged.parents) == 2 and merged.parents[1] == head:
        return merged
    raise Rejected(f"#{number} is merged already, but not {short(head)} by a merge commit: see {short(merged.commit)}.")


def _elsewhere(branch: str, seen: Sha, stands: Sha | None) -> str:
    if stands is None:
        return f"{branch} is gone; it stood at {short(seen)}."
    return f"{branch} moved from {short(seen)} to {short(stands)} meanwhile."


def _addition(
    repository: str, branch: str, stands: Sha, path: str, content: str, message: tuple[str, str]
) -> Mapping[str, Any]:
    """Without an author, so that GitHub signs it."""
    title, body = message
    return {
        "input": {
            "branch": {"repositoryNameWithOwner": repository, "branchName": branch},
            "expectedHeadOid": stands,
            "fileChanges": {"additions": [{"path": path, "contents": base64.b64encode(content.encode()).decode()}]},
            "message": {"headline": title, "body": body},
        }
    }
