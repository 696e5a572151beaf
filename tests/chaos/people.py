"""What do people do meanwhile? They promote, approve twice, change their minds, roll back, and say it again if need be."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TypeVar

from bot.sandbox.slack import block_kit
from bot.sandbox.slack.model import Impossible
from tests.chaos.books import Database, Kept, operations
from tests.chaos.fleet import Fleet
from tests.chaos.town import Nature, Town

Drawn = TypeVar("Drawn")

LOOK = 0.2
"""Seconds between two looks at the books."""
APOLOGY = "The audit ledger cannot be written, nothing was done."
HEARS_WITHIN = 20.0
"""Seconds after which somebody who hears nothing says it again."""


class Fate(Enum):
    """What becomes of a release besides what its build makes of it."""

    NOTHING = "left alone"
    CANCELLED = "cancelled before anybody agreed"
    ABORTED = "aborted while it ran"
    PAUSED = "paused and resumed"
    ROLLED_BACK = "rolled back while it ran"
    ROLLED_BACK_LATER = "rolled back once it was done"


FATES: Sequence[tuple[Fate, int]] = (
    (Fate.NOTHING, 45),
    (Fate.CANCELLED, 5),
    (Fate.ABORTED, 12),
    (Fate.PAUSED, 6),
    (Fate.ROLLED_BACK, 16),
    (Fate.ROLLED_BACK_LATER, 16),
)
NATURES: Sequence[tuple[Nature, int]] = ((Nature.GOOD, 65), (Nature.BAD, 15), (Nature.TURNS, 20))


@dataclass
class Desk:
    """The books as everybody here last saw them."""

    books: Database
    known: dict[str, Kept] = field(default_factory=dict)

    async def watch(self) -> None:
        """Forever. A database that is away is looked at again."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        try:
            found = await asyncio.to_thread(operations, self.books)
        except OSError:
            return
        self.known = {one.id: one for one in found}

    def open(self) -> list[Kept]:
        return [one for one in self.known.values() if not one.over]


