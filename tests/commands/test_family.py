"""Several services that ship together go back together: the last to ship first, each verified before the next."""

from __future__ import annotations

import pytest

from tests.conversation import Bot, plays
from tests.world import DAY, Behaviour, Fault, Town, digest, revision_of, site_of

ASKS = """
    ines: /release rollback checkout,payments prod reason:carts are empty
    bot: checkout and payments ⟲ prod serve again.
         Asked by: @ines
         Reason: carts are empty
         ✓ 1. checkout c0c0c0c0c0c0 ⟲ prod serves again (op_…)
         ✓ 2. payments a0a0a0a0a0a0 ⟲ prod serves again (op_…)
         • Each of them serves again.
         …
    """
CHECKOUT = """
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: every rule is met
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recovered: …
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recorded as GitHub deployment 16
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. It took … [Lift the hold]
    """
PAYMENTS = CHECKOUT.replace("checkout", "payments").replace("c0", "a0").replace("deployment 16", "deployment 17")
OVER = """
    bot: checkout and payments ⟲ prod serve again.
         ✓ 1. checkout c0c0c0c0c0c0 ⟲ prod serves again (op_…)
         …
    """


BEGUN = """
    ines: /release rollback shop
    bot: checkout and payments ⟲ prod go back one after the other. [Stop before the next]
         Asked by: @ines
         • 1. checkout c0c0c0c0c0c0 ⟲ prod is under way (op_…)
         • 2. payments: not begun
         …
    bot: checkout c0c0c0c0c0c0 ⟲ prod is under way.
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: every rule is met
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0) serves 100 % again, 1.2 s after it was asked for
    … once: serves 100 % again
    """


@pytest.fixture
def shop(town: Town) -> Town:
    """payments ships first, checkout after it; recovery is declared once the health page answers."""
    town.policies.adopt(
        probes={"recovery": [{"path": "/healthz"}]},
        rollback={"recovered": "recovery"},
    )
    return town


@pytest.mark.parametrize("words", ["checkout,payments prod", "payments, checkout prod", "shop"])
async def test_they_go_back_in_the_reverse_of_the_order_they_ship_in(shop: Town, words: str) -> None:
    await plays(ASKS.replace("checkout,payments prod", words) + CHECKOUT + PAYMENTS + OVER, shop)
    assert shop.runs.serving("checkout") == digest("checkout", 0)
    assert shop.runs.serving("payments") == digest("payments", 0)
    assert [write.site for write in shop.runs.writes] == [site_of("checkout"), site_of("payments")]
    async with Bot(shop) as bot:
        (asked,) = [row for row in await bot.store.history("payments", 50) if row.what == "asked"]
    assert asked.actor_name == "ines"
    assert asked.detail["family"].startswith("op_")


async def test_status_says_which_one_it_is_at_and_the_next_waits_until_the_one_before_is_well(shop: Town) -> None:
    shop.runs.behaviours[digest("checkout", 0)] = Behaviour(healthz=503)
    await plays(
        BEGUN
        + """
    maya: /release status payments
    bot → maya: Status of payments: 1 under way or waiting.
         …
         • op_… checkout and payments ⟲ prod: 1 of 2: checkout, asked by ines
         …
    … once: Status of payments
    """,
        shop,
    )
    assert shop.runs.serving("payments") == digest("payments", 1)


async def test_where_one_does_not_recover_it_stops_and_asks(shop: Town) -> None:
    shop.runs.behaviours[digest("checkout", 0)] = Behaviour(healthz=503)
    await plays(
        """
    ines: /release rollback shop
    bot: checkout and payments ⟲ prod stopped. [Go on with the rest]
         …
         ✗ 1. checkout c0c0c0c0c0c0 ⟲ prod ended in doubt: somebody has to look (op_…)
         • 2. payments: not begun
         • checkout did not go back: checkout-r-c0c0c0c0c0c0 serves 100 % again, but does not answer as it should: /healthz 503. Look at acme-prod/europe-west1/checkout. The rest was not begun.
         …
    bot: checkout c0c0c0c0c0c0 ⟲ prod ended in doubt: somebody has to look.
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: every rule is met
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0) serves 100 % again, 1.2 s after it was asked for
    bot: checkout c0c0c0c0c0c0 ⟲ prod ended in doubt: somebody has to look. It took …
    bot: checkout and payments ⟲ prod stopped. [Go on with the rest]
         …
    """,
        shop,
    )
    assert shop.runs.serving("payments") == digest("payments", 1)


