"""Whatever people say, in whatever order: what must never happen does not happen."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.operation import Operation
from commands.ports import EntryPhase, Request
from policy.facts import EMERGENCY, Verdict
from policy.model import Human
from tests.bot.books import unsettled
from tests.conversation import Bot
from tests.world import Behaviour, Fault, People, Town, Write, digest, site_of, story

WHO = ("maya", "omar", "lea", "raj", "ines", "dan", "gus", "ext")
WAIVE = "exception request search prod waive:soak until:20h reason:x risk:low"
URGENT = "promote search stage→prod type:emergency incident:INC-7 reason:x rollback-plan:y"
WORDS = (
    "promote checkout stage→prod",
    "promote checkout stage→prod",
    "promote payments stage→prod",
    "promote checkout prod→stage",
    "promote search stage→prod",
    URGENT,
    "promote search stage→prod --plan",
    WAIVE,
    "exception request prod waive:soak,window until:2026-11-25T10:00Z reason:x risk:low",
    "approve {record} plan:{hash}",
    "approve {record} plan:{hash}",
    "approve {record} plan:00000000",
    "reject {record} plan:{hash} reason:no",
    "withdraw {record}",
    "exception revoke {record} reason:no more",
    "exception list",
    "exception settle {owed} note:done",
    "approve {op} plan:{plan}",
    "approve {op} plan:{plan}",
    "approve {op} plan:{plan} reason:it is right",
    "approve {op} plan:00000000",
    "reject {op} plan:{plan} reason:no",
    "withdraw {op}",
    "cancel {op}",
    "abort {op}",
    "pause {op}",
    "resume {op}",
    "rollback checkout",
    "rollback checkout to c0c0c0c",
    "rollback payments",
    "freeze start prod until:1h reason:x",
    "freeze end",
    "freeze list",
    "status",
    "why checkout stage→prod",
    "why {op}",
    "log checkout",
    "help",
    "banana",
)
ALL = 150


@dataclass(frozen=True)
class Said:
    who: tuple[str, ...]
    words: str
    steps: int
    """So many rounds of work follow, at most, before the next is said."""


@dataclass(frozen=True)
class Happens:
    """Something that nobody said."""

    what: str
    steps: int


SAID = st.builds(
    Said,
    st.lists(st.sampled_from(WHO), min_size=1, max_size=2, unique=True).map(tuple),
    st.sampled_from(WORDS),
    st.sampled_from([0, 1, 3, 8, 20, ALL]),
)
HAPPENS = st.builds(
    Happens,
    st.sampled_from(
        ["later", "much later", "github", "monitoring", "cloud run", "slack", "bad", "lea manages", "restart", "policy"]
        + [fault.name for fault in Fault]
    ),
    st.sampled_from([0, 2, ALL]),
)
STORIES: tuple[tuple[Said, ...], ...] = (
    (
        Said(("maya",), "promote checkout stage→prod", ALL),
        Said(("omar",), "approve {op} plan:{plan}", 12),
    ),
    (
        Said(("maya",), "promote checkout stage→prod", ALL),
        Said(("omar",), "approve {op} plan:{plan}", 30),
        Said(("ines",), "rollback checkout", 2),
    ),
    (
        Said(("maya",), "promote search stage→prod", ALL),
        Said(("lea",), WAIVE, ALL),
        Said(("raj",), "approve {record} plan:{hash}", ALL),
        Said(("omar",), "approve {op} plan:{plan}", 30),
    ),
    (
        Said(("dan",), URGENT, ALL),
        Said(("ines",), "approve {op} plan:{plan} reason:INC-7 is real", 30),
        Said(("omar",), "exception settle {owed} note:done", ALL),
    ),
)
"""In each a build reaches production, if nobody comes between."""


@st.composite
def lives(draw: st.DrawFn) -> list[Said | Happens]:
    """One of the stories, and anything at all in between."""
    deeds: list[Said | Happens] = list(draw(st.sampled_from(STORIES)))
    for deed in draw(st.lists(SAID | SAID | HAPPENS, max_size=10)):
        deeds.insert(draw(st.integers(0, len(deeds))), deed)
    return deeds


@dataclass
class Watch:
    """Looks at every write while it is made: was it agreed to by then?"""

    town: Town
    bot: Bot
    wrong: list[str] = field(default_factory=list)

    async def __call__(self, write: Write) -> None:
        operation = await self.bot.store.operation(write.operation)
        assert operation is not None
        assert operation.plan is not None
        if sum(share.percent for share in write.shares) != 100:
            self.wrong.append(f"{write} does not sum up to 100")
        if operation.plan.deed == "rollback" or operation.phase != "running":
            return
        votes = [
            vote
            for vote in await self.bot.store.votes(operation.id)
            if vote.verdict is Verdict.APPROVE and vote.plan == operation.plan.hash
        ]
        asker, emergency = operation.asked_by.human, operation.question.change == EMERGENCY
        role = "incident_commander" if emergency else "release_manager"
        agreed = [v for v in votes if v.voter.human not in {None, asker} and role in v.voter.roles]
        if not agreed or (emergency and not any(vote.reason for vote in agreed)):
            self.wrong.append(f"{write} was agreed to by nobody who may: {votes}")
        await self._rested_on(operation, {vote.voter.human for vote in agreed})

    async def _rested_on(self, operation: Operation, agreed: set[Human | None]) -> None:
        """Whatever it goes through was granted by somebody else than asked for it, and more than they agreed."""
        began = next(e for e in await self.bot.store.newest(1000) if (e.operation, e.what) == (operation.id, "began"))
        for id in began.detail.get("exceptions", ()):
            record = await self.bot.store.exception(id)
            assert record is not None
            granters = {person.human for person in record.granted_by}
            if not granters or record.asked_by.human in granters or operation.id not in record.used:
                self.wrong.append(f"{operation.id} rests on {record}")
            if agreed <= granters:
                self.wrong.append(f"{operation.id} was agreed to only by those who granted {id}")
        owed = [one.about for one in await self.bot.store.obligations()]
        settled = [e.target["about"] for e in await self.bot.store.newest(1000) if e.what == "settled"]
        if operation.emergency is not None and operation.emergency.id not in {*owed, *settled}:
            self.wrong.append(f"{operation.id} owes nothing for {operation.emergency.id}")


class _Enough:
    """True after so many rounds of work."""

    def __init__(self, rounds: int) -> None:
        self._left = rounds

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


async def _happens(what: str, town: Town) -> None:
    match what:
        case "later":
            town.clock.move(timedelta(minutes=40))
        case "much later":
            town.clock.move(timedelta(hours=23))
        case "github":
            town.github.away = not town.github.away
        case "monitoring":
            town.metrics.away = not town.metrics.away
        case "cloud run":
            town.runs.away = not town.runs.away
        case "slack":
            town.people.away = not town.people.away
        case "bad":
            town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=30)
        case "lea manages":
            town.people.roles["lea"] ^= {"release_manager"}
        case "policy":
            town.policies.change(approval_lasts=f"PT{town.slack.heard + 1}H")
        case fault if fault in Fault.__members__:
            town.runs.faults.append(Fault[fault])


async def _live(deeds: list[Said | Happens], town: Town) -> None:
    left = list(deeds)
    while left:
        async with Bot(town) as bot:
            watch = Watch(town, bot)
            town.runs.witness = watch
            while left:
                deed = left.pop(0)
                if isinstance(deed, Happens):
                    await _happens(deed.what, town)
                    if deed.what == "restart":
                        break
                else:
                    await bot.hears(*[await _request(who, deed.words, town, bot) for who in deed.who])
                await bot.rests(_Enough(deed.steps))
            assert not watch.wrong, watch.wrong
            assert not bot.surprises, bot.surprises
            assert bot.worker.failed == 0
    await _settled(town)


async def _request(who: str, words: str, town: Town, bot: Bot) -> Request:
    town.slack.heard += 1
    town.clock.move(timedelta(milliseconds=1))
    for operation in (await bot.store.open_operations())[-1:]:
        plan = operation.plan.hash[:8] if operation.plan else "none0000"
        words = words.replace("{op}", operation.id).replace("{plan}", plan)
    for record in (await bot.store.exceptions(town.clock.now()))[-1:]:
        words = words.replace("{record}", record.id).replace("{hash}", record.plan[:8])
    for owed in (await bot.store.obligations())[-1:]:
        words = words.replace("{owed}", owed.id)
    for name, nothing in (("{op}", "op_none"), ("{record}", "X-none"), ("{hash}", "none0000"), ("{owed}", "O-none")):
        words = words.replace(name, nothing)
    return Request(f"r{town.slack.heard}", words, People.account(who), "C0RELEASES")


async def _settled(town: Town) -> None:
    """Once everything is back, all comes to rest, and the books tell what is true."""
    town.github.away = town.metrics.away = town.runs.away = town.people.away = False
    town.runs.faults.clear()
    async with Bot(town) as bot:
        watch = town.runs.witness = Watch(town, bot)
        for operation in await bot.store.open_operations():
            if operation.wish == "pause":
                request = Request(f"end-{operation.id}", f"resume {operation.id}", People.account("ines"), "C0RELEASES")
                await bot.hears(request)
        town.clock.move(timedelta(hours=25))
        await bot.rests()
        assert not watch.wrong, watch.wrong
        assert not bot.surprises, bot.surprises
        assert [operation for operation in await bot.store.open_operations() if operation.moving] == []
        assert await unsettled(bot.store) == ()
        assert (await bot.store.verify()).problems == ()
        done = [e for e in await bot.store.newest(1000) if e.phase is EntryPhase.RECORD and e.what == "done"]
    for service in ("checkout", "payments"):
        for split in town.runs.ever_served(site_of(service)):
            assert sum(split.values()) == 100
        mine = [entry for entry in done if entry.target["service"] == service]
        if mine and len(town.runs.traffic(service)) == 1:
            served = {next(iter(split)) for split in town.runs.ever_served(site_of(service)) if len(split) == 1}
            assert {entry.target["revision"] for entry in mine} <= served


@pytest.mark.requirement("S4-005", "S4-161", "S4-322", "D-01")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives())
def test_no_build_reaches_production_unless_another_human_with_the_role_agreed(deeds: list[Said | Happens]) -> None:
    """Nor does traffic ever sum up to anything but 100, nor does anything happen that nobody foresaw."""
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_live(deeds, story(Path(directory))))
