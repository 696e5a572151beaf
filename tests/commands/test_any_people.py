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

from commands.ports import EntryPhase, Request
from policy.facts import Verdict
from tests.conversation import Bot
from tests.world import Behaviour, Fault, People, Town, Write, digest, site_of, story

WHO = ("maya", "omar", "lea", "raj", "ines", "dan", "gus", "ext")
WORDS = (
    "promote checkout stage→prod",
    "promote checkout stage→prod",
    "promote payments stage→prod",
    "promote checkout prod→stage",
    "approve {op} plan:{plan}",
    "approve {op} plan:{plan}",
    "approve {op} plan:{plan}",
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
BEGINNING = st.sampled_from(
    [
        Said(("maya",), "promote checkout stage→prod", ALL),
        Said(("omar",), "approve {op} plan:{plan}", 12),
        Said(("omar",), "approve {op} plan:{plan}", 30),
        Said(("ines",), "rollback checkout", 2),
    ]
)


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
        agreed = [v for v in votes if v.voter.human != operation.asked_by.human and "release_manager" in v.voter.roles]
        if not agreed:
            self.wrong.append(f"{write} was agreed to by nobody who may: {votes}")


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
    return Request(f"r{town.slack.heard}", words.replace("{op}", "op_none"), People.account(who), "C0RELEASES")


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
        assert await bot.store.dangling_intents() == ()
        assert (await bot.store.verify()).problems == ()
        done = [e for e in await bot.store.newest(1000) if e.phase is EntryPhase.RECORD and e.what == "done"]
    for service in ("checkout", "payments"):
        for split in town.runs.ever_served(site_of(service)):
            assert sum(split.values()) == 100
        mine = [entry for entry in done if entry.target["service"] == service]
        if mine and len(town.runs.traffic(service)) == 1:
            served = {next(iter(split)) for split in town.runs.ever_served(site_of(service)) if len(split) == 1}
            assert {entry.target["revision"] for entry in mine} <= served


@pytest.mark.requirement("S4-005", "D-01")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(BEGINNING | SAID | SAID | HAPPENS, max_size=14))
def test_no_build_reaches_production_unless_another_human_with_the_role_agreed(deeds: list[Said | Happens]) -> None:
    """Nor does traffic ever sum up to anything but 100, nor does anything happen that nobody foresaw."""
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_live(deeds, story(Path(directory))))
