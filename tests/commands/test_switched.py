"""What somebody switched elsewhere to bring a place back: on record, in the channel, and looked after."""

from __future__ import annotations

import pytest

from tests.commands.test_rollback import SHIPPED
from tests.conversation import Bot, plays
from tests.world import Behaviour, Town, digest, site_of

RECORDED = """
    dan: /release rollback checkout flag:new-cart=off link:https://flags.example/new-cart incident:INC-7 reason:carts are empty
    bot: checkout@prod: the flag new-cart was switched to off by dan. [Roll back]
         Recorded by: @dan
         Recorded: Tue 24 Nov 2026 09:00 UTC
         Link: https://flags.example/new-cart
         Reason: carts are empty
         Incident: INC-7
         …
    """
RECORDED_AND_WELL = RECORDED.replace(" [Roll back]", "")


@pytest.fixture
def probed(town: Town) -> Town:
    """Recovery is declared once the health page answers."""
    town.policies.adopt(
        probes={"recovery": [{"path": "/healthz"}]}, rollback={"order": ["flag", "traffic"], "recovered": "recovery"}
    )
    return town


@pytest.mark.requirement("S3-45")
async def test_a_flag_is_on_record_with_who_when_and_where_and_no_traffic_moves(probed: Town) -> None:
    await plays(
        SHIPPED
        + RECORDED_AND_WELL
        + """
    bot: ✓ Recovered: it answers as it should, 0.0 s after that was recorded.
    maya: /release log checkout last:2
    bot → maya: The last 2 entries about checkout.
         • … release-bot: operation recovered …
         • … dan: operation switched op_… → prod “carts are empty”
    """,
        probed,
    )
    assert probed.runs.serving("checkout") == digest("checkout", 2)
    async with Bot(probed) as bot:
        recovered, switched = await bot.store.history("checkout", 2)
    assert switched.target["flag"] == "new-cart"
    assert switched.target["incident"] == "INC-7"
    assert switched.detail == {
        "what": "flag", "name": "new-cart", "value": "off", "by": "dan", "link": "https://flags.example/new-cart"
    }  # fmt: skip
    assert recovered.detail["seconds"] == 0


async def test_recovery_is_declared_only_once_it_answers_as_it_should(probed: Town) -> None:
    await plays(SHIPPED, probed)
    probed.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        RECORDED.replace("Tue 24 Nov 2026 09:00 UTC", "…")
        + """
    … 1 min later
    maya: /release status checkout
    bot → maya: Status of checkout: nothing under way.
         …
         • checkout@prod: the flag new-cart was switched to off by dan; whether that was enough is being looked at
    """,
        probed,
    )
    probed.runs.behaviours.clear()
    await plays(
        """
    … 10 s later
    bot: ✓ Recovered: it answers as it should, 1 min … after that was recorded.
    bot now: checkout@prod: the flag new-cart was switched to off by dan.
    """,
        probed,
    )


async def test_where_it_was_not_enough_that_is_said_and_traffic_is_one_press_away(probed: Town) -> None:
    await plays(SHIPPED, probed)
    probed.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        RECORDED.replace("Tue 24 Nov 2026 09:00 UTC", "…")
        + """
    … 5 min later
    bot: ✗ It has not recovered after 5 min: /healthz 503.
    ines: [Roll back] the flag did not help
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recovered: it answers as it should, 1.2 s after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    """,
        probed,
    )


async def test_whether_it_was_enough_is_looked_at_no_longer_where_it_cannot_be_looked_at(probed: Town) -> None:
    await plays(SHIPPED, probed)
    probed.runs.gone.add(site_of("checkout"))
    await plays(
        RECORDED_AND_WELL.replace("Tue 24 Nov 2026 09:00 UTC", "…")
        + """
    … 5 min later
    bot: ✗ It has not recovered after 5 min: Reading its traffic was refused: it is not there.
    """,
        probed,
    )


async def test_its_button_takes_back_what_served_then_and_nothing_after_it(probed: Town) -> None:
    await plays(SHIPPED, probed)
    probed.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        RECORDED.replace("Tue 24 Nov 2026 09:00 UTC", "…")
        + """
    … 5 min later
    bot: ✗ It has not recovered after 5 min: /healthz 503.
    omar: /release rollback checkout reason:it is no better
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for …
    bot: ✓ … serves 100 % again, 1.2 s after it was asked for
    bot: ✓ … recovered: it answers as it should, 1.2 s after it was asked for
    bot: ✓ … recorded as GitHub deployment 17
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    ines: [Roll back] the flag did not help
    bot → ines: That button is old: checkout@prod would leave checkout-r-c1c1c1c1c1c1 now. Look at `status` first.
    """,
        probed,
    )
    assert probed.runs.serving("checkout") == digest("checkout", 1)


