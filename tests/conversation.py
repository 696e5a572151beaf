"""What people type, press and wait for, and what the bot says: one page, compared whole.

    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: … [Approve] [Reject] [Cancel]
         …
         ✗ second-person: somebody other than maya must agree
         …
    maya: [Approve]
    bot → maya: You asked for it, so somebody else has to agree.

After each deed the bot works until everything rests, and then says what is new: messages as they stand by then, in the
order in which they were posted, and (`bot now:`) what older ones say instead, where their first line changed. The lines
under a message are compared where the page shows any. `…` stands for what the page leaves out: letters within a line,
or whole lines where it stands alone.

Deeds: `maya: /release …` types; `maya in #checkout: …` there; `omar: [Approve]` presses the newest such button, or one
that is gone by now; `omar: [Approve] (first seen)` the oldest; `omar: [Reject] too early` gives the words it asks for,
and `maya: [Fill in] risk:"low" until:18:00` fills in a dialog that asks for exactly these;
`omar & lea: [Approve]` both at once. `… 24 h later` moves the clock. `… once: serves 10 %`, after a deed, stops as soon
as the bot has said so; `… once a write is late`, as soon as one was sent that has yet to arrive. `… it looks around`:
for what others changed.
"""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from textwrap import dedent
from typing import Any, Self, cast

from bot.controller import Controller
from bot.drift_watch import DriftWatch
from bot.outbox import Outbox
from bot.store import Store
from bot.worker import Worker
from commands.carry_out import advance
from commands.errors import ReleaseBotError
from commands.grammar import take_apart
from commands.hear import hear
from commands.operation import Operation, Wish
from commands.ports import Lease, Request, Taken, Writes
from commands.reply import Button, Reply, plain
from policy.model import Person
from tests.world import Town

REST = 2.0
"""Seconds: with nothing moving, what is due later than that is waited for only where the page says so."""
STEPS = 6000
"""More than any story takes, one held over a weekend with a look each minute too; then it goes round in circles."""
CHANNELS = {"releases": "C0RELEASES", "checkout": "C0CHECKOUT", "payments": "C0PAYMENTS", "search": "C0SEARCH"}
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


def render(reply: Reply) -> Mapping[str, Any]:
    body = [f"{name}: {plain(text)}" for name, text in reply.fields]
    body += [f"{line.mark.value} {plain(line.text)}" for line in reply.lines]
    body += [plain(reply.footer)] if reply.footer else []
    buttons = [[button.label, button.says, _asks(button)] for button in reply.buttons]
    return {"text": plain(reply.title), "body": body, "buttons": buttons}


def _asks(button: Button) -> str | list[str]:
    """The key that it asks for, or all of those that it asks for at once."""
    return [ask.key for ask in button.asks] if isinstance(button.asks, tuple) else button.asks or ""


