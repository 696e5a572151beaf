"""A rollback, as it reads in the channel: whatever is frozen or closed, and only to what was verified."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.sqlite import path_of
from commands.consider import consider
from commands.operation import Wish
from commands.ports import Request, Writes
from policy.facts import KnownGood
from policy.model import Digest, Place
from tests.commands.test_promote import ASKED, AT_10, LIVE, ON_TO_100, PLAN_SETTLED, SERVES_10
from tests.conversation import Bot, plays
from tests.world import HOUR, Fault, Town, commit, digest, revision_of, site_of

SHIPPED = SERVES_10 + ON_TO_100 + LIVE + PLAN_SETTLED
BACK_STEPS = """
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    """
BACK_PLAN = """
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    """
BACK = (
    """
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    """
    + BACK_PLAN
    + BACK_STEPS
)


@pytest.mark.requirement("S3-43", "S4-286", "D-10", "D-09")
async def test_it_waits_for_no_freeze_no_window_and_no_second_person_and_holds_what_it_left(town: Town) -> None:
    await plays(
        SHIPPED
        + """
    omar: /release freeze start prod until:tomorrow 09:00 reason:black friday
    bot: ❄ prod is frozen until Wed 25 Nov 2026 08:00 UTC by @omar: black friday
    """,
        town,
    )
    town.clock.at = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
    await plays(
        """
    maya: /release rollback checkout
    bot → maya: checkout@prod cannot be rolled back: 1 of 2 rules not met (may-ask).
         ✗ may-ask: maya is no incident commander, on call or release manager
         • somebody who is incident commander, on call or release manager asks: dan, ines or omar
         ✓ known-good-target: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) was verified on Thu 12 Nov 2026 10:00 CET (GitHub deployment 4)
         – database-goes-back: no release that it goes back over declared a change of the database
         – window: a rollback does not wait for windows
         – no-freeze: a rollback does not wait for freezes
    ines: /release rollback checkout reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
         Asked by: @ines
         Service: checkout
         From → to: back in prod
         Digest: c1c1c1c1c1c1
         Reason: errors after the release
         …
    """
        + BACK_PLAN
        + BACK_STEPS
        + """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
         …
         ✗ no-hold: c2c2c2c2c2c2 was taken back from prod on …: errors after the release (H-…)
         …
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 5 of 14 rules not met (window, no-freeze, no-hold, second-person, approvals) [Check again] [Cancel]
    lea: [Lift the hold] please
    bot → lea: You may not lift H-….
    ines: [Lift the hold] the database was full
    bot: @ines lifted the hold H-… on checkout c2c2c2c2c2c2: the database was full
    bot now: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Emergency] [Cancel]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: 4 of 14 rules not met (window, no-freeze, second-person, approvals) [Check again] [Emergency] [Cancel]
    """,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 1)
    assert [write.creates for write in town.runs.writes[4:]] == [""], "what was there serves again, nothing is built"


@pytest.mark.requirement("S0-28", "S1-06")
async def test_it_never_goes_to_what_was_not_verified_here(town: Town) -> None:
    """Something that nobody recorded serves; something that was taken back lies there, and something newer too."""
    hot = Digest("sha256:" + "99" * 32)
    town.runs.add(
        site_of("checkout"), "checkout-00006-lie", Digest("sha256:" + "88" * 32), None, town.clock.now() - HOUR
    )
    town.runs.add(site_of("checkout"), "checkout-00007-hot", hot, None, town.clock.now())
    await plays(
        """
    ines: /release rollback checkout to checkout-00006-lie
    bot → ines: checkout@prod cannot be rolled back: 1 of 2 rules not met (known-good-target). checkout-00006-lie was never verified here, or is gone; verified were checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1), checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0).
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 16
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    """,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 1)


@pytest.mark.requirement("S0-28")
async def test_each_service_goes_back_to_its_own_last_good_one(town: Town) -> None:
    """payments' bad build was here for a moment and was taken back: it was never verified."""
    await plays(
        """
    tom: /release promote payments stage→prod
    bot: payments a2a2a2a2a2a2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for payments a2a2a2a2a2a2 → prod: … [Approve] [Reject] [Cancel]
    omar: [Approve]
    bot: @omar approved payments a2a2a2a2a2a2 → prod. Checking everything again.
    bot → omar: Your approval of payments a2a2a2a2a2a2 → prod is recorded.
    bot: ✓ payments a2a2a2a2a2a2 → prod: recorded as GitHub deployment 16
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 is deployed at 0 %
    bot: ✓ payments a2a2a2a2a2a2 → prod: smoke test passed: …
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a2a2a2a2a2a2 serves 10 %
    bot: ✗ payments a2a2a2a2a2a2 → prod: 5 of 20 requests failed at 10 % of traffic: 25.0 %, allowed 1 %
    bot: ✓ payments a2a2a2a2a2a2 → prod: payments-r-a1a1a1a1a1a1 (a1a1a1a1a1a1) serves 100 % again
    bot: payments a2a2a2a2a2a2 → prod was taken back. It took 15 s. [Lift the hold]
    bot now: payments a2a2a2a2a2a2 → prod was taken back. [Lift the hold]
    bot now: Plan for payments a2a2a2a2a2a2 → prod: every rule is met
    dan: /release rollback payments to payments-r-a2a2a2a2a2a2
    bot → dan: payments@prod cannot be rolled back: 1 of 2 rules not met (known-good-target). payments-r-a2a2a2a2a2a2 was never verified here, or is gone; …
    dan: /release rollback payments
    bot: payments a0a0a0a0a0a0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for payments a0a0a0a0a0a0 ⟲ prod: every rule is met
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: payments-r-a0a0a0a0a0a0 (a0a0a0a0a0a0) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: recorded as GitHub deployment 17
    bot: payments a0a0a0a0a0a0 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    """,
        town,
    )
    assert town.runs.serving("payments") == digest("payments", 0)


