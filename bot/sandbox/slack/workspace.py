"""What stands in the workspace, and what may be done to it? State in memory; no network in here."""

from __future__ import annotations

import contextlib
import copy
import secrets
import time
from asyncio import Queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.sandbox.slack import block_kit
from bot.sandbox.slack.model import Channel, Group, Impossible, Json, Message, Person, SlackError, Team, View

TRIGGER_LIFE = 3.0  # seconds; https://docs.slack.dev/interactivity/handling-user-interaction#trigger_ids
RESPONSE_URL_LIFE = timedelta(
    minutes=30
)  # https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
RESPONSE_URL_USES = 5
VIEWS_DEEP = 3  # https://docs.slack.dev/surfaces/modals#view_stack
TEXT_MAX = 40_000  # https://docs.slack.dev/reference/methods/chat.postMessage#truncating
UPDATE_TEXT_MAX = 4_000  # https://docs.slack.dev/reference/methods/chat.update
SLACKBOT = "USLACKBOT"


class Clock(Protocol):
    def now(self) -> datetime: ...


@dataclass(slots=True)
class Trigger:
    """Permission to open one modal for one person, soon."""

    user: str
    channel: str | None
    expires: float
    view: str | None = None
    used: bool = False


@dataclass(slots=True)
class ResponseUrl:
    """A place to answer one interaction; `origin` is the message it came from, if it came from one."""

    user: str
    channel: str
    origin: str | None
    expires_at: datetime
    uses: int = 0


@dataclass(frozen=True, slots=True)
class Happened:
    """Something changed: `what` is `messages`, `views` or `home`; whose or where says `where`."""

    what: str
    where: str


