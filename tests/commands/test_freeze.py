"""Freezes and holds, as they read in the channel."""

from __future__ import annotations

import pytest

from tests.commands.test_promote import ASKED
from tests.conversation import plays
from tests.world import Town


@pytest.mark.requirement("D-15")
async def test_a_freeze_blocks_and_says_who_why_and_until_when_and_its_end_opens(town: Town) -> None:
    await plays(
        """
    omar: /release freeze start prod until:18:00 reason:black friday exit:the queues are empty
    bot: ❄ prod is frozen until Tue 24 Nov 2026 17:00 UTC by @omar: black friday
         • F-82f3e9 from Tue 24 Nov 2026 09:00 UTC until Tue 24 Nov 2026 17:00 UTC
         • It can end when the queues are empty
         F-82f3e9 · promotions are blocked, rollbacks are not · freeze end F-82f3e9
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
         …
         ✗ no-freeze: omar froze prod until Tue 24 Nov 2026 18:00 CET, or the queues are empty: black friday (F-82f3e9)
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
         …
         ✗ no-freeze: omar froze prod until Tue 24 Nov 2026 18:00 CET, or the queues are empty: black friday (F-82f3e9)
         • wait until Wed 25 Nov 2026 09:00 CET: Wed 25 Nov 2026 08:00 UTC
         • end the freeze F-82f3e9 (ines or omar may)
         …
    gus: /release freeze list
    bot → gus: I know of 1 freeze and no hold.
         ✗ prod, by omar: black friday
         • F-82f3e9 from Tue 24 Nov 2026 09:00 UTC until Tue 24 Nov 2026 17:00 UTC
         • It can end when the queues are empty
    maya: [Check again]
    bot: @maya had it looked at again.
    maya: /release freeze end
    bot → maya: You may not end F-82f3e9.
         ✗ may-ask: maya is no release manager or incident commander
         • somebody who is release manager or incident commander asks: ines or omar
    ines: /release freeze end F-82f3e9 reason:all clear
    bot: prod is open again: @ines ended freeze F-82f3e9: all clear
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    ines: /release freeze end
    bot → ines: Nothing is frozen.
    ines: /release freeze list
    bot → ines: Nothing is frozen or held.
    """,
        town,
    )


async def test_a_freeze_ends_by_itself(town: Town) -> None:
    await plays(
        """
    omar: /release freeze start prod until:2h reason:maintenance
    bot: ❄ prod is frozen until Tue 24 Nov 2026 11:00 UTC by @omar: maintenance
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
    … 2 h later
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """,
        town,
    )


async def test_a_freeze_in_the_future_blocks_when_it_comes(town: Town) -> None:
    await plays(
        """
    ines: /release freeze start prod from:12:00 until:14:00 reason:load test
    bot: ❄ prod is frozen until Tue 24 Nov 2026 13:00 UTC by @ines: load test
    """
        + ASKED
        + """
    lea: /release status
    bot → lea: Status of 3 services: 1 under way or waiting.
    … 3 h later
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
    lea: /release status
    bot → lea: Status of 3 services: 1 under way or waiting, frozen.
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 14 rules not met (no-freeze) [Check again] [Cancel]
    """,
        town,
    )
    assert town.runs.writes == []


@pytest.mark.requirement("S4-145")
async def test_a_freeze_of_one_service_leaves_the_others_alone(town: Town) -> None:
    await plays(
        """
    omar: /release freeze start payments prod until:18:00 reason:audit
    bot: ❄ payments in prod is frozen until Tue 24 Nov 2026 17:00 UTC by @omar: audit
    """
        + ASKED
        + """
    maya: /release promote payments stage→prod
    bot: payments a2a2a2a2a2a2 → prod is blocked for now. [Check again] [Cancel]
         …
         ✗ no-freeze: omar froze payments in prod until Tue 24 Nov 2026 18:00 CET: audit (F-82f3e9)
         …
    bot: Plan for payments a2a2a2a2a2a2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
    """,
        town,
    )


