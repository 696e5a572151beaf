"""How does what we say look in Slack, and how does it get there? Replies become blocks here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient

from bot.dialogs import ANSWER_MAX, Asking, longest_answer, name_of, one_text, with_words, words_with
from bot.outbox import ShutOut
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.reply import Ask, Bold, Button, Code, Confirm, Line, Link, Mention, Piece, Reply, Text, Tone, When, plain

log = logging.getLogger(__name__)

# Sizes, in UTF-16 units (never fewer than what Slack counts) --------------------------------------------------------

BLOCKS_MAX = 50  # https://docs.slack.dev/reference/block-kit/blocks
SECTION_TEXT_MAX = 3000  # https://docs.slack.dev/reference/block-kit/blocks/section-block
FIELD_MAX = 2000  # the same page
FIELDS_MAX = 10  # the same page
ELEMENTS_MAX = 25  # https://docs.slack.dev/reference/block-kit/blocks/actions-block
BUTTON_TEXT_MAX = 75  # https://docs.slack.dev/reference/block-kit/block-elements/button-element
BUTTON_VALUE_MAX = 2000  # the same page
ACCESSIBILITY_MAX = 75  # the same page
ID_MAX = 255  # the same page
CONFIRM_TITLE_MAX = 100  # https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
CONFIRM_TEXT_MAX = 300  # the same page
CONFIRM_BUTTON_MAX = 30  # the same page
VIEW_TITLE_MAX = 24  # https://docs.slack.dev/reference/views/modal-views
VIEW_BLOCKS_MAX = 100  # the same page
OPTIONS_MAX = 100  # https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element
OPTION_TEXT_MAX = 75  # https://docs.slack.dev/reference/block-kit/composition-objects/option-object
OPTION_VALUE_MAX = 150  # the same page
LABEL_MAX = 2000  # https://docs.slack.dev/reference/block-kit/blocks/input-block
TEXT_MAX = 4000  # https://docs.slack.dev/reference/methods/chat.postMessage (recommended; longer may be cut)

MAX_BUTTONS = 4 * ELEMENTS_MAX
MAX_FIELDS = 5 * FIELDS_MAX
CUT = "…"

_ACCOUNT = re.compile(r"slack:[TE][A-Z0-9]+/([UW][A-Z0-9]+)")
_URL = re.compile(r"https?://[^\s<>|\"`]+", re.IGNORECASE)


def size(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text) if text.isascii() else len(text) + sum(letter > "\uffff" for letter in text)


def graphemes(text: str) -> Iterator[str]:
    """What readers take for single letters: accents, flags, families and skin tones stay with what they belong to."""
    cluster, flags = "", 0
    for letter in text:
        if cluster and not _belongs(cluster[-1], letter, flags):
            yield cluster
            cluster, flags = "", 0
        cluster += letter
        flags = flags + 1 if _is_flag(letter) else 0
    if cluster:
        yield cluster


def _belongs(before: str, letter: str, flags: int) -> bool:
    code = ord(letter)
    if code < 0x300:
        return before == "\r" and letter == "\n"
    return (
        before == "\u200d"
        or letter == "\u200d"
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones
        or 0xE0020 <= code <= 0xE007F  # tags, as in the flag of Scotland
        or unicodedata.category(letter) in {"Mn", "Me", "Mc"}  # variation selectors are among them
        or (_is_flag(letter) and flags % 2 == 1)
        or (0x1160 <= code <= 0x11FF and 0x1100 <= ord(before) <= 0x11FF)  # Hangul, letter by letter
    )


def _is_flag(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def whole(text: str) -> str:
    """The text, with half surrogate pairs replaced: they cannot be sent."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def cut(text: str, most: int) -> str:
    """The text, or as many whole letters of it as fit, with an ellipsis."""
    text = whole(text)
    if size(text) <= most:
        return text
    return "".join(_as_many(graphemes(text), most - size(CUT))) + CUT


def _as_many(parts: Iterable[str], room: int) -> Iterator[str]:
    for part in parts:
        room -= size(part)
        if room < 0:
            return
        yield part


