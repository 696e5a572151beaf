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
         • F-82f3e9c695 from Tue 24 Nov 2026 09:00 UTC until Tue 24 Nov 2026 17:00 UTC
         • It can end when the queues are empty
         F-82f3e9c695 · promotions are blocked, rollbacks are not · freeze end F-82f3e9c695
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
         …
         ✗ no-freeze: omar froze prod until Tue 24 Nov 2026 18:00 CET, or the queues are empty: black friday (F-82f3e9c695)
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
         …
         ✗ no-freeze: omar froze prod until Tue 24 Nov 2026 18:00 CET, or the queues are empty: black friday (F-82f3e9c695)
         • wait until Wed 25 Nov 2026 09:00 CET: Wed 25 Nov 2026 08:00 UTC
         • end the freeze F-82f3e9c695 (ines or omar may)
         …
    gus: /release freeze list
    bot → gus: I know of 1 freeze and no hold.
         ✗ prod, by omar: black friday
         • F-82f3e9c695 from Tue 24 Nov 2026 09:00 UTC until Tue 24 Nov 2026 17:00 UTC
         • It can end when the queues are empty
    maya: [Check again]
    bot: @maya had it looked at again.
    maya: /release freeze end
    bot → maya: You may not end F-82f3e9c695.
         ✗ may-ask: maya is no release manager or incident commander
         • somebody who is release manager or incident commander asks: ines or omar
    ines: /release freeze end F-82f3e9c695 reason:all clear
    bot: prod is open again: @ines ended freeze F-82f3e9c695: all clear
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
    bot: prod is open again: the freeze F-82f3e9c695 by omar ended.
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
         ✗ no-freeze: omar froze payments in prod until Tue 24 Nov 2026 18:00 CET: audit (F-82f3e9c695)
         …
    bot: Plan for payments a2a2a2a2a2a2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
    """,
        town,
    )


async def test_where_nobody_must_agree_there_is_nothing_to_agree_to(town: Town) -> None:
    await plays(
        """
    omar: /release freeze start prod until:18:00 reason:audit
    bot: ❄ prod is frozen until Tue 24 Nov 2026 17:00 UTC by @omar: audit
    ines: /release approve F-82f3e9c695 plan:00000000
    bot → ines: That is decided already: the freeze F-82f3e9c695 of prod is approved.
    ines: /release reject F-82f3e9c695 plan:00000000 reason:no
    bot → ines: That is decided already: the freeze F-82f3e9c695 of prod is approved.
    omar: /release withdraw F-82f3e9c695
    bot → omar: That is decided already: the freeze F-82f3e9c695 of prod is approved.
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
    bot → omar: Which one? There are `F-82f3e9c695` and `F-db77fd01af`.
    omar: /release freeze end F-none
    bot → omar: I know no freeze or hold `F-none`; there are `F-82f3e9c695` and `F-db77fd01af`.
    omar: /release freeze end staging
    bot: stage is open again: @omar ended freeze F-db77fd01af.
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


# Freezes that somebody must agree to ----------------------------------------------------------------------------------

AGREED = {
    "approvals": [{"role": "release_manager"}],
    "provisional": "PT1H",
    "fields": ["exit", "re-enable-plan"],
}
WORDS = "prod until:4h reason:incident INC-7 exit:errors are gone re-enable-plan:raj opens it"
DECLARED = f"""
    ines: /release freeze start {WORDS}
    bot: ❄ The freeze F-82f3e9c695 of prod waits for approval. [Approve] [Reject] [Withdraw]
    """


@pytest.mark.requirement("S4-143")
async def test_a_freeze_that_lacks_what_the_policy_asks_for_is_not_made_and_another_person_agrees_to_it(
    town: Town,
) -> None:
    town.policies.adopt(freezes=AGREED)
    await plays(
        """
    ines: /release freeze start prod until:4h reason:incident INC-7
    bot → ines: A freeze of prod needs a little more. [Fill in]
         ✗ exit: a freeze needs it here
         ✗ re-enable-plan: a freeze needs it here
         Or say /release freeze start prod until:4h reason:"incident INC-7" exit:… re-enable-plan:…
    ines: [Fill in] exit:"errors are gone" re-enable-plan:"raj opens it"
    bot: ❄ The freeze F-db77fd01af of prod waits for approval. [Approve] [Reject] [Withdraw]
         Asked by: ines
         Where: prod
         From: Tue 24 Nov 2026 09:00 UTC
         Until: Tue 24 Nov 2026 13:00 UTC
         Reason: incident INC-7
         It can end when: errors are gone
         Re enable plan: raj opens it
         Hash: …
         • Nobody has agreed to it yet; without that it is over Tue 24 Nov 2026 10:00 UTC
         ✓ may-ask: ines is incident commander
         ✓ freeze-complete: all is said that must be said of it
         ✗ second-person: somebody other than ines must agree
         • omar can agree
         ✗ approvals: a release manager must agree to plan …
         • omar can agree
         F-db77fd01af · promotions are blocked, rollbacks are not · freeze end F-db77fd01af
    ines: [Approve]
    bot → ines: You asked for it, so somebody else has to agree.
    raj: [Approve]
    bot → raj: Your vote would not count: it takes a release manager (omar).
    omar: /release approve F-db77fd01af plan:0000000000
    bot → omar: That is not what is asked: its hash is …, not 0000000000.
    omar: [Approve]
    bot: @omar approved the freeze F-db77fd01af of prod. It is in force from now on.
    bot now: ❄ The freeze F-db77fd01af of prod is approved.
    omar: [Approve]
    bot → omar: That is decided already: the freeze F-db77fd01af of prod is approved.
    … 2 h later
    maya: /release freeze list
    bot → maya: I know of 1 freeze and no hold.
         ✗ prod, by ines: incident INC-7
         • F-db77fd01af from Tue 24 Nov 2026 09:00 UTC until Tue 24 Nov 2026 13:00 UTC
         • It can end when errors are gone
         • Re enable plan: raj opens it
    """,
        town,
    )


