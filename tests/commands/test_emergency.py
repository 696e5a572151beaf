"""Emergencies from typing to the review that falls due, as they read in the channel."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.conversation import Bot, plays
from tests.world import HOUR, Town, digest

SHIPS = """
    bot: ✓ search e2e2e2e2e2e2 → prod: recorded as GitHub deployment 16
    bot: ✓ search e2e2e2e2e2e2 → prod: search-r-e2e2e2e2e2e2 is deployed at 0 %
    bot: ✓ search e2e2e2e2e2e2 → prod: smoke test passed: GET /healthz 200 ×3; GET / 200 ×1
    bot: ✓ search e2e2e2e2e2e2 → prod: search-r-e2e2e2e2e2e2 serves 10 %
    bot: ✓ search e2e2e2e2e2e2 → prod: 10 %: healthy over 20 requests, 0.0 % failed, p99 40 ms
    bot: ✓ search e2e2e2e2e2e2 → prod: search-r-e2e2e2e2e2e2 serves 50 %
    bot: ✓ search e2e2e2e2e2e2 → prod: 50 %: healthy over 50 requests, 0.0 % failed, p99 40 ms
    bot: ✓ search e2e2e2e2e2e2 → prod: search-r-e2e2e2e2e2e2 serves 100 %
    bot: ✓ search e2e2e2e2e2e2 → prod: 100 %: healthy over 100 requests, 0.0 % failed, p99 40 ms
    """
ASKED = """
    maya: /release promote search stage→prod type:emergency incident:INC-7 reason:search is down rollback-plan:back to v1
    bot: EMERGENCY: search e2e2e2e2e2e2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for search e2e2e2e2e2e2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """
AGREED = """
    ines: [Approve] reason:"INC-7 is real"
    bot: @ines approved search e2e2e2e2e2e2 → prod: INC-7 is real. Checking everything again.
    bot → ines: Your approval of search e2e2e2e2e2e2 → prod is recorded.
    bot: Owed from now on: Look together at what happened, and at what would have prevented it (O-0, from E-0), by release manager, until Thu 26 Nov 2026 16:00 UTC [Done]
    """


@pytest.fixture
def night(town: Town) -> Town:
    """Eight in the evening: the window is closed, and search has soaked for twelve hours of 24."""
    town.clock.move(10 * HOUR)
    return town


@pytest.mark.requirement("S4-151", "S4-152", "S4-155", "S4-156", "S4-158", "S4-161")
async def test_all_that_must_be_said_is_asked_for_and_another_person_agrees_who_knows_what_waiting_means(
    night: Town,
) -> None:
    await plays(
        """
    maya: /release promote search stage→prod type:emergency incident:INC-7
    bot → maya: search stage→prod needs a little more. [Fill in]
         ✗ reason: an emergency needs it
         ✗ rollback-plan: an emergency needs it
         Or say /release promote search stage→prod type:emergency incident:INC-7 reason:… rollback-plan:…
    maya: [Fill in] reason:"search is down" rollback-plan:"back to v1"
    bot: EMERGENCY: search e2e2e2e2e2e2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
         Asked by: @maya
         Service: search
         From → to: stage → prod
         Digest: e2e2e2e2e2e2
         Type: emergency
         Reason: search is down
         Incident: INC-7
         Rollback plan: back to v1
         ○ soak: stage has served it for 12 h of 24 h, …; waived by E-db77fd01af until Wed 25 Nov 2026 00:00 CET
         ○ window: …; waived by E-db77fd01af until Wed 25 Nov 2026 00:00 CET
         • Without the emergency it could wait: the next opening is in 13 h, Wed 25 Nov 2026 08:00 UTC
         • E-db77fd01af lets nothing through after Tue 24 Nov 2026 23:00 UTC
         op_db77fd01af · asked Tue 24 Nov 2026 19:00 UTC
    bot: Plan for search e2e2e2e2e2e2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    omar: [Approve] reason:"looks right"
    bot → omar: Your vote would not count: it takes an incident commander (ines).
    maya: [Approve] reason:"I am sure"
    bot → maya: You asked for it, so somebody else has to agree.
    ines: /release approve op_db77fd01af plan:00000000
    bot → ines: That button is old: the plan has changed since (00000000 is now …). Look at the newest message in its thread.
    ines: [Approve] reason:"INC-7 is real"
    bot: @ines approved search e2e2e2e2e2e2 → prod: INC-7 is real. Checking everything again.
    bot → ines: Your approval of search e2e2e2e2e2e2 → prod is recorded.
    bot: Owed from now on: Look together at what happened, and at what would have prevented it (O-53a4a4bfb0, from E-db77fd01af), by release manager, until Thu 26 Nov 2026 16:00 UTC [Done]
    """
        + SHIPS
        + """
    bot: EMERGENCY: search e2e2e2e2e2e2 → prod is live. It took 28 s.
    bot now: EMERGENCY: search e2e2e2e2e2e2 → prod is live.
    bot now: Plan for search e2e2e2e2e2e2 → prod: nothing blocks it; waived: soak, window
    """,
        night,
    )
    assert night.runs.serving("search") == digest("search", 2)
    async with Bot(night) as bot:
        operation = await bot.store.operation("op_db77fd01af")
        (owed,) = await bot.store.obligations("search")
    assert operation is not None
    assert operation.emergency is not None
    assert operation.emergency.id == owed.about == "E-db77fd01af"
    assert owed.takers == {"maya", "ines"}


async def test_an_emergency_that_ends_meanwhile_holds_it_before_the_next_step(night: Town) -> None:
    active = night.policies.current().policy
    assert active.emergency is not None
    rollout = active.paths[0].rollout.model_dump(mode="python", by_alias=True)
    steps = [{"percent": 10, "hold": "PT3M"}, {"percent": 100, "hold": "PT6S"}]
    emergency = {**active.emergency.model_dump(mode="python", by_alias=True), "lasts": "PT2M"}
    night.policies.adopt(emergency=emergency, to_prod={"rollout": {**rollout, "steps": steps}})
    await plays(
        ASKED
        + AGREED.replace("O-0", "O-…").replace("E-0", "E-…")
        + SHIPS.partition("    bot: ✓ search e2e2e2e2e2e2 → prod: 10 %: healthy")[0]
        + """
    bot: • search e2e2e2e2e2e2 → prod: Held at 10 %: window: … E-82f3e9c695, under which it began, ended. What serves is watched meanwhile.
    bot now: EMERGENCY: search e2e2e2e2e2e2 → prod is under way. [Pause] [Abort]
    bot now: Plan for search e2e2e2e2e2e2 → prod: nothing blocks it; waived: soak, window
    … once: Held at 10 %
    """,
        night,
    )


@pytest.mark.requirement("S4-121")
async def test_whoever_agrees_says_why_also_in_words(night: Town) -> None:
    await plays(ASKED, night)
    async with Bot(night) as bot:
        (operation,) = await bot.store.open_operations()
    plan = operation.plan.hash[:8] if operation.plan else ""
    await plays(
        f"""
    ines: /release approve op_82f3e9c695 plan:{plan}
    bot → ines: Whoever agrees to this says why. [Approve]
         Or say approve op_82f3e9c695 plan:{plan} reason:…
    ines: /release reject op_82f3e9c695 plan:{plan} reason:it can wait
    bot: @ines rejected search e2e2e2e2e2e2 → prod: it can wait
    bot → ines: Your rejection of search e2e2e2e2e2e2 → prod is recorded.
    bot: EMERGENCY: search e2e2e2e2e2e2 → prod was rejected.
         • ines rejected it: it can wait
    bot now: EMERGENCY: search e2e2e2e2e2e2 → prod was rejected.
    bot now: EMERGENCY: search e2e2e2e2e2e2 → prod was rejected.
    """,
        night,
    )
    assert night.runs.writes == []


@pytest.mark.requirement("S4-154", "S4-164")
async def test_its_review_falls_due_and_overdue_stops_ordinary_changes_until_another_settles_it(night: Town) -> None:
    night.version("search", 3, "Once more", "tom-gh")
    await plays(ASKED + _agreed("O-a24ae889a8", "E-82f3e9c695") + SHIPS + LIVE, night)
    night.deployed("search", "stage", 3, ago=timedelta(0))
    night.clock.at = night.clock.at.replace(day=26, hour=15, minute=59, second=58)
    await plays(
        """
    maya: /release why search stage→prod
    bot → maya: search stage→prod: 2 of 14 rules not met (second-person, approvals).
    … 2 s later
    bot: ✗ Overdue: Look together at what happened, and at what would have prevented it (O-a24ae889a8, from E-82f3e9c695), by release manager, until Thu 26 Nov 2026 16:00 UTC [Done]
    maya: /release why search stage→prod
    bot → maya: search stage→prod: 4 of 14 rules not met (window, nothing-overdue, second-person, approvals).
    … 18 h later
    maya: /release promote search stage→prod type:emergency
    bot → maya: search stage→prod needs a little more. [Fill in]
    maya: /release promote search stage→prod
    bot: search e3e3e3e3e3e3 → prod is blocked for now. [Check again] [Cancel]
         …
         ✗ nothing-overdue: Look together at what happened, and at what would have prevented it (O-a24ae889a8, from E-82f3e9c695) was due on Thu 26 Nov 2026 17:00 CET from release manager
         …
         • It could go ahead if somebody settles O-a24ae889a8 (omar may) and omar agrees.
         …
    bot: Plan for search e3e3e3e3e3e3 → prod: 3 of 14 rules not met (nothing-overdue, second-person, approvals) [Check again] [Cancel]
    ines: /release exception list
    bot → ines: I know of no exception and 1 obligation, 1 of them overdue. [Done]
         ✗ Overdue: Look together at what happened, and at what would have prevented it (O-a24ae889a8, from E-82f3e9c695), by release manager, until Thu 26 Nov 2026 16:00 UTC
    ines: [Done] I looked at it
    bot → ines: ines took part, so cannot settle it: Look together at what happened, and at what would have prevented it (O-a24ae889a8).
    raj: [Done] I looked at it
    bot → raj: raj is no release manager: Look together at what happened, and at what would have prevented it (O-a24ae889a8).
    omar: /release exception settle O-a24ae889a8
    bot → omar: Say what was done: `exception settle O-1a2b3c note:…`.
    omar: [Done] reviewed, see INC-7
    bot → omar: O-a24ae889a8 is settled.
    bot now: @omar settled O-a24ae889a8 (Look together at what happened, and at what would have prevented it; from E-82f3e9c695): reviewed, see INC-7
    bot now: search e3e3e3e3e3e3 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot now: Plan for search e3e3e3e3e3e3 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    omar: [Done] (first seen) reviewed, see INC-7
    bot → omar: Nothing is owed as `O-a24ae889a8`, or not any more; see `exception list`.
    """,
        night,
    )


@pytest.mark.requirement("S4-006")
async def test_where_the_window_is_closed_a_button_opens_an_emergency_and_nothing_else_goes_through(
    night: Town,
) -> None:
    night.people.roles["omar"].discard("engineer")
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Approve] [Reject] [Check again] [Emergency] [Cancel]
         …
         ✗ window: office_hours is Mon–Thu 09:00–17:00 and Fri 09:00–13:00 (Europe/Berlin), closed, next Wed 25 Nov 2026 09:00 CET
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (window, second-person, approvals) [Approve] [Reject] [Check again] [Emergency] [Cancel]
    omar: [Emergency] incident:"INC-7" reason:"checkout is down" rollback-plan:"back to v1"
    bot → omar: checkout stage→prod cannot be promoted: 3 of 14 rules not met (may-ask, second-person, approvals).
         ✗ may-ask: omar is no engineer, on call or incident commander
         …
    maya: [Emergency] incident:"INC-7" reason:"checkout is down" rollback-plan:"back to v1"
    bot: EMERGENCY: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    maya: /release promote checkout stage→prod type:emergency incident:INC-7 reason:x rollback-plan:y
    bot → maya: maya asked for checkout stage→prod of c2c2c2c2c2c2 already: op_e49d63b2a8 is waiting for approval. Its rollback-plan and reason stay as before; cancel it to ask in other words.
    """,
        night,
    )
    assert night.runs.writes == []