async def test_it_is_stopped_before_the_next(shop: Town) -> None:
    shop.runs.behaviours[digest("checkout", 0)] = Behaviour(healthz=503)
    await plays(
        BEGUN
        + """
    tom: [Stop before the next]
    bot → tom: You may not cancel this: ines may, who asked, and so may whoever may roll back.
    … once: You may not
    ines: [Stop before the next]
    bot: @ines stops it before the next one.
    … once: stops it
    """,
        shop,
    )
    shop.runs.behaviours.clear()
    await plays(
        """
    … 5 s later
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recovered: …
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recorded as GitHub deployment 16
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. It took … [Lift the hold]
    bot: checkout and payments ⟲ prod was stopped. [Go on with the rest]
         …
         • 2. payments: not begun
         • ines stopped it here.
    bot now: checkout and payments ⟲ prod was stopped. [Go on with the rest]
    bot now: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    ines: [Go on with the rest] it is well now
    bot: payments a0a0a0a0a0a0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for payments a0a0a0a0a0a0 ⟲ prod: every rule is met
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: payments-r-a0a0a0a0a0a0 (a0a0a0a0a0a0) serves 100 % again, …
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: recovered: …
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: recorded as GitHub deployment 17
    bot: payments a0a0a0a0a0a0 ⟲ prod serves again. It took … [Lift the hold]
    """,
        shop,
    )
    assert shop.runs.serving("payments") == digest("payments", 0)
    await plays(
        """
    ines: [Go on with the rest] I pressed it twice
    bot → ines: That button is old: payments@prod would leave payments-r-a0a0a0a0a0a0 now. Look at `status` first.
    """,
        shop,
    )


async def test_where_one_of_them_cannot_go_back_none_begins(shop: Town) -> None:
    for name in list(shop.runs.places[site_of("payments")].revisions):
        if name != "payments-r-a1a1a1a1a1a1":
            del shop.runs.places[site_of("payments")].revisions[name]
    shop.github.records["acme/payments"].clear()
    await plays(
        """
    ines: /release rollback shop
    bot → ines: payments@prod cannot be rolled back, so nothing was begun: 1 of 2 rules not met (known-good-target).
         …
    """,
        shop,
    )
    assert shop.runs.writes == []


async def test_the_policy_says_in_which_order_they_ship(town: Town) -> None:
    town.policies.adopt(groups={})
    await plays(
        """
    ines: /release rollback checkout,payments
    bot → ines: The policy does not say in which order they ship: name them under `groups`, or ask for one after the other.
    """,
        town,
    )


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.CONFLICT])
async def test_a_write_that_got_no_answer_is_looked_at_and_the_next_follows_all_the_same(
    shop: Town, fault: Fault
) -> None:
    shop.runs.faults.append(fault)
    await plays(ASKS + CHECKOUT.replace("1.2 s", "… s") + PAYMENTS + OVER, shop)


@pytest.fixture
def older(shop: Town) -> Town:
    """Behind what would serve again is one more that was verified."""
    for service in ("checkout", "payments"):
        shop.version(service, 4, "Try it", "lea-gh")
        shop.deployed(service, "prod", 4, ago=30 * DAY)
        shop.runs.somebody_moves(site_of(service), **{revision_of(service, 1).replace("-", "_"): 100})
    return shop


async def test_what_somebody_else_took_back_meanwhile_goes_no_further_back(older: Town) -> None:
    older.runs.behaviours[digest("checkout", 0)] = Behaviour(healthz=503)
    await plays(
        BEGUN
        + """
    dan: /release rollback payments prod reason:mine is quicker
    bot: payments a0a0a0a0a0a0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for payments a0a0a0a0a0a0 ⟲ prod: every rule is met
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: payments-r-a0a0a0a0a0a0 (a0a0a0a0a0a0) serves 100 % again, …
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: recovered: …
    bot: ✓ payments a0a0a0a0a0a0 ⟲ prod: recorded as GitHub deployment 18
    bot: payments a0a0a0a0a0a0 ⟲ prod serves again. It took … [Lift the hold]
    … once: It took
    """,
        older,
    )
    older.runs.behaviours.clear()
    await plays(
        """
    … 5 s later
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recovered: …
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recorded as GitHub deployment 19
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. It took … [Lift the hold]
    bot: checkout and payments ⟲ prod stopped.
         …
         • 2. payments: not begun
         • payments leaves payments-r-a0a0a0a0a0a0 by now, not payments-r-a1a1a1a1a1a1. The rest was not begun.
    bot now: checkout and payments ⟲ prod stopped.
    bot now: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    """,
        older,
    )
    assert older.runs.serving("payments") == digest("payments", 0)


