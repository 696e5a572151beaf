"""What works behind the door? The world as commands see it; worker, outbox and controller, which never rest."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.audit_watch import EVERY, AuditWatch
from bot.clock import MovableClock, SystemClock
from bot.cloud_run import CloudRun
from bot.cloud_run_settings import CloudRunSettings
from bot.controller import Advance, Controller
from bot.drift_watch import DriftWatch
from bot.github import AppKey, GitHub, GitHubBranches, GitHubReleases, GitHubRepositories, Pace, PersonalToken
from bot.github.attested import verifying
from bot.github.connection import Connection
from bot.github.relaxation import GitHubProtections
from bot.hints import Hints
from bot.monitoring import Monitoring
from bot.outbox import Outbox
from bot.people import SlackPeople
from bot.policy_file import Drafts, PolicyFile
from bot.policy_watch import PolicyWatch
from bot.probes import HttpProbes
from bot.registry import Registry
from bot.settings import Misconfigured, Settings
from bot.slack_in import Installed, SlackIn
from bot.slack_out import SlackChat
from bot.socket_mode import SocketMode
from bot.store import Store
from bot.worker import Worker
from commands.asking import Asking
from commands.carry_out import advance
from commands.errors import Rejected, ReleaseBotError
from commands.intent import Status
from commands.operation import Operation
from commands.ports import Entry, EntryPhase, Lease, Request, World, Writes
from commands.record import BOT
from commands.remind import standing
from commands.reply import Reply
from commands.status import status

log = logging.getLogger(__name__)

WRITE_SECONDS = 5.0
"""A write to Cloud Run has ended after so long: well within a lease of 10 s that is renewed each third."""
AROUND = 5.0
"""Seconds: in the sandbox people wait for it."""


@dataclass(frozen=True, slots=True)
class Interior:
    """What works behind the door."""

    world: World
    worker: Worker
    controller: Controller
    hints: Hints
    audits: AuditWatch
    reload: Callable[[], object]
    """Read the policy again."""

    @property
    def failed(self) -> int:
        return self.worker.failed

    async def home(self, account: str) -> Reply:
        """The dashboard of one person."""
        person = await self.world.people.person(account)
        return await status(
            Status(), Asking(person, Request("home", "status", account, ""), self.world, self.world.policies.current())
        )


@asynccontextmanager
async def behind(
    settings: Settings,
    clock: MovableClock | SystemClock,
    store: Store,
    chat: SlackChat,
    client: AsyncWebClient,
    session: aiohttp.ClientSession,
    slack: SlackIn,
) -> AsyncIterator[Interior]:
    """It all works while this is entered."""
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(_try_keys, settings)
        drafts = Drafts.WELCOME if settings.local else Drafts.REFUSED
        policies = await asyncio.to_thread(PolicyFile, Path(settings.RELEASE_POLICY), clock.now, drafts)
        people = SlackPeople(client, policies, clock)
        slack.at_home(Installed(policies.current().policy.workspace), people)
        others = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())  # probes and GitHub: nothing is carried along
        )
        runs = CloudRun(settings.CLOUD_RUN_ENDPOINT or None, write_deadline=WRITE_SECONDS)
        monitoring = Monitoring(settings.MONITORING_ENDPOINT or None)
        stack.push_async_callback(runs.close)
        stack.push_async_callback(monitoring.close)
        code = _github(settings, others, clock)
        world = World(
            clock=clock,
            people=people,
            runs=runs,
            configurations=CloudRunSettings(runs),
            metrics=monitoring,
            probes=HttpProbes(others),
            images=Registry(others, settings.REGISTRY_ENDPOINT),
            code=code,
            branches=GitHubBranches(code.connection),
            releases=GitHubReleases(code.connection),
            protections=_protections(settings, others, clock, code.connection),
            store=store,
            policies=policies,
        )
        poll = 0.25 if settings.local else 5.0  # the sandbox's clock may be moved at any time
        await _note_start(world)
        watch = PolicyWatch(store, policies, clock, poll=poll)
        await watch.begin()
        worker = Worker(store, world)
        controller = Controller(store, _advance(world), poll=poll)
        hints = Hints(store, policies)
        outbox = Outbox(store, chat, gap=0.0 if settings.local else 1.0)
        around = DriftWatch(world, every=AROUND, again=AROUND) if settings.local else DriftWatch(world)
        audits = AuditWatch(world, GitHubRepositories(code.connection), every=AROUND if settings.local else EVERY)
        never_ending = {
            "worker": worker.run,
            "outbox": outbox.run,
            "controller": controller.run,
            "policy": watch.run,
            "drift": around.run,
            "hints": hints.run,
            "audits": audits.run,
        }
        for name, work in never_ending.items():
            stack.push_async_callback(_ended, asyncio.create_task(_loud(name, work), name=name))
        stack.push_async_callback(_ended, asyncio.create_task(_warm(store, runs, monitoring), name="warm"))
        stack.push_async_callback(outbox.stop)
        stack.push_async_callback(controller.stop)
        if app_token := settings.SLACK_APP_TOKEN:
            await stack.enter_async_context(SocketMode(app_token, slack, session, settings.SLACK_API_URL))
        yield Interior(world, worker, controller, hints, audits, policies.reload)


def _try_keys(settings: Settings) -> None:
    """Each App's private key is one; `Misconfigured` names the setting that is none."""
    ours, glass = settings.GITHUB_PRIVATE_KEY, settings.GITHUB_BREAK_GLASS_PRIVATE_KEY
    needed = {"GITHUB_PRIVATE_KEY": "" if settings.GITHUB_TOKEN else ours, "GITHUB_BREAK_GLASS_PRIVATE_KEY": glass}
    for name, key in needed.items():
        try:
            if key:
                AppKey("", key, "").signed()
        except Rejected:
            says = f"{name} is no private key of a GitHub App: give the whole PEM file that GitHub made."
            raise Misconfigured(says) from None


