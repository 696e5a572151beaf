"""A write that nobody heard of arrives when somebody has already turned back: it is put right before the end is told."""

from __future__ import annotations

from tests.commands.test_promote import PLAN_SETTLED, SERVES_10, STARTED
from tests.conversation import plays
from tests.world import Fault, Town, revision_of, site_of

OLD, NEW = revision_of("checkout", 1), revision_of("checkout", 2)
UP = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: …
    """
UNDER_WAY = """
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    """
TO_50 = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 50 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 50 %: healthy …
    """

PUT_RIGHT = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    """
NOTHING_TO_DO = """
    bot: checkout c1c1c1c1c1c1 ⟲ prod was cancelled.
         …
         • checkout-r-c1c1c1c1c1c1 has all the traffic already: what was under way has let go of it.
         …
    bot: checkout c1c1c1c1c1c1 ⟲ prod was cancelled.
    """
HAS_IT_ALREADY = """
    bot: checkout c1c1c1c1c1c1 ⟲ prod was cancelled.
         • checkout-r-c1c1c1c1c1c1 has all the traffic already: what was under way has let go of it.
    """


async def test_an_abort_takes_back_what_arrives_after_it_and_ends_when_nothing_more_can_arrive(town: Town) -> None:
    town.runs.faults.extend([Fault.NONE, Fault.LATE])
    await plays(
        STARTED
        + UP
        + UNDER_WAY
        + PLAN_SETTLED
        + """
    … once a write is late
    maya: [Abort]
    bot: @maya aborted it: traffic goes back.
    bot: ✗ checkout c2c2c2c2c2c2 → prod: maya aborted it.
    """
        + PUT_RIGHT
        + """
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took 32 s.
    bot now: checkout c2c2c2c2c2c2 → prod was taken back.
    """,
        town,
    )
    assert town.runs.ever_served(site_of("checkout"))[3:] == [{OLD: 100}, {OLD: 90, NEW: 10}, {OLD: 100}]


async def test_a_rollback_that_takes_over_at_fifty_per_cent_puts_right_what_arrives_after_it(town: Town) -> None:
    town.runs.faults.extend([Fault.NONE, Fault.NONE, Fault.NONE, Fault.LATE])
    await plays(
        SERVES_10
        + TO_50
        + UNDER_WAY
        + PLAN_SETTLED
        + """
    … once a write is late
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: checkout c2c2c2c2c2c2 → prod was cancelled. It took …
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 9.4 s after it was asked for
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 30 s. [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    """,
        town,
    )
    assert town.runs.ever_served(site_of("checkout"))[-3:] == [{OLD: 100}, {NEW: 100}, {OLD: 100}]


async def test_a_rollback_before_any_traffic_moved_leaves_the_clearing_up_to_the_promotion(town: Town) -> None:
    await plays(
        STARTED
        + UNDER_WAY
        + PLAN_SETTLED
        + """
    … once: recorded as GitHub deployment
    ines: /release rollback checkout
    """
        + NOTHING_TO_DO
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: A rollback took over.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod failed. It took …
         • A rollback took over.
    """
        + HAS_IT_ALREADY
        + """
    bot now: checkout c2c2c2c2c2c2 → prod failed.
    """,
        town,
    )
    assert all(split == {OLD: 100} for split in town.runs.ever_served(site_of("checkout"))[1:])
    assert town.runs.tags("checkout") == {}


async def test_what_arrives_after_such_a_rollback_is_put_right_by_the_promotion_too(town: Town) -> None:
    town.runs.faults.extend([Fault.NONE, Fault.LATE])
    await plays(
        STARTED
        + UP
        + UNDER_WAY
        + PLAN_SETTLED
        + """
    … once a write is late
    ines: /release rollback checkout
    """
        + NOTHING_TO_DO
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: A rollback took over.
    """
        + PUT_RIGHT
        + """
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took 32 s.
    """
        + HAS_IT_ALREADY
        + """
    bot now: checkout c2c2c2c2c2c2 → prod was taken back.
    """,
        town,
    )
    assert town.runs.ever_served(site_of("checkout"))[3:] == [{OLD: 100}, {OLD: 90, NEW: 10}, {OLD: 100}]
