"""A rollout that somebody ends with its traffic as it stands: what serves then, and what may come after it."""

from __future__ import annotations

import pytest

from policy.model import Place
from tests.commands.test_promote import AT_10, LIVE, ON_TO_100, SERVES_10, STARTED
from tests.commands.test_rollback_database import ASKS, UP_TO_10, asked
from tests.commands.test_watch import NEW, OLD
from tests.conversation import Bot, plays
from tests.world import HOUR, Behaviour, Fault, Town, digest, revision_of, site_of

OP = "op_82f3e9c695"
ENDS = """
    bot: @maya ended it: traffic stays as it stands: the next release mends it
    bot: checkout c2c2c2c2c2c2 → prod was ended with its traffic as it stands. It took …
         • maya left its traffic as it stands: 90 % checkout-r-c1c1c1c1c1c1, 10 % checkout-r-c2c2c2c2c2c2.
    bot now: checkout c2c2c2c2c2c2 → prod was ended with its traffic as it stands.
    """
LEAVES = f"""
    maya: /release leave {OP} reason:the next release mends it
    {ENDS}
    """
NEXT = revision_of("checkout", 3)


@pytest.fixture
def left(town: Town) -> Town:
    """The next version is built, and goes to stage once the one before is left at 10 %."""
    town.version("checkout", 3, "Mend it", "lea-gh")
    return town


async def test_whoever_ends_it_so_may_and_says_why(town: Town) -> None:
    await plays(
        AT_10
        + f"""
    maya: /release leave {OP}
    bot → maya: Say why its traffic stays as it is: `leave op_1a2b3c4d5e reason:the next release mends it`.
    … once: Say why
    tom: /release leave {OP} reason:why not
    bot → tom: You may not leave this: maya may, who asked, and so may approvers and whoever may roll back.
    … once: You may not
    """
        + LEAVES,
        town,
    )


