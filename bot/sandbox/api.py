"""What can one do in the sandbox, and what became of it? The JSON API beside the page, and the page itself.

Only loopback is served: a request that names another host, or comes from another page, is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.sandbox.slack import block_kit
from bot.sandbox.slack.model import Impossible, Json, Message, View
from bot.sandbox.slack.workspace import Happened
from bot.sandbox.slack.world import Outcome, SlackWorld

PAGE = Path(__file__).parent / "page"
HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
LOOK_EVERY = 1.0
"""Seconds between two looks at the worlds, for those who watch."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
"""ISO 8601, without years and months: they have no fixed length."""


class FaultyWorld(Protocol):
    """A local world that can be told to fail, by `inject(kind, times=1, **options)`: the options are its own."""

    def fault_kinds(self) -> Iterable[Mapping[str, Any]]:
        """Each with `kind`, what it `says`, and the `world` it belongs to where one object plays several."""
        ...


class SeenWorld(FaultyWorld, Protocol):
    """A local world that tells the truth about itself, for whoever is not the bot."""

    def snapshot(self) -> Any: ...  # noqa: ANN401 - JSON, maybe awaited


class SettableClock(Protocol):
    def now(self) -> datetime: ...

    def set(self, at: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class Cast:
    """What the sandbox has to be told about the story it plays."""

    roles: Mapping[str, Sequence[str]]
    """Person (`maya`) → roles in the policy."""
    places: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Site (`acme-prod/europe-west1/checkout`) → (service, environment) that it is."""
    environments: Sequence[str] = ()
    """In the order in which the page shows them."""
    channel: str = "releases"
    """Where the page opens."""
    suggestions: Sequence[str] = ()
    """Lines worth typing first; the page offers them."""
    commands: Sequence[tuple[str, str]] = ()
    """(words after `/release`, what they do): shown while somebody types a command."""
    faulty: Mapping[str, FaultyWorld] = field(default_factory=dict)
    """More worlds that can fail, such as `database`; or another one for a name that is known already."""


class BadRequest(Exception):
    """Nothing was done; the sentence says what is wrong with the request."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _Say(_Body):
    who: str = Field(alias="as")
    channel: str
    text: str = Field(max_length=40_000)
    thread: str | None = None


class _Press(_Body):
    who: str = Field(alias="as")
    message: str
    button: str
    value: str = ""


class _Submit(_Body):
    who: str = Field(alias="as")
    view: str
    values: dict[str, str] = Field(default_factory=dict)


class _Close(_Body):
    who: str = Field(alias="as")
    view: str


class _Shortcut(_Body):
    who: str = Field(alias="as")
    shortcut: str
    message: str | None = None


class _Clock(_Body):
    advance: str | None = None
    set: str | None = None


class _Fault(BaseModel):
    model_config = ConfigDict(extra="allow")

    world: str
    kind: str
    times: int = Field(default=1, ge=1, le=1000)


Asked = TypeVar("Asked", bound=BaseModel)
OnClock = Callable[[datetime], Awaitable[None] | None]


def sandbox_app(
    slack: SlackWorld,
    google: SeenWorld,
    github: SeenWorld,
    clock: SettableClock,
    story: Cast,
    *,
    on_clock: OnClock | None = None,
) -> web.Application:
    """The page at `/` and the API under `/api`; `on_clock` is called after the clock was moved."""
    sandbox = _Sandbox(slack, google, github, clock, story, on_clock)
    app = web.Application(middlewares=[_guarded], client_max_size=1024 * 1024)
    app.on_shutdown.append(sandbox.end)
    app.router.add_get("/", _file("index.html", "text/html"))
    app.router.add_get("/page.css", _file("page.css", "text/css"))
    app.router.add_get("/page.js", _file("page.js", "text/javascript"))
    app.router.add_get("/api/people", sandbox.people)
    app.router.add_get("/api/workspace", sandbox.workspace)
    app.router.add_post("/api/say", sandbox.say)
    app.router.add_post("/api/press", sandbox.press)
    app.router.add_post("/api/submit", sandbox.submit)
    app.router.add_post("/api/close", sandbox.close)
    app.router.add_post("/api/shortcut", sandbox.shortcut)
    app.router.add_get("/api/messages", sandbox.messages)
    app.router.add_get("/api/views", sandbox.views)
    app.router.add_get("/api/home", sandbox.home)
    app.router.add_get("/api/world", sandbox.world)
    app.router.add_get("/api/clock", sandbox.time)
    app.router.add_post("/api/clock", sandbox.move_clock)
    app.router.add_get("/api/faults", sandbox.faults)
    app.router.add_post("/api/fault", sandbox.fault)
    app.router.add_get("/api/events", sandbox.events)
    return app


def duration(text: str) -> timedelta:
    """`PT24H`, `P1DT30M`, `-PT15M`. Raises BadRequest."""
    match = DURATION.fullmatch(text)
    if match is None or text.lstrip("+-") == "P":
        raise BadRequest(f"{text!r} is not an ISO 8601 duration such as PT24H or P1DT30M")
    parts = {name: float(value) for name, value in match.groupdict().items() if name != "sign" and value}
    try:
        span = timedelta(**parts)
    except OverflowError as error:
        raise BadRequest(f"{text!r} is too long") from error
    return -span if match["sign"] == "-" else span


class _Sandbox:
    """The handlers, over the worlds."""

    def __init__(
        self,
        slack: SlackWorld,
        google: SeenWorld,
        github: SeenWorld,
        clock: SettableClock,
        story: Cast,
        on_clock: OnClock | None,
    ) -> None:
        self._slack = slack
        self._google = google
        self._github = github
        self._clock = clock
        self._story = story
        self._on_clock = on_clock
        self._faulty: dict[str, FaultyWorld] = {
            "cloud_run": google,
            "monitoring": google,
            "github": github,
            "slack": slack,
            **story.faulty,
        }
        self._ended = False

    async def end(self, _: web.Application) -> None:
        """Those who watch are let go."""
        self._ended = True

    # --- people and what they do ------------------------------------------------------------------------------------

    async def people(self, _: web.Request) -> web.Response:
        return web.json_response(
            [
                {"id": person.handle, "name": person.name, "roles": list(self._story.roles.get(person.handle, ()))}
                for person in self._slack.workspace.people.values()
                if not person.is_bot
            ]
        )

    async def workspace(self, _: web.Request) -> web.Response:
        """What the page needs to draw the workspace."""
        workspace, team = self._slack.workspace, self._slack.team
        people = [
            {
                "id": p.handle,
                "user": p.id,
                "name": p.name,
                "title": p.title,
                "timezone": p.timezone,
                "bot": p.is_bot,
            }
            for p in workspace.people.values()
        ]
        channels = [
            {
                "id": c.id,
                "name": c.name,
                "topic": c.topic,
                "direct": c.is_direct,
                "members": sorted(workspace.people[user].handle for user in c.members),
            }
            for c in workspace.channels.values()
        ]
        groups = [{"id": group.id, "handle": group.handle} for group in workspace.groups.values()]
        shortcuts = [
            {"id": callback_id, "kind": shortcut.kind, "name": shortcut.name}
            for callback_id, shortcut in team.shortcuts.items()
        ]
        shown = {"people": people, "channels": channels, "groups": groups, "shortcuts": shortcuts}
        shown |= {"team": team.name, "bot": team.bot_name, "command": team.command}
        shown |= {"channel": self._story.channel, "suggestions": list(self._story.suggestions)}
        shown |= {"environments": list(self._story.environments)}
        return web.json_response(shown | {"commands": [list(pair) for pair in self._story.commands]})

    async def say(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Say)
        return _outcome(await self._slack.say(asked.who, asked.channel, asked.text, asked.thread))

    async def press(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Press)
        return _outcome(await self._slack.press(asked.who, asked.message, asked.button, asked.value))

    async def submit(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Submit)
        return _outcome(await self._slack.submit(asked.who, asked.view, asked.values))

    async def close(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Close)
        return _outcome(await self._slack.close(asked.who, asked.view))

    async def shortcut(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Shortcut)
        return _outcome(await self._slack.shortcut(asked.who, asked.shortcut, asked.message))

    # --- what they see ----------------------------------------------------------------------------------------------

    async def messages(self, request: web.Request) -> web.Response:
        channel, thread, who = _asked(request, "channel"), request.query.get("thread"), request.query.get("as")
        found = self._slack.messages(channel, thread or None, who or None)
        return web.json_response([self._message(message) for message in found])

    async def views(self, request: web.Request) -> web.Response:
        return web.json_response([_view(view) for view in self._slack.views(_asked(request, "as"))])

    async def home(self, request: web.Request) -> web.Response:
        """The person's App Home; asking for it opens it, unless `open=no`."""
        who = _asked(request, "as")
        if request.query.get("open") == "no":
            view = self._slack.workspace.homes.get(self._slack.workspace.person(who).id)
        else:
            view = await self._slack.open_home(who)
        return web.json_response(_view(view) if view is not None else {"id": None, "blocks": [], "buttons": []})

    def _message(self, message: Message) -> Json:
        shown: Json = {
            "ts": message.ts,
            "from": self._slack.name_of(message.user),
            "text": message.text,
            "blocks": message.blocks,
            "buttons": _buttons(message.blocks),
        }
        if message.thread is not None:
            shown["thread"] = message.thread
        if message.ephemeral_to is not None:
            shown["ephemeral_to"] = self._slack.name_of(message.ephemeral_to)
        return shown

    # --- the worlds -------------------------------------------------------------------------------------------------

    async def world(self, _: web.Request) -> web.Response:
        github = await _awaited(self._github.snapshot())
        return web.json_response({"services": await self._services(), "github": github, "now": self._now()})

    async def _services(self) -> dict[str, Json]:
        services: dict[str, Json] = {}
        for site, seen in (await _awaited(self._google.snapshot())).items():
            project, _, name = site.split("/")
            service, environment = self._story.places.get(site, (name, project))
            services.setdefault(service, {})[environment] = seen
        return services

    def _now(self) -> str:
        return self._clock.now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    async def time(self, _: web.Request) -> web.Response:
        return web.json_response({"now": self._now()})

    async def move_clock(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Clock)
        if (asked.advance is None) == (asked.set is None):
            raise BadRequest('say either {"advance": "PT24H"} or {"set": "2026-11-24T09:30:00Z"}')
        try:
            to = self._clock.now() + duration(asked.advance) if asked.advance is not None else _instant(asked.set or "")
            self._clock.set(to)
        except (OverflowError, ValueError, OSError) as error:
            raise BadRequest("the clock cannot show that instant") from error
        if self._on_clock is not None:
            await _awaited(self._on_clock(to))
        return web.json_response({"ok": True, "now": self._now()})

    async def faults(self, _: web.Request) -> web.Response:
        """World → kind → what happens then."""
        return web.json_response({name: _kinds(name, world) for name, world in self._faulty.items()})

    async def fault(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Fault)
        world = self._faulty.get(asked.world)
        if world is None:
            raise BadRequest(f"there is no world {asked.world!r}; there are {', '.join(self._faulty)}")
        kinds = _kinds(asked.world, world)
        if asked.kind not in kinds:
            raise BadRequest(f"{asked.world} has no fault {asked.kind!r}; there are {', '.join(kinds)}")
        inject: Callable[..., Any] = getattr(world, "inject")  # noqa: B009 - worlds take options of their own
        try:
            await _awaited(inject(asked.kind, times=asked.times, **(asked.model_extra or {})))
        except (TypeError, ValueError) as error:
            raise BadRequest(str(error)) from error
        return web.json_response({"ok": True})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent: `changed` says where to look again; `services` as in `world`, and `clock`, when they differ."""
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", **HEADERS})
        await stream.prepare(request)
        seen: Json = {}
        offset = timedelta.max
        with self._slack.workspace.watching() as happened, contextlib.suppress(ConnectionError):  # they may leave
            while not self._ended:
                services = await self._services()
                if abs(offset - (self._clock.now() - datetime.now(UTC))) > timedelta(seconds=1):
                    offset = self._clock.now() - datetime.now(UTC)
                    await _send(stream, "clock", {"now": self._now()})
                if services != seen:
                    seen = services
                    await _send(stream, "services", services)
                for change in await _changes(happened):
                    await _send(stream, "changed", {"what": change.what, "where": self._where(change)})
        return stream

    def _where(self, change: Happened) -> str:
        return change.where if change.what == "messages" else self._slack.name_of(change.where)


# --- the edge -------------------------------------------------------------------------------------------------------


@web.middleware
async def _guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Loopback and this page only; what is wrong with a request is said in JSON."""
    try:
        if not _is_local(request.host):
            return _no("this sandbox answers on localhost only", 403)
        origin = request.headers.get("Origin")
        if request.method != "GET" and origin is not None and origin != f"http://{request.host}":
            return _no("this sandbox takes requests from its own page only", 403)
        return await handler(request)
    except (BadRequest, Impossible) as error:
        return _no(str(error), 400)
    except web.HTTPException as error:
        return _no(error.reason, error.status)


def _is_local(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in HOSTS
    except ValueError:
        return False


def _no(sentence: str, status: int) -> web.Response:
    return web.json_response({"ok": False, "error": sentence}, status=status)


def _file(name: str, content_type: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(_: web.Request) -> web.Response:
        text = (PAGE / name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=content_type, charset="utf-8", headers=HEADERS)

    return serve


async def _read(request: web.Request, model: type[Asked]) -> Asked:
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{where}: {first['msg']}" if where else first["msg"]) from error


def _asked(request: web.Request, name: str) -> str:
    value = request.query.get(name, "")
    if not value:
        raise BadRequest(f"{name} is missing: ?{name}=…")
    return value


def _outcome(outcome: Outcome) -> web.Response:
    shown: Json = {"ok": outcome.ok, "ack_ms": outcome.ack_ms}
    for name in ("reply", "error", "errors"):
        if value := getattr(outcome, name):
            shown[name] = value
    return web.json_response(shown)


def _view(view: View) -> Json:
    shown: Json = {"id": view.id, "blocks": view.body["blocks"], "buttons": _buttons(view.body["blocks"])}
    if view.type == "home":
        return shown
    shown["callback_id"] = view.body.get("callback_id", "")
    for name in ("title", "submit", "close"):
        shown[name] = (view.body.get(name) or {}).get("text")
    return shown | {"errors": view.errors}


def _buttons(blocks: list[Json]) -> list[str]:
    return [block_kit.label(e) for _, e in block_kit.interactive(blocks) if e["type"] == "button"]


def _kinds(name: str, world: FaultyWorld) -> dict[str, str]:
    """Kind → what happens then; of a world with several faces, those of the face called `name`."""
    return {kind["kind"]: kind.get("says", "") for kind in world.fault_kinds() if kind.get("world", name) == name}


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"{text!r} is not an instant such as 2026-11-24T09:30:00Z") from error
    if at.tzinfo is None:
        raise BadRequest(f"{text!r} has no time zone: write 2026-11-24T09:30:00Z")
    return at


async def _awaited(value: Any) -> Any:  # noqa: ANN401 - worlds may be synchronous or not
    return await value if inspect.isawaitable(value) else value


async def _changes(happened: asyncio.Queue[Happened]) -> list[Happened]:
    """What changed within a second, each once, as soon as something did."""
    changes: dict[Happened, None] = {}
    try:
        async with asyncio.timeout(LOOK_EVERY):
            changes[await happened.get()] = None
    except TimeoutError:
        return []
    while not happened.empty():
        changes[happened.get_nowait()] = None
    return list(changes)


async def _send(stream: web.StreamResponse, event: str, data: Json) -> None:
    await stream.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
