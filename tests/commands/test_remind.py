"""What ends or falls due by itself is told when it does, whatever happened meanwhile."""

from __future__ import annotations

from tests.conversation import Bot, plays
from tests.world import Town

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
