"""What did somebody say in Slack? Commands, clicks, modals, shortcuts and mentions all become words of a person.

The order is always: prove, parse, hear, take down, acknowledge. Nothing is acknowledged before it is on disk, and
nothing is called on the way but `views.open`, whose trigger lives for three seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import secrets as chance
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.dialogs import Asking
from bot.slack_out import (
    ASKED,
    INPUT,
    WORDS,
    ActionId,
    Late,
    SlackChat,
    asking_view,
    home_view,
    said_view,
    to_slack,
    whole,
    words_view,
)
from bot.slack_proof import BODY_MAX, Replays, parse, signed
from commands.errors import Rejected, ReleaseBotError, Unavailable
from commands.ports import Clock, Request
from commands.reply import Reply, plain

log = logging.getLogger(__name__)

COMMAND = "/release"
FROM_MESSAGE = "release_from_message"
ANEW = "release_new"

TAKE_SECONDS = 2.0
"""Ours: Slack waits for 3.  https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response"""
OPEN_SECONDS = 1.0
"""Ours: so long does an acknowledgement wait for a dialog."""
READ_SECONDS = 10.0
"""Ours: so long may a body take to arrive."""

NOT_TAKEN = Reply("The audit ledger cannot be written, nothing was done.", footer="Please try again in a minute.")
NOT_TAKEN_IN_TIME = Reply(
    "The audit ledger cannot be written, nothing was done.",
    footer="It did not answer in time. Should it turn out to have your words after all, you will hear of it here.",
)
NOT_OURS = Reply("Only members of this workspace can do that; nothing was done.")
NO_BOTS = Reply("Only people can do that; nothing was done.")
TOO_LATE = Reply("That took too long; please click again. Nothing was done.")

Via = Literal["command", "mention", "button", "modal", "shortcut"]


class Ear(Protocol):
    """Who listens."""

    def hear(self, words: str) -> Reply | None:
        """What can be said at once, without a look at the world (help, words not understood); None: work follows."""

    async def take(self, request: Request, answered: bool) -> bool:  # noqa: FBT001 (a word of the shared contract)
        """It stands in the ledger, on disk; False: a repetition, nothing was written. Raises `Unavailable`."""


class Forgetful(Protocol):
    """Who remembers people for a while."""

    def forget_user(self, user: str) -> None: ...

    def forget_group(self, group: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Installed:
    """Where we are at home, and who we are there."""

    team: str
    """Workspace (`T…`) whose people may speak to us, or the whole Grid (`E…`)."""
    bot_user: str = ""
    """Our own user id; empty: not known, then events say it."""
    bot: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back in the acknowledgement."""

    body: dict[str, Any] | None = None
    """None: empty."""
    status: int = 200


EMPTY = Answer()


# Words --------------------------------------------------------------------------------------------------------------

_MARKUP = re.compile(r"<([^<>]*)>")
_QUOTES = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"') | dict.fromkeys("\u2018\u2019\u201a\u201b", "'")
)
# a dash between spaces is left alone: the grammar may read it as an arrow
_DASH = re.compile(r"(?<!\s)[\u2010-\u2015\u2212]|[\u2010-\u2015\u2212](?!\s)")
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def words_of(text: str) -> str:
    """The plain words: Slack's markup and escapes undone, look-alikes and invisible letters put right, on one line."""
    return plain_letters(_unescaped(_MARKUP.sub(_unmarked, text)).replace("`", ""))


def plain_letters(text: str) -> str:
    """Straight quotes, plain spaces, hyphens for dashes inside words; nothing that cannot be seen."""
    return " ".join(_DASH.sub("-", _UNSEEN.sub("", text.translate(_QUOTES))).split())


def _unmarked(found: re.Match[str]) -> str:
    inner, _, label = found[1].partition("|")
    match inner[:1]:
        case "@" | "#":
            return inner
        case "!":
            if inner.startswith("!subteam^"):
                return f"@{inner.removeprefix('!subteam^')}"
            return label or inner.removeprefix("!")
    return label or inner.removeprefix("mailto:")


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


# Payloads -----------------------------------------------------------------------------------------------------------

_ID = re.compile(r"[A-Z0-9]{1,40}")
_TS = re.compile(r"\d{1,12}\.\d{1,9}")


def at(body: object, *path: str | int) -> Any:  # noqa: ANN401 (payloads have any shape)
    """What stands there, or None where the way ends early."""
    for step in path:
        if isinstance(body, dict) and isinstance(step, str):
            body = body.get(step)
        elif isinstance(body, list) and isinstance(step, int) and len(body) > step:
            body = body[step]
        else:
            return None
    return body