async def test_nobody_begins_the_same_ones_twice(shop: Town) -> None:
    shop.runs.behaviours[digest("checkout", 0)] = Behaviour(healthz=503)
    await plays(
        BEGUN
        + """
    dan: /release rollback payments,checkout prod
    bot → dan: ines is rolling checkout and payments back in prod already: op_…
    … once: already
    """,
        shop,
    )


async def test_where_people_must_agree_they_agree_to_each_and_the_next_is_asked_for_at_once(shop: Town) -> None:
    shop.policies.adopt(rollback={"recovered": "recovery", "approvals": [{"role": "incident_commander"}]})
    one = """
    bot: checkout c0c0c0c0c0c0 ⟲ prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: 2 of 4 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    """
    agreed = """
    ines: [Approve]
    bot: @ines approved checkout c0c0c0c0c0c0 ⟲ prod. Checking everything again.
    bot → ines: Your approval of checkout c0c0c0c0c0c0 ⟲ prod is recorded.
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0) serves 100 % again, …
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recovered: …
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recorded as GitHub deployment 16
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. It took … [Lift the hold]
    """
    settled = """
    bot now: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    bot now: Plan for checkout c0c0c0c0c0c0 ⟲ prod: every rule is met
    """

    def other(page: str) -> str:
        return page.replace("checkout", "payments").replace("c0", "a0").replace("deployment 16", "deployment 17")

    await plays(
        """
    dan: /release rollback shop
    bot: checkout and payments ⟲ prod go back one after the other. [Stop before the next]
    """
        + one
        + """
    dan: [Approve]
    bot → dan: You asked for it, so somebody else has to agree.
    """
        + agreed
        + other(one)
        + settled
        + other(agreed)
        + """
    bot: checkout and payments ⟲ prod serve again.
    bot now: checkout and payments ⟲ prod serve again.
    """
        + other(settled),
        shop,
    )


async def test_the_ledger_knows_of_each_what_was_said_for_it(shop: Town) -> None:
    shop.policies.adopt(
        rollback={"recovered": "recovery", "database": {"override": ["incident_commander"]}, "fields": ["ticket"]}
    )
    await plays(
        ASKS.replace(" reason:", " despite:database incident:INC-7 ticket:SHOP-1 reason:") + CHECKOUT + PAYMENTS + OVER,
        shop,
    )
    async with Bot(shop) as bot:
        for about in ("checkout,payments", "checkout", "payments"):
            (asked,) = [row for row in await bot.store.history(about, 50) if row.what == "asked"]
            assert (asked.target["incident"], asked.target["despite"]) == ("INC-7", "database")
            assert asked.private["ticket"] == "SHOP-1"
            assert asked.private["reason"] == "carts are empty"


async def test_an_old_button_for_several_takes_none_of_them_further_back(shop: Town) -> None:
    await plays(
        """
    ines: /release rollback shop leaves:checkout-r-c2c2c2c2c2c2,payments-r-a1a1a1a1a1a1
    bot → ines: That button is old: checkout@prod would leave checkout-r-c1c1c1c1c1c1 now. Look at `status` first.
    """,
        shop,
    )
    assert shop.runs.writes == []


async def test_whoever_may_not_any_more_takes_no_other_one_back(shop: Town) -> None:
    shop.runs.behaviours[digest("checkout", 0)] = Behaviour(healthz=503)
    await plays(BEGUN, shop)
    shop.people.roles["ines"] = {"engineer"}
    shop.runs.behaviours.clear()
    await plays(
        """
    … 5 s later
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recovered: …
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recorded as GitHub deployment 16
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. It took … [Lift the hold]
    bot: checkout and payments ⟲ prod stopped. [Go on with the rest]
         …
         • payments cannot go back: may-ask: ines is no incident commander, on call or release manager. The rest was not begun.
    bot now: checkout and payments ⟲ prod stopped. [Go on with the rest]
    bot now: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    """,
        shop,
    )
    assert shop.runs.serving("payments") == digest("payments", 1)