def _github(settings: Settings, session: aiohttp.ClientSession, clock: SystemClock | MovableClock) -> GitHub:
    token = settings.GITHUB_TOKEN
    key = AppKey(settings.GITHUB_APP_ID, settings.GITHUB_PRIVATE_KEY, settings.GITHUB_INSTALLATION_ID)
    url = settings.GITHUB_API_URL or "https://api.github.com"
    pace = Pace(write_gap=0.0) if settings.local else Pace()
    trusted = Path(settings.SIGSTORE_TRUSTED_ROOT) if settings.SIGSTORE_TRUSTED_ROOT else None
    attested = verifying(trusted, settings.ATTESTATION_VERIFIER)
    return GitHub(session, PersonalToken(token) if token else key, clock, url=url, pace=pace, attested=attested)


def _protections(
    settings: Settings, session: aiohttp.ClientSession, clock: SystemClock | MovableClock, spoken: Connection
) -> GitHubProtections:
    """Rules are changed as the App that is kept for it, never as the one that promotes; a local world has one token."""
    app = settings.GITHUB_BREAK_GLASS_APP_ID
    if not app:
        return GitHubProtections(spoken if settings.GITHUB_TOKEN else None, spoken=spoken)
    key = AppKey(app, settings.GITHUB_BREAK_GLASS_PRIVATE_KEY, settings.GITHUB_BREAK_GLASS_INSTALLATION_ID)
    url = settings.GITHUB_API_URL or "https://api.github.com"
    connection = Connection(session, key, clock, url, spoken.pace)
    return GitHubProtections(connection, spoken=spoken, break_glass=int(app))


def _advance(world: World) -> Advance:
    async def step(operation: Operation, lease: Lease) -> Writes:
        return await advance(operation, lease, world)

    return step


async def _warm(store: Store, runs: CloudRun, monitoring: Monitoring) -> None:
    """The first rollback need not wait a second for what its clients import and its records are read by."""
    await asyncio.to_thread(store.warm)
    with suppress(ReleaseBotError):  # without an identity nothing can be warmed: whoever calls first hears of it
        await runs.warm()
        await monitoring.warm()


async def _note_start(world: World) -> None:
    """The ledger says under which policy this process goes on, and all that ends by itself is waited for."""
    active = world.policies.current()
    target, detail = {"policy": active.hash}, {"source": active.source}
    started = Entry("start", EntryPhase.CONFIG, "started", BOT, target=target, detail=detail)
    await world.store.commit(Writes(entries=(started,), starts=await standing(world)))


async def _loud(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """The work, or the end of the process where it ends by itself: half a bot would only look alive."""
    try:
        await work()
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("%s ended by itself; the process ends, so that it is started anew", name)
        signal.raise_signal(signal.SIGTERM)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