async def test_it_goes_to_the_verified_one_that_was_named(town: Town) -> None:
    await plays(
        SHIPPED
        + """
    ines: /release rollback checkout prod to c0c0c0c
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: every rule is met
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recorded as GitHub deployment 17
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    """,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 0)


@pytest.mark.requirement("D-06")
async def test_it_pre_empts_a_rollout_that_is_under_way(town: Town) -> None:
    await plays(
        AT_10
        + """
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: checkout c2c2c2c2c2c2 → prod was cancelled. It took …
         • A rollback took over.
    """
        + BACK_STEPS
        + """
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    """,
        town,
    )
    old, new = revision_of("checkout", 1), revision_of("checkout", 2)
    assert town.runs.ever_served(site_of("checkout"))[2:] == [{old: 100}, {old: 90, new: 10}, {old: 100}]
    assert town.github.told("checkout") == [("c2c2c2c2c2c2", "failure"), ("c1c1c1c1c1c1", "success")]
    await plays(
        """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is blocked for now. [Check again] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 3 of 14 rules not met (no-hold, second-person, approvals) [Check again] [Cancel]
    """,
        town,
    )


async def test_two_who_ask_at_once_roll_back_once(town: Town) -> None:
    await plays(
        SHIPPED
        + """
    ines & dan: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot → dan: ines is rolling checkout@prod back already: op_… is waiting.
    """
        + BACK_STEPS,
        town,
    )
    assert len(town.runs.writes) == 5


async def test_it_goes_back_without_github_and_says_what_is_not_recorded(town: Town) -> None:
    await plays(SHIPPED, town)
    town.github.away = True
    await plays(
        """
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 1.2 s after it was asked for
    bot: ✗ checkout c1c1c1c1c1c1 ⟲ prod: not recorded in GitHub: GitHub does not answer.
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 14 s. [Lift the hold]
    """,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 1)


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.LOST_REQUEST, Fault.CONFLICT])
async def test_its_write_without_an_answer_is_looked_at_not_repeated(town: Town, fault: Fault) -> None:
    await plays(SHIPPED, town)
    town.runs.faults.append(fault)
    await plays(
        """
    ines: /release rollback checkout
    """
        + BACK.replace("1.2 s", "… s"),
        town,
    )
    assert [write.changed for write in town.runs.writes] == [True] * 5


