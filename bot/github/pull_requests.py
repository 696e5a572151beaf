"""By which pull requests did something come, what do they say, and who agreed to them?"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, Field

from bot.github import codeowners, names, protection
from bot.github.credentials import Access
from bot.github.reading import Author, CommitRead, read, read_all
from bot.github.refusal import Refusal
from bot.github.written import sections
from commands.errors import Rejected, Unavailable
from commands.ports import Look
from policy.evidence import PullRequest
from policy.model import Sha

if TYPE_CHECKING:
    from bot.github.client import Client

COMMITS_MAX = 250  # https://docs.github.com/rest/pulls/pulls#list-commits-on-a-pull-request
FILES_MAX = 3000  # same page, "list pull requests files"
FILE_PAGES = 31
COUNTED = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})
"""Of a user's reviews, the newest of these holds; a comment changes nothing."""
MAY_WRITE = frozenset({"admin", "maintain", "write"})

_Found = TypeVar("_Found")


class _User(BaseModel):
    login: str
    type: str = "User"


class _End(BaseModel):
    ref: str
    sha: str


class _Label(BaseModel):
    name: str


class _Milestone(BaseModel):
    title: str


class PullRead(BaseModel):
    number: int
    title: str
    body: str | None = None
    user: Author | None = None
    labels: list[_Label] = Field(default_factory=list)
    milestone: _Milestone | None = None
    assignees: list[_User] | None = None
    head: _End
    base: _End
    state: str = ""
    merged_at: datetime | None = None
    html_url: str = ""
    draft: bool = False

    def fields(self) -> dict[str, str]:
        """The sections of its text, and besides them `milestone` and `assignees` where no section is called so."""
        aside = {
            "milestone": self.milestone.title if self.milestone else "",
            "assignees": " ".join(sorted(one.login for one in self.assignees or ())),
        }
        return {**{key: said for key, said in aside.items() if said}, **sections(self.body or "")}


class _Review(BaseModel):
    id: int
    state: str
    user: _User | None = None
    commit_id: str | None = None


class _Permission(BaseModel):
    permission: str


class _Membership(BaseModel):
    state: str


class _File(BaseModel):
    filename: str
    previous_filename: str | None = None


