"""How does what was decided get said? Committed messages are sent in their order, one channel beside the other.

Each is sent at least once: a crash between the sending and our note of it says it twice. An operation's root message
comes before the rest of its thread; under a slot only the newest state is sent, as an update of what stands there.
One process at a time speaks in a channel, whoever committed what is to be said; when it dies, another does.

What another one sent, or nobody confirmed, may still arrive, and put an older state over a newer one. So as long as
that can be, a newer state is sent at once and once more afterwards, and counts as sent only then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from bot.store import ROOT, SHUT_OUT, Standing, Store, Unsent
from commands.errors import LostLease, OutcomeUnknown, Rejected, ReleaseBotError
from commands.reply import Reply

log = logging.getLogger(__name__)

GAP = 1.0  # seconds between posts to one channel, https://docs.slack.dev/apis/web-api/rate-limits
BURST = 5  # posts in a row that are let through before the gap counts: "short bursts" in the same place
FIRST_RETRY = 0.5  # seconds; doubled with each failure in a row
LAST_RETRY = 60.0  # seconds
TRIES = 20
"""Of a message that nobody confirms: 13 minutes by the waits between them. Then what follows it gets its turn, unless
the chat answers nothing else either: an outage loses no message."""
UPDATE_TRIES = 12
"""Of a newer state of something that stands already: 5 minutes. What follows in the thread says it, too."""
MISTAKES = 5
"""Tries of a message that fails in a way nobody foresaw, so that it does not stop its channel for good."""
POLL = 5.0  # seconds between looks without a reason
ARRIVES = 5.0  # seconds in which what was sent and nobody confirmed arrives, or is lost
GRACE = 3.0  # seconds for what is being sent when it is stopped


INVITE_ME = Reply("I cannot post in this channel; invite me with /invite @release-bot and say it again.")


class ShutOut(Rejected):
    """Nothing can be posted in that channel: we are not in it, it is archived, or there is none."""


class Chat(Protocol):
    """Where things are said. `Unavailable` and `OutcomeUnknown` are tried again, `Rejected` is not.

    An error may carry `retry_after`, in seconds.
    """

    async def post(self, channel: str, payload: Mapping[str, Any], thread: str = "") -> str:
        """The ts under which it stands."""

    async def update(self, channel: str, ts: str, payload: Mapping[str, Any]) -> None: ...

    async def whisper(
        self, channel: str, account: str, payload: Mapping[str, Any], thread: str = "", request: str = ""
    ) -> None:
        """Only that person sees it; without a channel, as a direct message."""

    async def well(self) -> bool:
        """True where the chat answers at all, so that what fails is the message's own fault."""


def backoff(attempts: int) -> float:
    """Seconds between the try that followed so many vain ones and the next."""
    return min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(attempts, 8))


class Pace:
    """So many at once, then one for each `gap` seconds."""

    def __init__(self, gap: float, burst: int) -> None:
        self._gap = gap
        self._ahead = gap * (burst - 1)
        self._free_at = 0.0

    def wait(self) -> float:
        """Seconds until the next may go; it counts as gone."""
        now = time.monotonic()
        at = max(now, self._free_at - self._ahead)
        self._free_at = max(now, self._free_at) + self._gap
        return at - now


