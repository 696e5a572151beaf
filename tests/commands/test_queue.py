"""Who waits for what, and who begins first: as it reads in `status`, and in the channel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from commands import tell
from commands.asking import Asking
from commands.carry_out import advance
from commands.intent import Status
from commands.operation import Phase, Wish
from commands.ports import Request, Running, Site, Writes
from commands.reply import plain
from commands.status import status
from policy.facts import Deed
from tests.commands.test_promote import LIVE, ON_TO_100, PLAN_SETTLED, SERVES_10
from tests.conversation import Bot, plays
from tests.world import Town

NIGHT = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
REQUEST = Request("status", "status", "", "C0RELEASES")
ASKED_AT_NIGHT = """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Approve] [Reject] [Check again] [Emergency] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (window, second-person, approvals) [Approve] [Reject] [Check again] [Emergency] [Cancel]
    """


@pytest.fixture
def night(town: Town) -> Town:
    """The evening of the story's day: the window opens again at nine."""
    town.clock.at = NIGHT
    return town


async def test_status_says_what_a_request_waits_for_and_when_it_could_begin(night: Town) -> None:
    await plays(
        ASKED_AT_NIGHT
        + """
    maya: /release status checkout
    bot → maya: Status of checkout: 1 under way or waiting.
         …
         • op_82f3e9c695 checkout c2c2c2c2c2c2 → prod: waiting for window and approval, asked by maya, could begin Wed 25 Nov 2026 08:00 UTC
         …
    """,
        night,
    )


async def test_what_was_approved_at_night_begins_by_itself_when_the_window_opens(night: Town) -> None:
    await plays(
        ASKED_AT_NIGHT
        + """
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Emergency] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 14 rules not met (window) [Check again] [Emergency] [Cancel]
    … 12 h later
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    """
        + SERVES_10.partition("deployment 16\n")[2]
        + ON_TO_100
        + LIVE
        + PLAN_SETTLED,
        night,
    )


@pytest.mark.parametrize("salt", ["a", "b", "c", "d", "e", "f"])
async def test_who_asked_first_begins_first(night: Town, salt: str) -> None:
    """Two types of change are two requests for the same place; both wait for nine o'clock, and one can be first.

    Whichever of the two the books would hand out first: that goes by their ids, which are as good as random.
    """
    night.policies.adopt(change_types={"hotfix": {}})
    async with Bot(night) as bot:
        for words in ("promote checkout stage→prod type:hotfix", "promote checkout stage→prod"):
            await bot.hears(
                Request(f"{words} {salt}", words, night.people.account("maya"), "C0RELEASES", at=night.clock.now())
            )
            *_, newest = await bot.store.open_operations()
            assert newest.plan is not None
            agrees = f"approve {newest.id} plan:{newest.plan.hash[:8]}"
            await bot.hears(
                Request(f"{agrees} {salt}", agrees, night.people.account("omar"), "C0RELEASES", at=night.clock.now())
            )
            night.clock.move(timedelta(seconds=1))
        await bot.rests()
        hotfix, ordinary = await bot.store.open_operations()
        reply = await status(
            Status("checkout"), Asking(hotfix.asked_by, REQUEST, bot.world, bot.world.policies.current())
        )
        lines = [plain(line.text) for line in reply.lines if "op_" in plain(line.text)]
        assert [("number 2 in line for checkout@prod" in line, "waiting for window" in line) for line in lines] == [
            (False, True),
            (True, True),
        ]
        night.clock.move(timedelta(hours=12))
        await bot.rests()
        first, second = await bot.store.operation(hotfix.id), await bot.store.operation(ordinary.id)
        assert first is not None
        assert second is not None
        assert (first.phase, second.phase) == (Phase.DONE, Phase.BLOCKED), "there is nothing left to promote"
        assert second.note == "", "it waits for nobody any more"


async def test_a_rollback_stands_in_no_line_behind_a_promotion_that_asked_before_it(town: Town) -> None:
    """All is agreed to when the rollback comes, and the promotion lets it go first: they wait for each other no more."""
    async with Bot(town) as bot:

        async def says(who: str, words: str) -> None:
            await bot.hears(Request(words, words, town.people.account(who), "C0RELEASES"))
            town.clock.move(timedelta(milliseconds=1))

        await says("maya", "promote checkout stage→prod")
        [promotion] = await bot.store.open_operations()
        assert promotion.plan is not None
        await says("omar", f"approve {promotion.id} plan:{promotion.plan.hash[:8]}")
        await says("ines", "rollback checkout reason:errors in the basket")
        _, back = await bot.store.open_operations()
        later = town.clock.now() + timedelta(minutes=1)
        await bot.rests(lambda: town.clock.now() >= later)
        ended = await bot.store.operation(back.id)
        assert ended is not None
        assert (ended.question.deed, ended.phase) == (Deed.ROLLBACK, Phase.DONE)


