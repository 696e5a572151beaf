"""Releases: https://docs.github.com/rest/releases/releases. A tag that is missing is made, lightweight, as there."""

from __future__ import annotations

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route, invalid, not_found
from bot.sandbox.github.git import NOTHING
from bot.sandbox.github.records import Release, as_text


def _published(call: Call) -> list[Release]:
    return [made for made in reversed(call.repository.records.releases) if not made.draft]


def _answer(call: Call, made: Release | None, status: int = 200) -> Answer:
    if made is None:
        raise not_found()
    return Answer(status, shapes.release(call.books, call.repository, made))


async def create(call: Call) -> Answer:
    repository, tag = call.repository, call.text("tag_name")
    draft = call.flag("draft", default=False)
    if any(made.tag == tag and not made.draft for made in repository.records.releases):
        raise invalid("Release", "tag_name", "already_exists")
    target = as_text(call.body, "target_commitish", repository.default_branch)
    name = f"refs/tags/{tag}"
    if not draft and await repository.git.ref(name) is None:
        sha = await repository.git.commit_of(target)
        if sha is None:
            raise invalid("Release", "target_commitish", "invalid")
        if not await repository.git.well_named(name):
            raise Refused(422, "Validation Failed", [{"resource": "Release", "field": "tag_name", "code": "invalid"}])
        await repository.git.swap(name, sha, NOTHING)
        repository.refs_before = {name: None}
    now = call.books.now()
    made = Release(
        call.books.new_id(),
        tag,
        target,
        call.body.get("name"),
        call.body.get("body"),
        draft,
        call.flag("prerelease", default=False),
        call.login,
        now,
        None if draft else now,
    )
    repository.records.releases.append(made)
    return _answer(call, made, 201)


async def list_releases(call: Call) -> Answer:
    return call.page(
        [shapes.release(call.books, call.repository, made) for made in reversed(call.repository.records.releases)]
    )


async def latest(call: Call) -> Answer:
    return _answer(call, next((made for made in _published(call) if not made.prerelease), None))


async def by_tag(call: Call) -> Answer:
    return _answer(call, next((made for made in _published(call) if made.tag == call.words["tag"]), None))


async def by_id(call: Call) -> Answer:
    wanted = call.words["id"]
    return _answer(call, next((made for made in call.repository.records.releases if str(made.id) == wanted), None))


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("POST", _REPO + "/releases", create, "contents"),
    Route("GET", _REPO + "/releases", list_releases, "contents"),
    Route("GET", _REPO + "/releases/latest", latest, "contents"),
    Route("GET", _REPO + "/releases/tags/{tag+}", by_tag, "contents"),
    Route("GET", _REPO + "/releases/{id}", by_id, "contents"),
)