class Outbox:
    """Sends what the books say is unsent, until it is stopped."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        *,
        gap: float = GAP,
        burst: int = BURST,
        arrives: float = ARRIVES,
        said: Callable[[Unsent, str], None] = lambda _message, _ts: None,
    ) -> None:
        """`said` hears of each message that was sent, with its ts. A `gap` of 0 sends as fast as it goes."""
        self._store = store
        self._chat = chat
        self._gap = gap
        self._burst = burst
        self._arrives = arrives
        self._said = said
        self._paces: dict[str, Pace] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._speaks: dict[str, float] = {}
        """Until when we speak in that channel, on the monotonic clock."""
        self._silent: dict[str, float] = {}
        """Until when somebody else does, as far as we know."""
        self._doubtful: dict[str, float] = {}
        """Until when something may arrive in that channel that was sent before, on the monotonic clock."""
        self._again: dict[str, dict[int, float]] = {}
        """By channel and message: when it is sent once more."""
        self._looked = asyncio.Event()
        """Set, and replaced by another, whenever there may be more to say."""
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Returns once `stop` was called; what is being sent is finished first."""
        try:
            while not self._stopping.is_set():
                self._store.filled.clear()
                try:
                    channels = await self._store.channels_to_tell()
                except ReleaseBotError as error:
                    log.warning("cannot look for what is unsent: %s", error)
                    channels = frozenset()
                now = time.monotonic()
                self._silent = {channel: until for channel, until in self._silent.items() if until > now}
                self._looked.set()
                self._looked = asyncio.Event()
                for channel in channels - self._busy.keys() - self._silent.keys():
                    self._start(channel)
                others = [until - now for channel, until in self._silent.items() if channel in channels]
                with suppress(TimeoutError):
                    async with asyncio.timeout(min([POLL, *others])):
                        await self._store.filled.wait()
        finally:
            tasks = list(self._busy.values())
            if not self._stopping.is_set():
                for task in tasks:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Nothing new is sent, and what was being sent is said and noted, unless that takes longer than `GRACE`."""
        self._stopping.set()
        self._looked.set()
        self._store.filled.set()
        if self._busy:
            await asyncio.wait(list(self._busy.values()), timeout=GRACE)

    def _start(self, channel: str) -> None:
        task = asyncio.create_task(self._empty(channel), name=f"send to {channel}")
        self._busy[channel] = task

        def ended(task: asyncio.Task[None]) -> None:
            self._busy.pop(channel, None)
            self._store.filled.set()  # there may be more by now
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("%s ended in a way nobody foresaw", task.get_name(), exc_info=error)

        task.add_done_callback(ended)

    async def _empty(self, channel: str) -> None:
        """As `_say_all`, where it is ours to speak there."""
        try:
            if self._speaks.get(channel, 0.0) < time.monotonic() + self._store.lease_seconds / 2:
                await self._claim(channel)
        except ReleaseBotError as error:
            log.warning("cannot tell who speaks in %s: %s", channel, error)
            await asyncio.sleep(FIRST_RETRY)
            return
        if channel not in self._speaks:
            return
        speech = asyncio.ensure_future(self._say_all(channel))
        keeper = asyncio.create_task(self._keep(channel))
        try:
            await asyncio.wait({speech, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if not speech.done():
                log.warning("somebody else speaks in %s now", channel)
                return
            await speech
        finally:
            for task in (speech, keeper):
                task.cancel()
            await asyncio.gather(speech, keeper, return_exceptions=True)

    async def _claim(self, channel: str) -> None:
        until, from_another = await self._store.speaks_in(channel)
        if from_another:
            self._doubtful[channel] = time.monotonic() + self._arrives
        if until > 0:
            self._speaks[channel] = until
        else:
            self._speaks.pop(channel, None)
            self._again.pop(channel, None)
            self._silent[channel] = time.monotonic() - until

    def _still_ours(self, channel: str) -> None:
        """Whoever was held up for long says nothing old in a channel that somebody else speaks in by now."""
        if self._speaks.get(channel, 0.0) <= time.monotonic():
            raise LostLease(f"somebody else speaks in {channel} by now")

    async def _keep(self, channel: str) -> None:
        """Returns once it is no longer ours to speak there."""
        while self._speaks.get(channel, 0.0) > time.monotonic():
            await asyncio.sleep(self._store.lease_seconds / 3)
            with suppress(ReleaseBotError):
                await self._claim(channel)

    async def _say_all(self, channel: str) -> None:
        """Everything for that channel is sent, replaced or given up; or one thing could not be, and it was waited."""
        while not self._stopping.is_set() and self._speaks.get(channel, 0.0) > time.monotonic():
            looked = self._looked
            try:
                messages = await self._store.unsent(channel)
            except ReleaseBotError as error:
                log.warning("cannot look for what is unsent: %s", error)
                await asyncio.sleep(FIRST_RETRY)
                return
            if not messages:
                return
            again = self._again.setdefault(channel, {})
            same = _first(messages, again)
            if not same:
                next_at = min(again[message.id] for message in messages if message.id in again)
                with suppress(TimeoutError):
                    async with asyncio.timeout(next_at - time.monotonic()):
                        await looked.wait()
                continue
            for message in same:
                again.pop(message.id, None)
            try:
                await self._send(same[-1], same[:-1])
            except LostLease:
                return
            except Exception as error:  # noqa: BLE001  (whatever it runs into, the message is tried again or given up)
                await self._not_sent(same[-1], same[:-1], error)
                return

    async def _send(self, message: Unsent, replaced: Sequence[Unsent]) -> None:
        if message.only_for:
            thread = message.thread or (await self._thread(message) or "")
            await self._whisper(message, thread)
            await self._store.sent(message, "")
            return
        standing = await self._store.slot(message.operation, message.slot) if message.slot else None
        ts = await self._updated(message, standing) if standing is not None else None
        doubtful = self._doubtful.get(message.channel, 0.0)
        if ts is not None and doubtful > time.monotonic():
            self._again.setdefault(message.channel, {})[message.id] = doubtful
            return
        try:
            if ts is None:
                ts = await self._posted(message)
        except Rejected as error:
            log.error("message %d to %s is given up: %s", message.id, message.channel, error)  # noqa: TRY400
            tells = INVITE_ME if isinstance(error, ShutOut) else None
            await self._store.never_sent((*replaced, message), tells)
            return
        await self._store.sent(message, ts, [each.id for each in replaced])
        self._said(message, ts)

    async def _thread(self, message: Unsent) -> str | None:
        """The ts of the operation's thread in the message's channel; None: there is none yet."""
        if not message.operation:
            return None
        channel, ts = await self._store.permalink(message.operation)
        return ts if ts and channel == message.channel else None

    async def _updated(self, message: Unsent, standing: Standing) -> str | None:
        """The ts that now says this, or None where it can only be said anew."""
        self._still_ours(message.channel)
        try:
            await self._chat.update(standing.channel, standing.ts, message.payload)
        except Rejected as error:
            log.warning("message %d could not replace %s, so it is posted anew: %s", message.id, standing.ts, error)
            return None
        return standing.ts

    async def _posted(self, message: Unsent) -> str:
        """Its ts. `Rejected`: refused, even as plain text."""
        thread = message.thread
        if message.operation and message.slot != ROOT:
            thread = await self._thread(message) or ""
        try:
            return await self._post(message.channel, message.payload, thread)
        except ShutOut:
            raise
        except Rejected as error:
            log.warning("message %d to %s was refused, so it is said plainly: %s", message.id, message.channel, error)
            return await self._post(message.channel, {"text": message.payload.get("text", "")}, thread)

    async def _post(self, channel: str, payload: Mapping[str, Any], thread: str) -> str:
        if self._gap > 0:
            await asyncio.sleep(self._paces.setdefault(channel, Pace(self._gap, self._burst)).wait())
        self._still_ours(channel)
        return await self._chat.post(channel, payload, thread)

    async def _whisper(self, message: Unsent, thread: str) -> None:
        """It was said, or refused: who is not there any more cannot be told."""
        try:
            await self._chat.whisper(message.channel, message.only_for, message.payload, thread, message.request)
        except Rejected as error:
            if message.slot == SHUT_OUT and message.channel:
                await self._whisper(_directly(message), "")
            else:
                log.warning("message %d could not be whispered: %s", message.id, error)

    async def _tries(self, message: Unsent, error: Exception) -> int:
        """How often it may be tried."""
        if not isinstance(error, ReleaseBotError):
            return MISTAKES
        stands = message.slot and not message.only_for and await self._store.slot(message.operation, message.slot)
        return UPDATE_TRIES if stands else TRIES

    async def _not_sent(self, message: Unsent, replaced: Sequence[Unsent], error: Exception) -> None:
        """It is noted, and the channel waits as long as it must; or it was tried often enough, and is given up."""
        foreseen = isinstance(error, ReleaseBotError)
        if isinstance(error, OutcomeUnknown) or not foreseen:
            self._doubtful[message.channel] = time.monotonic() + self._arrives
        asked = float(getattr(error, "retry_after", 0.0))
        after = max(asked, backoff(message.attempts))
        trace = None if foreseen else error
        with suppress(ReleaseBotError):  # then it is tried again sooner or more often than we mean to
            tries = message.attempts + 1
            if tries >= await self._tries(message, error) and (not foreseen or await self._chat.well()):
                says = "message %d to %s is given up after %d tries: %s"
                log.error(says, message.id, message.channel, tries, error, exc_info=trace)
                await self._store.never_sent((*replaced, message))
                return
            log.warning("message %d not sent, again in %.1f s: %s", message.id, after, error, exc_info=trace)
            await self._store.not_sent(message)
        with suppress(TimeoutError):
            async with asyncio.timeout(after):
                await self._stopping.wait()


def _first(messages: Sequence[Unsent], again: Mapping[int, float]) -> Sequence[Unsent]:
    """What is said next, the newest last, after what it replaces; nothing: all was, and some of it comes once more."""
    now = time.monotonic()
    for first in _roots_first(messages):
        same = [message for message in messages if _same_slot(first, message)]
        if again.get(same[-1].id, now) <= now:
            return same
    return ()


def _roots_first(messages: Sequence[Unsent]) -> Sequence[Unsent]:
    """In order, but each operation's root stands before the rest of what is said about it."""
    first: dict[str, int] = {}
    for message in messages:
        if message.operation:
            first.setdefault(message.operation, message.id)

    def place(message: Unsent) -> tuple[int, bool, int]:
        is_root = bool(message.operation) and message.slot == ROOT
        return (first[message.operation] if is_root else message.id, not is_root, message.id)

    return sorted(messages, key=place)


def _directly(message: Unsent) -> Unsent:
    """The same without a channel, so that only its words tell which one is meant."""
    text = f"<#{message.channel}>: {message.payload.get('text', '')}"
    return replace(message, channel="", payload={"text": text})


def _same_slot(one: Unsent, other: Unsent) -> bool:
    return one.id == other.id or (
        bool(one.slot and one.operation)
        and not one.only_for
        and not other.only_for
        and (one.operation, one.slot) == (other.operation, other.slot)
    )