class PullRequests:
    """Those of one repository, for as long as one question is asked: what several share is read once."""

    def __init__(self, client: Client, repository: str) -> None:
        self._client, self._repository = client, repository
        self._shared: dict[tuple[str, ...], asyncio.Future[Any]] = {}

    async def of(self, commit: Sha) -> PullRead | None:
        """The merged one that the commit first came by; None: it came by none."""
        path = f"/commits/{names.full(commit)}/pulls"
        listed = read_all(PullRead, await self._client.pages(self._repository, path, access=Access.PULL_REQUESTS))
        # later ones promoted it; off the default branch those that are still open are listed too
        merged = [(one.merged_at, one.number, one) for one in listed if one.merged_at is not None]
        return min(merged)[2] if merged else None

    async def open_between(self, source: str, target: str) -> PullRead | None:
        """The open one from the one branch to the other, of this repository and no fork."""
        owner = self._repository.partition("/")[0]
        listed = await self._client.pages(
            self._repository, "/pulls", access=Access.PULL_REQUESTS, state="open", head=f"{owner}:{source}", base=target
        )
        # where a filter is not understood it is ignored, so it is compared again
        found = [one for one in read_all(PullRead, listed) if (one.head.ref, one.base.ref) == (source, target)]
        if len(found) > 1:
            raise Rejected(f"{len(found)} pull requests are open from {source} to {target}.")
        return found[0] if found else None

    async def seen(self, pull: PullRead, look: frozenset[Look]) -> PullRequest:
        """With what there is to see of it besides what it says."""
        authors, approved_by, unowned, failed = await asyncio.gather(
            self._authors(pull) if Look.REVIEWS in look else _nothing(frozenset({_login(pull.user)} - {""})),
            self._approved_by(pull) if look & {Look.REVIEWS, Look.OWNERS} else _nothing(frozenset[str]()),
            self._changed(pull) if Look.OWNERS in look else _nothing(()),
            self._failed(pull) if Look.CHECKS in look else _nothing(()),
        )
        return PullRequest(
            number=pull.number,
            title=pull.title,
            labels=frozenset(label.name for label in pull.labels),
            fields=pull.fields(),
            authors=authors,
            approved_by=approved_by,
            owners_missing=await self._disowned(pull, unowned, approved_by) if unowned else (),
            failed=failed,
            head=pull.head.ref,
            base=pull.base.ref,
            url=pull.html_url,
            description=text_hash(pull.body or ""),
            draft=pull.draft,
        )

    async def _authors(self, pull: PullRead) -> frozenset[str]:
        path = f"/pulls/{pull.number}/commits"
        listed = await self._client.pages(self._repository, path, access=Access.PULL_REQUESTS)
        if len(listed) >= COMMITS_MAX:
            raise Rejected(f"#{pull.number} has {COMMITS_MAX} commits or more; who wrote the rest is not told.")
        made = [one.change() for one in read_all(CommitRead, listed)]
        return frozenset({_login(pull.user), *(name for one in made for name in (one.author, *one.others))} - {""})

    async def _approved_by(self, pull: PullRead) -> frozenset[str]:
        """Those whose newest review approves exactly its last commit: people who may write here, and not its author."""
        path = f"/pulls/{pull.number}/reviews"
        listed = read_all(_Review, await self._client.pages(self._repository, path, access=Access.PULL_REQUESTS))
        newest: dict[str, _Review] = {}
        for review in listed:  # in the order in which they were given
            if review.user is not None and review.state in COUNTED:
                newest[review.user.login] = review
        agreed = [
            review.user.login
            for review in newest.values()
            if review.user is not None
            and (review.state, review.commit_id, review.user.type) == ("APPROVED", pull.head.sha, "User")
            and review.user.login.casefold() != _login(pull.user).casefold()
        ]
        may = await asyncio.gather(*(self._may_write(login) for login in agreed))
        return frozenset(login for login, writes in zip(agreed, may, strict=True) if writes)

    async def _may_write(self, login: str) -> bool:
        async def ask() -> bool:
            said = await self._client.read(self._repository, f"/collaborators/{names.part(login)}/permission")
            return read(_Permission, said).permission in MAY_WRITE

        return await self._once(("writes", login), ask)

    async def _changed(self, pull: PullRead) -> tuple[str, ...]:
        """Every path that it touches; of what was renamed, both names."""
        path = f"/pulls/{pull.number}/files"
        listed = await self._client.pages(self._repository, path, access=Access.PULL_REQUESTS, most=FILE_PAGES)
        if len(listed) >= FILES_MAX:
            raise Rejected(f"#{pull.number} touches {FILES_MAX} files or more; the rest is not told.")
        files = read_all(_File, listed)
        return tuple(dict.fromkeys(name for file in files for name in (file.filename, file.previous_filename) if name))

    async def _disowned(self, pull: PullRead, paths: Iterable[str], approved_by: frozenset[str]) -> tuple[str, ...]:
        """Of these, those that have owners, none of whom approved: by the owners that its base names."""
        file = await self._once(
            ("owners", pull.base.sha), lambda: owners_at(self._client, self._repository, pull.base.sha)
        )
        wanted = {path: owners for path in paths if (owners := codeowners.owners(file, path))}
        agreed = {
            owners for owners in set(wanted.values()) for owner in owners if await self._is_one_of(owner, approved_by)
        }
        return tuple(path for path, owners in wanted.items() if owners not in agreed)

    async def _is_one_of(self, owner: str, approved_by: frozenset[str]) -> bool:
        """Whether that owner, or one of that team, is among them. Whose an address is, nobody tells."""
        if not owner.startswith("@"):
            return False
        organisation, slash, team = owner[1:].partition("/")
        if not slash:
            return organisation in {login.casefold() for login in approved_by}
        for login in sorted(approved_by):
            if await self._member(organisation, team, login):
                return True
        return False

    async def _member(self, organisation: str, team: str, login: str) -> bool:
        async def ask() -> bool:
            url = f"/orgs/{names.part(organisation)}/teams/{names.part(team)}/memberships/{names.part(login)}"
            try:
                said = await self._client.outside(self._repository, url, Access.TEAMS)
            except Refusal as refusal:
                if refusal.status == 404:
                    return False
                raise
            return read(_Membership, said).state == "active"

        return await self._once(("team", organisation, team, login), ask)

    async def _failed(self, pull: PullRead) -> tuple[str, ...]:
        """Checks that its base requires and that its last commit had not passed when it was merged."""
        base = pull.base.ref
        wanted = await self._once(("required", base), lambda: protection.required(self._client, self._repository, base))
        return await protection.not_passed(
            self._client, self._repository, wanted, Sha(pull.head.sha), by=pull.merged_at
        )

    async def _once(self, what: tuple[str, ...], ask: Callable[[], Awaitable[_Found]]) -> _Found:
        if what not in self._shared:
            self._shared[what] = asyncio.ensure_future(ask())
        found: _Found = await asyncio.shield(self._shared[what])
        return found


async def owners_at(client: Client, repository: str, ref: str) -> tuple[codeowners.Line, ...]:
    """What CODEOWNERS says there, empty: on the default branch; `Rejected` where GitHub finds it wrong."""
    for place in codeowners.PLACES:
        text = await text_of(client, repository, place, ref)
        if text is None:
            continue
        if len(text.encode()) >= codeowners.BYTES_MAX:
            raise Rejected(f"{place} is too large for GitHub to read.")
        wrong = await client.read(repository, "/codeowners/errors", **_at(ref))
        if not isinstance(wrong, dict) or wrong.get("errors") != []:
            raise Rejected(f"{place} has lines that GitHub does not understand; who owns what is not known.")
        return codeowners.lines(text)
    return ()


def text_hash(body: str) -> str:
    """By which the description of a pull request is known again: SHA-256, hex."""
    return hashlib.sha256(body.encode()).hexdigest()


async def text_of(client: Client, repository: str, path: str, ref: str) -> str | None:
    """What the file holds; None: there is no such file."""
    try:
        said = await client.read(repository, f"/contents/{names.file_path(path)}", **_at(ref))
    except Refusal as refusal:
        if refusal.status == 404:
            return None
        raise
    if not isinstance(said, dict):
        return None  # a directory
    if said.get("encoding") == "none":  # larger than 1 MB
        said = await client.read(repository, f"/git/blobs/{names.part(str(said.get('sha')))}")
    try:
        return base64.b64decode(said["content"]).decode()
    except (KeyError, TypeError, binascii.Error, UnicodeDecodeError) as error:
        raise Unavailable(f"{path} could not be read.") from error


def _at(ref: str) -> dict[str, Any]:
    return {"ref": ref} if ref else {}


def _login(user: Author | None) -> str:
    return user.login or "" if user is not None else ""


async def _nothing(found: _Found) -> _Found:
    return found