async def test_it_begins_within_its_time_or_not_at_all(night: Town) -> None:
    await plays(
        ASKED
        + """
    … 4 h later
    bot: EMERGENCY: search e2e2e2e2e2e2 → prod expired.
         • It could not begin in time; ask again.
    bot now: EMERGENCY: search e2e2e2e2e2e2 → prod expired.
    bot now: EMERGENCY: search e2e2e2e2e2e2 → prod expired.
    ines: [Approve] reason:"now?"
    bot → ines: That is decided already: EMERGENCY: search e2e2e2e2e2e2 → prod expired.
    """,
        night,
    )


async def test_where_the_policy_knows_no_emergencies_there_is_no_such_type(town: Town) -> None:
    may = {**town.policies.current().policy.model_dump()["may"], "emergency": []}
    town.policies.adopt(may=may, emergency=None)
    await plays(
        """
    maya: /release promote search stage→prod type:emergency
    bot → maya: I know no type of change `emergency`. This policy has none.
    """,
        town,
    )


LIVE = """
    bot: EMERGENCY: search e2e2e2e2e2e2 → prod is live. It took 28 s.
    bot now: EMERGENCY: search e2e2e2e2e2e2 → prod is live.
    bot now: Plan for search e2e2e2e2e2e2 → prod: nothing blocks it; waived: soak, window
    """


def _agreed(owed: str, emergency: str) -> str:
    return AGREED.replace("O-0", owed).replace("E-0", emergency)