class Workspace:
    """People, channels, messages, views; every rule of Slack about them, none about how the bot is reached."""

    def __init__(self, clock: Clock, team: Team, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.team = team
        self.people: dict[str, Person] = {}
        self.groups: dict[str, Group] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, list[Message]] = {}
        """By channel id, in the order they were written."""
        self.stacks: dict[str, list[View]] = {}
        """By user id: the modals on top of each other, the visible one last."""
        self.homes: dict[str, View] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self._triggers: dict[str, Trigger] = {}
        self._clock = clock
        self._monotonic = monotonic
        self._last_ts = 0
        self._watchers: set[Queue[Happened]] = set()
        self.add(Person(team.bot_user, team.bot_name, "Release Bot", is_bot=True))
        self.add(Person(SLACKBOT, "slackbot", "Slackbot", is_bot=True))

    # --- who and where ----------------------------------------------------------------------------------------------

    def add(self, thing: Person | Group | Channel) -> None:
        """It exists from now on; what had the same id is replaced."""
        match thing:
            case Person():
                self.people[thing.id] = thing
            case Group():
                self.groups[thing.id] = thing
            case Channel():
                self.channels[thing.id] = thing
                self.messages.setdefault(thing.id, [])

    def person(self, named: str) -> Person:
        """By user id or handle, with or without @. Raises Impossible."""
        name = named.removeprefix("@")
        for person in self.people.values():
            if name in (person.id, person.handle):
                return person
        raise Impossible(f"nobody here is called {named!r}; there are {', '.join(self.handles())}")

    def handles(self) -> list[str]:
        """The handles of all people who are not bots."""
        return [person.handle for person in self.people.values() if not person.is_bot]

    def channel(self, named: str) -> Channel:
        """By id or name, with or without #. Raises Impossible."""
        name = named.removeprefix("#")
        for channel in self.channels.values():
            if name in (channel.id, channel.name):
                return channel
        names = ", ".join(f"#{c.name}" for c in self.channels.values() if not c.is_direct)
        raise Impossible(f"there is no channel {named!r}; there are {names}")

    def direct(self, user: str) -> Channel:
        """The direct messages of this person and the bot, opened if need be."""
        identity = "D" + user[1:]
        if identity not in self.channels:
            self.add(Channel(identity, f"@{self.people[user].handle}", {user, self.team.bot_user}, is_direct=True))
        return self.channels[identity]

    def channel_for_bot(self, named: object) -> Channel:
        """Where the bot wants to write. Raises SlackError."""
        if not isinstance(named, str) or not named:
            raise SlackError("channel_not_found")
        if named in self.people and named != self.team.bot_user:
            return self.direct(named)
        try:
            channel = self.channel(named)
        except Impossible as error:
            raise SlackError("channel_not_found") from error
        if self.team.bot_user not in channel.members:
            raise SlackError("not_in_channel")
        if channel.is_archived:
            raise SlackError("is_archived")
        return channel

    # --- messages ---------------------------------------------------------------------------------------------------

    def write(
        self,
        channel: Channel,
        user: str,
        text: str,
        blocks: object = None,
        *,
        thread: object = None,
        ephemeral_to: str | None = None,
        metadata: Json | None = None,
        broadcast: bool = False,
    ) -> Message:
        """The message stands in the channel. Raises SlackError `no_text`, `invalid_blocks`, `thread_not_found`."""
        kept = self._blocks(blocks)
        if not kept and not text:
            raise SlackError("no_text")
        message = Message(
            ts=self._next_ts(),
            channel=channel.id,
            user=user,
            text=text[:TEXT_MAX],
            blocks=kept,
            thread=self._root(channel, thread),
            ephemeral_to=ephemeral_to,
            metadata=metadata,
            broadcast=broadcast,
        )
        self.messages[channel.id].append(message)
        self._tell("messages", channel.id)
        return message

    def rewrite(self, channel: Channel, ts: object, text: object, blocks: object) -> Message:
        """The bot's own message says something else; text alone takes the blocks away. Raises SlackError."""
        message = self._public(channel, ts)
        if message.user != self.team.bot_user:
            raise SlackError("cant_update_message")
        kept = self._blocks(blocks)
        said = str(text or "")
        if not kept and not said:
            raise SlackError("no_text")
        if len(said) > UPDATE_TEXT_MAX:
            raise SlackError("msg_too_long")
        message.text, message.blocks = said, kept
        message.edited = not kept  # messages made of blocks keep no such mark
        self._tell("messages", channel.id)
        return message

    def delete(self, channel: Channel, ts: object) -> None:
        message = self._public(channel, ts)
        if message.user != self.team.bot_user:
            raise SlackError("cant_delete_message")
        self.remove(message)

    def remove(self, message: Message) -> None:
        self.messages[message.channel].remove(message)
        self._tell("messages", message.channel)

    def find(self, ts: str) -> Message | None:
        """A message of any channel, also one shown to one person only."""
        return next((m for messages in self.messages.values() for m in messages if m.ts == ts), None)

    def find_root(self, channel: Channel, thread: str) -> str:
        """`ts` of the message that begins the thread. Raises Impossible."""
        try:
            return self._root(channel, thread) or thread
        except SlackError as error:
            raise Impossible(f"there is no message {thread!r} in #{channel.name}") from error

    def _public(self, channel: Channel, ts: object) -> Message:
        for message in self.messages[channel.id]:
            if message.ts == ts and message.ephemeral_to is None:
                return message
        raise SlackError("message_not_found")

    def _root(self, channel: Channel, thread: object) -> str | None:
        if not thread:
            return None
        for message in self.messages[channel.id]:
            if message.ts == thread and message.ephemeral_to is None:
                return message.thread or message.ts
        raise SlackError("thread_not_found")

    def _blocks(self, blocks: object) -> list[Json]:
        if blocks is None or blocks == []:
            return []
        problems = block_kit.in_message(blocks)
        if problems or not isinstance(blocks, list):
            raise SlackError("invalid_blocks", tuple(problems), errors=problems)
        return _named(blocks)

    def _next_ts(self) -> str:
        now = self._clock.now()
        wanted = int(now.timestamp()) * 1_000_000 + now.microsecond
        self._last_ts = max(wanted, self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    # --- triggers and response URLs ---------------------------------------------------------------------------------

    def trigger(self, user: str, channel: str | None, view: str | None = None) -> str:
        """A fresh trigger id for what this person just did."""
        name = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[name] = Trigger(user, channel, self._monotonic() + TRIGGER_LIFE, view)
        return name

    def spend(self, name: object) -> Trigger:
        """Uses the trigger up. Raises SlackError with one of Slack's three names."""
        trigger = self._triggers.get(name) if isinstance(name, str) else None
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._monotonic() > trigger.expires:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def response_url(self, user: str, channel: str, origin: str | None = None) -> str:
        """The secret path of a new response URL."""
        name = f"{self.team.id}/{secrets.randbelow(10**13)}/{secrets.token_urlsafe(18)}"
        expires_at = self._clock.now() + RESPONSE_URL_LIFE
        self.response_urls[name] = ResponseUrl(user, channel, origin, expires_at)
        return name

    def respond(self, name: str, answer: Json) -> None:
        """Carries out what was posted to a response URL. Raises SlackError."""
        place = self.response_urls.get(name)
        if place is None:
            raise SlackError("invalid_url")
        if self._clock.now() >= place.expires_at:
            raise SlackError("expired_url")
        if place.uses >= RESPONSE_URL_USES:
            raise SlackError("used_url")
        channel = self.channels[place.channel]
        origin = self.find(place.origin) if place.origin else None
        if answer.get("delete_original"):
            if origin is not None:
                self.remove(origin)
        elif answer.get("replace_original") and origin is not None:
            kept, text = self._blocks(answer.get("blocks")), str(answer.get("text") or "")
            if not kept and not text:
                raise SlackError("no_text")
            origin.text, origin.blocks = text, kept
            self._tell("messages", origin.channel)
        else:
            self.answer(channel, place.user, answer)
        place.uses += 1

    def answer(self, channel: Channel, user: str, answer: Json) -> Message:
        """A bot's answer to a person: seen by them alone unless `response_type` is `in_channel`."""
        public = answer.get("response_type") == "in_channel"
        return self.write(
            channel,
            self.team.bot_user,
            str(answer.get("text") or ""),
            answer.get("blocks"),
            thread=answer.get("thread_ts") if public else None,
            ephemeral_to=None if public else user,
        )

    # --- views ------------------------------------------------------------------------------------------------------

    def open_view(self, trigger: Trigger, body: object) -> View:
        """The modal is on the person's screen, instead of any other."""
        view = self._view(body, trigger.user, trigger.channel)
        self.stacks[trigger.user] = [view]
        self._tell("views", trigger.user)
        return view

    def push_view(self, trigger: Trigger, body: object) -> View:
        """The modal stands on top of those already open. Raises SlackError `push_limit_reached`."""
        stack = self.stacks.get(trigger.user) or []
        if trigger.view is None or not stack:
            raise SlackError("not_found")
        if len(stack) >= VIEWS_DEEP:
            raise SlackError("push_limit_reached")
        view = self._view(body, trigger.user, trigger.channel, under=stack[-1])
        stack.append(view)
        self._tell("views", trigger.user)
        return view

    def update_view(self, found: Callable[[View], bool], body: object, expected_hash: object = None) -> View:
        """That view shows something else. Raises SlackError `not_found`, `hash_conflict`, `invalid_arguments`."""
        for view in [*(v for stack in self.stacks.values() for v in stack), *self.homes.values()]:
            if found(view):
                if expected_hash and expected_hash != view.hash:
                    raise SlackError("hash_conflict")
                view.body, view.hash, view.errors = self._body(body, view.type), self._hash(), {}
                self._tell("home" if view.type == "home" else "views", view.user)
                return view
        raise SlackError("not_found")

    def publish(self, user: object, body: object, expected_hash: object = None) -> View:
        """The person's App Home shows this."""
        if not isinstance(user, str) or user not in self.people:
            raise SlackError("user_not_found")
        known = self.homes.get(user)
        if known is not None and expected_hash and expected_hash != known.hash:
            raise SlackError("hash_conflict")
        view = View("", "home", user, self._body(body, "home"), self._hash(), "")
        view.id = known.id if known is not None else self._view_id()
        view.root = view.id
        self.homes[user] = view
        self._tell("home", user)
        return view

    def close_views(self, user: str, above: str | None = None) -> None:
        """All modals of the person are gone; with `above`, that one and those over it."""
        stack = self.stacks.get(user, [])
        at = next((n for n, view in enumerate(stack) if view.id == above), 0)
        self.stacks[user] = stack[:at]
        self._tell("views", user)

    def find_view(self, identity: str) -> View | None:
        """An open modal or an App Home, by id."""
        views = [*(v for stack in self.stacks.values() for v in stack), *self.homes.values()]
        return next((view for view in views if view.id == identity), None)

    def show_errors(self, view: View, errors: dict[str, str]) -> None:
        view.errors = errors
        self._tell("views", view.user)

    def _view(self, body: object, user: str, channel: str | None, under: View | None = None) -> View:
        view = View(self._view_id(), "modal", user, self._body(body, "modal"), self._hash(), "", channel=channel)
        view.root = under.root if under is not None else view.id
        view.previous = under.id if under is not None else None
        return view

    def _body(self, body: object, kind: str) -> Json:
        problems = block_kit.in_view(body)
        if isinstance(body, dict) and body.get("type") in ("modal", "home") and body["type"] != kind:
            problems.append(block_kit.wrong(f"must be of type {kind}", "/view/type"))
        if problems or not isinstance(body, dict):
            raise SlackError("invalid_arguments", tuple(problems))
        return {**body, "blocks": _named(body["blocks"])}

    def _view_id(self) -> str:
        return "V" + secrets.token_hex(5).upper()

    def _hash(self) -> str:
        return f"{int(self._clock.now().timestamp())}.{secrets.token_hex(4)}"

    # --- watching ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def watching(self) -> Iterator[Queue[Happened]]:
        """Inside, everything that changes comes into the queue."""
        queue: Queue[Happened] = Queue()
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def _tell(self, what: str, where: str) -> None:
        for queue in self._watchers:
            queue.put_nowait(Happened(what, where))


def _named(blocks: list[Json]) -> list[Json]:
    """The blocks with the block and action ids that Slack makes up where there are none."""
    named = copy.deepcopy(blocks)
    for block in named:
        block.setdefault("block_id", secrets.token_urlsafe(4))
    for _, element in block_kit.interactive(named):
        element.setdefault("action_id", secrets.token_urlsafe(4))
    return named