class People:
    """Maya asks, Omar and Raj agree, Ines takes back."""

    def __init__(self, town: Town, fleet: Fleet, desk: Desk, chance: random.Random) -> None:
        self.town = town
        self.fleet = fleet
        self.desk = desk
        self.chance = chance
        self.enough = asyncio.Event()
        """Nobody begins anything new."""
        self.acknowledged: Counter[tuple[str, str]] = Counter()
        """(account, words) that Slack was told were taken."""
        self.clicks: Counter[str] = Counter()
        self.fates: Counter[Fate] = Counter()
        self._slack = town.there.slack

    async def live(self) -> None:
        """Every service has its releases, one after another, until it is enough."""
        async with asyncio.TaskGroup() as lives:
            for service in self.town.services:
                lives.create_task(self._life(service), name=f"life of {service}")

    async def _life(self, service: str) -> None:
        await asyncio.sleep(self.chance.uniform(0, 3))
        while not self.enough.is_set():
            nature = _drawn(self.chance, NATURES)
            fate = _drawn(self.chance, FATES)
            self.fates[fate] += 1
            await self.release(service, nature, fate)

    async def release(self, service: str, nature: Nature, fate: Fate) -> None:
        """One release, from its build until nothing of it is open any more."""
        digest = await self.town.build(service, nature)
        asked = await self.insist("maya", service, f"promote {service} stage→prod", lambda: self.promoting(digest))
        if fate is Fate.CANCELLED:
            await self.press_until("maya", asked, "Cancel", lambda: self._over(asked))
            return
        await self.press_until("omar", asked, "Approve", lambda: self._begun(asked), twice=True)
        if fate in {Fate.ABORTED, Fate.PAUSED, Fate.ROLLED_BACK}:
            await asyncio.sleep(self.chance.uniform(0.1, 8))
        if fate is Fate.ABORTED:
            await self.press_until("maya", asked, "Abort", lambda: self._over(asked))
        elif fate is Fate.PAUSED:
            await self.press_until("maya", asked, "Pause", lambda: self._over(asked) or self._wish(asked) == "pause")
            await asyncio.sleep(self.chance.uniform(0.1, 3))
            await self.press_until("maya", asked, "Resume", lambda: self._over(asked) or self._wish(asked) == "run")
        elif fate is Fate.ROLLED_BACK:
            await self._rollback(service, asked)
        await self._until(lambda: self._over(asked))
        if fate is Fate.ROLLED_BACK_LATER:
            await self._rollback(service, asked)
        await self._clear(service)

    async def _clear(self, service: str) -> None:
        """Nothing of this service is open; what nobody wants any more is cancelled.

        A look at stage that showed an older build leads to a request for that one, which nobody agrees to.
        """
        while its := self._open(service):
            for one in its:
                if one.kind == "promote" and one.phase in {"blocked", "waiting"}:
                    await self.press_until("maya", one.id, "Cancel", partial(self._over, one.id))
            await asyncio.sleep(LOOK)

    async def _rollback(self, service: str, asked: str) -> None:
        """There is one, or there is nothing that could be taken back."""
        before = {one.id for one in self.desk.known.values() if one.service == service and one.kind == "rollback"}

        def another() -> bool:
            its = (one for one in self.desk.known.values() if one.service == service and one.kind == "rollback")
            return any(one.id not in before for one in its) or self._kept(asked).phase not in {"running", "done"}

        await self.insist("ines", service, f"rollback {service} reason:practice", another)

    # Saying and pressing --------------------------------------------------------------------------------------------

    async def insist(self, who: str, service: str, words: str, done: Callable[[], object]) -> str:
        """Says it, and again where nothing comes of it; what `done` found."""
        while True:
            self._slack.bind(self.fleet.address())
            said = await self._slack.say(who, service, f"/release {words}")
            if said.ok:
                self.acknowledged[self._account(who), words] += 1
                if found := await self._within(done, HEARS_WITHIN):
                    return str(found)
            else:
                await asyncio.sleep(self.chance.uniform(0.2, 1))
                if found := done():
                    return str(found)

    async def press_until(
        self, who: str, operation: str, button: str, done: Callable[[], object], *, twice: bool = False
    ) -> None:
        while not done():
            where = self._offered(operation, button)
            if where is None:  # not yet said, or said and gone: both show in the books in the end
                if await self._within(done, 1.0):
                    return
                continue
            presses = [self._press(who, where, button) for _ in range(2 if twice else 1)]
            await asyncio.gather(*presses)
            if await self._within(done, HEARS_WITHIN / 4):
                return

    async def _press(self, who: str, where: tuple[str, str], button: str) -> None:
        ts, words = where
        self._slack.bind(self.fleet.address())
        try:
            pressed = await self._slack.press(who, ts, button)
        except Impossible:
            return  # it has just gone
        if pressed.ok:
            self.acknowledged[self._account(who), words] += 1
            self.clicks[button] += 1

    def _offered(self, operation: str, button: str) -> tuple[str, str] | None:
        """Where the newest such button of this operation stands, and the words behind it."""
        service = self._kept(operation).service
        for message in reversed(self._slack.messages(service)):
            if message.ephemeral_to is not None:
                continue
            for _, element in block_kit.interactive(message.blocks):
                words = str(element.get("value", ""))
                if block_kit.label(element) == button and operation in words:
                    return message.ts, words
        return None

    def _account(self, who: str) -> str:
        return f"slack:{self._slack.team.id}/{self._slack.workspace.person(who).id}"

    def apologies(self) -> Counter[str]:
        """By account: how often it was told that its words were not taken. It says them again, if it still wants to."""
        slack = self._slack
        told = (
            one for service in self.town.services for one in slack.messages(service) if one.ephemeral_to is not None
        )
        return Counter(f"slack:{slack.team.id}/{one.ephemeral_to}" for one in told if APOLOGY in one.text)

    # Looking --------------------------------------------------------------------------------------------------------

    def _kept(self, operation: str) -> Kept:
        return self.desk.known[operation]

    def promoting(self, digest: str) -> str:
        """The operation that promotes this build; empty: there is none."""
        its = (one for one in self.desk.known.values() if one.kind == "promote" and one.plan.get("digest") == digest)
        return next((one.id for one in its), "")

    def _over(self, operation: str) -> bool:
        return self._kept(operation).over

    def _begun(self, operation: str) -> bool:
        return self._kept(operation).phase not in {"blocked", "waiting"}

    def _wish(self, operation: str) -> str:
        return str(self._kept(operation).data.get("wish"))

    def _open(self, service: str) -> list[Kept]:
        return [one for one in self.desk.open() if one.service == service]

    async def _until(self, done: Callable[[], object]) -> None:
        while not done():
            await asyncio.sleep(LOOK)

    async def _within(self, done: Callable[[], object], seconds: float) -> object:
        end = asyncio.get_running_loop().time() + seconds
        while not (found := done()):
            if asyncio.get_running_loop().time() > end:
                return None
            await asyncio.sleep(LOOK)
        return found


def _drawn(chance: random.Random, from_: Sequence[tuple[Drawn, int]]) -> Drawn:
    return chance.choices([one for one, _ in from_], [weight for _, weight in from_])[0]
