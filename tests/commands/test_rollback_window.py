"""A rollback while the window is closed: it waits for nothing, and stands on record as an emergency."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from commands.ports import Signal
from tests.commands.test_rollback import BACK_STEPS, SHIPPED
from tests.commands.test_watch import NEW, OLD, RELEASED
from tests.conversation import Bot, plays
from tests.world import Town

NIGHT = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)


@pytest.fixture
def recorded(town: Town) -> Town:
    town.policies.adopt(rollback={"emergency_outside_window": True})
    return town


@pytest.mark.requirement("S4-139")
async def test_outside_the_window_it_opens_an_emergency_record_and_waits_for_none_of_it(recorded: Town) -> None:
    await plays(SHIPPED, recorded)
    recorded.clock.at = NIGHT
    await plays(
        """
    ines: /release rollback checkout incident:INC-7 reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
         …
         Emergency: E-…: it is outside the window
         Reason: errors after the release
         …
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: Owed from now on: Look together at what happened, and at what would have prevented it (O-…, from E-…), by release manager, until Thu 26 Nov 2026 16:00 UTC [Done]
    bot: Owed from now on: the record of E-… was completed with rollback-plan (O-…, from E-…), by release manager, until Thu 26 Nov 2026 16:00 UTC [Done]
    """
        + BACK_STEPS,
        recorded,
    )
    async with Bot(recorded) as bot:
        review, record = sorted(await bot.store.obligations("checkout"), key=lambda one: one.kind, reverse=True)
        asked = next(row for row in await bot.store.history("checkout", 50) if row.what == "asked")  # the newest
        operation = await bot.store.operation(asked.operation)
    assert operation is not None
    assert operation.emergency is not None
    assert operation.emergency.fields == {"incident": "INC-7", "reason": "errors after the release"}
    assert asked.detail["emergency"] == review.about == record.about == operation.emergency.id
    assert review.takers == {"ines"}, "who asked for it does not review it"


async def test_what_is_said_at_once_is_not_owed(recorded: Town) -> None:
    await plays(SHIPPED, recorded)
    recorded.clock.at = NIGHT
    await plays(
        """
    ines: /release rollback checkout incident:INC-7 reason:errors rollback-plan:back to v1
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
         …
         Rollback plan: back to v1
         …
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: Owed from now on: Look together at what happened, … [Done]
    """
        + BACK_STEPS,
        recorded,
    )


async def test_inside_the_window_it_is_a_rollback_like_any_other(recorded: Town) -> None:
    await plays(
        SHIPPED
        + """
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    """
        + BACK_STEPS,
        recorded,
    )
    async with Bot(recorded) as bot:
        assert await bot.store.obligations("checkout") == ()


async def test_what_goes_back_by_itself_at_night_is_an_emergency_too(town: Town) -> None:
    trigger: dict[str, Any] = {"signal": "memory_percent", "above": 90, "lasts": "PT5M", "during": "watch"}
    rollout = {"steps": [{"percent": 100, "hold": "PT6S"}], "triggers": {"unwell": trigger}, "watch": "PT16H"}
    rollout |= {"health": {"max_error_percent": 5.0, "min_requests": 20}}
    town.policies.adopt(rollback={"emergency_outside_window": True}, to_prod={"rollout": rollout})
    await plays(RELEASED, town)
    town.clock.at = NIGHT
    await plays("… 1 s later", town)
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: … It is rolled back.
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
         …
         Emergency: E-…: it is outside the window
         …
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: Owed from now on: Look together at what happened, … [Done]
    bot: Owed from now on: the record of E-… was completed with incident and rollback-plan (O-…, from E-…), … [Done]
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, … after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took … [Lift the hold]
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}
