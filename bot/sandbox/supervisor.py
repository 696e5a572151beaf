"""How is the sandbox run? The worlds and the page in this process, the bot in one of its own that may be killed."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import secrets
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bot.clock import MovableClock
from bot.policy_file import read_policy
from bot.sandbox import scene, story
from bot.sandbox.api import sandbox_app
from bot.sandbox.github.world import GitHubWorld
from bot.sandbox.google.traffic import TrafficSource
from bot.sandbox.google.world import GoogleWorld
from bot.sandbox.scene import Scene
from bot.sandbox.slack.world import SlackWorld

RATE = 20.0  # requests a second to each service that people call
RATE_IN_ALL = 60.0  # and no more than this to all of them together: one machine plays everything
STARTS_WITHIN = 30.0  # seconds
BOT_TOKEN = "xoxb-sandbox"
ITSELF = "release-bot[bot]"
"""As who it merges and opens pull requests: no human can have such an account, so what it merges is nobody's work."""


TRUSTED = "trusted-root.json"
"""Whose word counts for attestations here."""


@dataclass(frozen=True, slots=True)
class Worlds:
    """Everything but the bot."""

    clock: MovableClock
    slack: SlackWorld
    google: GoogleWorld
    github: GitHubWorld
    signing_secret: str
    scene: Scene


def scene_of(policy: Path) -> Scene:
    """The story, where it can be told of that policy; else one that was made up for it."""
    read = read_policy(policy).policy
    return story.scene(read) if story.fits(read) else scene.scene(read)


@asynccontextmanager
async def worlds(data: Path, policy: Path = story.POLICY, *, rate: float = RATE) -> AsyncIterator[Worlds]:
    """The local worlds, with all that has happened in them and people calling the services."""
    async with AsyncExitStack() as stack:
        there = scene_of(policy)
        clock = MovableClock(data / "clock")
        clock.set(scene.BEGINS_AT)
        signing_secret = secrets.token_hex(16)
        slack = there.slack(clock, signing_secret, BOT_TOKEN)
        google = GoogleWorld(clock)
        github = GitHubWorld(data / "github", clock)
        for world in (slack, google, github):
            await world.start()
            stack.push_async_callback(world.stop)
        (data / TRUSTED).write_text(github.sigstore.trusted_root())
        await there.tell(google, github)
        if rate and there.called:
            source = TrafficSource(google, there.called, min(rate, RATE_IN_ALL / len(there.called)))
            await source.start()
            stack.push_async_callback(source.stop)
        yield Worlds(clock, slack, google, github, signing_secret, there)


def environment(there: Worlds, data: Path, port: int, policy: Path) -> dict[str, str]:
    """What the bot is told: the same settings as in production, with local addresses."""
    return {
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{data / 'release-bot.db'}",
        "RELEASE_POLICY": str(policy),
        "SLACK_SIGNING_SECRET": there.signing_secret,
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_API_URL": there.slack.api_url,
        "GITHUB_TOKEN": there.github.admit(ITSELF, "admin"),
        "GITHUB_API_URL": there.github.url,
        "GITHUB_WEBHOOK_SECRET": there.github.webhook_secret,
        "SIGSTORE_TRUSTED_ROOT": str(data / TRUSTED),
        "CLOUD_RUN_ENDPOINT": there.google.grpc_address,
        "MONITORING_ENDPOINT": there.google.grpc_address,
        "SECRET_MANAGER_ENDPOINT": there.google.grpc_address,
        "REGISTRY_ENDPOINT": there.google.http_base.removeprefix("http://"),
        "SANDBOX_CLOCK": str(data / "clock"),
        "NO_GCE_CHECK": "true",
        "GRPC_VERBOSITY": "ERROR",
    }