def text_at(body: object, *path: str | int) -> str:
    found = at(body, *path)
    return found if isinstance(found, str) else ""


def _id_at(body: object, *path: str | int) -> str:
    found = text_at(body, *path)
    return found if _ID.fullmatch(found) else ""


def _ts_at(body: object, *path: str | int) -> str:
    found = text_at(body, *path)
    return found if _TS.fullmatch(found) else ""


def same_deed(kind: str, *parts: str) -> str:
    """A request's id: equal for repetitions of one deed. Hashed: a trigger id is as good as a key while it lives."""
    return f"{kind}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who spoke, by the signed envelope; names and display names are nobody's identity."""

    team: str
    user: str
    bot: bool = False

    @property
    def account(self) -> str:
        return f"slack:{self.team}/{self.user}"


@dataclass(frozen=True, slots=True)
class Heard:
    """One deed: the request that it is, who did it, and how an answer goes back in its acknowledgement."""

    request: Request
    actor: Actor
    reply: Literal["in the answer", "in the view", "privately"]
    field: str = ""
    """For views: the block that an error is shown at."""


# The way in ---------------------------------------------------------------------------------------------------------


class SlackIn:
    """Turns payloads into requests and has them taken down. One for the process; `close` lets what was begun end."""

    def __init__(
        self,
        *,
        ear: Ear,
        chat: SlackChat,
        client: AsyncWebClient,
        installed: Installed,
        clock: Clock,
        home: Callable[[str], Awaitable[Reply]],
        people: Forgetful | None = None,
        default_channel: str = "",
    ) -> None:
        self._ear = ear
        self._chat = chat
        self._installed = installed
        self._clock = clock
        self._home = home
        self._people = people
        self._default_channel = default_channel
        self._tasks: set[asyncio.Task[None]] = set()
        self._bolt = self._app(client)

    def _app(self, client: AsyncWebClient) -> AsyncApp:
        known = AuthorizeResult(
            enterprise_id=None,
            team_id=self._installed.team or None,
            bot_user_id=self._installed.bot_user or None,
            bot_id=self._installed.bot or None,
            bot_token=client.token,
        )

        async def authorize() -> AuthorizeResult:
            return known  # never auth.test on a request's way

        # Bolt's own log lines would carry whole bodies; what goes wrong reaches `_broke` instead
        quiet = logging.getLogger("bot.slack_bolt")
        quiet.setLevel(logging.CRITICAL)
        app = AsyncApp(
            name="release-bot",
            logger=quiet,
            client=client,
            signing_secret="proved before, in slack_proof",  # noqa: S106 (not a secret: Bolt's own check is off)
            authorize=authorize,
            process_before_response=True,
            request_verification_enabled=False,
            ssl_check_enabled=False,
            url_verification_enabled=False,
            ignoring_self_events_enabled=False,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
        )
        anything = re.compile("")
        app.command(anything)(_listener(self._on_command))
        app.action({"type": "block_actions", "action_id": anything})(_listener(self._on_action))
        app.view_submission(anything)(_listener(self._on_submission))
        app.view_closed(anything)(_listener(_on_nothing))
        app.event(anything)(_listener(self._on_event))
        app.shortcut(anything)(_listener(self._on_shortcut))
        app.options(anything)(_listener(_on_options))
        app.error(_broke)
        return app

    def at_home(self, installed: Installed, people: Forgetful) -> None:
        """It is known now whose people may speak to us. Before, Slack alone is asked, when the work begins."""
        self._installed = installed
        self._people = people

    async def answer(self, body: dict[str, Any]) -> Answer:
        """What to acknowledge this payload with; never raises, and never leaves a person without a word."""
        try:
            kind = text_at(body, "type")
            if kind == "app_rate_limited":
                log.warning("Slack limits our events (app_rate_limited, minute %s)", at(body, "minute_rate_limited"))
                return EMPTY
            if "command" not in body and kind not in _KINDS:
                log.info("nothing to do for a payload of an unknown kind")
                return EMPTY
            # no headers are handed over: nothing like X-Slack-Bolt-Lazy-Only gets in
            request = AsyncBoltRequest(mode="socket_mode", body=body)
            response = await self._bolt.async_dispatch(request)
        except Exception as error:  # noqa: BLE001 (whatever it was, the person gets a number to quote)
            return self._stumbled(error, body)
        if isinstance(response, _Response):
            return response.answer
        return self._stumbled(request.context.get(_ERROR) or _Unheard(kind), body)

    async def close(self, seconds: float = 5.0) -> None:
        """What was begun beside the acknowledgements has ended, or is given up after so long."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()

    async def quiet(self) -> None:
        """Nothing is under way beside the acknowledgements."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # Listeners: one for each kind of payload ------------------------------------------------------------------------

    async def _on_command(self, body: dict[str, Any]) -> Answer:
        actor = Actor(_id_at(body, "team_id"), _id_at(body, "user_id"))
        trigger = text_at(body, "trigger_id")
        words = _without_command(words_of(text_at(body, "text")))
        id = same_deed("command", trigger) if trigger else same_deed("command", json.dumps(body, sort_keys=True))
        self._remember_way_back(id, body)
        if text_at(body, "command") != COMMAND:
            return Answer(_ephemeral(self._help()))
        request = self._request(id, words, actor, _id_at(body, "channel_id"), via="command")
        return await self._heard(Heard(request, actor, "in the answer"))

    async def _on_action(self, body: dict[str, Any]) -> Answer:
        action = at(body, "actions", 0)
        actor = _actor(body)
        container = at(body, "container")
        channel = _id_at(container, "channel_id") or _id_at(body, "channel", "id") or self._default_channel
        message = _ts_at(container, "message_ts") or _ts_at(body, "message", "ts")
        thread = _ts_at(container, "thread_ts") or _ts_at(body, "message", "thread_ts")
        name, value = text_at(action, "action_id"), text_at(action, "value").strip()
        id = same_deed(
            "click",
            message or text_at(container, "view_id"),
            channel,
            name,
            text_at(action, "action_ts") or text_at(body, "trigger_id"),
            actor.account,
        )
        self._remember_way_back(id, body)
        asked = ActionId.read(name)
        if not value:
            if text_at(action, "url") or asked.word.startswith("link"):
                return EMPTY  # Slack opened the link itself and only wants to know that we heard
            self._whisper(channel, actor, self._help(), id=id)
            return EMPTY
        says, asks = asked.question(value)
        request = self._request(
            id,
            says,
            actor,
            channel,
            via="button",
            thread="" if thread == message else thread,  # pressed on the root itself: it was said in the channel
            message="" if at(container, "is_ephemeral") is True else message,  # nobody can update those
        )
        heard = Heard(request, actor, "privately")
        if asks and self._refusal(actor) is None:
            keys = tuple((ask.key, ask.required) for ask in asks)
            asking = Asking(says, keys, channel, request.thread, request.message)
            view = asking_view(asking, asks, text_at(action, "text", "text"))
            return await self._open(heard, text_at(body, "trigger_id"), view)
        return await self._heard(heard)

    async def _on_submission(self, body: dict[str, Any]) -> Answer:
        view = at(body, "view")
        callback = text_at(view, "callback_id")
        if callback not in {ASKED, WORDS}:
            return EMPTY
        asking = Asking.read(text_at(view, "private_metadata"))
        via: Via = "modal"
        if callback == ASKED:
            answers = {key: _answer(view, key) for key, _ in asking.keys}
            missing, words = asking.unanswered(answers), asking.words(answers)
        else:
            text, via = _answer(view, WORDS), "shortcut"
            missing, words = () if text else (WORDS,), _without_command(text)
        if missing:
            return Answer(_field_errors(missing, "Please write something here."))
        field = asking.keys[0][0] if callback == ASKED else WORDS
        actor = _actor(body)
        id = same_deed("view", text_at(view, "id"), text_at(view, "hash"), words, actor.account)
        channel = asking.channel or self._default_channel
        request = self._request(id, words, actor, channel, via=via, thread=asking.thread, message=asking.message)
        return await self._heard(Heard(request, actor, "privately" if asking.channel else "in the view", field))

    async def _on_shortcut(self, body: dict[str, Any]) -> Answer:
        actor = _actor(body)
        callback = text_at(body, "callback_id")
        channel = _id_at(body, "channel", "id")
        message = _ts_at(body, "message_ts") or _ts_at(body, "message", "ts")
        thread = _ts_at(body, "message", "thread_ts") or message
        id = same_deed("shortcut", text_at(body, "trigger_id"), actor.account)
        self._remember_way_back(id, body)
        if callback not in {FROM_MESSAGE, ANEW}:
            self._whisper(channel, actor, self._help(), id=id)
            return EMPTY
        request = self._request(id, f"{COMMAND} {callback}", actor, channel, via="shortcut", thread=thread)
        heard = Heard(request, actor, "privately")
        if self._refusal(actor) is not None:
            return await self._heard(heard)
        asking = Asking(channel=channel, thread=thread if channel else "")
        return await self._open(heard, text_at(body, "trigger_id"), words_view(asking, "status"))

    async def _on_event(self, body: dict[str, Any]) -> Answer:
        event = at(body, "event")
        match text_at(event, "type"):
            case "app_mention":
                return await self._on_mention(body, event)
            case "app_home_opened" if text_at(event, "tab") == "home":
                self._beside(self._show_home(Actor(self._team_of(body, event), _id_at(event, "user")).account))
            case "subteam_members_changed" | "subteam_updated" if self._people is not None:
                self._people.forget_group(text_at(event, "subteam_id") or text_at(event, "subteam", "id"))
            case "user_change" if self._people is not None:
                self._people.forget_user(text_at(event, "user", "id"))
            case "app_uninstalled" | "tokens_revoked":
                log.error("Slack says that this app was uninstalled, or its tokens revoked")
        return EMPTY

    async def _on_mention(self, body: dict[str, Any], event: dict[str, Any]) -> Answer:
        user = _id_at(event, "user")
        us = self._installed.bot_user or _id_at(body, "authorizations", 0, "user_id")
        bot = bool(event.get("bot_id")) or text_at(event, "subtype") == "bot_message" or user == us
        actor = Actor(self._team_of(body, event), user or _id_at(event, "bot_id"), bot)
        text = text_at(event, "text")
        mention = re.compile(rf"<@{us}(?:\|[^<>]*)?>" if us else r"^\s*<@[^<>]*>")
        words = _without_command(words_of(mention.sub(" ", text)))
        id = same_deed("event", text_at(body, "event_id") or text_at(event, "client_msg_id"), _ts_at(event, "ts"))
        thread, channel = _ts_at(event, "thread_ts"), _id_at(event, "channel")
        return await self._heard(
            Heard(self._request(id, words, actor, channel, via="mention", thread=thread), actor, "privately")
        )

    # What is common to all of them ----------------------------------------------------------------------------------

    def _request(
        self, id: str, words: str, actor: Actor, channel: str, *, via: Via, thread: str = "", message: str = ""
    ) -> Request:
        words = whole(words)  # half a character can be neither kept nor said again
        return Request(id, words, actor.account, channel, thread, message, via, self._clock.now())

    def _team_of(self, body: dict[str, Any], event: object) -> str:
        return _id_at(event, "user_team") or _id_at(event, "team") or _id_at(body, "team_id")

    def _help(self) -> Reply:
        return self._ear.hear("help") or Reply(f"Type `{COMMAND} help` to see what I can do.")

    def _refusal(self, actor: Actor) -> Reply | None:
        """Why this actor may not speak at all; who people are beyond that is asked later, of Slack itself."""
        if actor.bot or (self._installed.bot_user and actor.user == self._installed.bot_user):
            return NO_BOTS
        grid = self._installed.team.startswith("E")  # its workspaces have ids of their own; Slack is asked later
        unknown = not self._installed.team  # the policy is still being read
        if not actor.user or (actor.team != self._installed.team and not grid and not unknown):
            return NOT_OURS
        return None

    async def _heard(self, heard: Heard) -> Answer:
        """Heard, taken down, and only then acknowledged."""
        refusal = self._refusal(heard.actor)
        reply = refusal or self._ear.hear(heard.request.words)
        if heard.actor.user:
            try:
                fresh = await self._taken(heard.request, answered=reply is not None)
            except ReleaseBotError as error:
                log.error("not taken down: %s", error)  # noqa: TRY400 (foreseen; the sentence says it all)
                return self._told(heard, refusal or NOT_TAKEN, failed=True)
            except TimeoutError:
                log.error("not taken down: the ledger did not answer in %s s", TAKE_SECONDS)  # noqa: TRY400
                return self._told(heard, refusal or NOT_TAKEN_IN_TIME, failed=True)
            if not fresh and heard.reply != "in the answer":
                return EMPTY
        return self._told(heard, reply) if reply is not None else EMPTY

    async def _taken(self, request: Request, *, answered: bool) -> bool:
        """Not `wait_for`: a ledger that hangs may also hang when told to stop, and the answer must leave in time."""
        task = asyncio.ensure_future(self._ear.take(request, answered))
        try:
            done, _ = await asyncio.wait({task}, timeout=TAKE_SECONDS)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            return task.result()
        task.cancel()
        task.add_done_callback(_late)
        raise TimeoutError

    def _told(self, heard: Heard, reply: Reply, *, failed: bool = False) -> Answer:
        """The reply on its way: in the acknowledgement where that shows it, else privately beside it."""
        if heard.reply == "in the answer":
            return Answer(_ephemeral(reply))
        if heard.field and failed:  # what was written stays in the modal
            return Answer(_field_errors((heard.field,), f"{plain(reply.title)} {plain(reply.footer)}"))
        if heard.reply == "in the view":
            return Answer({"response_action": "update", "view": said_view(reply)})
        request = heard.request
        self._whisper(request.channel, heard.actor, reply, thread=request.thread, id=request.id)
        return EMPTY

    async def _open(self, heard: Heard, trigger: str, view: dict[str, Any]) -> Answer:
        """The dialog is open, or is being opened: an acknowledgement does not wait long for it."""
        task = self._beside(self._opened(heard, trigger, view))
        await asyncio.wait({task}, timeout=OPEN_SECONDS)
        return EMPTY

    async def _opened(self, heard: Heard, trigger: str, view: dict[str, Any]) -> None:
        request = heard.request
        try:
            await self._chat.open(trigger, view)
        except Late:
            await self._whispered(request.channel, heard.actor, TOO_LATE, request.thread, request.id)
        except ReleaseBotError as error:
            said = Reply(f"{error} Nothing was done; please click again.")
            await self._whispered(request.channel, heard.actor, said, request.thread, request.id)

    async def _show_home(self, account: str) -> None:
        try:
            await self._chat.show_home(account, home_view(await self._home(account)))
        except ReleaseBotError as error:
            log.warning("App Home is not shown: %s", error)

    def _whisper(self, channel: str, actor: Actor, reply: Reply, *, thread: str = "", id: str = "") -> None:
        self._beside(self._whispered(channel, actor, reply, thread, id))

    async def _whispered(self, channel: str, actor: Actor, reply: Reply, thread: str, id: str) -> None:
        try:
            await self._chat.whisper(channel, actor.account, to_slack(reply), thread, id)
        except (Unavailable, Rejected) as error:
            log.warning("not whispered: %s", error)

    def _remember_way_back(self, id: str, body: dict[str, Any]) -> None:
        if url := text_at(body, "response_url"):
            self._chat.ways_back.remember(id, url)

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Done beside the acknowledgement; held on to, and its failure is logged."""
        task = asyncio.ensure_future(_watched(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _stumbled(self, error: Exception, body: dict[str, Any]) -> Answer:
        """A bug of ours, or a payload that Slack never sends: logged, and the person gets a number to quote."""
        number = chance.token_hex(4)
        log.error("stumbled %s\n%s", number, told(error, body))
        reply = Reply(f"Something went wrong here; nothing was done. Please quote {number}.")
        if "command" in body:
            return Answer(_ephemeral(reply))
        if text_at(body, "type") == "view_submission":
            return Answer({"response_action": "update", "view": said_view(reply)})
        with suppress(Exception):
            actor = (
                _actor(body)
                if at(body, "event") is None
                else Actor(self._installed.team, _id_at(body, "event", "user"))
            )
            channel = _id_at(body, "channel", "id") or _id_at(body, "event", "channel")
            if actor.user and channel:
                id = same_deed("stumbled", number)
                self._remember_way_back(id, body)
                self._whisper(channel, actor, reply, id=id)
        return EMPTY


_KINDS = frozenset(
    {
        "block_actions",
        "view_submission",
        "view_closed",
        "event_callback",
        "shortcut",
        "message_action",
        "block_suggestion",
    }
)
_ERROR = "release_bot_error"


class _Unheard(Exception):
    """Bolt found no listener for a kind that has one: the payload lacks what makes it one."""


class _Response(BoltResponse):
    """Carries our answer through Bolt unchanged."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(status=answer.status, body=answer.body or "")
        self.answer = answer


