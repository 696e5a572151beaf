"""How is a release made of a tag? Drafted, its files uploaded, published last; each looked for first: `Releases`."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from bot.github import known
from bot.github.connection import LOOKS, Connection
from bot.github.credentials import Access
from bot.github.names import full, ref_path
from bot.github.pace import StoodStill
from bot.github.reading import read, read_all
from bot.github.refusal import Refusal
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.ports import Release
from policy.model import Sha, short

_SLOW = "GitHub answers so slowly that no release can be made safely; nothing was sent."
PAGES_MAX = 100  # of a hundred each; GitHub lists 10,000 (https://docs.github.com/rest/releases/releases#list-releases)
UPLOADED = "uploaded"
JSON = "application/json; charset=utf-8"

_Found = TypeVar("_Found")


class _Asset(BaseModel):
    id: int
    name: str
    state: str
    size: int = 0
    digest: str | None = None


class _Release(BaseModel):
    id: int
    tag_name: str
    draft: bool
    body: str | None = None
    html_url: str = ""
    upload_url: str = ""
    assets: list[_Asset] = Field(default_factory=list)

    def release(self, mark: str) -> Release:
        files = {one.name: (one.digest or "") if one.state == UPLOADED else "" for one in self.assets}
        return Release(self.id, self.tag_name, not self.draft, self.html_url, files, mark in (self.body or ""))


class GitHubReleases:
    """GitHub's releases, over the connection that reads go over too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def released(self, repository: str, tag: str, mark: str) -> Release | None:
        """The public one of that tag, else the draft with that mark, else the only draft; None: there is none."""
        client = await self._connection.client()
        # drafts are told to nobody who asks by tag
        pages = client.pages(repository, "/releases", access=Access.BRANCHES, most=PAGES_MAX)
        listed = read_all(_Release, await pages)
        found = [one for one in listed if one.tag_name == tag]
        public = [one for one in found if not one.draft]
        ours = [one for one in found if mark in (one.body or "")]
        if not public and not ours and len(found) > 1:
            raise Rejected(
                f"{len(found)} releases of {tag} are drafted in {repository}; which one is meant is not known."
            )
        chosen = min(public or ours or found, key=lambda one: one.id, default=None)
        return None if chosen is None else chosen.release(mark)

    async def latest(self, repository: str) -> str:
        """The tag of the release that GitHub calls the latest; empty: there is none."""
        client = await self._connection.client()
        try:
            return read(_Release, await client.read(repository, "/releases/latest")).tag_name
        except Refusal as refusal:
            if refusal.status == 404:
                return ""
            raise

    async def draft(self, repository: str, *, tag: str, commit: Sha, title: str, body: str, mark: str) -> Release:
        """As `released`; else one is drafted, for a tag that is on exactly that commit, with the mark in its body."""
        client = await self._connection.client()

        async def find() -> Release | None:
            return await self.released(repository, tag, mark)

        async def make(until: float) -> Any:  # noqa: ANN401 - JSON
            await self._demand_tag(repository, tag, commit)
            said = {
                "tag_name": tag,
                "target_commitish": full(commit),
                "name": title,
                "body": f"{body}\n\n{mark}\n",
                "draft": True,
            }
            return await client.write(repository, "/releases", said, access=Access.BRANCHES, until=until)

        made = await self._once(find, make)
        return made if isinstance(made, Release) else read(_Release, made).release(mark)

    async def attach(self, repository: str, release: Release, name: str, content: bytes) -> None:
        """It holds that file: found with the same content, or else uploaded. `Rejected`: another is there."""
        client, digest = await self._connection.client(), f"sha256:{hashlib.sha256(content).hexdigest()}"

        async def stands() -> _Release:
            said = await client.read(repository, f"/releases/{release.id}", access=Access.BRANCHES)
            return read(_Release, said)

        async def find() -> bool | None:
            made = await stands()
            for one in made.assets:
                if one.name != name:
                    continue
                if one.state != UPLOADED:  # it was cut off, and its name is taken
                    path = f"/releases/assets/{one.id}"
                    await client.write(repository, path, {}, method="DELETE", access=Access.BRANCHES)
                    return None
                if one.size != len(content) or (one.digest or digest) != digest:
                    raise Rejected(f"The release of {release.tag} holds another {name} already.")
                return True
            return None

        async def make(until: float) -> Any:  # noqa: ANN401 - JSON
            return await client.upload(repository, (await stands()).upload_url, name, content, JSON, until=until)

        await self._once(find, make)

    async def publish(self, repository: str, release: Release, *, commit: Sha, latest: bool) -> Release:
        """It is public, its tag still on that commit; found so, or made so."""
        client, path = await self._connection.client(), f"/releases/{release.id}"

        async def find() -> _Release | None:
            made = read(_Release, await client.read(repository, path, access=Access.BRANCHES))
            return None if made.draft else made

        async def make(until: float) -> Any:  # noqa: ANN401 - JSON
            await self._demand_tag(repository, release.tag, commit)
            said = {"draft": False, "make_latest": "true" if latest else "false"}
            return await client.write(repository, path, said, method="PATCH", access=Access.BRANCHES, until=until)

        made = await self._once(find, make)
        public = made if isinstance(made, _Release) else read(_Release, made)
        if public.draft:
            raise OutcomeUnknown(f"GitHub still calls the release of {release.tag} a draft.")
        return public.release("")

    async def _demand_tag(self, repository: str, tag: str, commit: Sha) -> None:
        """GitHub would make a missing tag by itself, lightweight and unsigned: that is nobody's release."""
        ref_path(tag)
        found = await known.tagged(await self._connection.client(), repository, tag)
        if found is None:
            raise Rejected(f"{repository} has no tag {tag}, and a release of it would make one that nobody signed.")
        if found.commit != commit:
            raise Rejected(f"{tag} of {repository} is on {short(found.commit)} now, not on {short(commit)}.")

    async def _once(
        self, look: Callable[[], Awaitable[_Found | None]], make: Callable[[float], Awaitable[Any]]
    ) -> _Found | Any:  # noqa: ANN401 - JSON
        """What `look` finds, or the answer to a write that was sent right after it had found nothing."""
        connection = self._connection
        for _ in range(LOOKS):
            looked_at = connection.pace.monotonic()
            found = await look()
            if found is not None:
                return found
            try:
                return await make(looked_at + connection.FRESH)
            except OutcomeUnknown as lost:
                return await connection.looked(look, lost)
            except StoodStill:
                continue
        raise Unavailable(_SLOW)