async def test_where_it_is_refused_somebody_is_told_to_look(town: Town) -> None:
    await plays(SHIPPED, town)
    town.runs.faults.append(Fault.REFUSED)
    await plays(
        """
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod ended in doubt: somebody has to look.
         …
         • Permission denied on the service. Look at acme-prod/europe-west1/checkout: it should serve checkout-r-c1c1c1c1c1c1.
         …
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: checkout c1c1c1c1c1c1 ⟲ prod ended in doubt: somebody has to look. It took 0.0 s.
    """,
        town,
    )


@pytest.mark.requirement("S4-278")
async def test_there_is_nowhere_to_go_back_to_twice(town: Town) -> None:
    await plays(
        """
    ines: /release rollback checkout
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: every rule is met
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recorded as GitHub deployment 16
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    ines: /release rollback checkout
    bot → ines: checkout@prod cannot be rolled back: 1 of 2 rules not met (known-good-target). no other verified revision is left; verified were checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0), checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1).
    ines: /release rollback checkout to c1c1c1c
    bot → ines: checkout@prod cannot be rolled back: 1 of 2 rules not met (known-good-target).
         …
         ✗ known-good-target: c1c1c1c1c1c1 was taken back from prod on …: ines rolled back from it (H-…)
         • lift the hold H-… (release manager or incident commander may)
         …
    """,
        town,
    )


async def test_what_nobody_can_say_serves_blocks_it_with_the_reason(town: Town) -> None:
    town.runs.away = True
    await plays(
        """
    ines: /release rollback checkout
    bot → ines: checkout@prod cannot be rolled back: 1 of 2 rules not met (known-good-target). what serves is not known.
    """,
        town,
    )
    town.runs.away = False
    town.clock.move(timedelta(minutes=1))


# It comes first -----------------------------------------------------------------------------------------------------

TAKES_OVER = (
    """
    bot: checkout c2c2c2c2c2c2 → prod was cancelled. It took …
    """
    + BACK_STEPS
    + """
    bot now: checkout c2c2c2c2c2c2 → prod was cancelled.
    bot now: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    """
)
ABOUT_TO_BEGIN = """
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod is about to begin.
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    … once: is about to begin
    """


async def test_nobody_pauses_what_it_takes_over_from(town: Town) -> None:
    await plays(
        AT_10
        + ABOUT_TO_BEGIN
        + """
    maya: [Pause]
    bot → maya: A rollback is taking over; that cannot be held up.
    """
        + TAKES_OVER,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 1)


async def test_a_pause_of_the_same_instant_does_not_hold_it_up(town: Town) -> None:
    """Whoever answered the Pause had looked before the rollback was asked for, and wrote after it."""
    await plays(AT_10 + ABOUT_TO_BEGIN, town)
    async with Bot(town) as bot:
        (promotion,) = [each for each in await bot.store.open_operations() if each.moving]
        await bot.store.commit(Writes(wishes=((promotion.id, Wish.PAUSE),)))
        await bot.rests()
        assert await bot.store.open_operations() == ()
    assert town.runs.serving("checkout") == digest("checkout", 1)


async def test_it_stops_a_promotion_that_began_at_the_same_instant(town: Town) -> None:
    """Whoever began it had looked before the rollback was asked for, and wrote after it."""
    await plays(ASKED, town)
    async with Bot(town) as bot:
        (promotion,) = await bot.store.open_operations()
        plan = promotion.plan.hash[:8] if promotion.plan else ""
        await bot.hears(
            Request("r-a", f"approve {promotion.id} plan:{plan}", town.people.account("omar"), "C0RELEASES")
        )
        claimed = await bot.store.claim()
        assert claimed is not None
        begins = await consider(claimed[0], bot.world)
        await bot.hears(Request("r-b", "rollback checkout", town.people.account("ines"), "C0RELEASES"))
        await bot.store.commit(begins, claimed[1])
        await bot.rests()
    assert town.runs.serving("checkout") == digest("checkout", 0)
    assert all(revision_of("checkout", 2) not in split for split in town.runs.ever_served(site_of("checkout")))


