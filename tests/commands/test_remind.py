"""What ends or falls due by itself is told when it does, whatever happened meanwhile."""

from __future__ import annotations

from dataclasses import replace

from bot.interior import _note_start
from commands.ports import Writes
from policy.facts import ExceptionRecord, Freeze, Obligation
from tests.conversation import Bot, plays
from tests.world import HOUR, Town

FROZEN = """
    ines: /release freeze start checkout prod until:12:00 reason:the bank is down
    bot: …
    """


async def test_the_end_of_a_freeze_is_told(town: Town) -> None:
    await plays(
        FROZEN
        + """
    … 2 h later
    bot: checkout in prod is open again: the freeze F-82f3e9c695 by ines ended.
    """,
        town,
    )


async def test_a_freeze_that_was_ended_before_is_not_told_twice(town: Town) -> None:
    await plays(
        FROZEN
        + """
    ines: /release freeze end F-82f3e9c695 reason:it is back
    bot: checkout in prod is open again: @ines ended freeze F-82f3e9c695: it is back
    … 2 h later
    """,
        town,
    )
    async with Bot(town) as bot:
        assert await bot.store.timers() == ()


async def test_it_is_told_although_nothing_ran_when_it_ended(town: Town) -> None:
    await plays(FROZEN, town)
    async with Bot(town) as bot:
        (waiting,) = await bot.store.timers()
    assert waiting.question.change == "F-82f3e9c695"
    await plays(
        """
    … 30 h later
    bot: checkout in prod is open again: the freeze F-82f3e9c695 by ines ended.
    """,
        town,
    )


async def test_a_request_that_the_freeze_blocked_is_looked_at_at_its_very_end(town: Town) -> None:
    await plays(
        FROZEN
        + """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: …
    … 2 h later
    bot: checkout in prod is open again: the freeze F-82f3e9c695 by ines ended.
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: …
    """,
        town,
    )


# From before anything was waited for ----------------------------------------------------------------------------------


async def test_what_stands_from_before_is_waited_for_once_from_the_next_start_on(town: Town) -> None:
    now = town.clock.now()
    freeze = Freeze("F-old", "prod", "checkout", now, now + 2 * HOUR, "the bank is down", "Ines")
    maya = await town.people.person(town.people.account("maya"))
    asked = ExceptionRecord(
        "X-asked", "late", frozenset({"window"}), "prod", None, None, maya, now, now, now + 3 * HOUR
    )
    granted = replace(asked, id="X-old", granted_at=now)
    owed = Obligation(
        "O-old", "review", "E-1", "checkout", "prod", "release_manager", now + 4 * HOUR, "it was reviewed"
    )
    async with Bot(town) as bot:
        await bot.store.commit(Writes(freezes=(freeze,), exceptions=(asked, granted), obligations=(owed,)))
        assert await bot.store.timers() == ()
        for _ in range(2):
            await _note_start(bot.world)
        assert [each.question.change for each in await bot.store.timers()] == ["F-old", "X-old", "O-old"]
    await plays(
        """
    … 2 h later
    bot: checkout in prod is open again: the freeze F-old by Ines ended.
    … 1 h later
    bot: The exception X-old for window in prod ended: nothing is waived by it any more.
    """,
        town,
    )
    async with Bot(town) as bot:
        await _note_start(bot.world)
        assert [each.question.change for each in await bot.store.timers()] == ["O-old"]
