"""How do the parts hang together? Settings in, a running bot out; the port is open before anything heavy is loaded."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import aiohttp
from aiohttp import web

from bot import migrations
from bot.clock import MovableClock, SystemClock
from bot.cloud_run import CloudRun
from bot.controller import Advance, Controller
from bot.github import AppKey, GitHub, Pace, PersonalToken
from bot.metrics import Counted
from bot.monitoring import Monitoring
from bot.outbox import Outbox
from bot.people import SlackPeople
from bot.policy_file import PolicyFile
from bot.probes import HttpProbes
from bot.secrets import resolve
from bot.settings import Misconfigured, Settings
from bot.slack_in import Installed, SlackIn, endpoint
from bot.slack_out import SlackChat, slack_client, slack_session, to_slack
from bot.socket_mode import SocketMode
from bot.store import Store
from bot.web import runner as quiet_runner
from bot.web import web_app
from bot.worker import Worker
from commands.answer import hear
from commands.asking import Asking
from commands.carry_out import advance
from commands.errors import ReleaseBotError, Unavailable
from commands.intent import Status
from commands.operation import Operation
from commands.ports import Entry, EntryPhase, Lease, Request, World, Writes
from commands.record import BOT
from commands.reply import Reply
from commands.status import status
from policy.model import AccountKind, Person

log = logging.getLogger(__name__)

VERSION = "0.1.0"
WRITE_SECONDS = 5.0
"""A write to Cloud Run has ended after so long; it must end within a lease that is two thirds old at the most."""
LEASE_SECONDS = 10.0
Ready = Callable[[], Awaitable[Mapping[str, bool | str]]]
SECRETS = ("SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "GITHUB_PRIVATE_KEY", "GITHUB_TOKEN")


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot that runs."""

    store: Store
    controller: Controller
    port: int
    reload: Callable[[], None]
    """Reads the policy again; an unreadable one leaves the old one in force."""