@pytest.mark.requirement("S4-150")
async def test_until_somebody_agrees_it_holds_provisionally_and_then_lapses_by_itself(town: Town) -> None:
    town.policies.adopt(freezes=AGREED)
    await plays(
        DECLARED
        + """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
         …
         ✗ no-freeze: ines froze prod until Tue 24 Nov 2026 11:00 CET, or errors are gone: incident INC-7 (F-82f3e9c695; nobody agreed to it yet)
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
    … 1 h later
    bot: prod is open again: the freeze F-82f3e9c695 by ines lapsed, for nobody agreed to it.
    bot now: ❄ The freeze F-82f3e9c695 of prod is over.
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    omar: [Approve] (first seen)
    bot → omar: That is decided already: the freeze F-82f3e9c695 of prod is over.
    omar: /release approve F-000000 plan:0000000000
    bot → omar: I know no freeze `F-000000`; `freeze list` shows those there are.
    omar: /release freeze list
    bot → omar: Nothing is frozen or held.
    """,
        town,
    )


async def test_one_that_is_yet_to_come_holds_provisionally_from_its_start(town: Town) -> None:
    town.policies.adopt(freezes={"approvals": [{"role": "release_manager"}], "provisional": "PT1H"})
    await plays(
        """
    ines: /release freeze start prod from:12:00 until:15:00 reason:load test
    bot: ❄ The freeze F-82f3e9c695 of prod waits for approval. [Approve] [Reject] [Withdraw]
         …
         • Nobody has agreed to it yet; without that it is over Tue 24 Nov 2026 12:00 UTC
         …
    omar: [Approve]
    bot: @omar approved the freeze F-82f3e9c695 of prod. It will be in force from Tue 24 Nov 2026 11:00 UTC on.
    bot now: ❄ The freeze F-82f3e9c695 of prod is approved.
    """,
        town,
    )


async def test_one_that_is_not_provisional_holds_only_once_somebody_agreed(town: Town) -> None:
    town.policies.adopt(freezes={"approvals": [{"role": "release_manager"}]})
    await plays(
        """
    ines: /release freeze start prod until:4h reason:incident INC-7
    bot: ❄ The freeze F-82f3e9c695 of prod waits for approval. [Approve] [Reject] [Withdraw]
         …
         • It does not hold before somebody has agreed to it.
         …
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    omar: [Approve] (first seen)
    bot: @omar approved the freeze F-82f3e9c695 of prod. It is in force from now on.
    bot now: ❄ The freeze F-82f3e9c695 of prod is approved.
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
    """,
        town,
    )


async def test_one_that_is_ended_before_anybody_agreed_has_no_buttons_any_more(town: Town) -> None:
    town.policies.adopt(freezes=AGREED)
    await plays(
        DECLARED
        + """
    omar: /release freeze end prod
    bot: prod is open again: @omar ended freeze F-82f3e9c695.
    bot now: ❄ The freeze F-82f3e9c695 of prod is over.
         …
         F-82f3e9c695
    omar: [Approve] (first seen)
    bot → omar: That is decided already: the freeze F-82f3e9c695 of prod is over.
    """,
        town,
    )


async def test_one_that_would_be_over_already_is_not_declared(town: Town) -> None:
    await plays(
        """
    omar: /release freeze start prod from:2020-01-01 until:"2026-11-24 10:00" reason:late
    bot → omar: A freeze of prod needs a little more. [Fill in]
         ✗ until: that freeze would be over already
         …
    omar: /release freeze list
    bot → omar: Nothing is frozen or held.
    """,
        town,
    )


