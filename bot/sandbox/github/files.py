"""Files of a branch: https://docs.github.com/rest/repos/contents. Each change is one commit with one file."""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from collections.abc import Mapping
from typing import Any

from bot.sandbox.github import pull_life, shapes
from bot.sandbox.github.call import Answer, Call, Refused, Route, not_found
from bot.sandbox.github.git import Signature
from bot.sandbox.github.moves import make, somebody_pushes
from bot.sandbox.github.objects import signed_by
from bot.sandbox.github.records import Actor, Books, Repository
from bot.sandbox.github.rules import Move

INLINE_MAX = 1024 * 1024  # above it `content` is empty: https://docs.github.com/rest/repos/contents


def _entry(call: Call, at: str, path: str, kind: str, sha: str, size: int) -> dict[str, Any]:
    url = shapes.repository_url(call.books, call.repository)
    quoted, named = urllib.parse.quote(path), urllib.parse.quote(at, safe="")
    here = f"{url}/contents/{quoted}?ref={named}"
    web = f"{shapes.web_url(call.books, call.repository)}/blob/{named}/{quoted}"
    there = f"{url}/git/{kind}s/{sha}"
    return {
        "type": "dir" if kind == "tree" else "file",
        "size": size,
        "name": path.rsplit("/", 1)[-1],
        "path": path,
        "sha": sha,
        "url": here,
        "git_url": there,
        "html_url": web,
        "download_url": f"{web}?raw=1" if kind == "blob" else None,
        "_links": {"self": here, "git": there, "html": web},
    }


async def get(call: Call) -> Answer:
    git, path = call.repository.git, call.words.get("path", "").strip("/")
    at = call.query.get("ref") or call.repository.default_branch
    commit = await git.commit_of(at)
    if commit is None:
        raise Refused(404, f"No commit found for the ref {at}")
    entry = await git.entry(commit, path) if path else ("tree", await git.tree_of(commit))
    if entry is None:
        raise not_found()
    kind, sha = entry
    if kind == "tree":
        inside = await git.entries(sha, deep=False)
        within = f"{path}/" if path else ""
        return Answer(200, [_entry(call, at, within + one.path, one.kind, one.sha, one.size or 0) for one in inside])
    content = await git.blob(sha)
    if call.wants_raw:
        return Answer(200, raw=content)
    small = len(content) <= INLINE_MAX
    shown = _entry(call, at, path, "blob", sha, len(content))
    said = {"content": base64.encodebytes(content).decode(), "encoding": "base64"}
    return Answer(200, shown | (said if small else {"content": "", "encoding": "none"}))


async def commit_files(
    books: Books,
    repository: Repository,
    actor: Actor,
    move: tuple[str, str],
    files: Mapping[str, bytes | None],
    message: str,
    author: Signature | None = None,
    committer: Signature | None = None,
) -> str | None:
    """The branch (its name and where it stands) has one commit more; None: it stood elsewhere. 409 by its rules.

    Without an author GitHub signs the commit for the actor.
    """
    git, (branch, tip) = repository.git, move
    changes: dict[str, tuple[str, str] | None] = {}
    for path, content in files.items():
        mode = await git.mode(tip, path) or "100644"
        changes[path] = None if content is None else (mode, await git.write_object("blob", content))
    tree = await git.tree_with(tip, changes)
    who = author or committer or pull_life.signature(books, actor.login)
    sign = books.sign if author is None and committer is None else None
    made = await git.commit_tree(tree, (tip,), message, who, committer or who, sign)
    moved = await make(books, repository, actor, [Move(f"refs/heads/{branch}", tip, made)], status=409)
    return made if moved else None


async def put(call: Call) -> Answer:
    books, repository, git, path = call.books, call.repository, call.repository.git, call.words["path"]
    branch = call.maybe("branch") or repository.default_branch
    tip = await git.ref(f"refs/heads/{branch}")
    if tip is None:
        raise Refused(404, f"Branch {branch} not found")
    try:
        content = base64.b64decode(call.text("content"))
    except binascii.Error:
        raise Refused(422, "content is not valid Base64") from None
    entry, given = await git.entry(tip, path), call.maybe("sha")
    if entry is not None and given is None:
        raise Refused(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if entry is not None and given != entry[1]:  # for a new path it is ignored, as there
        raise Refused(409, f"{path} does not match {given}")
    whose = pull_life.signature(books, call.login)
    author = signed_by(call, "author", whose) if "author" in call.body else None
    committer = signed_by(call, "committer", whose) if "committer" in call.body else None
    if "base_moved" in call.faults:
        await somebody_pushes(books, repository, branch)
    made = await commit_files(
        books, repository, call.actor, (branch, tip), {path: content}, call.text("message"), author, committer
    )
    if made is None:
        now = await git.ref(f"refs/heads/{branch}")
        raise Refused(409, f"{branch} is at {now} but expected {tip}")
    written, (commit,) = await git.entry(made, path), await git.commits(made)
    shown = _entry(call, branch, path, "blob", written[1] if written else "", len(content))
    return Answer(200 if entry else 201, {"content": shown, "commit": shapes.git_commit(books, repository, commit)})


_HERE = "/repos/{owner}/{repo}/contents"
ROUTES = (
    Route("GET", _HERE, get, "contents"),
    Route("GET", _HERE + "/{path+}", get, "contents"),
    Route("PUT", _HERE + "/{path+}", put, "contents"),
)
