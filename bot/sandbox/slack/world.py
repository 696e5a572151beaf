"""A Slack workspace that runs: people do things in it, the bot hears of them, and what it answers is seen."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from bot.sandbox.slack import block_kit, forms
from bot.sandbox.slack.delivery import COMMAND, EVENT, INTERACTIVE, Ack, Delivery, NotAcked, Sockets
from bot.sandbox.slack.faults import KINDS, Faults
from bot.sandbox.slack.model import Channel, Group, Impossible, Json, Message, Person, SlackError, Team, View
from bot.sandbox.slack.web_api import WebApi
from bot.sandbox.slack.workspace import SLACKBOT, Clock, Workspace

EVENT_RETRIES = (0.0, 60.0, 300.0)  # seconds; https://docs.slack.dev/apis/events-api/#retries
HOME_WITHIN = 1.5
"""Seconds that opening App Home waits for the bot to publish it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a person sees right after doing something; `ack_ms` is 0 where the bot was not asked."""

    ok: bool
    ack_ms: float = 0.0
    reply: str | None = None
    error: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    """What is wrong with the fields of a modal, by block id."""


class SlackWorld:
    """One workspace on loopback.

    `api_url` is what the bot gets as `SLACK_API_URL`; `bind` says where the bot is, unless it comes by Socket Mode.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        signing_secret: str,
        bot_token: str,
        app_token: str = "xapp-sandbox",
        team: Team | None = None,
        event_retries: tuple[float, ...] = EVENT_RETRIES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.team = team or Team()
        self.workspace = Workspace(clock, self.team, monotonic)
        self._clock = clock
        self._event_retries = event_retries
        self._faults = Faults()
        self._sockets = Sockets(self.team.app_id)
        self._delivery = Delivery(signing_secret, self._sockets)
        self.web_api = WebApi(self.workspace, self._faults, bot_token, app_token, self._socket_url)
        self._tasks: set[asyncio.Task[object]] = set()
        self._exits = contextlib.AsyncExitStack()
        self._base = ""

    # --- running ----------------------------------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """Ends with `/api/`."""
        return f"{self._base}/api/"

    async def start(self, port: int = 0) -> None:
        """The Web API answers on loopback; port 0 takes a free one."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("GET", "/api/{method}", self.web_api.call)
        app.router.add_route("POST", "/api/{method}", self.web_api.call)
        app.router.add_post("/response/{name:.+}", self.web_api.respond)
        app.router.add_get("/socket", self._sockets.serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._exits.push_async_callback(runner.cleanup)
        await self._exits.enter_async_context(self._delivery.running())
        self._exits.push_async_callback(self._sockets.close)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self._base = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Nothing of it runs any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exits.aclose()

    def bind(self, bot_url: str) -> None:
        """Slack reaches the bot there, at `<bot_url>/slack/events`."""
        self._delivery.bot_url = bot_url.rstrip("/")

    def _socket_url(self) -> str:
        return f"{self._base.replace('http', 'ws', 1)}/socket?ticket={self._sockets.ticket()}"

    # --- faults -----------------------------------------------------------------------------------------------------

    def fault_kinds(self) -> list[dict[str, str]]:
        """`kind` and what it `says`, of each fault there is."""
        return [{"world": "slack", "kind": kind, "says": says} for kind, says in KINDS.items()]

    def inject(self, kind: str, times: int = 1, **options: object) -> None:
        """The next `times` occasions go wrong. Raises ValueError for what is not a fault."""
        self._faults.add(kind, times, options)
        if kind == "socket_refresh" and self._faults.take(kind):
            self._spawn(self._sockets.refresh())

    # --- what people do ---------------------------------------------------------------------------------------------

    async def say(self, who: str, where: str, text: str, thread: str | None = None) -> Outcome:
        """A person types something: a slash command, or a message. Raises Impossible."""
        person, channel = self.workspace.person(who), self.workspace.channel(where)
        if not text.strip():
            raise Impossible("there is nothing to say")
        if person.id not in channel.members:
            return Outcome(ok=False, error="not_in_channel", reply=f"{person.handle} is not in #{channel.name}.")
        if text.startswith("/"):
            word, _, rest = text.partition(" ")
            if thread is not None:
                self.workspace.find_root(channel, thread)
                said = f"{word} is not supported in threads. Sorry!"
                return self._slack_says(person, channel, said, "in_thread", thread=thread)
            if word != self.team.command:
                return self._slack_says(person, channel, f"{word} is not a valid command.", "unknown_command")
            return await self._command(person, channel, rest.strip())
        return await self._message(person, channel, text, thread)

    async def press(self, who: str, where: str, button: str, value: str = "") -> Outcome:
        """A person clicks: `where` is a message's `ts` or a view's id, `button` a label or action id.

        A confirm dialog counts as confirmed. `value` is for elements that offer a choice. Raises Impossible.
        """
        person = self.workspace.person(who)
        message, view = self._on_screen(person, where)
        blocks: list[Json] = message.blocks if message is not None else (view.body["blocks"] if view else [])
        block, element = _pressed(blocks, button)
        channel = message.channel if message is not None else (view.channel if view is not None else None)
        times = 2 if self._faults.take("click_twice") else 1
        last = self._last_ephemeral(person)
        payloads = [self._click(person, message, view, block, element, value) for _ in range(times)]
        first, *_ = await asyncio.gather(*(self._interact(payload) for payload in payloads))
        if isinstance(first, NotAcked):
            return self._failed(person, channel, "That click", first)
        return Outcome(ok=True, ack_ms=first.ms, reply=self._said_since(person, last))

    async def submit(self, who: str, view_id: str, values: Mapping[str, str]) -> Outcome:
        """A person sends the modal on top. Raises Impossible."""
        person = self.workspace.person(who)
        view = self._top(person, view_id)
        state, errors = forms.filled(self.workspace, view, dict(values))
        if errors:
            self.workspace.show_errors(view, errors)
            return Outcome(ok=False, errors=errors)
        last = self._last_ephemeral(person)
        payload = self._interaction("view_submission", person, trigger=(view.channel, view.id))
        payload |= {"view": view.as_json(self.team, state), "response_urls": []}
        ack = await self._interact(payload)
        if isinstance(ack, NotAcked):
            errors = {"": "We had some trouble connecting. Try again?"}
            self.workspace.show_errors(view, errors)
            return Outcome(ok=False, ack_ms=ack.ms, error="dispatch_failed", errors=errors)
        try:
            errors = self._after_submission(person, view, ack.body)
        except SlackError as error:
            errors = {"": f"The app answered with something Slack refuses: {error.code}"}
        if errors:
            self.workspace.show_errors(view, errors)
        return Outcome(ok=not errors, ack_ms=ack.ms, errors=errors, reply=self._said_since(person, last))

    async def close(self, who: str, view_id: str) -> Outcome:
        """A person dismisses a modal and what stood on it. Raises Impossible."""
        person = self.workspace.person(who)
        view = self._top(person, view_id)
        self.workspace.close_views(person.id, view.id)
        if not view.body.get("notify_on_close"):
            return Outcome(ok=True)
        payload = self._interaction("view_closed", person)
        payload |= {"view": view.as_json(self.team), "is_cleared": False}
        return self._seen(await self._interact(payload))

    async def shortcut(self, who: str, callback_id: str, message_ts: str | None = None) -> Outcome:
        """A person uses a global shortcut, or one of a message. Raises Impossible."""
        person = self.workspace.person(who)
        shortcut = self.team.shortcuts.get(callback_id)
        if shortcut is None:
            raise Impossible(f"there is no shortcut {callback_id!r}; there are {', '.join(self.team.shortcuts)}")
        if shortcut.kind == "global":
            payload = self._interaction("shortcut", person, trigger=(None, None))
        else:
            message, _ = self._on_screen(person, message_ts or "")
            if message is None or message.ephemeral_to is not None:
                raise Impossible("a message shortcut needs a message that everybody sees")
            channel = self.workspace.channels[message.channel]
            payload = self._interaction("message_action", person, trigger=(channel.id, None))
            payload |= {
                "channel": {"id": channel.id, "name": channel.name},
                "message": message.as_json(self.team),
                "message_ts": message.ts,
                "response_url": self._response_url(person, channel.id, message.ts),
            }
        return self._seen(await self._interact(payload | {"callback_id": callback_id, "action_ts": self._action_ts()}))

    async def open_home(self, who: str) -> View | None:
        """What the person's App Home shows after they opened it, once the bot had a moment to publish it."""
        person = self.workspace.person(who)
        event: Json = {"type": "app_home_opened", "user": person.id, "tab": "home", "event_ts": self._action_ts()}
        event["channel"] = self.workspace.direct(person.id).id
        known = self.workspace.homes.get(person.id)
        if known is not None:
            event["view"] = known.as_json(self.team)
        with self.workspace.watching() as happened:
            await self._event(event)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOME_WITHIN):
                    while self.workspace.homes.get(person.id) is known:
                        await happened.get()
        return self.workspace.homes.get(person.id)

    async def set_members(self, group_id: str, members: list[str]) -> None:
        """The user group has these members (user ids), and the bot is told."""
        group = self.workspace.groups[group_id]
        added, removed = set(members) - set(group.members), set(group.members) - set(members)
        group.members = list(members)
        event: Json = {"type": "subteam_members_changed", "subteam_id": group.id, "team_id": self.team.id}
        event |= {"added_users": sorted(added), "added_users_count": len(added)}
        event |= {"removed_users": sorted(removed), "removed_users_count": len(removed)}
        await self._event(event)

    async def deactivate(self, who: str) -> None:
        """The person's account is closed, and the bot is told."""
        person = self.workspace.person(who)
        person.deleted = True
        await self._event({"type": "user_change", "user": person.as_json(self.team), "event_ts": self._action_ts()})

    # --- what they see ----------------------------------------------------------------------------------------------

    def messages(self, where: str, thread: str | None = None, who: str | None = None) -> list[Message]:
        """A channel's messages, oldest first, replies among them; with `thread` only that one.

        `@maya` is the direct messages of that person and the bot.
        `who` sees what is theirs; without, what was shown to one person is there too. Raises Impossible.
        """
        if where.startswith("@"):
            channel = self.workspace.direct(self.workspace.person(where).id)
        else:
            channel = self.workspace.channel(where)
        viewer = self.workspace.person(who) if who is not None else None
        if viewer is not None and viewer.id not in channel.members:
            raise Impossible(f"{viewer.handle} is not in #{channel.name}")
        return [
            message
            for message in self.workspace.messages[channel.id]
            if (thread is None or thread in (message.ts, message.thread))
            and (viewer is None or message.ephemeral_to in (None, viewer.id))
        ]

    def views(self, who: str) -> list[View]:
        """The person's open modals, the one on top last."""
        return list(self.workspace.stacks.get(self.workspace.person(who).id, ()))

    def name_of(self, user: str) -> str:
        """`maya` for U0MAYA, `bot` for the bot."""
        if user == self.team.bot_user:
            return "bot"
        person = self.workspace.people.get(user)
        return person.handle if person is not None else user

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _command(self, person: Person, channel: Channel, text: str) -> Outcome:
        last = self._last_ephemeral(person)
        payload: Json = {
            "token": "sandbox-verification-token",
            "team_id": self.team.id,
            "team_domain": self.team.domain,
            "channel_id": channel.id,
            "channel_name": "directmessage" if channel.is_direct else channel.name,
            "user_id": person.id,
            "user_name": person.handle,
            "command": self.team.command,
            "text": self._escaped(text, labels=True),
            "api_app_id": self.team.app_id,
            "is_enterprise_install": "false",
            "response_url": self._response_url(person, channel.id),
            "trigger_id": self.workspace.trigger(person.id, channel.id),
        }
        try:
            ack = await self._delivery.send(COMMAND, payload)
        except NotAcked as error:
            return self._failed(person, channel.id, self.team.command, error)
        answer = ack.body if isinstance(ack.body, dict) else {"text": ack.body}
        if not answer.get("text") and not answer.get("blocks"):
            return Outcome(ok=True, ack_ms=ack.ms, reply=self._said_since(person, last))
        try:
            if answer.get("response_type") == "in_channel":
                self.workspace.write(channel, person.id, f"{self.team.command} {self._escaped(text)}".strip())
            message = self.workspace.answer(channel, person.id, answer)
        except SlackError as error:
            said = f"{self.team.command} failed with the error “invalid_command_response” ({error.code})"
            return self._slack_says(person, channel, said, "invalid_command_response", ack.ms)
        return Outcome(ok=True, ack_ms=ack.ms, reply=message.text if message.ephemeral_to else None)

    async def _message(self, person: Person, channel: Channel, text: str, thread: str | None) -> Outcome:
        root = self.workspace.find_root(channel, thread) if thread is not None else None
        message = self.workspace.write(channel, person.id, self._escaped(text), thread=root)
        if f"<@{self.team.bot_user}>" not in message.text or self.team.bot_user not in channel.members:
            return Outcome(ok=True)
        event: Json = {
            "type": "app_mention",
            "user": person.id,
            "text": message.text,
            "ts": message.ts,
            "channel": channel.id,
            "event_ts": message.ts,
            "team": self.team.id,
            "client_msg_id": secrets.token_hex(16),
        }
        if message.thread is not None:
            event["thread_ts"] = message.thread
        return await self._event(event)

    async def _event(self, event: Json) -> Outcome:
        """The first attempt is over; Slack goes on trying if it failed."""
        at = int(self._clock.now().timestamp())
        envelope: Json = {
            "token": "sandbox-verification-token",
            "team_id": self.team.id,
            "context_team_id": self.team.id,
            "api_app_id": self.team.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": "Ev" + secrets.token_hex(5).upper(),
            "event_time": at,
            "is_ext_shared_channel": False,
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": self.team.id,
                    "user_id": self.team.bot_user,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
        }
        twice = self._faults.take("event_twice")
        try:
            ack = await self._delivery.send(EVENT, envelope)
        except NotAcked as error:
            if not error.final:
                self._spawn(self._retry(envelope, error.reason))
            return Outcome(ok=False, ack_ms=error.ms, error=error.reason)
        if twice:
            with contextlib.suppress(NotAcked):
                await self._delivery.send(EVENT, envelope, (1, "http_timeout"))
        return Outcome(ok=True, ack_ms=ack.ms)

    async def _retry(self, envelope: Json, reason: str) -> None:
        for number, after in enumerate(self._event_retries, start=1):
            await asyncio.sleep(after)
            try:
                await self._delivery.send(EVENT, envelope, (number, reason))
            except NotAcked as error:
                if error.final:
                    return
                reason = error.reason
            else:
                return

    async def _interact(self, payload: Json) -> Ack | NotAcked:
        try:
            return await self._delivery.send(INTERACTIVE, payload)
        except NotAcked as error:
            return error

    def _interaction(self, kind: str, person: Person, trigger: tuple[str | None, str | None] | None = None) -> Json:
        """What all interactions have in common; `trigger` is (channel, view) where there is a trigger id."""
        payload: Json = {
            "type": kind,
            "team": {"id": self.team.id, "domain": self.team.domain},
            "user": {"id": person.id, "username": person.handle, "name": person.handle, "team_id": self.team.id},
            "api_app_id": self.team.app_id,
            "token": "sandbox-verification-token",
            "enterprise": None,
            "is_enterprise_install": False,
        }
        if trigger is not None:
            payload["trigger_id"] = self.workspace.trigger(person.id, *trigger)
        return payload

    def _click(
        self, person: Person, message: Message | None, view: View | None, block: Json, element: Json, value: str
    ) -> Json:
        channel = message.channel if message is not None else (view.channel if view is not None else None)
        payload = self._interaction("block_actions", person, trigger=(channel, view.id if view is not None else None))
        action: Json = {"block_id": block["block_id"], "action_id": element["action_id"], "type": element["type"]}
        action["action_ts"] = self._action_ts()
        if element["type"] == "button":
            action |= {key: element[key] for key in ("text", "value", "style", "confirm", "url") if key in element}
        else:
            action |= forms.entered(self.workspace, element, value)
        payload["actions"] = [action]
        if view is not None:
            payload["container"] = {"type": "view", "view_id": view.id}
            payload["view"] = view.as_json(self.team)
            return payload
        if message is None:
            raise Impossible("there is nothing to click")
        home = self.workspace.channels[message.channel]
        container: Json = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": home.id,
            "is_ephemeral": message.ephemeral_to is not None,
        }
        if message.thread is not None:
            container["thread_ts"] = message.thread
        payload |= {
            "container": container,
            "channel": {"id": home.id, "name": "directmessage" if home.is_direct else home.name},
            "state": {"values": {}},
            "response_url": self._response_url(person, home.id, message.ts),
        }
        if message.ephemeral_to is None:
            payload["message"] = message.as_json(self.team)
        return payload

    def _after_submission(self, person: Person, view: View, answer: Json | str) -> dict[str, str]:
        """The screen is as the bot's answer to the submission says; gives the errors it names. Raises SlackError."""
        action = answer.get("response_action") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or action is None:
            self.workspace.close_views(person.id, view.id)
            return {}
        match action:
            case "errors":
                errors = answer.get("errors")
                names = {block.get("block_id") for block in view.body["blocks"] if block["type"] == "input"}
                if not isinstance(errors, dict) or not errors or not errors.keys() <= names:
                    raise SlackError("invalid_errors")
                return {str(key): str(value) for key, value in errors.items()}
            case "update":
                self.workspace.update_view(lambda other: other.id == view.id, answer.get("view"))
            case "push":
                name = self.workspace.trigger(person.id, view.channel, view.id)
                self.workspace.push_view(self.workspace.spend(name), answer.get("view"))
            case "clear":
                self.workspace.close_views(person.id)
            case _:
                raise SlackError("invalid_response_action")
        return {}

    def _on_screen(self, person: Person, where: str) -> tuple[Message | None, View | None]:
        """The message or view that this person can see. Raises Impossible."""
        message = self.workspace.find(where)
        if message is not None:
            channel = self.workspace.channels[message.channel]
            if person.id not in channel.members:
                raise Impossible(f"{person.handle} is not in #{channel.name}")
            if message.ephemeral_to not in (None, person.id):
                raise Impossible(f"only {self.name_of(message.ephemeral_to or '')} sees the message {where}")
            return message, None
        view = self.workspace.find_view(where)
        if view is None:
            raise Impossible(f"there is no message and no view {where!r}")
        if view.user != person.id:
            raise Impossible(f"only {self.name_of(view.user)} sees the view {where}")
        return None, view

    def _top(self, person: Person, view_id: str) -> View:
        stack = self.workspace.stacks.get(person.id) or []
        if not stack or stack[-1].id != view_id:
            raise Impossible(f"{person.handle} has no modal {view_id!r} on top")
        return stack[-1]

    def _seen(self, ack: Ack | NotAcked) -> Outcome:
        if isinstance(ack, NotAcked):
            return Outcome(ok=False, ack_ms=ack.ms, error="dispatch_failed")
        return Outcome(ok=True, ack_ms=ack.ms)

    def _failed(self, person: Person, channel_id: str | None, what: str, error: NotAcked) -> Outcome:
        said = f"{what} failed with the error “dispatch_failed” ({error.reason})"
        if channel_id is None:
            return Outcome(ok=False, ack_ms=error.ms, reply=said, error="dispatch_failed")
        return self._slack_says(person, self.workspace.channels[channel_id], said, "dispatch_failed", error.ms)

    def _slack_says(
        self,
        person: Person,
        channel: Channel,
        text: str,
        error: str,
        ack_ms: float = 0.0,
        thread: str | None = None,
    ) -> Outcome:
        self.workspace.write(channel, SLACKBOT, text, ephemeral_to=person.id, thread=thread)
        return Outcome(ok=False, ack_ms=ack_ms, reply=text, error=error)

    def _response_url(self, person: Person, channel: str, origin: str | None = None) -> str:
        return f"{self._base}/response/{self.workspace.response_url(person.id, channel, origin)}"

    def _last_ephemeral(self, person: Person) -> str:
        return max((m.ts for m in self._ephemerals(person)), default="")

    def _said_since(self, person: Person, ts: str) -> str | None:
        return "\n".join(m.text for m in self._ephemerals(person) if m.ts > ts) or None

    def _ephemerals(self, person: Person) -> list[Message]:
        return [m for messages in self.workspace.messages.values() for m in messages if m.ephemeral_to == person.id]

    def _escaped(self, text: str, *, labels: bool = False) -> str:
        """As Slack hands typed text on: entities escaped, names turned into ids (with a label in commands)."""
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

        def person(match: re.Match[str]) -> str:
            for known in self.workspace.people.values():
                if known.handle == match[1] and known.id != SLACKBOT:
                    return f"<@{known.id}|{known.handle}>" if labels else f"<@{known.id}>"
            for group in self.workspace.groups.values():
                if group.handle == match[1]:
                    return f"<!subteam^{group.id}|@{group.handle}>" if labels else f"<!subteam^{group.id}>"
            return match[0]

        def channel(match: re.Match[str]) -> str:
            for known in self.workspace.channels.values():
                if known.name == match[1]:
                    return f"<#{known.id}|{known.name if labels else ''}>"
            return match[0]

        text = re.sub(r"(?<![\w@])@([a-z0-9][a-z0-9_-]*)", person, text)
        return re.sub(r"(?<![\w#&])#([a-z0-9][a-z0-9_-]*)", channel, text)

    def _action_ts(self) -> str:
        return f"{time.time():.6f}"

    def _spawn(self, job: Coroutine[object, object, object]) -> None:
        task: asyncio.Task[object] = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _pressed(blocks: list[Json], button: str) -> tuple[Json, Json]:
    """The (block, element) with that label or action id. Raises Impossible."""
    usable = [(block, element) for block, element in block_kit.interactive(blocks)]
    wanted = button.strip().casefold()
    for block, element in usable:
        if wanted in (block_kit.label(element).casefold(), element["action_id"].casefold()):
            return block, element
    offered = ", ".join(block_kit.label(e) or e["action_id"] for _, e in usable) or "nothing"
    raise Impossible(f"there is no button {button!r} here; there is {offered}")