# Text ---------------------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Nothing in it means anything to Slack.  https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return whole(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mrkdwn(text: Text, most: int = SECTION_TEXT_MAX) -> str:
    """The text as Slack markup, escaped once, and cut where it is too long: between letters, never in an entity."""
    pieces: tuple[Piece, ...] = (text,) if isinstance(text, str) else text
    everything = "".join(_piece(piece) for piece in pieces)
    if size(everything) <= most:
        return everything
    room, out = most - size(CUT), ""
    for piece in pieces:
        done = _piece(piece)
        if size(done) > room:
            out += _part(piece, room)
            break
        out, room = out + done, room - size(done)
    return out + CUT


def _piece(piece: Piece) -> str:
    match piece:
        case str():
            return escape(piece)
        case When(at):
            return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{plain((piece,))}>"
        case Mention(account, name):
            found = _ACCOUNT.fullmatch(account)
            return f"<@{found[1]}>" if found else escape(f"@{name}")
        case Code(text):
            return _wrapped("`", text)
        case Bold(text):
            return _wrapped("*", text)
        case Link(url, text):
            label = escape(_one_line(text).replace("|", "¦"))
            return f"<{escape(url)}|{label or escape(url)}>" if _URL.fullmatch(url) else label


def _part(piece: Piece, room: int) -> str:
    """What of it fits; mentions, dates and links are whole or not there."""
    match piece:
        case str():
            return "".join(_as_many(map(escape, graphemes(piece)), room))
        case Code(text) | Bold(text):
            mark = "`" if isinstance(piece, Code) else "*"
            inner = "".join(_as_many(map(escape, graphemes(_unmarked(text, mark))), room - 2))
            return f"{mark}{inner}{mark}" if inner else ""
    return ""


def _wrapped(mark: str, text: str) -> str:
    inner = escape(_unmarked(text, mark))
    return f"{mark}{inner}{mark}" if inner else ""


def _unmarked(text: str, mark: str) -> str:
    # the mark itself, or a line break, would end what it marks; what looks like it means nothing in a shell either
    return _one_line(text).replace(mark, "\u02cb" if mark == "`" else "\u2217").strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


# Messages -----------------------------------------------------------------------------------------------------------


def to_slack(reply: Reply) -> dict[str, Any]:
    """`{"text", "blocks"}` for chat.postMessage and its kin. The text makes sense alone: it is the notification."""
    return {"text": mrkdwn(_sentence(reply), TEXT_MAX), "blocks": to_blocks(reply)}


def _sentence(reply: Reply) -> str:
    return plain(reply.title).strip() or "Release Bot has something to show you."


def to_blocks(reply: Reply, most: int = BLOCKS_MAX) -> list[dict[str, Any]]:
    """Title, fields, lines, table, footer, buttons. Where it is too much, lines go first, and how many is said."""
    head = [_section(_title(reply)), *_fields(reply.fields)]
    tail = [*_footer(reply.footer), *_actions(reply.buttons)]
    room = most - len(head) - len(tail)
    table = _table(reply.table, min(4, room - bool(reply.lines)))
    return [*head, *_lines(reply.lines, room - len(table)), *table, *tail]


def _title(reply: Reply) -> str:
    text = mrkdwn(reply.title if plain(reply.title).strip() else _sentence(reply), SECTION_TEXT_MAX - 2)
    return text if "*" in text or "\n" in text else f"*{text.strip()}*"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _marked(text)}


def _marked(text: str) -> dict[str, Any]:
    # verbatim: addresses, #names and @names in the words of others are not made into links
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, most: int, instead: str = CUT) -> dict[str, Any]:
    return {"type": "plain_text", "text": cut(_one_line(text) or instead, most), "emoji": False}


