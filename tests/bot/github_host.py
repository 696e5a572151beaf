"""What answers in GitHub's place where a test says each answer itself, and time that stands still meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from bot.github import AppKey, GitHub, Pace, PersonalToken
from tests.bot.github_world import HandClock


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    method: str
    path: str
    """With the query."""
    headers: Mapping[str, str]
    body: Any


@dataclass
class Said:
    """One answer."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answers = Mapping[str, Any] | Callable[[Heard], Said]
"""Path → body, or `Said`; what is not in it is not there. Or whatever this makes of a request."""


class Host:
    """It answers as it is told, and remembers what it heard."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[Heard] = []
        self.answers: Answers = {}
        self._came = asyncio.Condition()

    async def came(self, number: int) -> None:
        """So many requests have come."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.heard) >= number)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        raw = await request.read()
        heard = Heard(request.method, request.raw_path, request.headers, json.loads(raw) if raw else None)
        async with self._came:
            self.heard.append(heard)
            self._came.notify_all()
        said = self._said(heard)
        headers = {"Content-Type": "application/json", **said.headers}
        body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        return web.Response(status=said.status, body=b"" if said.status in {204, 304} else body, headers=headers)

    def _said(self, heard: Heard) -> Said:
        if callable(self.answers):
            return self.answers(heard)
        path = heard.path.removeprefix("/repos/acme/checkout")
        if path == "" and path not in self.answers:
            return Said({"id": 17, "full_name": "acme/checkout"})
        found = self.answers.get(path, self.answers.get(path.partition("?")[0]))
        if found is None:
            return Said({"message": "Not Found"}, 404)
        return found if isinstance(found, Said) else Said(found)


class StillTime:
    """Time that passes only when a test says so; who sleeps sleeps until then."""

    def __init__(self) -> None:
        self.at = 100.0
        self.sleeping: list[tuple[float, asyncio.Event]] = []

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.sleeping.append((self.at + seconds, woken))
        await woken.wait()

    def passes(self, seconds: float) -> None:
        self.at += seconds
        for until, woken in self.sleeping:
            if until <= self.at + 1e-9:
                woken.set()
        self.sleeping = [one for one in self.sleeping if not one[1].is_set()]


class LeapTime:
    """Time in which whoever sleeps wakes at once, so much later."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def github_host() -> AsyncIterator[Host]:
    host = Host()
    runner = web.ServerRunner(web.Server(host.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield host
    await runner.cleanup()


def github_of(
    host: Host,
    session: aiohttp.ClientSession,
    *,
    time: StillTime | LeapTime | None = None,
    key: AppKey | None = None,
    gap: float = 1.0,
) -> GitHub:
    """Our side of it, by that time."""
    goes_by = time or LeapTime()
    pace = Pace(write_gap=gap, monotonic=goes_by.monotonic, sleep=goes_by.sleep)
    return GitHub(session, key or PersonalToken("ghp_" + "x" * 36), HandClock(), url=host.url, pace=pace)