def acme(
    clock: Clock,
    *,
    signing_secret: str,
    bot_token: str,
    app_token: str = "xapp-sandbox",
    event_retries: tuple[float, ...] = EVENT_RETRIES,
) -> SlackWorld:
    """The workspace of the story: eight people, five groups, four channels."""
    world = SlackWorld(
        clock, signing_secret=signing_secret, bot_token=bot_token, app_token=app_token, event_retries=event_retries
    )
    people = (
        Person("U0MAYA", "maya", "Maya Brandt", "engineer"),
        Person("U0OMAR", "omar", "Omar Haddad", "release manager", "Africa/Cairo"),
        Person("U0RAJ", "raj", "Raj Patel", "tech lead", "Asia/Kolkata"),
        Person("U0INES", "ines", "Inês Duarte", "incident commander", "Europe/Lisbon"),
        Person("U0DAN", "dan", "Dan Okafor", "on call", "America/New_York"),
        Person("U0LEA", "lea", "Léa Martin", "engineer", "Europe/Paris"),
        Person("U0TOM", "tom", "Tom Nowak", "engineer", "Europe/Warsaw"),
        Person("U0GUS", "gus", "Gus Reyes", "guest", "America/Los_Angeles", is_restricted=True),
    )
    groups = (
        Group("S0ENG", "engineers", "Engineers", ["U0MAYA", "U0RAJ", "U0DAN", "U0LEA", "U0TOM", "U0OMAR"]),
        Group("S0RELMGR", "release-managers", "Release managers", ["U0OMAR"]),
        Group("S0TECHLEAD", "tech-leads", "Tech leads", ["U0RAJ"]),
        Group("S0INCIDENT", "incident-commanders", "Incident commanders", ["U0INES"]),
        Group("S0ONCALL", "on-call", "On call", ["U0DAN"]),
    )
    everyone = {person.id for person in people} | {world.team.bot_user}
    channels = (
        Channel("C0RELEASES", "releases", set(everyone), topic="What goes where, and who said so"),
        Channel("C0CHECKOUT", "checkout", everyone - {"U0GUS"}),
        Channel("C0PAYMENTS", "payments", everyone - {"U0GUS"}),
        Channel("C0SEARCH", "search", everyone - {"U0GUS"}),
    )
    for thing in (*people, *groups, *channels):
        world.workspace.add(thing)
    return world
