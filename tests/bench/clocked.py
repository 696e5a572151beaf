"""What does a bot wait for while it answers and carries on? It runs as always, and each call for that is noted.

One line of JSON for each, on the clock that all processes of this machine share: what it was done for (the words of the
request, or the operation), what was done, when it began and when it ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import aiohttp

from bot import cloud_run, interior, worker
from bot.cli import run

NOTES = "BENCH_NOTES"
"""The variable that names the directory for the notes."""
PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
TRAFFIC = "update_service"

_for: ContextVar[str] = ContextVar("for", default="")


def _noting(notes: IO[str], what: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def noted(*given: Any, **named: Any) -> Any:
        if not _for.get():
            return await call(*given, **named)
        began = time.monotonic()
        if what == TRAFFIC:  # whoever looks must not have to wait for its answer
            print(json.dumps([_for.get(), what, began, began]), file=notes, flush=True)
        try:
            return await call(*given, **named)
        finally:
            print(json.dumps([_for.get(), "call", began, time.monotonic()]), file=notes, flush=True)

    return noted


class _Noted:
    """A client of Google's whose calls are noted."""

    def __init__(self, client: Any, notes: IO[str]) -> None:
        self._client = client
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return _noting(self._notes, name, found) if name.startswith(("get_", "update_")) else found


def note(notes: IO[str]) -> None:
    """From now on."""
    changed: Any = cloud_run
    make = changed._make
    changed._make = lambda *given: replace(
        clients := make(*given),
        services=_Noted(clients.services, notes),
        revisions=_Noted(clients.revisions, notes),
    )
    session: Any = aiohttp.ClientSession
    session._request = _noting(notes, "http", session._request)
    inside: Any = interior
    works: Any = worker
    advance, answer = inside.advance, works.answer

    async def advancing(operation: Any, *more: Any) -> Any:
        _for.set(f"{operation.question.deed} {operation.place.service}")
        return await advance(operation, *more)

    async def answering(request: Any, world: Any) -> Any:
        _for.set(" ".join(request.words.split()[:2]))
        return await answer(request, world)

    inside.advance = advancing
    works.answer = answering


def main() -> int:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    note((Path(os.environ[NOTES]) / f"{os.getpid()}").open("w"))
    return run(["serve"])


if __name__ == "__main__":
    sys.exit(main())
