"""Refs: https://docs.github.com/rest/git/refs. Every move is git's own compare and swap."""

from __future__ import annotations

import re

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.git import NOTHING
from bot.sandbox.github.moves import make
from bot.sandbox.github.rules import Move

_SHA = re.compile(r"[0-9a-f]{40}")


async def _answer(call: Call, name: str, sha: str, status: int = 200) -> Answer:
    kind = await call.repository.git.kind(sha) or "commit"
    return Answer(status, shapes.git_ref(call.books, call.repository, name, sha, kind))


async def _object(call: Call) -> str:
    sha = call.text("sha")
    if not _SHA.fullmatch(sha):
        raise Refused(422, "The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
    if await call.repository.git.kind(sha) is None:
        raise Refused(422, "Object does not exist")
    return sha


async def get(call: Call) -> Answer:
    name = f"refs/{call.words['ref']}"
    sha = await call.repository.ref(name)
    if sha is None:
        raise not_found()
    return await _answer(call, name, sha)


async def matching(call: Call) -> Answer:
    found = await call.repository.refs(f"refs/{call.words['ref']}")
    return Answer(200, [(await _answer(call, name, sha)).body for name, sha in found.items()])


async def create(call: Call) -> Answer:
    name, git = call.text("ref"), call.repository.git
    if not re.fullmatch(r"refs/[^/]+/.+", name):
        raise Refused(422, "Reference name must start with 'refs/' and contain at least two slashes.")
    if not await git.well_named(name):
        raise Refused(422, f"{name} is not a valid ref name.")
    sha = await _object(call)
    move = Move(name, NOTHING, sha)
    if await git.ref(name) is not None or not await make(call.books, call.repository, call.actor, [move]):
        raise Refused(422, "Reference already exists")
    return await _answer(call, name, sha, 201)


async def update(call: Call) -> Answer:
    name, git = f"refs/{call.words['ref']}", call.repository.git
    force = call.flag("force", default=False)
    old = await git.ref(name)
    if old is None:
        raise Refused(422, "Reference does not exist")
    sha = await _object(call)
    if not force and not await git.contains(sha, old):
        raise Refused(422, "Update is not a fast forward")
    if not await make(call.books, call.repository, call.actor, [Move(name, old, sha)]):
        raise Refused(422, "Reference cannot be updated")  # somebody else moved it meanwhile
    return await _answer(call, name, sha)


async def delete(call: Call) -> Answer:
    name, git = f"refs/{call.words['ref']}", call.repository.git
    old = await git.ref(name)
    if old is None or not await make(call.books, call.repository, call.actor, [Move(name, old, NOTHING)]):
        raise Refused(422, "Reference does not exist")
    return Answer(204)


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", _REPO + "/git/ref/{ref+}", get, "contents"),
    Route("GET", _REPO + "/git/matching-refs/{ref+}", matching, "contents"),
    Route("POST", _REPO + "/git/refs", create, "contents"),
    Route("PATCH", _REPO + "/git/refs/{ref+}", update, "contents"),
    Route("DELETE", _REPO + "/git/refs/{ref+}", delete, "contents"),
)
