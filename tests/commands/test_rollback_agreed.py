"""A rollback that others must agree to, as it reads in the channel: like a promotion, and whatever is frozen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from commands.ports import Signal
from tests.commands.test_promote import AT_10
from tests.commands.test_rollback import BACK_STEPS, SHIPPED
from tests.commands.test_watch import NEW, OLD, RELEASED, SERVES_AGAIN
from tests.conversation import Bot, plays
from tests.world import Town, digest, site_of

ASKED = """
    omar: /release rollback checkout reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod is waiting for approval. [Approve] [Reject] [Cancel]
         Asked by: @omar
         …
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: 2 of 4 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
         …
         ✗ second-person: somebody other than omar must agree
         • ines can agree
         ✗ approvals: an incident commander must agree to plan …
         …
    """
AGREED = """
    ines: [Approve]
    bot: @ines approved checkout c1c1c1c1c1c1 ⟲ prod. Checking everything again.
    bot → ines: Your approval of checkout c1c1c1c1c1c1 ⟲ prod is recorded.
    """
BACK_AGREED = (
    BACK_STEPS.replace("1.2 s after it was asked for", "1.2 s after it was agreed to")
    + """
    bot now: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot now: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    """
)


@pytest.fixture
def agreed(town: Town) -> Town:
    """An incident commander agrees to each rollback."""
    town.policies.adopt(rollback={"approvals": [{"role": "incident_commander"}]})
    return town


@pytest.mark.requirement("D-10")
async def test_where_the_policy_asks_for_it_another_person_agrees_whatever_is_frozen(agreed: Town) -> None:
    await plays(
        SHIPPED
        + """
    omar: /release freeze start prod until:tomorrow 09:00 reason:black friday
    bot: ❄ prod is frozen until Wed 25 Nov 2026 08:00 UTC by @omar: black friday
    """,
        agreed,
    )
    agreed.clock.at = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
    await plays(
        ASKED
        + """
    omar: [Approve]
    bot → omar: You asked for it, so somebody else has to agree.
    dan: [Approve]
    bot → dan: Your vote would not count: it takes an incident commander (ines).
    """,
        agreed,
    )
    assert agreed.runs.serving("checkout") == digest("checkout", 2), "nothing moves before somebody agreed"
    await plays(AGREED + BACK_AGREED, agreed)
    assert agreed.runs.serving("checkout") == digest("checkout", 1)


async def test_how_many_must_agree_has_nothing_to_do_with_promotions(agreed: Town) -> None:
    agreed.policies.adopt(rollback={"approvals": [{"any_of": ["incident_commander", "on_call"], "count": 2}]})
    await plays(SHIPPED, agreed)
    await plays(
        """
    omar: /release rollback checkout reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: 2 of 4 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """
        + AGREED
        + """
    bot now: Plan for checkout c1c1c1c1c1c1 ⟲ prod: 1 of 4 rules not met (approvals) [Approve] [Reject] [Cancel]
    dan: [Approve]
    bot: @dan approved checkout c1c1c1c1c1c1 ⟲ prod. Checking everything again.
    bot → dan: Your approval of checkout c1c1c1c1c1c1 ⟲ prod is recorded.
    """
        + BACK_AGREED,
        agreed,
    )


async def test_the_time_that_people_took_is_not_counted_as_recovery(agreed: Town) -> None:
    agreed.policies.adopt(
        probes={"recovery": [{"path": "/healthz"}]},
        rollback={"approvals": [{"role": "incident_commander"}], "recovered": "recovery"},
    )
    await plays(
        SHIPPED
        + ASKED
        + """
    … 7 min later
    """
        + AGREED
        + """
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 1.2 s after it was agreed to
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recovered: it answers as it should, 1.2 s after it was agreed to
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    bot now: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot now: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    """,
        agreed,
    )


async def test_a_place_whose_path_asks_for_nobody_waits_for_nobody(agreed: Town) -> None:
    agreed.policies.adopt(to_prod={"rollback": {"approvals": []}})
    await plays(
        SHIPPED
        + """
    omar: /release rollback checkout reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    """
        + BACK_STEPS,
        agreed,
    )


async def test_a_rollout_is_left_alone_until_all_agreed_and_then_gives_way(agreed: Town) -> None:
    agreed.policies.adopt(rollback={"approvals": [{"role": "incident_commander"}, {"role": "on_call"}]})
    await plays(
        AT_10
        + """
    omar: /release rollback checkout reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: 2 of 4 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    … once: Plan for checkout c1c1c1c1c1c1
    dan: [Approve]
    bot: @dan approved checkout c1c1c1c1c1c1 ⟲ prod. Checking everything again.
    bot → dan: Your approval of checkout c1c1c1c1c1c1 ⟲ prod is recorded.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy over … requests, 0.0 % failed, p99 40 ms
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 50 %
    bot now: Plan for checkout c1c1c1c1c1c1 ⟲ prod: 1 of 4 rules not met (approvals) [Approve] [Reject] [Cancel]
    … once: serves 50 %
    """
        + AGREED
        + """
    bot: checkout c2c2c2c2c2c2 → prod was cancelled. It took …
         • A rollback took over.
    """
        + BACK_STEPS.replace("1.2 s after it was asked for", "… after it was agreed to")
        + """
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot now: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    """,
        agreed,
    )
    splits = agreed.runs.ever_served(site_of("checkout"))
    assert splits[2:] == [{OLD: 100}, {OLD: 90, NEW: 10}, {OLD: 50, NEW: 50}, {OLD: 100}]


async def test_who_says_no_ends_it_and_so_does_an_hour(agreed: Town) -> None:
    await plays(
        SHIPPED
        + ASKED
        + """
    ines: [Reject] the fix is a minute away
    bot: @ines rejected checkout c1c1c1c1c1c1 ⟲ prod: the fix is a minute away
    bot → ines: Your rejection of checkout c1c1c1c1c1c1 ⟲ prod is recorded.
    bot: checkout c1c1c1c1c1c1 ⟲ prod was rejected.
         • ines rejected it: the fix is a minute away
    bot now: checkout c1c1c1c1c1c1 ⟲ prod was rejected.
    bot now: checkout c1c1c1c1c1c1 ⟲ prod was rejected.
    """
        + ASKED
        + """
    … 61 min later
    bot: checkout c1c1c1c1c1c1 ⟲ prod expired.
    bot now: checkout c1c1c1c1c1c1 ⟲ prod expired.
    bot now: checkout c1c1c1c1c1c1 ⟲ prod expired.
    """,
        agreed,
    )
    assert agreed.runs.serving("checkout") == digest("checkout", 2)


async def test_what_cannot_be_seen_for_a_moment_does_not_end_what_waits(agreed: Town) -> None:
    await plays(SHIPPED + ASKED, agreed)
    agreed.runs.away = True
    await plays(
        """
    … 6 min later
    bot now: checkout c1c1c1c1c1c1 ⟲ prod is blocked for now. [Check again] [Cancel]
    bot now: Plan for checkout c1c1c1c1c1c1 ⟲ prod: 3 of 4 rules not met (known-good-target, second-person, approvals) [Check again] [Cancel]
    """,
        agreed,
    )
    agreed.runs.away = False
    await plays(
        """
    … 1 min later
    bot now: checkout c1c1c1c1c1c1 ⟲ prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for checkout c1c1c1c1c1c1 ⟲ prod: 2 of 4 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """
        + AGREED
        + BACK_AGREED,
        agreed,
    )


async def test_what_goes_back_by_itself_waits_for_nobody_not_even_for_a_rollback_that_waits(town: Town) -> None:
    trigger = {"signal": "memory_percent", "above": 90, "lasts": "PT5M", "during": "watch"}
    rollout = {"steps": [{"percent": 100, "hold": "PT6S"}], "triggers": {"unwell": trigger}, "watch": "PT1H"}
    rollout |= {"health": {"max_error_percent": 5.0, "min_requests": 20}}
    approvals = [{"role": "incident_commander"}]
    town.policies.adopt(rollback={"approvals": approvals}, to_prod={"rollout": rollout})
    await plays(RELEASED + ASKED, town)
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: it uses 93 % of its memory, allowed 90 %, for … It is rolled back.
    """
        + SERVES_AGAIN.replace(
            "[Lift the hold]\n    bot: Plan",
            "[Lift the hold]\n         Asked by: @release-bot\n         …\n    bot: Plan",
        )
        + """
    bot: checkout c1c1c1c1c1c1 ⟲ prod was cancelled.
         • checkout-r-c1c1c1c1c1c1 has all the traffic already: what was under way has let go of it.
    bot now: checkout c1c1c1c1c1c1 ⟲ prod was cancelled.
    bot now: checkout c1c1c1c1c1c1 ⟲ prod was cancelled.
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


async def test_what_is_owed_after_a_rollback_falls_due(town: Town) -> None:
    owes = {"kind": "review", "says": "Look together at what happened", "owner": "tech_lead", "within": "P2D"}
    town.policies.adopt(rollback={"owes": [owes]})
    await plays(
        SHIPPED
        + """
    ines: /release rollback checkout reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: Owed from now on: Look together at what happened (O-…, from op_…), by tech lead, until Thu 26 Nov 2026 … UTC [Done]
    """
        + BACK_STEPS
        + """
    raj: [Done] nothing like it will come again
    bot → raj: O-… is settled.
    bot now: @raj settled O-… (Look together at what happened; from op_…): nothing like it will come again
    """,
        town,
    )
    async with Bot(town) as bot:
        assert await bot.store.obligations("checkout") == ()