class Bot:
    """One process of the bot over that town and its books, in which time passes only when somebody lets it."""

    def __init__(self, town: Town, around: Callable[[Any], Any] = lambda port: port) -> None:
        """`around` may put something between the bot and each of its ports."""
        self.town = town
        self.store = Store(town.database_url, town.clock, render, version="test", patience=30)
        self.world = town.ports(around(self.store))
        for name in (
            "people",
            "runs",
            "configurations",
            "metrics",
            "probes",
            "code",
            "branches",
            "releases",
            "protections",
        ):
            object.__setattr__(self.world, name, around(getattr(self.world, name)))
        books = cast("Store", self.world.store)
        self.worker = Worker(books, self.world)
        self.controller = Controller(books, self._advance)
        self.outbox = Outbox(self.store, town.slack, gap=0, arrives=0)
        self.surprises: list[Exception] = []
        """What a step ran into and nobody foresaw."""
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self.store)
        await self.store.take_over()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _advance(self, operation: Operation, lease: Lease) -> Writes:
        try:
            return await advance(operation, lease, self.world)
        except (ReleaseBotError, Taken):
            raise
        except Exception as error:
            self.surprises.append(error)
            raise

    async def hears(self, *requests: Request) -> None:
        """They came at once: all are taken down, then all are answered."""
        books = cast("Store", self.world.store)
        for request in requests:
            at_once = hear(request.words)
            speaker = Person(request.account, None, request.account)
            await books.take(request, speaker, answered=at_once is not None)
            if at_once is not None:
                await self.town.slack.whisper(request.channel, request.account, render(at_once))
        await self.answers()

    async def answers(self) -> None:
        """What was asked and not answered, is."""
        pending = await self.store.pending_requests()
        await asyncio.gather(*(self.worker._answered(request) for request in pending))
        await self.says()

    async def says(self) -> None:
        """What was decided stands in Slack."""
        for channel in sorted(await self.store.channels_to_tell()):
            await self.outbox._empty(channel)

    async def rests(self, until: Callable[[], bool] = lambda: False) -> None:
        """Everything has been done that can be done by now; time passes as long as something is moving."""
        for _ in range(STEPS):
            if until():
                return
            claimed = await cast("Store", self.world.store).claim()
            if claimed is not None:
                await self.controller._carry(*claimed, ())
                await self.says()
                continue
            due = await self.store.next_due()
            moving = [
                o
                for o in await self.store.open_operations()
                if (o.moving and o.wish is not Wish.PAUSE) or (o.effect is not None and not o.moving)
            ]
            if due is None or not (moving or (due <= REST and (due <= 0 or await self._soon()))):
                return
            self.town.clock.move(timedelta(seconds=due, microseconds=1))
        raise AssertionError(f"it never rests: {await self.store.open_operations()}")

    async def _soon(self) -> bool:
        """Something that was asked for is due shortly; an hour that only comes, comes when the page says so."""
        soon = self.town.clock.now() + timedelta(seconds=REST)
        values = {"soon": round(soon.timestamp() * 1_000_000)}
        asked = (
            "SELECT 1 FROM operations WHERE over = 0 AND kind NOT IN ('watch', 'remind', 'relax') AND due_at <= :soon"
        )
        return await self.store._one(asked, values) is not None


# The page -----------------------------------------------------------------------------------------------------------


@dataclass
class Part:
    """One line, and what stands indented below it."""

    head: str
    body: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join((self.head, *(f"     {line}" for line in self.body)))


_DEED = re.compile(r"(?P<who>(?!bot\b)[a-z]+(?: & [a-z]+)*)(?: in #(?P<channel>\w+))?: (?P<says>.+)")
_PRESS = re.compile(r"\[(?P<label>[^\]]+)\](?P<first> \(first seen\))?(?: (?P<words>.+))?")
_LATER = re.compile(r"… (?P<count>\d+) (?P<unit>s|min|h|d) later")
_ONCE = re.compile(r"… once(?:: (?P<words>.+)| a write is late)")


def _parts(page: str) -> list[Part]:
    parts: list[Part] = []
    for line in dedent(page).splitlines():
        if line.startswith((" ", "\t")) and parts:
            parts[-1].body.append(line.strip())
        elif line.strip():
            parts.append(Part(line.rstrip()))
    return parts


async def plays(page: str, town: Town) -> None:
    """The page reads as it would in Slack. A bot is started for it, and goes on from what is in the books."""
    wanted = _parts(page)
    deeds = [part.head for part in wanted if not part.head.startswith("bot")]
    async with Bot(town) as bot:
        told = _Told(town)
        came: list[Part] = []
        await bot.rests()
        for at, deed in enumerate(deeds):
            came.append(Part(deed))
            following = deeds[at + 1] if at + 1 < len(deeds) else ""
            await _do(deed, bot, _ONCE.fullmatch(following))
            came += told.news()
        assert not bot.surprises, bot.surprises
        assert bot.worker.failed == 0
    _alike(wanted, came)


