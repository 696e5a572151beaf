"""Git's own objects over HTTP: https://docs.github.com/rest/git. Making one moves no ref."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Any

from bot.sandbox.github import pull_life, shapes, signing
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.git import Signature
from bot.sandbox.github.moves import make
from bot.sandbox.github.records import as_text
from bot.sandbox.github.rules import Move

BLOB_MAX = 100 * 1024 * 1024  # https://docs.github.com/rest/git/blobs
ENTRIES_MAX = 100_000  # https://docs.github.com/rest/git/trees
_SHA = re.compile(r"[0-9a-f]{40}")


async def _demand(call: Call, sha: str, kind: str, message: str) -> str:
    if not _SHA.fullmatch(sha) or await call.repository.git.kind(sha) != kind:
        raise Refused(422, message)
    return sha


def signed_by(call: Call, name: str, default: Signature) -> Signature:
    """Author, committer or tagger as the body says it."""
    given = call.object(name)
    if given is None:
        return default
    when = given.get("date")
    try:
        at = datetime.fromisoformat(when) if when else call.books.now()
    except (TypeError, ValueError):
        raise Refused(422, f"Invalid request.\n\n{when!r} is not a date-time.") from None
    return Signature(str(given.get("name", default.name)), str(given.get("email", default.email)), at)


# Commits ------------------------------------------------------------------------------------------------------------


async def create_commit(call: Call) -> Answer:
    """Without author, committer and signature GitHub signs it for whoever asks."""
    books, git, body = call.books, call.repository.git, call.body
    tree = await _demand(call, call.text("tree"), "tree", "Tree SHA does not exist")
    parents = [
        await _demand(call, sha, "commit", "Parent SHA does not exist or is not a commit object")
        for sha in call.texts("parents")
    ]
    author = signed_by(call, "author", pull_life.signature(books, call.login))
    committer = signed_by(call, "committer", author)
    given = call.maybe("signature")
    sign = (lambda _: str(given)) if given else None if {"author", "committer"} & body.keys() else books.sign
    sha = await git.commit_tree(tree, parents, call.text("message"), author, committer, sign)
    (made,) = await git.commits(sha)
    return Answer(201, shapes.git_commit(books, call.repository, made))


async def get_commit(call: Call) -> Answer:
    sha = call.words["sha"]
    if not _SHA.fullmatch(sha) or await call.repository.git.kind(sha) != "commit":
        raise not_found()
    (made,) = await call.repository.git.commits(sha)
    return Answer(200, shapes.git_commit(call.books, call.repository, made))


async def merge(call: Call) -> Answer:
    """A branch gains a merge commit: https://docs.github.com/rest/branches/branches#merge-a-branch."""
    books, repository, git = call.books, call.repository, call.repository.git
    base, head = call.text("base"), call.text("head")
    ours, theirs = await git.ref(f"refs/heads/{base}"), await git.commit_of(head)
    if ours is None or theirs is None:
        raise Refused(404, "Base does not exist" if ours is None else "Head does not exist")
    if await git.contains(ours, theirs):
        return Answer(204)
    text = as_text(call.body, "commit_message", f"Merge {head} into {base}")
    made = await git.merge(ours, theirs, text, pull_life.signature(books, call.login), books.sign)
    if made is None:
        raise Refused(409, "Merge conflict")
    if not await make(books, repository, call.actor, [Move(f"refs/heads/{base}", ours, made)], status=409):
        raise Refused(409, "Base branch was modified. Review and try the merge again.")
    (commit,) = await git.commits(made)
    return Answer(201, shapes.commit(books, repository, commit))


# Trees --------------------------------------------------------------------------------------------------------------


