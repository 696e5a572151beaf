"""Whether an image is still there, asked of the registry that the local Google plays, and of one that will not say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.clock import MovableClock
from bot.registry import Registry
from bot.sandbox.google.world import GoogleWorld
from commands.errors import Rejected, Unavailable

KEPT, GONE = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NAME = "europe-docker.pkg.dev/acme/shop/checkout"


@asynccontextmanager
async def asking(answer: int) -> AsyncIterator[Registry]:
    """A registry that answers so, whatever it is asked."""

    async def says(_: web.Request) -> web.Response:
        return web.Response(status=answer)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", says)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Registry(session, f"127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def test_what_runs_is_kept_until_somebody_removes_it(tmp_path: Path) -> None:
    world = GoogleWorld(MovableClock(tmp_path / "clock"))
    await world.start()
    try:
        world.add_revision("acme-prod/europe-west1/checkout", f"{NAME}@{KEPT}")
        async with aiohttp.ClientSession() as session:
            registry = Registry(session, world.http_base.removeprefix("http://"))
            assert await registry.kept(f"{NAME}@{KEPT}")
            assert not await registry.kept(f"{NAME}@{GONE}")
            world.engine.removed.add(KEPT)
            assert not await registry.kept(f"{NAME}@{KEPT}")
    finally:
        await world.stop()


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, Rejected, "europe-docker.pkg.dev does not let us look."),
        (403, Rejected, "europe-docker.pkg.dev does not let us look."),
        (302, Unavailable, "europe-docker.pkg.dev answers with 302."),
        (429, Unavailable, "europe-docker.pkg.dev answers with 429."),
        (500, Unavailable, "europe-docker.pkg.dev answers with 500."),
    ],
)
async def test_only_yes_and_no_are_believed(status: int, error: type[Exception], says: str) -> None:
    async with asking(status) as registry:
        with pytest.raises(error, match=says):
            await registry.kept(f"{NAME}@{KEPT}")


async def test_a_name_without_a_digest_is_asked_of_nobody() -> None:
    async with aiohttp.ClientSession() as session:
        for image in (f"{NAME}:latest", "checkout", f"{NAME}/../other@{KEPT} x"):
            with pytest.raises(Rejected):
                await Registry(session).kept(image)