async def _do(deed: str, bot: Bot, once: re.Match[str] | None) -> None:
    town = bot.town
    town.clock.move(timedelta(milliseconds=1))  # nobody acts twice at the same instant
    before = len(town.slack.messages)
    if later := _LATER.fullmatch(deed):
        town.clock.move(timedelta(**{_UNITS[later["unit"]]: int(later["count"])}))
    elif _ONCE.fullmatch(deed):
        return
    elif deed == "… it looks around":
        watch = DriftWatch(bot.world)
        await watch.look()
        await watch.look()
        await bot.says()
    elif said := _DEED.fullmatch(deed):
        channel = CHANNELS[said["channel"] or "releases"]
        await bot.hears(*(_request(town, who, channel, said["says"]) for who in said["who"].split(" & ")))
    else:
        raise AssertionError(f"nobody knows what this means: {deed}")

    def enough() -> bool:
        if once is None:
            return False
        if once["words"] is None:
            return town.runs.on_its_way() or bool(town.github.late)
        return any(once["words"] in m.now["text"] for m in town.slack.messages[before:])

    await bot.rests(enough)


def _request(town: Town, who: str, channel: str, says: str) -> Request:
    town.slack.heard += 1
    id, account = f"r{town.slack.heard}", town.people.account(who)
    press = _PRESS.fullmatch(says)
    if press is None:
        return Request(id, says.removeprefix("/release").strip(), account, channel, at=town.clock.now())
    shown = [message for message in town.slack.messages if message.only_for in {"", who}]
    now = [(m, b) for m in shown for b in m.now["buttons"] if b[0] == press["label"]]
    ever = [(m, b) for m in shown for version in m.said for b in version["buttons"] if b[0] == press["label"]]
    assert ever, f"there never was a button {press['label']}"
    message, (_, words, asks) = ever[0] if press["first"] else (now or ever)[-1]
    if isinstance(asks, list):
        filled = press["words"] or f'{asks[0]}:"because"'
        assert set(take_apart(filled).keys) == set(asks), f"the dialog asks for {asks}"
        words = f"{words} {filled}"
    elif asks:
        words = f'{words} {asks}:"{press["words"] or "because"}"'
    return Request(id, words, account, message.channel, message=message.ts, via="button", at=town.clock.now())


class _Told:
    """What the page has shown so far."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._heads = {message.ts: _head(message.now) for message in town.slack.messages}

    def news(self) -> list[Part]:
        new, changed = [], []
        for message in self._town.slack.messages:
            head = _head(message.now)
            if message.ts not in self._heads:
                to = f" → {message.only_for}" if message.only_for else ""
                new.append(Part(f"bot{to}: {head}", list(message.now["body"])))
            elif self._heads[message.ts] != head:
                changed.append(Part(f"bot now: {head}", list(message.now["body"])))
            self._heads[message.ts] = head
        return new + changed


def _head(payload: Mapping[str, Any]) -> str:
    return " ".join((str(payload["text"]), *(f"[{label}]" for label, _, _ in payload["buttons"])))


def _alike(wanted: Sequence[Part], came: Sequence[Part]) -> None:
    """The two pages are the same, but for what the first leaves out."""
    shown = [
        Part(
            want.head if _fits(want.head, got.head) else got.head,
            want.body if not want.body or _fit(want.body, got.body) else got.body,
        )
        for want, got in zip(wanted, came, strict=False)
    ]
    one = "\n".join(map(str, wanted)).splitlines()
    other = "\n".join([*map(str, shown), *(part.head for part in came[len(wanted) :])]).splitlines()
    assert one == other, "the page reads otherwise\n" + "\n".join(
        difflib.unified_diff(one, other, "as it should", "as it was", n=3, lineterm="")
    )


def _fits(want: str, got: str) -> bool:
    return re.fullmatch(re.escape(want).replace("…", ".*?"), got) is not None


def _fit(want: Sequence[str], got: Sequence[str]) -> bool:
    """`…` alone on a line: any lines; within one: any letters of it."""
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*?") + r"\n" for line in want)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in got)) is not None
