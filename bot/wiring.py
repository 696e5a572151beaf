"""How do the parts hang together? Settings in, a running bot out.

The door opens first: what Slack says is taken down and acknowledged as soon as the books are open. What works behind
the door, and all that it has to import, comes in a thread meanwhile.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from aiohttp import web

from bot import migrations
from bot.clock import MovableClock, SystemClock
from bot.github_in import github_endpoint
from bot.metrics import Counted
from bot.settings import SECRETS, Misconfigured, Settings
from bot.slack_in import Installed, SlackIn, endpoint
from bot.slack_out import SlackChat, slack_client, slack_session, to_slack
from bot.sqlite import path_of
from bot.store import Store
from bot.web import runner, web_app
from commands.errors import ReleaseBotError
from commands.hear import hear
from commands.ports import Request
from commands.reply import Reply
from policy.model import AccountKind, Person

if TYPE_CHECKING:
    from bot.interior import Interior

log = logging.getLogger(__name__)

VERSION = "0.1.0"
LEASE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot that runs."""

    port: int
    nudge: Callable[[], None]
    """Look again now at what may be due."""
    reload: Callable[[], object]
    """Read the policy again; an unreadable one leaves the old one in force."""


class _Ears:
    """What Slack's words fall on: they are taken down before they are acknowledged."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def hear(self, words: str) -> Reply | None:
        return hear(words)

    async def take(self, request: Request, answered: bool) -> bool:  # noqa: FBT001 - a word of the shared contract
        speaker = Person(account=request.account, human=None, name=request.account, kind=AccountKind.HUMAN)
        return await self._store.take(request, speaker, answered=answered)


class _House:
    """What is behind the door: nothing yet, then the interior."""

    def __init__(self) -> None:
        self.interior: Interior | None = None

    async def home(self, account: str) -> Reply:
        return Reply("I am just waking up.") if self.interior is None else await self.interior.home(account)

    def hear(self, repository: str) -> None:
        """Something happened there on GitHub; before the house is built nothing waits that would not look anyway."""
        if self.interior is not None:
            self.interior.hints.heard(repository)
            self.interior.audits.heard(repository)

    @property
    def failed(self) -> int:
        return 0 if self.interior is None else self.interior.failed


async def opened(settings: Settings) -> Settings:
    """The settings with every `sm://` reference replaced by the secret it names."""
    given = {name: getattr(settings, name) for name in SECRETS}
    if not any(value.startswith("sm://") for value in given.values()):
        return settings
    from bot.secrets import resolve

    endpoint = settings.SECRET_MANAGER_ENDPOINT or None
    resolved = await asyncio.gather(*(resolve(value, endpoint) for value in given.values()))
    return replace(settings, **dict(zip(given, resolved, strict=True)))


def _alone(database_url: str) -> IO[str]:
    """The lock that says that this process, and no other, works with this SQLite file; the system drops it at death."""
    path = path_of(database_url)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_suffix(".lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise Misconfigured(f"Another bot is running on {path.name}; SQLite serves one process only.") from None
    return file


async def _upgrade(database_url: str) -> None:
    """The tables are up to date. Done by a process of its own, so that this one need not carry what it takes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "db",
        "upgrade",
        env={**os.environ, "DATABASE_URL": database_url},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        silent = (
            f"that ended with code {process.returncode} and without a word. `release-bot db upgrade` does it by hand."
        )
        raise Misconfigured(f"The database cannot be brought up to date: {last or silent}")


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Bot]:
    """The bot runs while this is entered, and lets go of everything afterwards."""
    settings = await opened(settings)
    async with AsyncExitStack() as stack:
        clock = MovableClock(Path(settings.SANDBOX_CLOCK)) if settings.SANDBOX_CLOCK else SystemClock()
        store = Store(settings.database_url, clock, to_slack, version=VERSION, lease=LEASE_SECONDS)
        if not store.shared:
            stack.enter_context(_alone(settings.database_url))
        if await asyncio.to_thread(migrations.needs_upgrade, settings.database_url):
            await _upgrade(settings.database_url)
        await stack.enter_async_context(store)
        if not store.shared:
            await store.take_over()
        session = await stack.enter_async_context(slack_session())
        client = slack_client(settings.SLACK_BOT_TOKEN, session, settings.SLACK_API_URL)
        chat = SlackChat(client)
        house = _House()
        slack = SlackIn(
            ear=_Ears(store), chat=chat, client=client, installed=Installed(""), clock=clock, home=house.home
        )
        stack.push_async_callback(slack.close)
        port = await _listen(stack, settings, slack, store, house)
        interior = await asyncio.to_thread(importlib.import_module, "bot.interior")
        inside: Interior = await stack.enter_async_context(
            interior.behind(settings, clock, store, chat, client, session, slack)
        )
        house.interior = inside
        yield Bot(port, inside.controller.nudge, inside.reload)


async def _listen(stack: AsyncExitStack, settings: Settings, slack: SlackIn, store: Store, house: _House) -> int:
    """The port that is open now."""

    async def ready() -> dict[str, bool | str]:
        """By part: the books and the ledger in them, and what works behind the door with the policy it goes by."""
        policy = house.interior is not None or "still being read"
        try:
            await store.ready()
        except ReleaseBotError as error:
            return {"policy": policy, "database": str(error), "ledger": str(error)}
        return {"policy": policy, "database": True, "ledger": True}

    secrets = settings.signing_secrets or (os.urandom(32).hex(),)  # Socket Mode alone: nobody can sign, nobody gets in
    hooks = github_endpoint(settings.webhook_secrets, house.hear) if settings.webhook_secrets else None
    served = runner(web_app(endpoint(slack, secrets), ready, Counted(store, house).text, hooks))
    await served.setup()
    stack.push_async_callback(served.cleanup)
    host = "127.0.0.1" if settings.local else "0.0.0.0"  # noqa: S104 - a container is reached from outside
    await web.TCPSite(served, host, settings.port).start()
    return int(served.addresses[0][1])


async def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT. SIGUSR1 means: look again now; SIGHUP: read the policy again."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    for name in (signal.SIGUSR1, signal.SIGHUP):
        loop.add_signal_handler(name, lambda: None)  # until there is something to look at
    try:
        async with running(settings) as bot:
            loop.add_signal_handler(signal.SIGUSR1, bot.nudge)
            loop.add_signal_handler(signal.SIGHUP, bot.reload)
            log.info("listening on port %d", bot.port)
            await stop.wait()
    except ReleaseBotError as error:
        raise Misconfigured(str(error)) from error
