"""Releases: https://docs.github.com/rest/releases/releases. A tag that is missing is made, lightweight, as there."""

from __future__ import annotations

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Route, invalid, not_found
from bot.sandbox.github.git import NOTHING
from bot.sandbox.github.moves import make
from bot.sandbox.github.records import Release, as_text
from bot.sandbox.github.rules import Move


def _published(call: Call) -> list[Release]:
    return [made for made in reversed(call.repository.records.releases) if not made.draft]


def _answer(call: Call, made: Release | None, status: int = 200) -> Answer:
    if made is None:
        raise not_found()
    return Answer(status, shapes.release(call.books, call.repository, made))


async def _demand_tag(call: Call, tag: str, target: str) -> None:
    """What is published has a tag: where it is missing it is made, lightweight and unsigned."""
    repository, name = call.repository, f"refs/tags/{tag}"
    if await repository.git.ref(name) is not None:
        return
    sha = await repository.git.commit_of(target)
    if sha is None:
        raise invalid("Release", "target_commitish", "invalid")
    if not await repository.git.well_named(name):
        raise invalid("Release", "tag_name", "invalid")
    await make(call.books, repository, call.actor, [Move(name, NOTHING, sha)])


def _demand_free(call: Call, tag: str, own: Release | None = None) -> None:
    if any(made.tag == tag and not made.draft and made is not own for made in call.repository.records.releases):
        raise invalid("Release", "tag_name", "already_exists")


async def create(call: Call) -> Answer:
    repository, tag = call.repository, call.text("tag_name")
    draft = call.flag("draft", default=False)
    _demand_free(call, tag)
    target = as_text(call.body, "target_commitish", repository.default_branch)
    if not draft:
        await _demand_tag(call, tag, target)
    now = call.books.now()
    made = Release(
        call.books.new_id(),
        tag,
        target,
        call.maybe("name"),
        call.maybe("body"),
        draft,
        call.flag("prerelease", default=False),
        call.login,
        now,
        None if draft else now,
    )
    repository.records.releases.append(made)
    return _answer(call, made, 201)


def _found(call: Call) -> Release:
    for made in call.repository.records.releases:
        if str(made.id) == call.words["id"]:
            return made
    raise not_found()


async def update(call: Call) -> Answer:
    made = _found(call)
    tag, draft = as_text(call.body, "tag_name", made.tag), call.flag("draft", default=made.draft)
    target = as_text(call.body, "target_commitish", made.target)
    if not draft:
        _demand_free(call, tag, made)
        await _demand_tag(call, tag, target)
        made.published_at = made.published_at or call.books.now()
    made.tag, made.target, made.draft = tag, target, draft
    made.name = call.maybe("name") if "name" in call.body else made.name
    made.body = call.maybe("body") if "body" in call.body else made.body
    made.prerelease = call.flag("prerelease", default=made.prerelease)
    return _answer(call, made)


async def delete(call: Call) -> Answer:
    """The tag stays."""
    call.repository.records.releases.remove(_found(call))
    return Answer(204)


async def list_releases(call: Call) -> Answer:
    return call.page(
        [shapes.release(call.books, call.repository, made) for made in reversed(call.repository.records.releases)]
    )


async def latest(call: Call) -> Answer:
    return _answer(call, next((made for made in _published(call) if not made.prerelease), None))


async def by_tag(call: Call) -> Answer:
    return _answer(call, next((made for made in _published(call) if made.tag == call.words["tag"]), None))


async def by_id(call: Call) -> Answer:
    return _answer(call, _found(call))


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("POST", _REPO + "/releases", create, "contents"),
    Route("GET", _REPO + "/releases", list_releases, "contents"),
    Route("GET", _REPO + "/releases/latest", latest, "contents"),
    Route("GET", _REPO + "/releases/tags/{tag+}", by_tag, "contents"),
    Route("GET", _REPO + "/releases/{id}", by_id, "contents"),
    Route("PATCH", _REPO + "/releases/{id}", update, "contents"),
    Route("DELETE", _REPO + "/releases/{id}", delete, "contents"),
)