class Process:
    """The bot as a process of its own: started again whenever it dies, until `stop`."""

    def __init__(self, settings: Mapping[str, str], data: Path) -> None:
        self._settings = dict(settings)
        self._data = data
        self._child: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.url = f"http://127.0.0.1:{settings['PORT']}"
        self.starts = 0

    async def run(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        while not self._stopping:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot.sandbox.child",
                env={**inherited, **self._settings},
                start_new_session=True,  # Ctrl-C is for the sandbox; it ends the bot itself
            )
            self.starts += 1
            (self._data / "bot.pid").write_text(str(self._child.pid))
            code = await self._child.wait()
            if not self._stopping:
                print(f"the bot ended ({code}); starting it again", file=sys.stderr, flush=True)
                await asyncio.sleep(0.2 if code < 0 else 1.0)

    async def answers(self) -> None:
        """It is ready. TimeoutError after half a minute."""
        async with asyncio.timeout(STARTS_WITHIN), aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.05)

    def nudge(self) -> None:
        """Told to look again, since time has moved."""
        if self._child is not None and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(signal.SIGUSR1)

    async def stop(self) -> None:
        self._stopping = True
        if self._child is not None and self._child.returncode is None:
            self._child.terminate()
            try:
                await asyncio.wait_for(self._child.wait(), 10)
            except TimeoutError:
                self._child.kill()


_FOREIGN = frozenset(
    {
        "SLACK_APP_TOKEN",
        "GITHUB_APP_ID",
        "GITHUB_PRIVATE_KEY",
        "GITHUB_INSTALLATION_ID",
        "LEDGER_SIGNING_KEY",
        "ATTESTATION_VERIFIER",
    }
)
"""Settings of a real bot that must not reach the sandbox's."""


class Database:
    """The bot's database as a world that can fail."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._holding: set[asyncio.Task[None]] = set()

    def fault_kinds(self) -> Iterable[Mapping[str, Any]]:
        return ({"kind": "locked", "says": "somebody else holds the write lock for `seconds` (default 5)"},)

    def inject(self, kind: str, times: int = 1, seconds: float = 5.0) -> None:
        if kind != "locked":
            message = f"the database has no fault {kind!r}"
            raise ValueError(message)
        task = asyncio.create_task(self._hold(times * min(float(seconds), 600.0)))
        self._holding.add(task)
        task.add_done_callback(self._holding.discard)

    async def _hold(self, seconds: float) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5)
        try:
            await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")
            await asyncio.sleep(seconds)
            connection.execute("ROLLBACK")
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that runs."""

    url: str
    worlds: Worlds
    bot: Process


@asynccontextmanager
async def sandbox(data: Path, port: int = 3000, policy: Path = story.POLICY) -> AsyncIterator[Sandbox]:
    """Worlds, bot, API and page; ready when entered, gone when left. Its data directory is begun anew."""
    data.mkdir(parents=True, exist_ok=True)
    for left in (*data.glob("release-bot.*"), data / "clock", data / "bot.pid"):
        left.unlink(missing_ok=True)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(worlds(data, policy))
        bot = Process(environment(there, data, free_port(), policy), data)
        there.slack.bind(bot.url)
        there.github.tell(f"{bot.url}/github/events")
        running = asyncio.create_task(bot.run())
        stack.push_async_callback(_gone, running)
        stack.push_async_callback(bot.stop)
        app = sandbox_app(
            there.slack,
            there.google,
            there.github,
            there.clock,
            dataclasses.replace(there.scene.cast, faulty={"database": Database(data / "release-bot.db")}),
            on_clock=lambda _: bot.nudge(),
        )
        app.router.add_get("/api/writes", _writes(there.google))
        app.router.add_get("/api/github", _as_people(there.github))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await bot.answers()
        yield Sandbox(f"http://127.0.0.1:{runner.addresses[0][1]}", there, bot)


def _as_people(github: GitHubWorld) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Where the local GitHub answers, and a token of each person there: they review and merge besides the bot."""

    async def shown(_: web.Request) -> web.Response:
        return web.json_response({"url": github.url, "tokens": github.tokens_of()})

    return shown


def _writes(google: GoogleWorld) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def writes(_: web.Request) -> web.Response:
        """Every write that reached Cloud Run, as it arrived: for checks that nothing was done twice."""
        return web.json_response(
            [
                {key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()}
                for row in map(dataclasses.asdict, google.writes)
            ]
        )

    return writes


async def _gone(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def play(data: Path, port: int, policy: Path) -> None:
    """The sandbox, until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with sandbox(data, port, policy) as running:
        print(f"The sandbox is open: {running.url}", flush=True)
        print(f"{running.worlds.scene.first}   (Ctrl-C ends it)", flush=True)
        here = running.worlds.github
        for repository in await here.snapshot():
            print(f"git clone {here.address(repository)}", flush=True)
        await stop.wait()
