"""Smoke requests against real HTTP: what was seen, and never an exception."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.probes import USER_AGENT, HttpProbes
from commands.plan import PlannedProbe
from commands.ports import Probes

PROBE = PlannedProbe(method="GET", path="/healthz", expect=(200,), repeat=3, within_seconds=5)


class Service:
    """Answers with these statuses, one after the other, and remembers who asked."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked: list[tuple[str, str, str]] = []
        self.never = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path, request.headers["user-agent"]))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:
            await self.never.wait()
        return web.Response(status=status, headers={"location": "/elsewhere"}, text="x" * 100_000)


@pytest.fixture
async def probes() -> AsyncIterator[Probes]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield HttpProbes(session)


async def serving(service: Service) -> TestServer:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", service.answer)
    server = TestServer(app)
    await server.start_server()
    return server


async def test_all_answers_as_expected_are_fine(probes: Probes) -> None:
    service = Service()
    server = await serving(service)
    seen = await probes.probe(str(server.make_url("/tag/green")), PROBE)
    assert seen.ok
    assert (seen.saw, seen.why) == ((200, 200, 200), "")
    assert seen.slowest_ms > 0
    assert service.asked == [("GET", "/tag/green/healthz", USER_AGENT)] * 3
    await server.close()


async def test_one_wrong_answer_is_enough_and_the_rest_is_still_asked(probes: Probes) -> None:
    service = Service(200, 500, 200)
    server = await serving(service)
    seen = await probes.probe(str(server.make_url("/")), PROBE)
    assert not seen.ok
    assert seen.saw == (200, 500, 200)
    assert seen.why == "/healthz answered 500 instead of 200"
    await server.close()


@pytest.mark.requirement("S1-21")
@pytest.mark.parametrize(("last", "fine"), [(429, True), (200, True), (503, False)])
async def test_a_burst_may_be_turned_away_but_not_fail(probes: Probes, last: int, fine: bool) -> None:
    server = await serving(Service(*[200] * 14, *[429] * 5, last))
    burst = replace(PROBE, repeat=20, expect=(200, 429))
    assert (await probes.probe(str(server.make_url("/")), burst)).ok is fine
    await server.close()


async def test_a_redirect_is_an_answer_and_is_not_followed(probes: Probes) -> None:
    service = Service(302)
    server = await serving(service)
    seen = await probes.probe(str(server.make_url("/")), replace(PROBE, repeat=1))
    assert seen.saw == (302,)
    assert not seen.ok
    assert len(service.asked) == 1
    await server.close()


async def test_no_answer_in_time_is_seen_as_none(probes: Probes) -> None:
    service = Service(0)
    server = await serving(service)
    seen = await probes.probe(str(server.make_url("/")), replace(PROBE, repeat=1, within_seconds=0.05))
    assert (seen.ok, seen.saw) == (False, (0,))
    assert seen.why == "/healthz did not answer within 0.05 s"
    service.never.set()
    await server.close()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "", "nonsense", "http://", "ftp://127.0.0.1", "http://[::"])
async def test_nobody_there_is_seen_and_not_raised(probes: Probes, address: str) -> None:
    seen = await probes.probe(address, replace(PROBE, repeat=2))
    assert (seen.ok, seen.saw) == (False, (0, 0))
    assert seen.why == "/healthz could not be reached"


async def test_no_request_at_all_shows_nothing(probes: Probes) -> None:
    assert not (await probes.probe("http://127.0.0.1:9", replace(PROBE, repeat=0))).ok


async def test_a_closed_session_is_seen_and_not_raised() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    assert (await HttpProbes(session).probe("http://127.0.0.1:9", PROBE)).saw == (0, 0, 0)