async def test_beside_a_rollback_under_way_its_button_takes_nothing_further_back(town: Town) -> None:
    await plays(
        SHIPPED
        + """
    ines: /release rollback checkout reason:carts are empty
    bot: checkout c1c1c1c1c1c1 ⟲ prod is under way.
    bot: Plan for …
    … once: is under way
    dan: /release rollback checkout config:CART_TIMEOUT reason:carts are empty
    bot: checkout@prod: the configuration CART_TIMEOUT was changed by dan. [Roll back]
    bot: checkout@prod: the configuration CART_TIMEOUT was changed by dan.
    bot: • Whether it recovered cannot be told by itself: …
    bot: ✓ … serves 100 % again, 1.2 s after it was asked for
    bot: ✓ … recorded as GitHub deployment 17
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    bot now: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    omar: [Roll back] carts are empty
    bot → omar: That button is old: checkout@prod would leave checkout-r-c1c1c1c1c1c1 now. Look at `status` first.
    """,
        town,
    )
    assert town.runs.serving("checkout") == digest("checkout", 1)


async def test_where_nobody_knows_what_serves_it_is_on_record_without_a_button(probed: Town) -> None:
    probed.runs.away = True
    await plays(RECORDED_AND_WELL, probed)


async def test_it_keeps_no_rollback_waiting(probed: Town) -> None:
    await plays(SHIPPED, probed)
    probed.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        RECORDED.replace("Tue 24 Nov 2026 09:00 UTC", "…")
        + """
    dan: /release rollback checkout flag:new-cart=off
    bot → dan: That is on record for checkout@prod, and whether it was enough is being looked at.
    ines: /release rollback checkout
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, 1.2 s after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recovered: …
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took 1.2 s. [Lift the hold]
    bot: ✓ Recovered: it answers as it should, 1.2 s after that was recorded.
    bot now: checkout@prod: the flag new-cart was switched to off by dan.
    """,
        probed,
    )
    assert probed.runs.serving("checkout") == digest("checkout", 1)


async def test_without_probes_nobody_declares_recovery(town: Town) -> None:
    await plays(
        """
    dan: /release rollback checkout config:CART_TIMEOUT by:raj reason:carts are empty
    bot: checkout@prod: the configuration CART_TIMEOUT was changed by raj. [Roll back]
         …
    bot: • Whether it recovered cannot be told by itself: the policy names no probes under rollback.recovered.
    """,
        town,
    )


async def test_only_who_may_roll_back_records_it_and_the_policy_asks_for_what_it_asks_of_rollbacks(town: Town) -> None:
    town.policies.adopt(rollback={"reasons": ["critical_bug"], "fields": ["symptoms"]})
    await plays(
        """
    maya: /release rollback checkout flag:new-cart=off
    bot → maya: You may not record that: may-ask: maya is no incident commander, on call or release manager.
    dan: /release rollback checkout flag:new-cart=off
    bot → dan: What was switched for checkout@prod needs a little more. [Fill in]
         ✗ reason: a rollback has one of these reasons here: one of critical_bug
         ✗ symptoms: a rollback needs it here
         …
    dan: [Fill in] reason:"critical_bug" symptoms:"all carts are empty"
    bot: checkout@prod: the flag new-cart was switched to off by dan. [Roll back]
         …
    bot: • Whether it recovered cannot be told by itself: …
    """,
        town,
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("flag:new-cart", "Say which flag is how now: `rollback checkout flag:new-cart=off`."),
        ("config:TIMEOUT=3", "Say only what was changed, not to what: `rollback checkout config:CART_TIMEOUT`."),
        ("flag:a=off config:B", "Record one thing after the other: a `flag:` or a `config:`."),
        ("to c1c1c1c flag:a=off", "Say either what was switched, or what to go back to; …"),
        ("link:https://flags.example/a", "`by:` and `link:` say who switched a flag, and where: …"),
    ],
)
async def test_words_that_do_not_fit_together_are_told(town: Town, words: str, says: str) -> None:
    await plays(
        f"""
    dan: /release rollback checkout {words}
    bot → dan: {says}
    """,
        town,
    )


async def test_what_is_switched_back_meanwhile_is_on_record_too(probed: Town) -> None:
    await plays(SHIPPED, probed)
    probed.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        RECORDED.replace("Tue 24 Nov 2026 09:00 UTC", "…")
        + """
    ines: /release rollback checkout flag:new-cart=on reason:it was not that
    bot: checkout@prod: the flag new-cart was switched to on by ines. [Roll back]
    """,
        probed,
    )
    async with Bot(probed) as bot:
        again, before = await bot.store.history("checkout", 2)
    assert [again.detail["value"], before.detail["value"]] == ["on", "off"]
