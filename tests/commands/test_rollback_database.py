"""A release says what it does to the database, and a rollback hears it."""

from __future__ import annotations

from typing import Any

import pytest

from commands.ports import Signal
from tests.commands.test_promote import APPROVED, LIVE, ON_TO_100, PLAN_SETTLED
from tests.commands.test_rollback import BACK_STEPS
from tests.commands.test_watch import NEW, OLD
from tests.conversation import plays
from tests.world import Behaviour, Town, digest

UP_TO_10 = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """
AT_10 = (
    UP_TO_10
    + """
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: every rule is met
    … once: serves 10 %
    """
)


def asked(declares: str) -> str:
    return (
        f"""
    maya: /release promote checkout stage→prod database:{declares}
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
         …
         Database: {declares}
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
         …
         Database: {declares}
         …
    """
        + APPROVED
    )


def shipped(declares: str) -> str:
    return asked(declares) + UP_TO_10 + ON_TO_100 + LIVE + PLAN_SETTLED


@pytest.fixture
def overriding(town: Town) -> Town:
    """An incident commander may go back all the same."""
    town.policies.adopt(rollback={"database": {"override": ["incident_commander"]}})
    return town


async def test_what_it_is_said_to_do_is_one_of_what_the_policy_knows(town: Town) -> None:
    await plays(
        """
    maya: /release promote checkout stage→prod database:drops
    bot → maya: checkout stage→prod needs a little more. [Fill in]
         ✗ database: what it does to the database is: one of none, reversible, expand, migrate, contract, irreversible, other
         …
    """,
        town,
    )


async def test_a_gate_hears_it_too(town: Town) -> None:
    gate = {"kind": "database", "allows": ["none", "expand"]}
    town.policies.adopt(gates={"database-change": gate}, to_prod={"requires": ["database-change"]})
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
         …
         ? database-change: nothing here can look that up yet
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 15 rules not met (database-change, second-person, approvals) [Check again] [Cancel]
    maya: [Cancel]
    bot: @maya cancelled it.
    bot: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    maya: /release promote checkout stage→prod database:expand
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 15 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
         …
         ✓ database-change: it declares: expand
         …
    """,
        town,
    )


@pytest.mark.requirement("S4-287")
async def test_nobody_goes_back_over_what_was_declared_to_be_for_good_but_who_may_and_says_why(
    overriding: Town,
) -> None:
    await plays(
        shipped("contract")
        + """
    dan: /release rollback checkout reason:errors after the release
    bot → dan: checkout@prod cannot be rolled back: 1 of 3 rules not met (database-goes-back).
         …
         ✗ database-goes-back: c2c2c2c2c2c2 (maya, Tue 24 Nov 2026 10:00 CET) declared contract, so the database cannot go back; mend it by another release, or switch it off by its flag
         • ask with despite:database and why, as incident commander: ines
         …
    dan: /release rollback checkout reason:errors despite:database
    bot → dan: checkout@prod cannot be rolled back: 1 of 3 rules not met (database-goes-back).
         …
         ✗ database-goes-back: … declared contract, and dan is no incident commander, who may go back over it
         …
    ines: /release rollback checkout despite:database
    bot → ines: A rollback of checkout@prod needs a little more. [Fill in]
         ✗ reason: whoever goes back over a change of the database says why
         …
    """,
        overriding,
    )
    assert overriding.runs.serving("checkout") == digest("checkout", 2)
    await plays(
        """
    ines: /release rollback checkout despite:database reason:the column is still there
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
         …
         ✓ database-goes-back: c2c2c2c2c2c2 (maya, Tue 24 Nov 2026 10:00 CET) declared contract, and ines goes back over it all the same
         …
    """
        + BACK_STEPS,
        overriding,
    )
    assert overriding.runs.serving("checkout") == digest("checkout", 1)


async def test_where_the_policy_names_nobody_nobody_goes_back_over_it(town: Town) -> None:
    await plays(
        shipped("irreversible")
        + """
    ines: /release rollback checkout despite:database reason:the column is still there
    bot → ines: checkout@prod cannot be rolled back: 1 of 3 rules not met (database-goes-back).
         …
         ✗ database-goes-back: c2c2c2c2c2c2 (maya, …) declared irreversible, and the policy lets nobody go back over it
         …
    """,
        town,
    )