class _Ears:
    """What Slack's words fall on: they are taken down before they are acknowledged."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def hear(self, words: str) -> Reply | None:
        return hear(words)

    async def take(self, request: Request, answered: bool) -> bool:  # noqa: FBT001 - a word of the shared contract
        speaker = Person(account=request.account, human=None, name=request.account, kind=AccountKind.HUMAN)
        return await self._store.take(request, speaker, answered=answered)


async def opened(settings: Settings) -> Settings:
    """The settings with every `sm://` reference replaced by the secret it names."""
    given = {name: getattr(settings, name).get_secret_value() for name in SECRETS}
    resolved = await asyncio.gather(*(resolve(v, settings.SECRET_MANAGER_ENDPOINT or None) for v in given.values()))
    changed = {name: value for name, value in zip(given, resolved, strict=True) if value != given[name]}
    if not changed:
        return settings
    return Settings.model_validate({**settings.model_dump(), **changed})


def _alone(database_url: str) -> IO[str]:
    """The lock that says that this process, and no other, works with this SQLite file; the system drops it at death."""
    path = migrations.sqlite_path(database_url)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_suffix(".lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise Misconfigured(f"Another bot is running on {path.name}; SQLite serves one process only.") from None
    return file


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Bot]:
    """The bot runs while this is entered, and lets go of everything afterwards."""
    settings = await opened(settings)
    async with AsyncExitStack() as stack:
        clock = MovableClock(Path(settings.SANDBOX_CLOCK)) if settings.SANDBOX_CLOCK else SystemClock()
        stack.enter_context(_alone(settings.database_url))
        if migrations.needs_upgrade(settings.database_url):
            await asyncio.to_thread(migrations.upgrade, settings.database_url)
        policies = PolicyFile(settings.RELEASE_POLICY)
        active = policies.current()
        store = await stack.enter_async_context(
            Store(settings.database_url, clock, to_slack, version=VERSION, lease=LEASE_SECONDS)
        )
        await store.take_over()
        session = await stack.enter_async_context(slack_session())
        others = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())  # probes and GitHub: nothing is carried along
        )
        client = slack_client(settings.SLACK_BOT_TOKEN.get_secret_value(), session, settings.SLACK_API_URL)
        chat = SlackChat(client)
        people = SlackPeople(client, policies, clock)
        runs = CloudRun(settings.CLOUD_RUN_ENDPOINT or None, write_deadline=WRITE_SECONDS)
        monitoring = Monitoring(settings.MONITORING_ENDPOINT or None)
        stack.push_async_callback(runs.close)
        stack.push_async_callback(monitoring.close)
        world = World(
            clock=clock,
            people=people,
            runs=runs,
            metrics=monitoring,
            probes=HttpProbes(others),
            code=_github(settings, others, clock),
            store=store,
            policies=policies,
        )

        async def home(account: str) -> Reply:
            person = await people.person(account)
            asking = Asking(person, Request("home", "status", account, ""), world, policies.current())
            return await status(Status(), asking)

        slack = SlackIn(
            ear=_Ears(store),
            chat=chat,
            client=client,
            installed=Installed(active.policy.workspace),
            clock=clock,
            home=home,
            people=people,
        )
        stack.push_async_callback(slack.close)
        controller = Controller(store, _advance(world))
        worker = Worker(store, world)
        outbox = Outbox(store, chat, gap=0.0 if settings.local else 1.0)
        counted = Counted(store, worker)
        port = await _listen(stack, settings, slack, _readiness(store, policies), counted)
        await _note(store, "start", "started", policies)
        for name, work in (("worker", worker.run()), ("outbox", outbox.run()), ("controller", controller.run())):
            stack.push_async_callback(_ended, asyncio.create_task(_loud(name, work), name=name))
        stack.push_async_callback(controller.stop)
        if app_token := settings.SLACK_APP_TOKEN.get_secret_value():
            await stack.enter_async_context(SocketMode(app_token, slack, session, settings.SLACK_API_URL))
        warming = asyncio.create_task(_warm(runs, monitoring, after=0.5))
        stack.push_async_callback(_ended, warming)
        reloading: set[asyncio.Task[None]] = set()

        def reload() -> None:
            if not policies.reload():
                task = asyncio.create_task(_note(store, "policy", "reloaded", policies))
                reloading.add(task)
                task.add_done_callback(reloading.discard)

        yield Bot(store, controller, port, reload)


def _github(settings: Settings, session: aiohttp.ClientSession, clock: SystemClock | MovableClock) -> GitHub:
    token = settings.GITHUB_TOKEN.get_secret_value()
    credentials = (
        PersonalToken(token)
        if token
        else AppKey(
            settings.GITHUB_APP_ID, settings.GITHUB_PRIVATE_KEY.get_secret_value(), settings.GITHUB_INSTALLATION_ID
        )
    )
    url = settings.GITHUB_API_URL or "https://api.github.com"
    return GitHub(session, credentials, clock, url=url, pace=Pace(write_gap=0.0) if settings.local else Pace())


def _advance(world: World) -> Advance:
    async def step(operation: Operation, lease: Lease) -> Writes:
        return await advance(operation, lease, world)

    return step


async def _listen(stack: AsyncExitStack, settings: Settings, slack: SlackIn, ready: Ready, counted: Counted) -> int:
    """The port that is open now."""
    secrets = [part.strip() for part in settings.SLACK_SIGNING_SECRET.get_secret_value().split(",")]
    if not all(secrets):  # Socket Mode alone: nobody can sign, so nobody gets in
        secrets = [os.urandom(32).hex()]
    app = web_app(endpoint(slack, secrets), ready, counted.text)
    runner = quiet_runner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1" if settings.local else "0.0.0.0", settings.PORT).start()  # noqa: S104
    return int(runner.addresses[0][1])


def _readiness(store: Store, policies: PolicyFile) -> Ready:
    async def ready() -> Mapping[str, bool | str]:
        parts: dict[str, bool | str] = {"policy": bool(policies.current().hash)}
        try:
            await store.ready()
            parts |= {"database": True, "ledger": True}
        except ReleaseBotError as error:
            parts |= {"database": str(error), "ledger": str(error)}
        return parts

    return ready


async def _note(store: Store, kind: str, what: str, policies: PolicyFile) -> None:
    """The ledger says under which policy and version this process goes on."""
    entry = Entry(
        kind,
        EntryPhase.CONFIG,
        what,
        BOT,
        target={"policy": policies.current().hash},
        detail={"version": VERSION, "source": policies.current().source},
    )
    await store.commit(Writes(entries=(entry,)))


async def _warm(runs: CloudRun, monitoring: Monitoring, after: float) -> None:
    """Google's clients are loaded in a thread once the start is over, so that the first promotion does not wait."""
    await asyncio.sleep(after)
    with suppress(ReleaseBotError):
        await runs.warm()
        await monitoring.warm()


async def _loud(name: str, work: Coroutine[object, object, None]) -> None:
    """The work, or the end of the process where it ends by itself: half a bot would only look alive."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("%s ended by itself; the process ends, so that it is started anew", name)
        signal.raise_signal(signal.SIGTERM)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT. SIGUSR1 means: look again now; SIGHUP: read the policy again."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    try:
        async with running(settings) as bot:
            loop.add_signal_handler(signal.SIGUSR1, bot.controller.nudge)
            loop.add_signal_handler(signal.SIGHUP, bot.reload)
            log.info("listening on port %d", bot.port)
            await stop.wait()
    except Unavailable as error:
        raise Misconfigured(str(error)) from error