async def test_a_promotion_that_is_approved_while_it_waits_does_not_begin_before_it(town: Town) -> None:
    await plays(ASKED, town)
    async with Bot(town) as bot:
        (promotion,) = await bot.store.open_operations()
        plan = promotion.plan.hash[:8] if promotion.plan else ""
        for who, words in (("ines", "rollback checkout"), ("omar", f"approve {promotion.id} plan:{plan}")):
            await bot.hears(Request(f"r-{who}", words, town.people.account(who), "C0RELEASES"))
        (rollback,) = [other for other in await bot.store.open_operations() if other.id != promotion.id]
        written = await consider(promotion, bot.world)
        assert written.takes is None
        assert written.operation is not None
        assert written.operation.note == f"It begins when {rollback.id} is over."
        await bot.rests()
    assert town.runs.serving("checkout") == digest("checkout", 0)


async def test_it_waits_only_so_long_for_a_platform_that_is_busy_with_something_else(town: Town) -> None:
    await plays(SHIPPED, town)
    town.runs.somebody_is_busy(site_of("checkout"), timedelta(minutes=1))
    await plays(
        """
    ines: /release rollback checkout
    """
        + BACK.replace("1.2 s", "6.3 s"),
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 1)


# To what is named ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["c", "c0c0c0", "sha256:c0", "checkout-r-"])
async def test_a_few_letters_name_no_target(town: Town, to: str) -> None:
    await plays(
        f"""
    ines: /release rollback checkout to {to}
    bot → ines: checkout@prod cannot be rolled back: 1 of 2 rules not met (known-good-target). {to} was never verified here, or is gone; verified were …
    """,
        town,
    )
    assert town.runs.writes == []


@pytest.mark.parametrize("to", ["checkout-r-c0c0c0c0c0c0", "c0c0c0c", "sha256:c0c0c0c0", "C0C0C0C0"])
async def test_a_whole_name_or_seven_letters_name_one(town: Town, to: str) -> None:
    await plays(
        f"""
    ines: /release rollback checkout to {to}
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: every rule is met
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recorded as GitHub deployment 16
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    """,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 0)


async def test_letters_that_two_targets_begin_with_name_neither(town: Town) -> None:
    near, name = Digest("sha256:" + "c0c0c0c0" + "99" * 28), "checkout-00009-near"
    town.runs.add(site_of("checkout"), name, near, None, town.clock.now() - 3 * HOUR)
    town.github.add_deployment("acme/checkout", commit("checkout", 1), "prod", near, name, town.clock.now() - 3 * HOUR)
    town.deployed("checkout", "prod", 2, ago=HOUR)
    await plays(
        """
    ines: /release rollback checkout to c0c0c0c
    bot → ines: checkout@prod cannot be rolled back: 1 of 2 rules not met (known-good-target). c0c0c0c names more than one of those that were verified here.
    """,
        town,
    )
    assert town.runs.writes == []


# What the policy says of it -------------------------------------------------------------------------------------------


async def test_it_is_for_one_of_the_policys_reasons_and_asks_for_what_is_missing(town: Town) -> None:
    town.policies.adopt(rollback={"reasons": ["critical_bug", "security_incident"], "fields": ["symptoms"]})
    await plays(
        SHIPPED
        + """
    ines: /release rollback checkout reason:because
    bot → ines: A rollback of checkout@prod needs a little more. [Fill in]
         ✗ reason: a rollback has one of these reasons here: one of critical_bug, security_incident
         ✗ symptoms: a rollback needs it here
         …
    ines: [Fill in] reason:"critical_bug" symptoms:"all carts are empty"
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
         …
         Reason: critical_bug
         Symptoms: all carts are empty
         …
    """
        + BACK_PLAN
        + BACK_STEPS,
        town,
    )


async def test_a_write_that_ends_well_and_moves_nothing_is_sent_again_at_once(town: Town) -> None:
    await plays(SHIPPED, town)
    town.runs.faults.extend([Fault.EMPTY, Fault.EMPTY])
    asked_at = town.clock.now()
    await plays(
        "    ines: /release rollback checkout reason:errors after the release\n" + BACK.replace("1.2 s", "…"),
        town,
    )
    sent = [write.fence for write in town.runs.writes[-3:]]
    assert sent == sorted(set(sent)), "each under a newer fence"
    served_at = town.runs.places[site_of("checkout")].since[-1][0]
    assert served_at - asked_at < timedelta(seconds=10)


DEPLOYED_AGAIN = (
    """
    ines: /release rollback checkout reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    """
    + BACK_PLAN
    + """
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 is deployed at 0 %
    """
    + BACK_STEPS.replace("1.2 s", "…")
)