async def test_its_traffic_stays_nothing_is_verified_and_nobody_cries(town: Town) -> None:
    await plays(
        AT_10
        + LEAVES
        + """
    … it looks around
    … 2 h later
    … it looks around
    maya: /release status checkout
    bot → maya: Status of checkout: nothing under way.
         …
         • checkout in prod: 90 % checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1), 10 % checkout-r-c2c2c2c2c2c2 (c2c2c2c2c2c2)
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 90, NEW: 10}
    assert town.github.told("checkout")[-1] == ("c2c2c2c2c2c2", "failure")
    async with Bot(town) as bot:
        good = await bot.store.known_good(Place("checkout", "prod"))
    assert NEW not in {entry.revision for entry in good}


async def test_what_others_change_afterwards_is_seen_all_the_same(town: Town) -> None:
    await plays(AT_10 + LEAVES + "\n    … it looks around", town)
    town.runs.somebody_moves(site_of("checkout"), checkout_r_c1c1c1c1c1c1=50, checkout_r_c2c2c2c2c2c2=50)
    await plays(
        """
    … it looks around
    bot: Somebody changed checkout in prod around me: traffic.
    """,
        town,
    )


async def test_a_rollback_takes_what_is_left_of_it_away(town: Town) -> None:
    await plays(
        AT_10
        + LEAVES
        + """
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


ASKS_FOR_THE_NEXT = """
    maya: /release promote checkout stage→prod
    bot: checkout c3c3c3c3c3c3 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c3c3c3c3c3c3 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
         …
         Now serving: c1c1c1c1c1c1 (checkout-r-c1c1c1c1c1c1)
         Left split: 90 % checkout-r-c1c1c1c1c1c1, 10 % checkout-r-c2c2c2c2c2c2
         …
    omar: [Approve]
    bot: @omar approved checkout c3c3c3c3c3c3 → prod. Checking everything again.
    bot → omar: Your approval of checkout c3c3c3c3c3c3 → prod is recorded.
    bot: ✓ checkout c3c3c3c3c3c3 → prod: recorded as GitHub deployment …
    bot: ✓ checkout c3c3c3c3c3c3 → prod: checkout-r-c3c3c3c3c3c3 is deployed at 0 %
    """
THE_NEXT = """
    bot: ✓ checkout c3c3c3c3c3c3 → prod: smoke test passed: …
    bot: ✓ checkout c3c3c3c3c3c3 → prod: checkout-r-c3c3c3c3c3c3 serves 10 %
    """

FAILED = """
    bot: ✗ checkout c3c3c3c3c3c3 → prod: Smoke test failed: GET /healthz gave 503, expected 200
    bot: ✓ checkout c3c3c3c3c3c3 → prod: traffic stands again as it did: 90 % checkout-r-c1c1c1c1c1c1, 10 % checkout-r-c2c2c2c2c2c2
    bot: checkout c3c3c3c3c3c3 → prod failed. It took … [Lift the hold]
    bot now: checkout c3c3c3c3c3c3 → prod failed. [Lift the hold]
    bot now: Plan for checkout c3c3c3c3c3c3 → prod: every rule is met
    """


async def test_the_next_release_begins_from_the_split_and_ends_it(left: Town) -> None:
    await plays(AT_10 + LEAVES, left)
    left.deployed("checkout", "stage", 3, ago=26 * HOUR)
    await plays(
        ASKS_FOR_THE_NEXT
        + THE_NEXT
        + ON_TO_100.replace("c2", "c3")
        + """
    bot: checkout c3c3c3c3c3c3 → prod is live. It took …
    bot now: checkout c3c3c3c3c3c3 → prod is live.
    bot now: Plan for checkout c3c3c3c3c3c3 → prod: every rule is met
    … it looks around
    """,
        left,
    )
    splits = left.runs.ever_served(site_of("checkout"))
    assert splits[2:] == [
        {OLD: 100},
        {OLD: 90, NEW: 10},
        {OLD: 90, NEW: 10},
        {OLD: 90, NEXT: 10},
        {OLD: 50, NEXT: 50},
        {NEXT: 100},
    ]


async def test_where_the_next_one_does_not_come_up_the_split_stands_as_it_did(left: Town) -> None:
    left.runs.behaviours[digest("checkout", 3)] = Behaviour(healthz=503)
    await plays(AT_10 + LEAVES, left)
    left.deployed("checkout", "stage", 3, ago=26 * HOUR)
    await plays(ASKS_FOR_THE_NEXT + FAILED + "\n    … it looks around", left)
    assert left.runs.traffic("checkout") == {OLD: 90, NEW: 10}


async def test_after_one_that_did_not_come_up_another_may_come(left: Town) -> None:
    left.runs.behaviours[digest("checkout", 3)] = Behaviour(healthz=503)
    left.version("checkout", 4, "Mend it once more", "lea-gh")
    await plays(AT_10 + LEAVES, left)
    left.deployed("checkout", "stage", 3, ago=26 * HOUR)
    await plays(ASKS_FOR_THE_NEXT + FAILED, left)
    left.deployed("checkout", "stage", 4, ago=26 * HOUR)
    await plays(
        (ASKS_FOR_THE_NEXT + THE_NEXT).replace("c3", "c4")
        + """
    bot now: checkout c4c4c4c4c4c4 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c4c4c4c4c4c4 → prod: every rule is met
    … once: serves 10 %
    """,
        left,
    )
    assert left.runs.traffic("checkout") == {OLD: 90, revision_of("checkout", 4): 10}


async def test_the_same_one_may_go_on_later_from_where_it_was_left(town: Town) -> None:
    await plays(
        AT_10
        + LEAVES
        + """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
        + ON_TO_100
        + """
    bot: checkout c2c2c2c2c2c2 → prod is live. It took …
    bot now: checkout c2c2c2c2c2c2 → prod is live.
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {NEW: 100}


async def test_before_any_traffic_moved_it_is_cleared_away(town: Town) -> None:
    await plays(
        STARTED
        + f"""
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    … once: recorded as GitHub deployment 16
    maya: /release leave {OP} reason:not today
    bot: @maya ended it: traffic stays as it stands: not today
    bot: ✗ checkout c2c2c2c2c2c2 → prod: maya ended it.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: …
    bot: checkout c2c2c2c2c2c2 → prod failed. It took …
    bot now: checkout c2c2c2c2c2c2 → prod failed.
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


async def test_a_write_that_is_on_its_way_is_waited_for_and_belongs_to_what_is_left(town: Town) -> None:
    town.runs.faults.extend([Fault.NONE, Fault.NONE, Fault.LATE])
    await plays(
        SERVES_10
        + f"""
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy over … requests, 0.0 % failed, p99 40 ms
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    … once a write is late
    maya: /release leave {OP} reason:not today
    bot: @maya ended it: traffic stays as it stands: not today
    bot: checkout c2c2c2c2c2c2 → prod was ended with its traffic as it stands. It took …
         • maya left its traffic as it stands: 50 % checkout-r-c1c1c1c1c1c1, 50 % checkout-r-c2c2c2c2c2c2.
    bot now: checkout c2c2c2c2c2c2 → prod was ended with its traffic as it stands.
    … it looks around
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 50, NEW: 50}


async def test_what_went_bad_and_cannot_go_back_is_left_held_and_mended_forward(left: Town) -> None:
    left.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=25)
    await plays(
        asked("irreversible")
        + UP_TO_10
        + ASKS
        + """
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    maya: [Leave it so] the next release mends it
    bot: @maya ended it: traffic stays as it stands: the next release mends it
    bot: checkout c2c2c2c2c2c2 → prod was ended with its traffic as it stands. It took … [Lift the hold]
         • maya left its traffic as it stands: 90 % checkout-r-c1c1c1c1c1c1, 10 % checkout-r-c2c2c2c2c2c2.
    bot now: checkout c2c2c2c2c2c2 → prod was ended with its traffic as it stands. [Lift the hold]
    """,
        left,
    )
    left.runs.behaviours.clear()
    left.deployed("checkout", "stage", 3, ago=26 * HOUR)
    old, new = "c1c1c1c1c1c1 (checkout-r-c1c1c1c1c1c1)", "c2c2c2c2c2c2 (checkout-r-c2c2c2c2c2c2)"
    await plays(
        ASKS_FOR_THE_NEXT.replace(f"serving: {old}", f"serving: {new}")
        + THE_NEXT
        + """
    bot now: checkout c3c3c3c3c3c3 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c3c3c3c3c3c3 → prod: every rule is met
    … once: serves 10 %
    """,
        left,
    )
    assert left.runs.traffic("checkout") == {NEW: 90, NEXT: 10}, "the rest goes to what works with the database"
    await plays(
        "    … 1 s later"
        + (ON_TO_100 + LIVE).replace("c2", "c3")
        + """
    dan: /release rollback checkout reason:it is no better
    bot → dan: checkout@prod cannot be rolled back: 1 of 3 rules not met (database-goes-back).
         …
         ✗ database-goes-back: c2c2c2c2c2c2 (maya, …) declared irreversible, so the database cannot go back; mend it by another release, or switch it off by its flag
         …
    """,
        left,
    )