async def test_who_agrees_besides_to_what_is_next_in_line_leaves_its_card_with_a_button(town: Town) -> None:
    """Nothing of it changes by that: it still waits for a rollback that others have to agree to, and can be cancelled."""
    town.people.roles["raj"] |= {"release_manager"}
    town.policies.adopt(rollback={"approvals": [{"role": "incident_commander"}]})
    async with Bot(town) as bot:

        async def says(who: str, words: str) -> None:
            await bot.hears(Request(f"{who} {words}", words, town.people.account(who), "C0RELEASES"))
            later = town.clock.now() + timedelta(seconds=3)
            await bot.rests(lambda: town.clock.now() >= later)
            town.clock.move(timedelta(milliseconds=1))

        await says("dan", "rollback checkout reason:errors in the basket")
        await says("maya", "promote checkout stage→prod")
        back, promotion = await bot.store.open_operations()
        assert promotion.plan is not None
        for who in ("omar", "raj"):
            await says(who, f"approve {promotion.id} plan:{promotion.plan.hash[:8]}")
            _, promotion = await bot.store.open_operations()
            assert promotion.note == f"It begins when {back.id} is over."
            standing = await bot.store.slot(promotion.id, "root")
            assert standing is not None
            [card] = [one.now for one in town.slack.messages if one.ts == standing.ts]
            assert [label for label, *_ in card["buttons"]] == ["Approve", "Reject", "Cancel"]


async def test_a_rollback_sends_away_what_began_while_it_was_looked_at_itself(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to agree to it, so nobody is said to have."""
    async with Bot(town) as bot:

        async def says(who: str, words: str) -> None:
            await bot.hears(Request(words, words, town.people.account(who), "C0RELEASES"))
            town.clock.move(timedelta(milliseconds=1))

        await says("maya", "promote checkout stage→prod")
        [promotion] = await bot.store.open_operations()
        assert promotion.plan is not None
        await says("omar", f"approve {promotion.id} plan:{promotion.plan.hash[:8]}")
        first = await bot.store.claim()
        assert first is not None
        begins: list[Writes] = [await advance(*first, bot.world)]
        await says("ines", "rollback checkout reason:errors in the basket")
        second = await bot.store.claim()
        assert second is not None
        looks = town.runs.running

        async def meanwhile(site: Site) -> Running:
            while begins:
                await bot.store.commit(begins.pop(), first[1])
            return await looks(site)

        monkeypatch.setattr(town.runs, "running", meanwhile)
        await bot.controller._carry(*second, ())
        began, back = await bot.store.open_operations()
        assert (began.phase, began.wish) == (Phase.RUNNING, Wish.YIELD)
        await bot.rests()
        ended = await bot.store.operation(back.id)
        assert ended is not None
        assert (ended.phase, tell.AGREED in ended.seen) == (Phase.DONE, False)


async def test_what_cannot_even_be_looked_at_is_not_waited_for_by_who_asked_later(town: Town) -> None:
    """Whoever asked first left for good while both stood in line behind a rollback."""
    town.policies.adopt(change_types={"hotfix": {}}, rollback={"approvals": [{"role": "incident_commander"}]})
    async with Bot(town) as bot:

        async def says(who: str, words: str) -> None:
            await bot.hears(Request(f"{who} {words}", words, town.people.account(who), "C0RELEASES"))
            later = town.clock.now() + timedelta(seconds=3)
            await bot.rests(lambda: town.clock.now() >= later)
            town.clock.move(timedelta(milliseconds=1))

        await says("dan", "rollback checkout reason:errors in the basket")
        for who, words in (("tom", "promote checkout stage→prod type:hotfix"), ("maya", "promote checkout stage→prod")):
            await says(who, words)
            *_, newest = await bot.store.open_operations()
            assert newest.plan is not None
            await says("omar", f"approve {newest.id} plan:{newest.plan.hash[:8]}")
        back, first, second = await bot.store.open_operations()
        assert first.note == f"It begins when {back.id} is over."
        town.people.gone.add("tom")
        await says("ines", f"cancel {back.id}")
        later = town.clock.now() + timedelta(minutes=5)
        for _ in range(20):
            await bot.rests(lambda: town.clock.now() >= later)
            town.clock.move(timedelta(seconds=5))
        ended = await bot.store.operation(second.id)
        assert ended is not None
        assert ended.phase is Phase.DONE