async def test_what_was_verified_and_is_gone_is_deployed_again_from_the_same_image(town: Town) -> None:
    await plays(SHIPPED, town)
    place = town.runs.places[site_of("checkout")]
    for name in [name for name in place.revisions if name != revision_of("checkout", 2)]:
        del place.revisions[name]
    await plays(
        DEPLOYED_AGAIN,
        town,
    )
    assert town.runs.traffic("checkout") == {revision_of("checkout", 1): 100}
    assert place.revisions[revision_of("checkout", 1)].digest == digest("checkout", 1)


@pytest.mark.parametrize("kept", [True, False])
async def test_what_is_deployed_again_comes_from_where_it_came_from_when_it_was_verified(
    town: Town, kept: bool
) -> None:
    """The build moved to another registry since. Books from before that was kept fall back to what serves."""
    place, first = town.runs.places[site_of("checkout")], f"old-registry/acme/checkout@{digest('checkout', 1)}"
    old = revision_of("checkout", 1)
    place.revisions[old] = replace(place.revisions[old], image=first)
    await plays(SHIPPED, town)
    if not kept:
        with closing(sqlite3.connect(path_of(town.database_url))) as books, books:
            books.execute("UPDATE known_good SET image = ''")
    for name in [name for name in place.revisions if name != revision_of("checkout", 2)]:
        del place.revisions[name]
    await plays(
        DEPLOYED_AGAIN,
        town,
    )
    assert place.revisions[old].image == (first if kept else f"registry/acme/app@{digest('checkout', 1)}")


async def test_what_is_deployed_again_may_have_had_another_name_and_is_known_from_then_on(town: Town) -> None:
    await plays(SHIPPED, town)
    place = town.runs.places[site_of("checkout")]
    old = revision_of("checkout", 1)
    second = KnownGood(f"{old}-2", digest("checkout", 1), town.clock.now(), "release op_before", commit("checkout", 1))
    async with Bot(town) as bot:
        await bot.store.commit(Writes(good=((Place("checkout", "prod"), second),)))
    for name in [name for name in place.revisions if name != revision_of("checkout", 2)]:
        del place.revisions[name]
    town.github.records.clear()
    await plays(
        """
    ines: /release rollback checkout to c1c1c1c1c1c1 reason:errors after the release
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    """
        + BACK_PLAN
        + """
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 is deployed at 0 %
    """
        + BACK_STEPS.replace("1.2 s", "…").replace("deployment 17", "deployment …"),
        town,
    )
    async with Bot(town) as bot:
        newest = (await bot.store.known_good(Place("checkout", "prod")))[0]
    assert (newest.revision, newest.source[:8]) == (old, "rollback")


async def test_nothing_is_deployed_again_while_traffic_is_split(town: Town) -> None:
    """It would send everything to what people want rid of until it is ready."""
    del town.runs.places[site_of("checkout")].revisions[revision_of("checkout", 0)]
    await plays(
        AT_10
        + """
    ines: /release rollback checkout to c0c0c0c0c0c0 reason:errors
    bot → ines: checkout@prod cannot be rolled back: 1 of 2 rules not met (known-good-target). checkout-r-c0c0c0c0c0c0 is gone, and it is deployed again only where one revision has all the traffic.
         …
    … once: cannot be rolled back
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {revision_of("checkout", 1): 90, revision_of("checkout", 2): 10}


@pytest.mark.parametrize(("first", "heard"), [(True, "is under way"), (False, "serves again")])
async def test_other_channels_hear_of_it_before_or_after(town: Town, first: bool, heard: str) -> None:
    town.policies.adopt(rollback={"informs": ["C0PAYMENTS"], "informs_first": first})
    await plays(SHIPPED, town)
    head, _, steps = BACK.partition("every rule is met\n")
    await plays(
        f"""
    ines: /release rollback checkout reason:errors after the release
    {head}every rule is met
    bot: checkout c1c1c1c1c1c1 ⟲ prod {heard}.
    {steps}
    """,
        town,
    )
    told = [message.now["text"] for message in town.slack.messages if message.channel == "C0PAYMENTS"]
    assert told == [f"checkout c1c1c1c1c1c1 ⟲ prod {heard}."]