def _fields(fields: Sequence[tuple[str, Text]]) -> list[dict[str, Any]]:
    if len(fields) > MAX_FIELDS:
        fields = (*fields[: MAX_FIELDS - 1], ("…", f"{len(fields) - MAX_FIELDS + 1} more are left out"))
    shown = [_marked(_field(label, text)) for label, text in fields]
    return [{"type": "section", "fields": shown[at : at + FIELDS_MAX]} for at in range(0, len(shown), FIELDS_MAX)]


def _field(label: str, text: Text) -> str:
    head = mrkdwn((Bold(label),), FIELD_MAX // 4)
    return f"{head}\n{mrkdwn(text, FIELD_MAX - size(head) - 1).strip() or '–'}"


def _lines(lines: Sequence[Line], blocks: int) -> list[dict[str, Any]]:
    done = [_line(line) for line in lines]
    pages, left = _pages(done, max(blocks, 0), SECTION_TEXT_MAX)
    if left and pages:
        pages, left = _pages(done, len(pages), SECTION_TEXT_MAX, spare=40)
        pages[-1] = [*pages[-1], f"{CUT} and {left} more {'line' if left == 1 else 'lines'}"]
    return [_section("\n".join(page)) for page in pages]


def _line(line: Line) -> str:
    words = mrkdwn(line.text, SECTION_TEXT_MAX - 50).strip() or line.mark.name.lower().replace("_", " ")
    return f"{line.mark.value} {words}"


def _pages(lines: Sequence[str], blocks: int, most: int, spare: int = 0) -> tuple[list[list[str]], int]:
    """The lines in at most so many pages, and how many did not fit; the last page keeps some room to say so."""
    pages: list[list[str]] = []
    used = most
    for at, line in enumerate(lines):
        room = most - (spare if len(pages) == blocks else 0)
        if not pages or used + 1 + size(line) > room:
            if len(pages) == blocks:
                return pages, len(lines) - at
            pages.append([])
            used = -1
        pages[-1].append(line)
        used += 1 + size(line)
    return pages, 0


_CELL_MAX = 60
_FENCE = "```"


def _table(table: Sequence[Sequence[str]], blocks: int) -> list[dict[str, Any]]:
    """Columns in a fixed-width block: every client, however old, shows it, and it reads well aloud."""
    if not table or blocks < 1:
        return []
    cells = [[cut(_one_line(cell).replace("`", "'"), _CELL_MAX) for cell in row] for row in table]
    widths = [max(len(row[at]) for row in cells if at < len(row)) for at in range(max(map(len, cells)))]
    lines = [
        escape("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()) for row in cells
    ]
    most = SECTION_TEXT_MAX - 2 * (len(_FENCE) + 1)
    lines = [line if size(line) <= most - 40 else CUT for line in lines]
    pages, left = _pages(lines, blocks, most)
    if left:
        pages, left = _pages(lines, len(pages), most, spare=40)
        pages[-1].append(f"{CUT} and {left} more {'row' if left == 1 else 'rows'}")
    return [_section("\n".join((_FENCE, *page, _FENCE))) for page in pages]


def _footer(footer: Text) -> list[dict[str, Any]]:
    text = mrkdwn(footer, FIELD_MAX).strip()
    return [{"type": "context", "elements": [_marked(text)]}] if text else []


# Buttons ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ActionId:
    """What a button's action id says: the first word, and what is asked before it counts."""

    word: str
    asks: str = ""
    """The key of one piece of text; `*`: the button's value says."""

    SEVERAL = "*"
    _SHAPE = re.compile(r"(?P<word>[^?#]*)(?:\?(?P<asks>\*|[a-z][a-z-]*))?(?:#\d+)?", re.DOTALL)

    def __str__(self) -> str:
        return f"{self.word}?{self.asks}" if self.asks else self.word

    @classmethod
    def read(cls, text: str) -> ActionId:
        found = cls._SHAPE.fullmatch(text)
        return cls(found["word"], found["asks"] or "") if found else cls(text)

    def question(self, value: str) -> tuple[str, tuple[Ask, ...]]:
        """The words of the button with that value, and what they ask for first. ValueError: it is none of ours."""
        if self.asks == self.SEVERAL:
            return words_with(value)
        return value, one_text(self.asks) if self.asks else ()


def _actions(buttons: Sequence[Button]) -> list[dict[str, Any]]:
    elements: list[dict[str, Any]] = []
    taken: set[str] = set()
    primary = False
    for button in buttons:
        value = _value(button)
        if not value or len(elements) == MAX_BUTTONS:
            # half of somebody's words must never be said for them
            log.error("a button is left out: its words are empty or too long, or there are too many buttons")
            continue
        if button.tone is Tone.PRIMARY and primary:
            button = replace(button, tone=Tone.PLAIN)  # noqa: PLW2901 (the same button, made quieter)
        primary = primary or button.tone is Tone.PRIMARY
        elements.append(_button(button, value, taken))
    return [
        {"type": "actions", "elements": elements[at : at + ELEMENTS_MAX]}
        for at in range(0, len(elements), ELEMENTS_MAX)
    ]


def _value(button: Button) -> str:
    """The words that it stands for, with what they ask for where that is several things; empty: they do not fit."""
    says = whole(button.says)
    if not says.strip():
        return ""
    if isinstance(button.asks, tuple):
        return whole(with_words(says, button.asks, BUTTON_VALUE_MAX) or "")
    return says if size(says) <= BUTTON_VALUE_MAX else ""


def _button(button: Button, value: str, taken: set[str]) -> dict[str, Any]:
    word = re.sub(r"[?#]", "", whole(button.says.split()[0]))[: ID_MAX // 4] or "say"
    name = str(ActionId(word, ActionId.SEVERAL if isinstance(button.asks, tuple) else button.asks or ""))
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name}#{number}"
    taken.add(unique)
    element: dict[str, Any] = {
        "type": "button",
        "action_id": unique,
        "text": _plain(button.label, BUTTON_TEXT_MAX, word),
        "value": value,
    }
    if button.tone is not Tone.PLAIN:
        element["style"] = button.tone.value
    if label := _one_line(button.meant_for):
        element["accessibility_label"] = cut(label, ACCESSIBILITY_MAX)
    if button.confirm is not None:
        element["confirm"] = _confirm(button.confirm, button.tone)
    return element


def _confirm(confirm: Confirm, tone: Tone) -> dict[str, Any]:
    dialog = {
        "title": _plain(confirm.title, CONFIRM_TITLE_MAX, "Are you sure?"),
        "text": _plain(confirm.text or confirm.title, CONFIRM_TEXT_MAX, "Are you sure?"),
        "confirm": _plain(confirm.yes, CONFIRM_BUTTON_MAX, "Yes"),
        "deny": _plain(confirm.no, CONFIRM_BUTTON_MAX, "Not yet"),
    }
    return dialog | {"style": "danger"} if tone is Tone.DANGER else dialog


# Views --------------------------------------------------------------------------------------------------------------

ASKED = "asked"
"""callback_id of the modal that a button opened before it counts."""
WORDS = "words"
"""callback_id of the modal that a shortcut opened to ask for words."""
INPUT = "text"
"""action_id of every input in both; what it asks for is its block's id."""


def asking_view(asking: Asking, asks: Sequence[Ask], label: str) -> dict[str, Any]:
    """The modal that asks for these before a button counts."""
    longest = longest_answer(asking.says, asks)
    blocks = [_asked(ask, longest, first=not at) for at, ask in enumerate(asks)]
    words = _section(mrkdwn((Code(asking.says),)))
    return _modal(ASKED, title=label, submit=label, metadata=asking.to_text(), blocks=[words, *blocks])


def _asked(ask: Ask, longest: int, *, first: bool) -> dict[str, Any]:
    block = _input(ask.key, ask.label or name_of(ask.key), longest, several_lines=ask.long, first=first)
    hint = ask.hint
    choices = tuple(filter(None, ask.choices))
    if choices and len(choices) <= OPTIONS_MAX and max(map(size, choices)) <= OPTION_VALUE_MAX:
        block["element"] = _choice(choices, first=first)
    elif choices:
        hint = f"{hint} One of: {', '.join(choices)}"
    if hint.strip():
        block["hint"] = _plain(hint.replace("`", ""), LABEL_MAX)  # it is shown as plain text
    if not ask.required:
        block["optional"] = True
    return block


def _choice(choices: Sequence[str], *, first: bool) -> dict[str, Any]:
    return {
        "type": "static_select",
        "action_id": INPUT,
        "options": [{"text": _plain(choice, OPTION_TEXT_MAX), "value": whole(choice)} for choice in choices],
        "focus_on_load": first,
    }


def words_view(asking: Asking, prefilled: str) -> dict[str, Any]:
    """The modal that asks for words, as after `/release`."""
    block = _input(WORDS, "What should happen?", ANSWER_MAX, prefilled=prefilled, first=True)
    block["hint"] = _plain("As after /release: status checkout, promote checkout stage→prod, help", LABEL_MAX)
    return _modal(WORDS, title="Release", submit="Go", metadata=asking.to_text(), blocks=[block])


def said_view(reply: Reply) -> dict[str, Any]:
    """A modal that only shows a reply, where there is no channel to whisper in."""
    blocks = to_blocks(replace(reply, buttons=()), VIEW_BLOCKS_MAX)
    return {"type": "modal", "title": _plain("Release", VIEW_TITLE_MAX), "close": _plain("Close", 24), "blocks": blocks}


def home_view(reply: Reply) -> dict[str, Any]:
    """The reply as App Home."""
    return {"type": "home", "blocks": to_blocks(reply, VIEW_BLOCKS_MAX)}


def _modal(callback: str, *, title: str, submit: str, metadata: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": callback,
        "title": _plain(title, VIEW_TITLE_MAX, "Release"),
        "submit": _plain(submit, VIEW_TITLE_MAX, "Go"),
        "close": _plain("Not yet", VIEW_TITLE_MAX),
        "private_metadata": metadata,
        "blocks": blocks,
    }


def _input(
    key: str, label: str, longest: int, *, several_lines: bool = False, prefilled: str = "", first: bool
) -> dict[str, Any]:
    element: dict[str, Any] = {
        "type": "plain_text_input",
        "action_id": INPUT,
        "multiline": several_lines,
        "max_length": longest,
        "focus_on_load": first,
    }
    if prefilled:
        element["initial_value"] = prefilled
    return {"type": "input", "block_id": key, "label": _plain(label, LABEL_MAX), "element": element}


# The way there ------------------------------------------------------------------------------------------------------


class Busy(Unavailable):
    """Slack asks us to slow down; nothing was changed."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("Slack asked us to slow down.")
        self.retry_after = retry_after
        """Seconds."""


class _BriefRateLimit(AsyncRateLimitErrorRetryHandler):
    """Waits where Slack asks for a moment; a longer wait is the outbox's business, not a caller's."""

    _BRIEF = 2

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if not await super()._can_retry_async(state=state, request=request, response=response, error=error):
            return False
        return response is not None and _retry_after(response.headers) <= self._BRIEF


def _retry_after(headers: Mapping[str, Any]) -> float:
    """Seconds that Slack asks us to wait; 30 where it does not say so readably."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            text = value[0] if isinstance(value, list | tuple) and value else str(value)
            return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 30.0
    return 30.0


def slack_session() -> aiohttp.ClientSession:
    """The one session for every call to Slack; whoever starts the program closes it."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10, sock_connect=3))


def slack_client(token: str, session: aiohttp.ClientSession, base_url: str = "") -> AsyncWebClient:
    """For writing. A lost connection is not tried again here: the message may have arrived."""
    return _client(token, session, base_url or AsyncWebClient.BASE_URL, [_BriefRateLimit(max_retry_count=1)])


def for_reading(client: AsyncWebClient) -> AsyncWebClient:
    """The same, for calls that may be repeated blindly."""
    handlers = [
        _BriefRateLimit(max_retry_count=1),
        AsyncConnectionErrorRetryHandler(max_retry_count=1),
        AsyncServerErrorRetryHandler(max_retry_count=1),
    ]
    return _client(client.token or "", client.session, client.base_url, handlers)


def _client(
    token: str, session: aiohttp.ClientSession | None, base_url: str, handlers: list[AsyncRetryHandler]
) -> AsyncWebClient:
    # a quiet logger: at DEBUG the SDK writes whole bodies
    quiet = logging.getLogger("bot.slack_sdk")
    quiet.setLevel(logging.WARNING)
    return AsyncWebClient(
        token=token, base_url=base_url, timeout=10, session=session, retry_handlers=handlers, logger=quiet
    )


_BUSY = frozenset({"ratelimited", "rate_limited"})
_THEIR_FAULT = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
_SHUT_OUT = frozenset({"not_in_channel", "channel_not_found", "is_archived"})
_NOT_THERE = _SHUT_OUT | {"user_not_in_channel"}


def error_of(error: SlackApiError) -> str:
    """Slack's word for what is wrong."""
    try:
        return str(error.response["error"])
    except (KeyError, TypeError, AttributeError, ValueError):
        return "unreadable answer"


def translated(error: Exception, what: str, *, repeatable: bool) -> NoReturn:
    """Raises what is true afterwards. `repeatable`: doing it twice comes to the same."""
    match error:
        case SlackApiError():
            word = error_of(error)
            status = getattr(error.response, "status_code", getattr(error.response, "status", 200))
            if word in _BUSY or status == 429:
                raise Busy(_retry_after(getattr(error.response, "headers", {}))) from error
            if word not in _THEIR_FAULT and word != "unreadable answer" and status < 500:
                raise Rejected(f"Slack refused {what} ({word}).") from error
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            raise Unavailable(f"Slack could not be reached for {what}.") from error
    if repeatable:
        raise Unavailable(f"Slack did not confirm {what}.") from error
    raise OutcomeUnknown(f"Slack did not answer whether it took {what}.") from error


_TROUBLE = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError, ValueError)


class WaysBack:
    """Private ways back to whoever asked (response_url): in memory only, five uses, half an hour.

    https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
    """

    USES = 5
    SECONDS = 30 * 60.0
    _MOST = 10_000

    def __init__(self) -> None:
        self._ways: OrderedDict[str, tuple[str, int, float]] = OrderedDict()

    def remember(self, request: str, url: str) -> None:
        if request not in self._ways and url.startswith(("https://", "http://")):
            self._ways[request] = (url, self.USES, time.monotonic() + self.SECONDS)
            while len(self._ways) > self._MOST:
                self._ways.popitem(last=False)

    def use(self, request: str) -> str | None:
        """The way back, one use of it gone; None where there is none any more."""
        url, uses, until = self._ways.get(request, ("", 0, 0.0))
        if uses <= 0 or time.monotonic() >= until:
            self._ways.pop(request, None)
            return None
        self._ways[request] = (url, uses - 1, until)
        return url


class SlackChat:
    """Posts, updates and whispers what `to_slack` made."""

    def __init__(self, client: AsyncWebClient, ways_back: WaysBack | None = None) -> None:
        self._client = client
        self.ways_back = ways_back or WaysBack()

    async def post(self, channel: str, payload: Mapping[str, Any], thread: str = "") -> str:
        """It stands in the channel; its ts. `OutcomeUnknown` where nobody can tell whether it does.

        `ShutOut`: nothing of ours can stand there.
        """
        try:
            answer = await self._client.chat_postMessage(
                channel=channel, thread_ts=thread or None, unfurl_links=False, unfurl_media=False, **payload
            )
            return str(answer["ts"])
        except KeyError as error:
            raise OutcomeUnknown("Slack did not say where it put the message.") from error
        except _TROUBLE as error:
            if isinstance(error, SlackApiError) and (word := error_of(error)) in _SHUT_OUT:
                raise ShutOut(f"Slack lets us post nothing there ({word}).") from error
            translated(error, "the message", repeatable=False)

    async def update(self, channel: str, ts: str, payload: Mapping[str, Any]) -> None:
        """That message now says this. `OutcomeUnknown`: it may yet, over whatever it says by then."""
        try:
            await self._client.chat_update(channel=channel, ts=ts, **payload)
        except _TROUBLE as error:
            translated(error, "the update of a message", repeatable=False)

    async def whisper(
        self, channel: str, account: str, payload: Mapping[str, Any], thread: str = "", request: str = ""
    ) -> None:
        """Only that person sees it, if they are there now. `request`: whose way back to use where we are not.

        Without a channel it is a direct message. The same twice is no harm, so no outcome is ever unknown.
        """
        found = _ACCOUNT.fullmatch(account)
        if found is None:
            raise Rejected("This account cannot be whispered to in Slack.")
        if not channel:
            await self._direct(found[1], payload)
            return
        try:
            await self._client.chat_postEphemeral(channel=channel, user=found[1], thread_ts=thread or None, **payload)
        except SlackApiError as error:
            if error_of(error) not in _NOT_THERE:
                translated(error, "a private message", repeatable=True)
            await self._respond(request, payload, thread)
        except _TROUBLE as error:
            translated(error, "a private message", repeatable=True)

    async def _direct(self, user: str, payload: Mapping[str, Any]) -> None:
        # A user's id in the place of a channel posts in their App Home's Messages tab, with chat:write alone:
        # https://docs.slack.dev/reference/methods/chat.postMessage#app_home ; the tab must be enabled in the manifest,
        # or the answer is messages_tab_disabled.
        try:
            await self._client.chat_postMessage(channel=user, unfurl_links=False, unfurl_media=False, **payload)
        except _TROUBLE as error:
            translated(error, "a private message", repeatable=True)

    async def _respond(self, request: str, payload: Mapping[str, Any], thread: str) -> None:
        url = self.ways_back.use(request)
        if url is None or self._client.session is None:
            raise Rejected("There is no way to whisper there: the bot is not in that channel.")
        body = {"response_type": "ephemeral", "replace_original": False, **payload}
        if thread:
            body["thread_ts"] = thread
        try:
            async with self._client.session.post(url, json=body, allow_redirects=False) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            # `from None`: the library's error has the address in it, which is as good as a password
            raise Unavailable("Slack did not confirm a private message.") from None
        if status == 429:
            raise Busy(_retry_after(answer.headers))
        if status >= 500:
            raise Unavailable("Slack did not confirm a private message.")
        if status >= 400:
            raise Rejected("Slack refused a private message.")

    async def well(self) -> bool:
        """True where Slack answers who we are."""
        try:
            await self._client.auth_test()
        except (SlackApiError, aiohttp.ClientError, TimeoutError):
            return False
        return True

    async def open(self, trigger: str, view: Mapping[str, Any]) -> None:
        """That person looks at this modal. `Late` where they waited too long."""
        try:
            async with asyncio.timeout(2.5):  # triggers live for 3 s
                await self._client.views_open(trigger_id=trigger, view=dict(view))
        except SlackApiError as error:
            if error_of(error) in _LATE:
                raise Late("That took too long; please click again.") from error
            translated(error, "the dialog", repeatable=True)
        except TimeoutError as error:
            raise Late("That took too long; please click again.") from error
        except _TROUBLE as error:
            translated(error, "the dialog", repeatable=True)

    async def show_home(self, account: str, view: Mapping[str, Any]) -> None:
        """That person's App Home shows this."""
        found = _ACCOUNT.fullmatch(account)
        if found is None:
            raise Rejected("This account has no App Home.")
        try:
            await self._client.views_publish(user_id=found[1], view=dict(view))
        except _TROUBLE as error:
            translated(error, "the App Home", repeatable=True)


class Late(Unavailable):
    """The click is too old to open a dialog for; a new one will do."""


# the guide and the method reference spell them differently; which one is sent is not known, so all are taken
_LATE = frozenset(
    {"trigger_expired", "trigger_exchanged", "expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"}
)