async def _tree(call: Call, sha: str, *, deep: bool) -> dict[str, Any]:
    home = f"{shapes.repository_url(call.books, call.repository)}/git"
    entries = await call.repository.git.entries(sha, deep=deep)
    shown = []
    for entry in entries[:ENTRIES_MAX]:
        one: dict[str, Any] = {"path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha}
        url = {} if entry.kind == "commit" else {"url": f"{home}/{entry.kind}s/{entry.sha}"}
        shown.append(one | ({"size": entry.size} if entry.size is not None else {}) | url)
    return {"sha": sha, "url": f"{home}/trees/{sha}", "tree": shown, "truncated": len(entries) > ENTRIES_MAX}


async def get_tree(call: Call) -> Answer:
    git, name = call.repository.git, call.words["sha"]
    sha = name if _SHA.fullmatch(name) and await git.kind(name) == "tree" else None
    commit = None if sha else await git.commit_of(name)
    if sha is None and commit is None:
        raise not_found()
    return Answer(200, await _tree(call, sha or await git.tree_of(str(commit)), deep="recursive" in call.query))


async def create_tree(call: Call) -> Answer:
    git = call.repository.git
    base = call.maybe("base_tree")
    if base is not None and await git.kind(base) not in {"tree", "commit"}:
        raise Refused(422, "base_tree is not a valid tree")
    changes: dict[str, tuple[str, str] | None] = {}
    call.need("tree")
    for entry in call.objects("tree"):
        path = str(entry.get("path", ""))
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise Refused(422, "tree.path contains a malformed path component")
        if "content" in entry:
            sha = await git.write_object("blob", str(entry["content"]).encode())
        elif entry.get("sha") is None:
            changes[path] = None
            continue
        else:
            sha = str(entry["sha"])
            if await git.kind(sha) is None and entry.get("mode") != "160000":
                raise Refused(422, f"tree.sha {sha} is not a valid {entry.get('type', 'blob')}")
        changes[path] = (str(entry.get("mode", "100644")), sha)
    made = await git.tree_with(base, changes)
    return Answer(201, await _tree(call, made, deep=False))


# Blobs --------------------------------------------------------------------------------------------------------------


async def create_blob(call: Call) -> Answer:
    content = call.text("content")
    try:
        data = (
            base64.b64decode(content, validate=False)
            if as_text(call.body, "encoding", "utf-8") == "base64"
            else content.encode()
        )
    except binascii.Error:
        raise Refused(422, "content is not valid Base64") from None
    sha = await call.repository.git.write_object("blob", data)
    return Answer(201, {"sha": sha, "url": f"{shapes.repository_url(call.books, call.repository)}/git/blobs/{sha}"})


async def get_blob(call: Call) -> Answer:
    git, sha = call.repository.git, call.words["sha"]
    if not _SHA.fullmatch(sha) or await git.kind(sha) != "blob":
        raise not_found()
    data = await git.blob(sha)
    if call.wants_raw:
        return Answer(200, raw=data)
    return Answer(
        200,
        {
            "sha": sha,
            "node_id": shapes.node_id("Blob", sha),
            "size": len(data),
            "url": f"{shapes.repository_url(call.books, call.repository)}/git/blobs/{sha}",
            "content": base64.encodebytes(data).decode(),
            "encoding": "base64",
        },
    )


# Annotated tags -----------------------------------------------------------------------------------------------------


async def create_tag(call: Call) -> Answer:
    """The object only: the ref is made by another call, and nobody signs it."""
    git, kind = call.repository.git, call.text("type")
    sha = await _demand(call, call.text("object"), kind, f"Could not verify object {call.body.get('object')}")
    tagger = signed_by(call, "tagger", pull_life.signature(call.books, call.login))
    text = f"object {sha}\ntype {kind}\ntag {call.text('tag')}\ntagger {tagger}\n\n{call.text('message')}\n"
    made = await git.write_object("tag", text.encode())
    return Answer(201, await _tag(call, made))


async def get_tag(call: Call) -> Answer:
    sha = call.words["sha"]
    if not _SHA.fullmatch(sha) or await call.repository.git.kind(sha) != "tag":
        raise not_found()
    return Answer(200, await _tag(call, sha))


async def _tag(call: Call, sha: str) -> dict[str, Any]:
    made = await call.repository.git.tag(sha)
    home = f"{shapes.repository_url(call.books, call.repository)}/git"
    verified = await signing.of_tag(call.books, call.repository.git, sha)
    return {
        "node_id": shapes.node_id("Tag", sha),
        "tag": made.name,
        "sha": sha,
        "url": f"{home}/tags/{sha}",
        "message": made.message,
        "tagger": shapes.signature(made.tagger),
        "object": {"type": made.kind, "sha": made.target, "url": f"{home}/{made.kind}s/{made.target}"},
        "verification": shapes.verification(verified, made.tagger.at),
    }


_GIT = "/repos/{owner}/{repo}/git"
ROUTES = (
    Route("POST", _GIT + "/commits", create_commit, "contents"),
    Route("GET", _GIT + "/commits/{sha}", get_commit, "contents"),
    Route("POST", "/repos/{owner}/{repo}/merges", merge, "contents"),
    Route("GET", _GIT + "/trees/{sha+}", get_tree, "contents"),
    Route("POST", _GIT + "/trees", create_tree, "contents"),
    Route("POST", _GIT + "/blobs", create_blob, "contents"),
    Route("GET", _GIT + "/blobs/{sha}", get_blob, "contents"),
    Route("POST", _GIT + "/tags", create_tag, "contents"),
    Route("GET", _GIT + "/tags/{sha}", get_tag, "contents"),
)
