"""What would git make of a revert or a cherry-pick? Its own merge is asked, on a branch that is gone afterwards.

GitHub merges a commit into a branch and knows nothing of reverts. Two commits that nobody keeps are given the wanted
common parent; what GitHub's git makes of them has the tree that it would make of the revert or the pick.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from bot.github import history
from bot.github.connection import LOOKS, Connection
from bot.github.credentials import Access
from bot.github.names import full, ref_path
from bot.github.reading import Parent, read
from bot.github.refusal import Refusal
from commands.errors import OutcomeUnknown, Rejected, ReleaseBotError, Unavailable
from policy.model import Sha, short

SCRATCH = "release-bot/scratch/"
"""Branches that are called so are nobody's but ours, and nobody's work."""
FORGOTTEN = timedelta(minutes=15)
"""Whoever made one that is older died before it could be removed."""
# https://docs.github.com/actions, "skipping workflow runs"; checks of Apps go by the trailer
QUIET = "\n\n[skip ci]\n\n\nskip-checks: true"
WORKFLOWS = (".github", "workflows")

_Said = TypeVar("_Said")


class _Tree(BaseModel):
    sha: str


class GitCommit(BaseModel):
    """A commit as git keeps it."""

    sha: str
    tree: _Tree
    parents: list[Parent]


class _Entry(BaseModel):
    path: str
    sha: str


class _Entries(BaseModel):
    tree: list[_Entry]


class _Ref(BaseModel):
    ref: str


class _Sha(BaseModel):
    sha: str


class ThreeWay:
    """Three-way merges in one repository. Nothing of them stays but the commit that comes out."""

    def __init__(self, connection: Connection, repository: str) -> None:
        self._connection, self._repository = connection, repository

    async def made(self, base: Sha, ours: Sha, theirs: Sha, message: str) -> Sha | None:
        """A commit on top of `ours` with what `theirs` changed since `base`; None: that changes nothing there.

        `Rejected`: a conflict, or files that an App may not change. `Unavailable`: nothing came of it.
        """
        await self._sweep()
        before, wanted, stood = [await self.commit(one) for one in (ours, theirs, base)]
        if await self._workflows(wanted) != await self._workflows(stood):
            raise Rejected(f"it changes {'/'.join(WORKFLOWS)}, which the bot may not: somebody must do it by hand.")
        one = await self._new(f"Ours{QUIET}", before.tree.sha, base)
        other = await self._new(f"Theirs{QUIET}", wanted.tree.sha, base)
        tree = await self._merged(one, other, f"What {short(theirs)} changed cannot be brought onto {short(ours)}")
        return None if tree == before.tree.sha else await self._new(message, tree, ours)

    async def commit(self, commit: Sha) -> GitCommit:
        client = await self._connection.client()
        return read(GitCommit, await client.read(self._repository, f"/git/commits/{full(commit)}"))

    # The merge ------------------------------------------------------------------------------------------------------

    async def _merged(self, one: Sha, other: Sha, refused: str) -> str:
        """The tree that GitHub makes of both."""
        branch = self._name()
        try:
            await self._begin(branch, one)
            try:
                return await self._merge(branch, one, other, str(other), refused)
            except Refusal as refusal:
                if refusal.status != 404:
                    raise
            second = self._name()  # it wants to see a branch at what is merged, too
            try:
                await self._begin(second, other)
                return await self._merge(branch, one, other, second, refused)
            finally:
                await self._remove(second)
        finally:
            await self._remove(branch)

    async def _merge(self, branch: str, one: Sha, other: Sha, head: str, refused: str) -> str:
        client = await self._connection.client()
        body = {"base": branch, "head": head, "commit_message": f"Both{QUIET}"}
        try:
            made = Sha(read(_Sha, await client.write(self._repository, "/merges", body, access=Access.BRANCHES)).sha)
        except Refusal as refusal:
            if refusal.status == 409 and "conflict" in refusal.said.lower():
                raise Rejected(f"{refused}: they conflict.") from refusal
            raise
        except OutcomeUnknown as lost:

            async def look() -> Sha | None:
                stands = await history.head(client, self._repository, branch)
                return None if stands == one else stands

            made = await self._nothing_came(self._connection.looked(look, lost))
        merged = await self.commit(made)
        if [parent.sha for parent in merged.parents] != [one, other]:
            raise Unavailable("GitHub merged something else than was asked for; nothing came of it.")
        return merged.tree.sha

    async def _nothing_came(self, looking: Awaitable[_Said]) -> _Said:
        """On a branch of our own nobody minds what becomes of a write that cannot be found."""
        try:
            return await looking
        except OutcomeUnknown as error:
            raise Unavailable(str(error)) from error

    async def _new(self, message: str, tree: str, parent: Sha) -> Sha:
        """A commit on no branch. Without an author GitHub signs it; a second one hurts nobody, so it may be resent."""
        body = {"message": message, "tree": tree, "parents": [parent]}
        return Sha(read(_Sha, await self._again(lambda: self._write("/git/commits", body))).sha)

    async def _again(self, send: Callable[[], Awaitable[_Said]]) -> _Said:
        for _ in range(LOOKS - 1):
            with suppress(OutcomeUnknown):
                return await send()
        return await self._nothing_came(send())

    async def _write(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        client = await self._connection.client()
        return await client.write(self._repository, path, body, access=Access.BRANCHES)

    # Branches of our own --------------------------------------------------------------------------------------------

    def _name(self) -> str:
        return f"{SCRATCH}{self._connection.clock.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}"

    async def _begin(self, branch: str, at: Sha) -> None:
        client = await self._connection.client()
        try:
            await self._write("/git/refs", {"ref": f"refs/heads/{branch}", "sha": at})
        except OutcomeUnknown as lost:
            await self._nothing_came(
                self._connection.looked(lambda: history.head(client, self._repository, branch), lost)
            )

    async def _remove(self, branch: str) -> None:
        """It is gone; where GitHub does not let us now, whoever comes next removes it."""
        client = await self._connection.client()
        path = f"/git/refs/heads/{ref_path(branch)}"
        for _ in range(LOOKS):
            try:
                await client.write(self._repository, path, {}, method="DELETE", access=Access.BRANCHES)
            except OutcomeUnknown:
                continue
            except ReleaseBotError:
                return
            return

    async def _sweep(self) -> None:
        """Branches that somebody of us left behind are gone."""
        client = await self._connection.client()
        listed = await client.read(self._repository, f"/git/matching-refs/heads/{SCRATCH}")
        oldest = self._connection.clock.now() - FORGOTTEN
        for one in listed:
            branch = read(_Ref, one).ref.removeprefix("refs/heads/")
            if (made_at := _made_at(branch)) is not None and made_at < oldest:
                await self._remove(branch)

    # Trees ----------------------------------------------------------------------------------------------------------

    async def _workflows(self, commit: GitCommit) -> str | None:
        """What its workflows are, as the id of their tree; None: it has none."""
        client = await self._connection.client()
        at: str | None = commit.tree.sha
        for name in WORKFLOWS:
            listed = read(_Entries, await client.read(self._repository, f"/git/trees/{at}")).tree
            at = next((one.sha for one in listed if one.path == name), None)
            if at is None:
                return None
        return at


def _made_at(branch: str) -> datetime | None:
    """When that branch was made, by its name; None: it is none of ours."""
    try:
        return datetime.strptime(branch.removeprefix(SCRATCH).partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
