"""Releases: https://docs.github.com/rest/releases/releases. A tag that is missing is made, lightweight, as there."""

from __future__ import annotations

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Route, invalid, not_found
from bot.sandbox.github.git import NOTHING
from bot.sandbox.github.moves import make
from bot.sandbox.github.records import Asset, Release, Repository, as_text
from bot.sandbox.github.rules import Move


def _published(call: Call) -> list[Release]:
    return [made for made in reversed(call.repository.records.releases) if not made.draft]


def newest(repository: Repository) -> Release | None:
    """The one that is called the latest."""
    published = [made for made in repository.records.releases if not made.draft and not made.prerelease and made.latest]
    return max(published, key=lambda made: made.latest, default=None)


def _publish(call: Call, made: Release) -> None:
    """It is public from now on; `make_latest` is what GitHub takes it for where nothing is said."""
    records = call.repository.records
    made.published_at = made.published_at or call.books.now()
    made.immutable = made.immutable or records.immutable_releases
    if as_text(call.body, "make_latest", "" if made.latest else "true") == "true":
        made.latest = max(one.latest for one in (*records.releases, made)) + 1
    elif as_text(call.body, "make_latest") == "false":
        made.latest = 0


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
        None,
    )
    repository.records.releases.append(made)
    if not draft:
        _publish(call, made)
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
    if made.immutable and (tag, target, draft) != (made.tag, made.target, made.draft):
        raise invalid("Release", "tag_name", "custom", "cannot be changed: the release is immutable")
    made.tag, made.target, made.draft = tag, target, draft
    made.name = call.maybe("name") if "name" in call.body else made.name
    made.body = call.maybe("body") if "body" in call.body else made.body
    made.prerelease = call.flag("prerelease", default=made.prerelease)
    if not draft:
        _publish(call, made)
    return _answer(call, made)


async def upload(call: Call) -> Answer:
    """A file of the release; its name is taken once: https://docs.github.com/rest/releases/assets"""
    made, name = _found(call), call.query.get("name", "")
    _demand_open(made)
    if not name or not call.content:
        raise invalid("ReleaseAsset", "name" if not name else "size", "missing_field")
    if any(one.name == name for one in made.assets):
        raise invalid("ReleaseAsset", "name", "already_exists")
    label, cut_off = call.query.get("label", ""), "upload_cut_off" in call.faults
    content, now = b"" if cut_off else call.content, call.books.now()
    asset = Asset(call.books.new_id(), name, label, call.content_type, content, call.login, now, whole=not cut_off)
    made.assets.append(asset)
    if cut_off:
        return Answer(502)
    return Answer(201, shapes.asset(call.books, call.repository, made, asset))


def _demand_open(made: Release) -> None:
    if made.immutable:
        raise invalid("ReleaseAsset", "release", "custom", "cannot be changed: the release is immutable")


def _asset(call: Call) -> tuple[Release, Asset]:
    for made in call.repository.records.releases:
        for one in made.assets:
            if str(one.id) == call.words["id"]:
                return made, one
    raise not_found()


async def asset(call: Call) -> Answer:
    made, one = _asset(call)
    if "application/octet-stream" in call.accept:
        return Answer(200, raw=one.content)
    return Answer(200, shapes.asset(call.books, call.repository, made, one))


async def delete_asset(call: Call) -> Answer:
    made, one = _asset(call)
    _demand_open(made)
    made.assets.remove(one)
    return Answer(204)


async def delete(call: Call) -> Answer:
    """The tag stays."""
    call.repository.records.releases.remove(_found(call))
    return Answer(204)


async def list_releases(call: Call) -> Answer:
    return call.page(
        [shapes.release(call.books, call.repository, made) for made in reversed(call.repository.records.releases)]
    )


async def latest(call: Call) -> Answer:
    return _answer(call, newest(call.repository))


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
    Route("GET", _REPO + "/releases/assets/{id}", asset, "contents"),
    Route("DELETE", _REPO + "/releases/assets/{id}", delete_asset, "contents"),
    Route("POST", _REPO + "/releases/{id}/assets", upload, "contents"),
    Route("GET", _REPO + "/releases/{id}", by_id, "contents"),
    Route("PATCH", _REPO + "/releases/{id}", update, "contents"),
    Route("DELETE", _REPO + "/releases/{id}", delete, "contents"),
)