async def test_what_goes_both_ways_is_gone_back_over_as_ever_and_said(town: Town) -> None:
    await plays(
        shipped("expand")
        + """
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
         …
         ✓ database-goes-back: what it goes back over declared expand
         …
    """
        + BACK_STEPS,
        town,
    )


async def test_a_trigger_asks_people_instead_of_going_back_over_it(overriding: Town) -> None:
    trigger = {"signal": "memory_percent", "above": 90, "lasts": "PT5M", "during": "watch"}
    rollout: dict[str, Any] = {"steps": [{"percent": 10, "hold": "PT6S"}, {"percent": 50, "hold": "PT6S"}]}
    rollout["steps"].append({"percent": 100, "hold": "PT6S"})
    rollout |= {"smoke": [{"path": "/healthz"}], "triggers": {"unwell": trigger}, "watch": "PT1H"}
    overriding.policies.adopt(to_prod={"rollout": {**rollout, "health": {"min_requests": 20}}})
    await plays(shipped("contract"), overriding)
    overriding.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: it uses 93 % of its memory, allowed 90 %, for … It cannot be rolled back by itself: database-goes-back: c2c2c2c2c2c2 (maya, Tue 24 Nov 2026 10:00 CET) declared contract, so the database cannot go back; mend it by another release, or switch it off by its flag. [Roll back]
    """,
        overriding,
    )
    assert overriding.runs.traffic("checkout") == {NEW: 100}


async def test_while_both_serve_a_contract_is_taken_back_as_ever(town: Town) -> None:
    """What served before cannot need what the contract takes away: both serve at once."""
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=25)
    await plays(
        asked("contract")
        + UP_TO_10
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took … [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod was taken back. [Lift the hold]
    """
        + PLAN_SETTLED,
        town,
    )


async def test_a_rollback_may_take_over_a_contract_that_is_under_way(town: Town) -> None:
    await plays(
        asked("contract")
        + AT_10
        + """
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: checkout c2c2c2c2c2c2 → prod was cancelled. It took …
    """
        + BACK_STEPS
        + """
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    """,
        town,
    )


ASKS = """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 % [Resume] [Leave it so] [Abort all the same]
         ✗ It declared irreversible: what served before works no more with the database as it is now, so nothing goes back by itself. It is held where it is; somebody has to say what becomes of it.
    bot now: checkout c2c2c2c2c2c2 → prod is held where it is. [Resume] [Leave it so] [Abort all the same]
    """


async def test_a_rollout_that_goes_bad_asks_people_where_what_served_before_works_no_more(overriding: Town) -> None:
    overriding.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=25)
    await plays(asked("irreversible") + UP_TO_10 + ASKS + PLAN_SETTLED, overriding)
    assert overriding.runs.traffic("checkout") == {OLD: 90, NEW: 10}
    await plays(
        """
    … 5 min later
    maya: [Abort all the same] it is worse than I thought
    bot → maya: maya declared irreversible: what served before works no more with the database. Only an incident commander may take its traffic back; else mend it by another release, or by its flag.
    ines: /release rollback checkout reason:carts are lost
    bot → ines: checkout@prod cannot be rolled back: 1 of 3 rules not met (database-goes-back).
         …
    ines: [Abort all the same] carts are lost
    bot: @ines aborted it: traffic goes back: carts are lost
    bot: ✗ checkout c2c2c2c2c2c2 → prod: ines aborted it.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took …
    bot now: checkout c2c2c2c2c2c2 → prod was taken back.
    """,
        overriding,
    )
    assert overriding.runs.traffic("checkout") == {OLD: 100}


async def test_what_became_well_again_goes_on_when_somebody_says_so(overriding: Town) -> None:
    overriding.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=25)
    await plays(asked("irreversible") + UP_TO_10 + ASKS + PLAN_SETTLED, overriding)
    overriding.metrics.becomes(NEW, Signal.ERROR_PERCENT, 0.0)
    await plays(
        """
    … 30 min later
    maya: [Resume]
    bot: @maya resumed it.
    """
        + ON_TO_100
        + LIVE,
        overriding,
    )