def _listener(respond: Callable[[dict[str, Any]], Awaitable[Answer]]) -> Callable[..., Awaitable[BoltResponse]]:
    async def listen(body: dict[str, Any]) -> BoltResponse:
        return _Response(await respond(body))

    return listen


async def _broke(error: Exception, request: AsyncBoltRequest) -> None:
    request.context[_ERROR] = error


async def _on_nothing(body: dict[str, Any]) -> Answer:  # noqa: ARG001 (closing a modal says nothing)
    return EMPTY


async def _on_options(body: dict[str, Any]) -> Answer:  # noqa: ARG001 (no menu of ours asks us)
    return Answer({"options": []})


def _actor(body: dict[str, Any]) -> Actor:
    return Actor(_id_at(body, "user", "team_id") or _id_at(body, "team", "id"), _id_at(body, "user", "id"))


def _without_command(words: str) -> str:
    first, _, rest = words.partition(" ")
    return rest if first == COMMAND else words


def _ephemeral(reply: Reply) -> dict[str, Any]:
    return {"response_type": "ephemeral", **to_slack(reply)}


def _answer(view: object, key: str) -> str:
    """What was chosen there, or written, on one line; empty: nothing."""
    filled = at(view, "state", "values", key, INPUT)
    return text_at(filled, "selected_option", "value") or plain_letters(text_at(filled, "value"))


