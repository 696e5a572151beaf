"""How does git itself speak with the local GitHub? Cloned, fetched from and pushed to over HTTP, by the same rules.

Reading is git's own: `git http-backend`. What is pushed is unpacked first and then judged, ref by ref, as any other
move of a ref: https://git-scm.com/docs/http-protocol, https://git-scm.com/docs/pack-protocol.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Iterator

from aiohttp import web

from bot.sandbox.github import apps
from bot.sandbox.github.call import Refused
from bot.sandbox.github.git import NOTHING, GitFailed
from bot.sandbox.github.moves import make
from bot.sandbox.github.records import Books, Repository, Token
from bot.sandbox.github.rules import Move

_PATH = re.compile(r"/([\w.-]+/[\w.-]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)")
_MOVE = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]+)(?:\0([^\n]*))?\n?")
_PUSH = "git-receive-pack"
BAND_MAX = 65_515
"""Bytes of one packet beside its length and band."""


def is_git(path: str) -> bool:
    """Whether it is git who asks there."""
    return _PATH.fullmatch(path) is not None


async def answer(books: Books, request: web.Request, raw: bytes) -> web.Response:
    """What git is told; 401 and 404 as the API says them."""
    found = _PATH.fullmatch(request.path)
    repository = books.repository(found[1]) if found is not None else None
    pushes = request.path.endswith(_PUSH) or request.query.get("service") == _PUSH
    try:
        token = _token(books, request.headers.get("Authorization", ""))
        if found is None or repository is None or not token.sees(repository):
            return web.Response(status=404, text="Repository not found.")
        if not _may(books, repository, token, pushes=pushes):
            return web.Response(status=403, text=f"Permission to {repository.full_name}.git denied to {token.login}.")
    except Refused as refused:
        return web.Response(status=refused.status, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
    if found[2] == _PUSH:
        said = await _received(books, repository, token, raw)
        return web.Response(body=said, content_type=f"application/x-{_PUSH}-result")
    return await _read(repository, request, raw, found[2], token.login)


def _token(books: Books, header: str) -> Token:
    """Whose password is a token: whatever they call themselves."""
    kind, _, rest = header.partition(" ")
    try:
        password = base64.b64decode(rest).decode().partition(":")[2] if kind == "Basic" else rest
    except (binascii.Error, UnicodeDecodeError):
        password = ""
    token, _ = apps.let_in(books, f"Bearer {password}")
    if token is None:
        raise Refused(401, "Bad credentials")
    return token


def _may(books: Books, repository: Repository, token: Token, *, pushes: bool) -> bool:
    if token.app is not None:
        return token.may("contents", "write" if pushes else "read")
    return books.can_write(repository, token.login) if pushes else books.role(repository, token.login) != "none"


async def _read(repository: Repository, request: web.Request, raw: bytes, path: str, login: str) -> web.Response:
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        env={
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(repository.git.directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "PATH_INFO": f"/{path}",
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(raw)),
            "REMOTE_USER": login,
            "REMOTE_ADDR": "127.0.0.1",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(raw)
    head, _, body = out.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split()[0])
    return web.Response(status=status, headers=headers, body=body)


# Pushing ------------------------------------------------------------------------------------------------------------


async def _received(books: Books, repository: Repository, token: Token, raw: bytes) -> bytes:
    """What became of each ref that was to move."""
    wanted, pack = _parsed(raw)
    if not wanted:
        return b""  # git asks whether it may send something large
    bands = b"side-band-64k" in (wanted[0][4] or b"")
    try:
        if pack:
            await repository.git.run("index-pack", "--stdin", "--fix-thin", given=pack)
    except GitFailed as failed:
        return _report(bands, [f"unpack {failed}"], [])
    actor = books.actor(repository, token.login, token.app.id if token.app else 0)
    said, words = ["unpack ok"], list[str]()
    repository.remember()
    for one in wanted:
        old, new, name = one[1].decode(), one[2].decode(), one[3].decode(errors="replace")
        try:
            known = new == NOTHING or await repository.git.kind(new) is not None
            if not known or not await repository.git.well_named(name):
                said.append(f"ng {name} {'funny refname' if known else 'missing necessary objects'}")
            elif await make(books, repository, actor, [Move(name, old, new)]):
                said.append(f"ok {name}")
            else:
                said.append(f"ng {name} failed to update ref")
        except Refused as refused:
            said.append(f"ng {name} protected branch hook declined")
            words += [f"error: GH006: Protected branch update failed for {name}.", f"error: {refused.message}"]
    return _report(bands, said, words)


def _parsed(raw: bytes) -> tuple[list[re.Match[bytes]], bytes]:
    """The moves that are wanted, and the pack behind them."""
    moves, at = [], 0
    while (length := int(raw[at : at + 4] or b"0", 16)) >= 4:
        found = _MOVE.fullmatch(raw[at + 4 : at + length])
        if found is not None:
            moves.append(found)
        at += length
    return moves, raw[at + 4 :]


def _report(bands: bool, said: list[str], words: list[str]) -> bytes:  # noqa: FBT001 - a value, not a switch
    lines = b"".join(_packet(f"{line}\n".encode()) for line in said) + b"0000"
    if not bands:
        return lines
    loud = "".join(f"{line}\n" for line in words).encode()
    return b"".join((*_on_band(2, loud), *_on_band(1, lines), b"0000"))


def _on_band(number: int, content: bytes) -> Iterator[bytes]:
    for begin in range(0, len(content), BAND_MAX):
        yield _packet(bytes([number]) + content[begin : begin + BAND_MAX])


def _packet(content: bytes) -> bytes:
    return f"{len(content) + 4:04x}".encode() + content