async def test_one_that_nobody_has_to_agree_to_any_more_comes_into_force_when_somebody_asks(town: Town) -> None:
    town.policies.adopt(freezes=AGREED)
    await plays(DECLARED, town)
    town.policies.adopt(freezes={})
    await plays(
        """
    raj: [Approve]
    bot: @raj had the freeze F-82f3e9c695 of prod looked at again: nobody has to agree to it any more. It is in force from now on.
    bot now: ❄ The freeze F-82f3e9c695 of prod is approved.
    """,
        town,
    )


async def test_a_rejected_or_withdrawn_one_is_over_at_once(town: Town) -> None:
    town.policies.adopt(freezes=AGREED)
    await plays(
        DECLARED
        + """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
    omar: [Reject] no need
    bot: @omar rejected the freeze F-82f3e9c695 of prod: no need
    bot now: ❄ The freeze F-82f3e9c695 of prod is over.
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """
        + DECLARED.replace("F-82f3e9c695", "F-a2ec8adac7")
        + """
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
    ines: [Withdraw]
    bot: @ines withdrew the freeze F-a2ec8adac7 of prod.
    bot now: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    bot now: ❄ The freeze F-a2ec8adac7 of prod is over.
    ines: /release freeze list
    bot → ines: Nothing is frozen or held.
    """,
        town,
    )


@pytest.mark.requirement("S0-21")
async def test_only_who_may_lets_a_promotion_through_a_freeze_by_naming_it(town: Town) -> None:
    """Whoever owns releases agrees to go through; the release manager's word alone is not enough."""
    override = {"override": [{"role": "tech_lead"}], "override_fields": ["incident"]}
    town.policies.adopt(freezes=override)
    await plays(
        """
    omar: /release freeze start prod until:2026-11-26T00:00Z reason:audit
    bot: ❄ prod is frozen until Thu 26 Nov 2026 00:00 UTC by @omar: audit
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
         …
         ✗ no-freeze: omar froze prod until Thu 26 Nov 2026 01:00 CET: audit (F-82f3e9c695)
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Check again] [Cancel]
    maya: [Cancel]
    bot: @maya cancelled it.
    bot: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    maya: /release promote checkout stage→prod incident:INC-7
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
         …
         • Approving states: It goes through the freeze F-82f3e9c695 by omar: audit
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-freeze, second-person, approvals) [Approve] [Reject] [Cancel]
         …
         • raj can agree to go through F-82f3e9c695
         …
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. They state F-82f3e9c695. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 1 of 14 rules not met (no-freeze) [Approve] [Reject] [Cancel]
    raj: [Approve]
    bot: @raj approved checkout c2c2c2c2c2c2 → prod. They state F-82f3e9c695. Checking everything again.
    bot → raj: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
         …
         ✓ no-freeze: omar froze prod until Thu 26 Nov 2026 01:00 CET: audit (F-82f3e9c695); raj lets this through
         …
    … once: serves 10 %
    """,
        town,
    )


@pytest.mark.requirement("S3-53")
async def test_freezes_by_the_calendar_are_listed_before_they_come(town: Town) -> None:
    month_end = {
        "name": "month-end",
        "when": [{"month_end": {"last_business_days": 2}}],
        "environments": ["prod"],
        "services": ["checkout", "payments"],
        "reason": "the books are closed",
    }
    town.policies.adopt(freezes={"calendar": [month_end]})
    await plays(
        """
    gus: /release freeze list
    bot → gus: I know of no freeze and no hold.
         • month-end-2026-11 checkout and payments in prod from Thu 26 Nov 2026 23:00 UTC until Mon 30 Nov 2026 23:00 UTC: the books are closed
    … 72 h later
    gus: /release freeze list
    bot → gus: I know of no freeze and no hold.
         ✗ month-end-2026-11 checkout and payments in prod from Thu 26 Nov 2026 23:00 UTC until Mon 30 Nov 2026 23:00 UTC: the books are closed
    gus: /release status checkout
    bot → gus: Status of checkout: nothing under way, frozen.
    maya: /release why checkout stage→prod
    bot → maya: checkout stage→prod: 3 of 14 rules not met (no-freeze, second-person, approvals).
         …
         ✗ no-freeze: month-end-2026-11 freezes prod until Tue 1 Dec 2026 00:00 CET: the books are closed
         …
    """,
        town,
    )


async def test_one_that_the_calendar_never_ends_is_listed_without_a_beginning_or_an_end(town: Town) -> None:
    week = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "00:00", "end": "24:00"}
    closed = {"name": "closed", "when": [{"weekly": week}], "environments": ["prod"], "reason": "it is a museum"}
    town.policies.adopt(freezes={"calendar": [closed]})
    await plays(
        """
    gus: /release freeze list
    bot → gus: I know of no freeze and no hold.
         ✗ closed-always prod for good: it is a museum
    """,
        town,
    )