def _field_errors(fields: Sequence[str], sentence: str) -> dict[str, Any]:
    return {"response_action": "errors", "errors": dict.fromkeys(fields, sentence.strip())}


async def _watched(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 (nobody waits for it; it must not be lost)
        log.error("failed beside an acknowledgement\n%s", told(error, {}))  # noqa: TRY400 (told with its traceback)


def _late(task: asyncio.Task[bool]) -> None:
    if not task.cancelled() and task.exception() is None:
        log.warning("the ledger took a request down after its acknowledgement said that it had not")


_TELLTALE = ("response_url", "trigger_id", "token", "text", "private_metadata", "value")
_ADDRESS = re.compile(r"https?://\S+")


def told(error: Exception, body: dict[str, Any]) -> str:
    """The traceback without what a log must not have: addresses, triggers, what people wrote."""
    text = _ADDRESS.sub("(address)", "".join(traceback.format_exception(error)))
    for secret in sorted(_strings(body), key=len, reverse=True):
        text = text.replace(secret, "(left out)")
    return text


def _strings(body: object) -> set[str]:
    found: set[str] = set()
    waiting = [body]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            found.update(v for k, v in part.items() if k in _TELLTALE and isinstance(v, str) and len(v) > 3)
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return found


# The door -----------------------------------------------------------------------------------------------------------


def endpoint(
    slack: SlackIn, secrets: Sequence[str], now: Callable[[], float] = time.time
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler of POST /slack/events. ValueError where a secret is empty: such a bot would refuse everybody."""
    if not secrets or not all(secret.strip() for secret in secrets):
        raise ValueError("The Slack signing secret is empty.")
    keys = [secret.strip().encode() for secret in secrets]
    replays = Replays()

    async def post(request: web.Request) -> web.StreamResponse:
        raw = await _body(request)
        if isinstance(raw, int):
            return web.Response(status=raw)
        stamps = request.headers.getall("X-Slack-Request-Timestamp", [])
        signatures = request.headers.getall("X-Slack-Signature", [])
        if len(stamps) != 1 or len(signatures) != 1 or not signed(keys, stamps[0], raw, signatures[0], now()):
            log.info("refused: not signed by Slack (%d bytes)", len(raw))
            return web.Response(status=401)
        if replays.seen(stamps[0], signatures[0], now()):
            return web.Response(status=200)
        try:
            body = parse(raw, request.headers.get("Content-Type", ""))
        except ValueError:
            log.info("refused: signed, but not well formed (%d bytes)", len(raw))
            return web.Response(status=400)
        if body.get("type") == "url_verification":
            return web.json_response({"challenge": text_at(body, "challenge")})
        if "ssl_check" in body and "command" not in body:
            return web.Response(status=200)
        answer = await slack.answer(body)
        if answer.body is None:
            return web.Response(status=answer.status)
        return web.json_response(answer.body, status=answer.status)

    return post


async def _body(request: web.Request) -> bytes | int:
    """The raw bytes, or the status that says why there are none."""
    if (request.content_length or 0) > BODY_MAX:
        return 413
    try:
        async with asyncio.timeout(READ_SECONDS):
            raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return 413
    except TimeoutError:
        return 408
    except Exception:  # noqa: BLE001 (a body that cannot be read, however it is broken, is the sender's fault)
        return 400
    return raw if len(raw) <= BODY_MAX else 413
