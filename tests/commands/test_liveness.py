"""Whatever people ask for at one place, and whoever is faster: nobody waits for ever, and each card shows the way on.

Each step of an operation, and each answer to somebody's words, falls into two halves: looking at the world, and writing
down what follows. Any of those that are due may do its next half at any time, so that between the two all others may
come. In the end whatever people can give is given, or what lacks it is cancelled; then all of it has to end.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.controller import PLACE_TAKEN
from commands import tell
from commands.answer import answer
from commands.errors import LostLease, ReleaseBotError
from commands.operation import Operation, Phase, Wish
from commands.ports import Lease, Request, Signal, Taken, Writes
from policy.facts import Deed
from tests.conversation import Bot
from tests.world import HOUR, Behaviour, Fault, People, Town, digest, revision_of, story

FIRST = {
    "ordinary": "promote checkout stage→prod",
    "hotfix": "promote checkout stage→prod type:hotfix",
    "fix": "promote checkout stage→prod type:fix",
    "set": "promote shop stage→prod",
}
WORDS = (
    *FIRST.values(),
    "agree",
    "agree",
    "agree",
    "approve {op} plan:{plan}",
    "reject {op} plan:{plan} reason:no",
    "withdraw {op}",
    "cancel {op}",
    "abort {op}",
    "leave {op} reason:enough",
    "pause {op}",
    "resume {op}",
    "continue {op}",
    "rollback checkout reason:errors",
    "rollback checkout reason:errors",
    "rollback checkout to c0c0c0c reason:errors",
    "rollback shop reason:errors",
    "freeze start prod until:1h reason:x",
    "freeze end",
)
HAPPENS = ("bad", "worse", "build", "later", "silent", "busy", *(fault.name for fault in Fault))
WHO = ("maya", "omar", "raj", "ines", "dan")
GIVES = ("omar", "ines", "dan")
"""Whoever has to agree to anything here."""
OPENS = datetime(2026, 11, 24, 7, 59, 30, tzinfo=UTC)
OPEN = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
CLOSES = datetime(2026, 11, 24, 15, 59, 40, tzinfo=UTC)
SOON = timedelta(minutes=20)
"""In so long all has ended that waits for nobody: less than anything here lasts that could only expire."""
HALVES = 6000
"""More than any of these lives takes; then it goes round in circles."""
ENOUGH = 10**6


@dataclass(frozen=True)
class Said:
    who: str
    words: str
    halves: int
    """So many halves of steps follow, at most, before the next is said."""


@dataclass(frozen=True)
class Happens:
    what: str
    halves: int


@dataclass(frozen=True)
class Life:
    at: datetime
    agreed: bool
    """People have to agree to rollbacks, too."""
    deeds: tuple[Said | Happens, ...]
    dice: int


HALF = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 9, 30, 90, ENOUGH])
SAID = st.builds(Said, st.sampled_from(WHO), st.sampled_from(WORDS), HALF)
HAPPEN = st.builds(Happens, st.sampled_from(HAPPENS), HALF)


@st.composite
def lived(draw: st.DrawFn) -> Life:
    """Something is asked for and agreed to, and so is a rollback; and anything at all in between."""
    deeds: list[Said | Happens] = [
        Said("maya", draw(st.sampled_from([*FIRST.values()])), draw(st.sampled_from([4, 9, ENOUGH]))),
        Said("", "agree", draw(HALF)),
        Said("omar", "rollback checkout reason:errors", draw(HALF)),
    ]
    for deed in draw(st.lists(SAID | SAID | SAID | HAPPEN, max_size=12)):
        deeds.insert(draw(st.integers(0, len(deeds))), deed)
    at = draw(st.sampled_from([OPEN, OPEN, OPENS, CLOSES]))
    return Life(at, draw(st.booleans()), tuple(deeds), draw(st.integers(0, 2**32)))


DEADLOCK = Life(
    OPEN,
    agreed=False,
    deeds=(
        Said("maya", FIRST["fix"], ENOUGH),
        Said("", "agree", 4),
        Said("omar", "rollback checkout reason:errors", 0),
    ),
    dice=0,
)
"""Once a rollback stood in line behind that promotion, which waited for it."""


@dataclass
class _Carried:
    operation: Operation
    lease: Lease
    writes: Writes | None = None
    """What it is about to write down."""


@dataclass
class Everybody:
    """All who are at work, each about to do the next half of a step."""

    bot: Bot
    dice: random.Random
    left: int = HALVES
    carried: dict[str, _Carried] = field(default_factory=dict)
    answered: dict[str, tuple[Request, Writes | None]] = field(default_factory=dict)
    wrong: dict[str, datetime] = field(default_factory=dict)
    """Since when the card of an operation lacks a button."""

    async def hears(self, who: str, words: str) -> None:
        """It was taken down, and somebody is about to answer it."""
        town = self.bot.town
        town.slack.heard += 1
        town.clock.move(timedelta(milliseconds=1))
        request = Request(f"r{town.slack.heard}", words, People.account(who), "C0RELEASES", at=town.clock.now())
        await self.bot.store.take(request, await town.people.person(request.account), answered=False)
        self.answered[request.id] = (request, None)

    async def work(self, halves: int = ENOUGH) -> None:
        """So many halves, in any order; fewer where nothing is due any more."""
        for _ in range(halves):
            able = [*self.answered, *self.carried, *await self._due()]
            if not able:
                return
            self.left -= 1
            assert self.left > 0, f"it goes round in circles: {await stand(self.bot)}"
            name = self.dice.choice(able)
            await (self._answers(name) if name in self.answered else self._carries(name))

    async def _due(self) -> list[str]:
        """Ids of the operations that could be claimed."""
        now = round(self.bot.town.clock.now().timestamp() * 1_000_000)
        rows = await self.bot.store._all(
            "SELECT id FROM operations WHERE over = 0 AND due_at <= :now ORDER BY id", {"now": now}
        )
        return [row[0] for row in rows if row[0] not in self.carried]

    async def _answers(self, name: str) -> None:
        request, writes = self.answered[name]
        try:
            if writes is None:
                self.answered[name] = (request, await answer(request, self.bot.world))
                return
            await self.bot.store.commit(writes)
        except Taken:
            self.answered[name] = (request, None)
            return
        except ReleaseBotError:
            await self.bot.worker._answered(request)
        del self.answered[name]

    async def _carries(self, name: str) -> None:
        if name not in self.carried:
            await self._claims(name)
            return
        it = self.carried.pop(name)
        try:
            if it.writes is None:
                writes = await self.bot._advance(it.operation, it.lease)
                self.carried[name] = _Carried(it.operation, it.lease, writes)
                return
            going = await self.bot.store.carry_on(it.writes, it.lease)
        except LostLease:
            return
        except Taken:
            await self.bot.controller._give_back(it.operation, it.lease, PLACE_TAKEN)
        except Exception as error:  # as the controller does
            await self.bot.controller._failed(it.operation, it.lease, error)
        else:
            if going is not None:
                self.carried[name] = _Carried(*going)

    async def _claims(self, name: str) -> None:
        first = "UPDATE operations SET due_at = 0 WHERE id = :id AND over = 0"
        await self.bot.store._writer.write(lambda books: books.run(first, {"id": name}).rowcount)
        claimed = await self.bot.store.claim()
        if claimed is not None:
            self.carried[claimed[0].id] = _Carried(*claimed)


# What must hold -------------------------------------------------------------------------------------------------------


async def stand(bot: Bot) -> str:
    """How it stands, for whoever reads why a life failed."""
    lines = [
        f"{one.id} {one.question.deed.value} {one.question.service} {one.phase.value}, {one.wish.value} at {one.moment.key},"
        f" {one.seen.get(tell.WAITS)}: {one.note}"
        for one in (*await bot.store.open_operations(), *await bot.store.timers())
    ]
    return "\n".join(("", *lines))


async def holds(everybody: Everybody) -> None:
    """While everything rests: nobody waits for who waits for them, and what can be pressed stands on each card."""
    bot, now = everybody.bot, everybody.bot.town.clock.now()
    await bot.says()
    there = {one.id: one for one in await bot.store.open_operations()}
    behind = {id: found[1] for id, one in there.items() if (found := re.search(r"It begins when (op_\w+)", one.note))}
    for id in behind:
        seen = [id]
        while (following := behind.get(seen[-1])) is not None:
            assert following not in seen, f"they wait for each other: {seen}{await stand(bot)}"
            seen.append(following)
    lack = {id: missing for id, one in there.items() if (missing := await _missing(bot, one))}
    everybody.wrong = {id: everybody.wrong.get(id, now) for id in lack}
    for id, since in everybody.wrong.items():
        says = f"since {now - since} nobody can press {sorted(lack[id])} of {id}: {await stand(bot)}"
        assert now - since <= PLACE_TAKEN + timedelta(seconds=1), says


async def _missing(bot: Bot, operation: Operation) -> set[str]:
    """What can be pressed in its state, and cannot on its root message."""
    if operation.plan is None or operation.is_a_set:  # they have cards of their own kind
        return set()
    standing = await bot.store.slot(operation.id, "root")
    assert standing is not None, f"{operation.id} has no card"
    card = next(one for one in bot.town.slack.messages if one.ts == standing.ts)
    return {button.label for button in tell.buttons(operation)} - {label for label, *_ in card.now["buttons"]}


def happens(what: str, town: Town) -> None:
    match what:
        case "bad":
            town.metrics.becomes(revision_of("checkout", 2), Signal.MEMORY_PERCENT, 93.0)
        case "worse":
            town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=30)
        case "build":
            if digest("checkout", 3) not in {
                one.digest for place in town.runs.places.values() for one in place.revisions.values()
            }:
                town.version("checkout", 3, "Do it better still", "lea-gh")
                town.deployed("checkout", "stage", 3, ago=26 * HOUR)
        case "later":
            town.clock.move(timedelta(seconds=40))
        case "silent":
            town.metrics.silent = not town.metrics.silent
        case "busy":
            town.runs.somebody_is_busy(next(iter(town.runs.places)), timedelta(seconds=20))
        case fault:
            town.runs.faults.append(Fault[fault])


async def _said(said: Said, bot: Bot, dice: random.Random) -> tuple[str, str]:
    """By whom, and the words, about one of the operations that are open; `agree`: by somebody whose word counts."""
    there = await bot.store.open_operations()
    one = dice.choice(there) if there else None
    id, plan = (one.id if one else "op_none"), (one.plan.hash[:8] if one and one.plan else "00000000")
    words = said.words.replace("{op}", id).replace("{plan}", plan)
    if said.words != "agree":
        return said.who, words
    able = ("omar", "raj")
    if one and one.question.deed is Deed.ROLLBACK:
        able = ("ines", "raj")
    elif one and one.question.change == "fix":
        able = ("dan", "raj")
    return dice.choice(able), f"approve {id} plan:{plan}"


async def lives(life: Life, town: Town) -> None:
    dice = random.Random(life.dice)
    trigger = {"signal": "memory_percent", "above": 90, "lasts": "PT20S", "during": "watch"}
    steps = [{"percent": 10, "hold": "PT2S"}, {"percent": 100, "hold": "PT2S"}]
    health = {"max_error_percent": 5.0, "min_requests": 20, "give_up_after": "PT1M"}
    town.policies.adopt(
        change_types={
            "hotfix": {},
            "fix": {"window": "any", "approvals": [{"role": "on_call"}], "instead": True},
        },
        rollback={"approvals": [{"any_of": ["incident_commander", "on_call"]}]} if life.agreed else {},
        to_prod={
            "rollout": {
                "steps": steps,
                "triggers": {"unwell": trigger},
                "watch": "PT5M",
                "health": health,
                "inconclusive": "ask",
                "held_at_most": "PT1M",
            }
        },
    )
    town.people.roles["raj"] |= {"release_manager", "on_call"}
    town.clock.at = life.at
    async with Bot(town) as bot:
        everybody = Everybody(bot, dice)
        for deed in life.deeds:
            if isinstance(deed, Happens):
                happens(deed.what, town)
            else:
                await everybody.hears(*await _said(deed, bot, dice))
            await _passes(everybody, deed.halves)
        await _given(everybody)
        assert not bot.surprises, bot.surprises
        assert bot.worker.failed == 0


async def _passes(everybody: Everybody, halves: int) -> None:
    """Some of what is due is done; where all was, time passes until a little more is."""
    await everybody.work(halves)
    if halves == ENOUGH:
        await holds(everybody)
        due = await everybody.bot.store.next_due()
        if due is not None and due <= SOON.total_seconds():
            everybody.bot.town.clock.move(timedelta(seconds=due, microseconds=1))


async def _given(everybody: Everybody) -> None:
    """Everything ends, once all was given that people can give, and what lacks something else was cancelled."""
    bot, town = everybody.bot, everybody.bot.town
    town.runs.faults.clear()
    town.metrics.silent = False
    given: set[tuple[str, str]] = set()
    last = town.clock.now() + SOON
    while True:
        await everybody.work()
        await holds(everybody)
        there = await bot.store.open_operations()
        timers = [one for one in await bot.store.timers() if one.question.deed is Deed.WATCH]
        if not there and not timers:
            break
        assert town.clock.now() < last, f"it does not end: {await stand(bot)}"
        said = [one for each in there for one in _lacks(each, given, cancels=town.clock.now() > last - SOON / 2)]
        for who, words in said:
            await everybody.hears(who, words)
        if not said:
            due = await bot.store.next_due()
            assert due is not None, f"nothing will ever happen: {await stand(bot)}"
            town.clock.move(timedelta(seconds=due, microseconds=1))
    rows = await bot.store._all("SELECT id, data FROM operations WHERE phase = 'expired'")
    assert not rows, f"they waited until it was too late: {rows}"


def _lacks(one: Operation, given: set[tuple[str, str]], *, cancels: bool) -> list[tuple[str, str]]:
    """Who says what, that it may go on; `cancels`: it is stopped, where it has not ended by then."""
    plan = one.plan.hash[:8] if one.plan else ""
    stops = "abort" if one.moving or one.phase is Phase.WATCHING else "cancel"
    says: list[tuple[str, str]] = []
    if cancels:
        says = [("omar", f"{stops} {one.id}")]
    elif one.phase in {Phase.WAITING, Phase.BLOCKED}:
        says = [(who, f"approve {one.id} plan:{plan}") for who in GIVES]
    elif one.wish is Wish.PAUSE:
        says = [("omar", f"resume {one.id}")]
    elif doubt := tell.asked(one):
        says = [("omar", f"abort {one.id}" if doubt.about == tell.HELD else f"continue {one.id} question:{doubt.id}")]
    fresh = [(who, words) for who, words in says if (who, words) not in given]
    given.update(fresh)
    return fresh


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lived())
@example(DEADLOCK)
def test_nobody_waits_for_ever(life: Life) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(lives(life, story(Path(directory))))