async def test_which_freeze_is_meant_is_asked_where_it_cannot_be_told(town: Town) -> None:
    await plays(
        """
    omar: /release freeze start payments prod until:18:00 reason:audit
    bot: ❄ payments in prod is frozen until Tue 24 Nov 2026 17:00 UTC by @omar: audit
    omar: /release freeze start stage until:18:00 reason:load test
    bot: ❄ stage is frozen until Tue 24 Nov 2026 17:00 UTC by @omar: load test
    omar: /release freeze end
    bot → omar: Which one? There are `F-82f3e9` and `F-db77fd`.
    omar: /release freeze end F-none
    bot → omar: I know no freeze or hold `F-none`; there are `F-82f3e9` and `F-db77fd`.
    omar: /release freeze end staging
    bot: stage is open again: @omar ended freeze F-db77fd.
    """,
        town,
    )


@pytest.mark.requirement("S4-144")
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("prod reason:x", "until: say when it ends, for example `18:00`, `2h` or `tomorrow 09:00`"),
        ("prod until:18:00", "reason: everybody will ask why, for example black friday"),
        ('prod until:18:00 reason:""', "reason: everybody will ask why, for example black friday"),
        ("prod until:2026-11-23 reason:x", "until: that freeze would end before it starts"),
        ("prod from:12:00 until:11:00 reason:x", "until: that freeze would end before it starts"),
        ("prod until:0h reason:x", "until: that freeze would end before it starts"),
        (
            "prod until:yesterday reason:x",
            "until: `yesterday` is no time I understand; write `18:00`, `2h`, `tomorrow 09:00` or `2026-11-24T18:00Z`.",
        ),
        (
            "prod until:25:00 reason:x",
            "until: `25:00` is no time I understand; write `18:00`, `2h`, `tomorrow 09:00` or `2026-11-24T18:00Z`.",
        ),
        ("prod until:P1Y reason:x", "until: `P1Y` is no time span; write one like `PT2H` or `2h`."),
        ("prod until:99999999999h reason:x", "until: `99999999999h` is too far away."),
        ("prod until:P999999999D reason:x", "until: `P999999999D` is too far away."),
    ],
)
async def test_a_freeze_that_cannot_be_is_not_made_and_what_it_lacks_is_asked_for(
    town: Town, words: str, answer: str
) -> None:
    await plays(
        f"""
    omar: /release freeze start {words}
    bot → omar: A freeze of prod needs a little more. [Fill in]
         ✗ {answer}
         Or say /release freeze start prod …
    omar: /release freeze list
    bot → omar: Nothing is frozen or held.
    """,
        town,
    )


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("until:18:00 reason:x", "Say what to freeze: `freeze start prod until:18:00 reason:…`."),
        ("a b c until:18:00 reason:x", "Say what to freeze: `freeze start prod until:18:00 reason:…`."),
        ("prd until:18:00 reason:x", "I know no environment `prd`. Did you mean `prod`?"),
        ("prod until:18:00 until:19:00 reason:x", "`until:` stands there twice."),
        ("prod until:18:00 why:x", "I do not know `why:` here. I know `from`, `until`, `reason` and `exit`."),
    ],
)
async def test_words_that_mean_no_freeze_are_answered_with_those_that_do(town: Town, words: str, answer: str) -> None:
    await plays(
        f"""
    omar: /release freeze start {words}
    bot → omar: {answer}
    """,
        town,
    )


async def test_only_some_may_freeze(town: Town) -> None:
    await plays(
        """
    maya: /release freeze start prod until:18:00 reason:x
    bot → maya: You may not freeze prod.
         ✗ may-ask: maya is no release manager or incident commander
         • somebody who is release manager or incident commander asks: ines or omar
    gus: /release freeze start prod until:18:00 reason:x
    bot → gus: You may not freeze prod.
         ✗ may-ask: gus is a guest
         • somebody who is release manager or incident commander asks: ines or omar
    """,
        town,
    )
