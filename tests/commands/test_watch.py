"""What is looked after once it is live, and what takes it back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from commands.gather import TRIGGER
from commands.operation import Operation, Phase, Wish
from commands.plan import PlannedProbe
from commands.ports import Probed, Signal, Writes
from commands.record import BOT
from commands.watch import BACK
from policy.facts import Deed, Question
from tests.commands.test_promote import LIVE, PLAN_SETTLED
from tests.commands.test_rollout import ONE_STEP
from tests.conversation import Bot, plays
from tests.world import DAY, Behaviour, Fault, Town, digest, revision_of, site_of

OLD, NEW, NEXT = (revision_of("checkout", number) for number in (1, 2, 3))
RELEASED = (
    ONE_STEP.replace("10 %", "100 %")
    + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 100 %: healthy over … requests, 0.0 % failed, p99 40 ms
    """
    + LIVE
    + PLAN_SETTLED
)


def watched(town: Town, **trigger: Any) -> None:
    """Releases to production are watched for an hour by one trigger."""
    rollout = {"steps": [{"percent": 100, "hold": "PT6S"}], "triggers": {"unwell": trigger}, "watch": "PT1H"}
    town.policies.change(rollout={**rollout, "health": {"max_error_percent": 5.0, "min_requests": 20}})


SERVES_AGAIN = """
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again, … after it was asked for
    bot: ✓ checkout c1c1c1c1c1c1 ⟲ prod: recorded as GitHub deployment 17
    bot: checkout c1c1c1c1c1c1 ⟲ prod serves again. It took … [Lift the hold]
    """


async def test_what_stays_well_is_said_to_have(town: Town) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M", during="watch")
    await plays(
        RELEASED
        + """
    … 62 min later
    bot: ✓ checkout-r-c2c2c2c2c2c2 stayed well for 1 h … after it had all the traffic.
    """,
        town,
    )


async def test_what_cannot_be_looked_at_is_not_said_to_have_stayed_well(town: Town) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M", during="watch")
    await plays(RELEASED, town)
    town.runs.gone.add(site_of("checkout"))
    says = (
        "Whether checkout-r-c2c2c2c2c2c2 stayed well cannot be told: Reading its traffic was refused: it is not there."
    )
    await plays(
        f"""
    … 62 min later
    bot: {says}
    bot: {says}
    """,
        town,
    )
    async with Bot(town) as bot:
        assert await bot.store.timers() == ()


@pytest.mark.requirement("S3-40")
async def test_what_turns_bad_after_it_is_live_is_rolled_back_by_itself(town: Town) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M", during="watch")
    await plays(RELEASED, town)
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: it uses 93 % of its memory, allowed 90 %, for 6 min 59 s. It is rolled back.
    """
        + SERVES_AGAIN,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


@pytest.mark.requirement("S3-37")
async def test_three_failed_health_checks_in_a_row_take_it_back_and_two_do_not(town: Town) -> None:
    rollout = {
        "steps": [{"percent": 100, "hold": "PT6S"}],
        "triggers": {"health-3x": {"signal": "probes", "probes": "health", "in_a_row": 3, "during": "watch"}},
        "watch": "PT1H",
    }
    town.policies.adopt(probes={"health": [{"path": "/healthz"}]}, to_prod={"rollout": rollout})
    await plays(RELEASED, town)
    for status in (503, 503, 200, 503, 503):
        town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=status)
        await plays("… 5 s later", town)
    assert town.runs.traffic("checkout") == {NEW: 100}
    await plays(
        """
    … 5 s later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: health-3x: its probes failed 3 times in a row (/healthz 503). It is rolled back.
    """
        + SERVES_AGAIN,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


async def test_what_asks_does_nothing_by_itself_and_asks_once(town: Town) -> None:
    watched(town, signal="p99_ms", above=500, lasts="PT5M", then="ask")
    await plays(RELEASED, town)
    town.metrics.becomes(NEW, Signal.P99_MS, 620.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: its p99 is 620 ms, allowed 500 ms, for … [Roll back]
    … 7 min later
    ines: [Roll back]
    """
        + SERVES_AGAIN
        + """
    dan: [Roll back]
    bot → dan: That button is old: checkout@prod would leave checkout-r-c1c1c1c1c1c1 now. Look at `status` first.
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


async def test_the_next_release_ends_the_watch_over_the_last(town: Town) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M")
    await plays(RELEASED, town)
    town.runs.somebody_moves(site_of("checkout"), **{OLD.replace("-", "_"): 100})
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays("… 7 min later", town)
    for _ in range(2):
        await plays("… 5 s later", town)
    assert town.runs.traffic("checkout") == {OLD: 100}
    async with Bot(town) as bot:
        assert await bot.store.timers() == ()


async def test_an_old_answer_does_not_end_the_watch(town: Town) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M")
    await plays(RELEASED, town)
    town.runs.stale.extend([True, True])
    for _ in range(2):
        await plays("… 61 s later", town)
    assert not town.runs.stale
    async with Bot(town) as bot:
        assert len(await bot.store.timers()) == 1


async def test_a_later_release_that_comes_to_nothing_leaves_the_watch(town: Town) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M")
    await plays(RELEASED, town)
    name = {one.replace("-", "_"): part for one, part in {OLD: 10, NEW: 90}.items()}
    town.runs.somebody_moves(site_of("checkout"), **name)
    for _ in range(4):
        await plays("… 61 s later", town)
    town.runs.somebody_moves(site_of("checkout"), **{NEW.replace("-", "_"): 100})
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: it uses 93 % of its memory, allowed 90 %, for … It is rolled back.
    """
        + SERVES_AGAIN,
        town,
    )


async def test_what_only_asks_keeps_nothing_from_taking_it_back(town: Town) -> None:
    asks = {"signal": "p99_ms", "above": 500, "lasts": "PT5M", "then": "ask"}
    back = {"signal": "memory_percent", "above": 90, "lasts": "PT5M"}
    rollout = {"steps": [{"percent": 100, "hold": "PT6S"}], "triggers": {"slow": asks, "full": back}, "watch": "PT1H"}
    town.policies.change(rollout={**rollout, "health": {"max_error_percent": 5.0, "min_requests": 20}})
    await plays(RELEASED, town)
    town.metrics.becomes(NEW, Signal.P99_MS, 620.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: slow: its p99 is 620 ms, allowed 500 ms, for … [Roll back]
    """,
        town,
    )
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: full: it uses 93 % of its memory, allowed 90 %, for … It is rolled back.
    """
        + SERVES_AGAIN,
        town,
    )


async def test_what_cannot_be_rolled_back_yet_is_as_soon_as_it_can(town: Town) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M")
    await plays(RELEASED, town)
    revisions = town.runs.places[site_of("checkout")].revisions
    gone = {name: revisions.pop(name) for name in list(revisions) if name != NEW}
    town.policies.adopt(rollback={"order": ["traffic"]})
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: it uses 93 % of its memory, allowed 90 %, for … It cannot be rolled back by itself: no other verified revision is left; … [Roll back]
    … 2 min later
    """,
        town,
    )
    revisions.update(gone)
    await plays(
        """
    … 61 s later
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: it uses 93 % of its memory, allowed 90 %, for … It is rolled back.
    """
        + SERVES_AGAIN,
        town,
    )


async def test_it_goes_on_after_a_restart(town: Town) -> None:
    """Each page has a bot of its own: what is watched stands in the books."""
    watched(town, signal="memory_percent", above=90, lasts="PT5M")
    await plays(RELEASED, town)
    async with Bot(town) as bot:
        (one,) = await bot.store.timers()
    assert one.expires_at - one.asked_at == timedelta(hours=1)


# What cannot be taken back at once ------------------------------------------------------------------------------------


FIRED = """
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: it uses 93 % of its memory, allowed 90 %, for … It is rolled back.
    """
CAME_TO_NOTHING = """
    bot: checkout c1c1c1c1c1c1 ⟲ prod ended in doubt: somebody has to look.
         …
         • Permission denied on the service. Look at acme-prod/europe-west1/checkout: it should serve checkout-r-c1c1c1c1c1c1.
         …
    bot: Plan for checkout c1c1c1c1c1c1 ⟲ prod: every rule is met
    bot: checkout c1c1c1c1c1c1 ⟲ prod ended in doubt: somebody has to look. It took …
    """


ASKED_ALOUD = """
    bot: ✗ checkout checkout-r-c2c2c2c2c2c2 in prod: unwell: it uses 93 % of its memory, allowed 90 %, for … It cannot be rolled back by itself: that was tried 3 times, and came to nothing. [Roll back]
    """


async def fires_and_fails(town: Town, *, times: int) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M")
    await plays(RELEASED, town)
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    town.runs.faults.extend([Fault.REFUSED] * times)
    await plays("    … 7 min later\n" + FIRED + CAME_TO_NOTHING, town)


async def test_a_rollback_that_came_to_nothing_is_tried_again_by_itself(town: Town) -> None:
    await fires_and_fails(town, times=1)
    await plays("… 6 s later", town)
    await plays("… 30 s later", town)
    assert town.runs.traffic("checkout") == {NEW: 100}, "not before its time"
    await plays("    … 31 s later\n" + FIRED + SERVES_AGAIN, town)
    assert town.runs.traffic("checkout") == {OLD: 100}
    await plays("… 6 s later", town)
    async with Bot(town) as bot:
        assert await bot.store.timers() == ()


async def test_where_no_rollback_comes_to_anything_people_are_asked_in_the_channel(town: Town) -> None:
    await fires_and_fails(town, times=3)
    await plays("… 6 s later", town)
    await plays("    … 1 min later\n" + FIRED + CAME_TO_NOTHING, town)
    await plays("… 6 s later", town)
    await plays("    … 2 min later\n" + FIRED + CAME_TO_NOTHING + ASKED_ALOUD + ASKED_ALOUD, town)
    await plays("… 20 min later", town)
    assert town.runs.traffic("checkout") == {NEW: 100}
    assert [message.thread == "" for message in town.slack.messages[-2:]] == [False, True]
    await plays("    ines: [Roll back]\n" + SERVES_AGAIN, town)
    assert town.runs.traffic("checkout") == {OLD: 100}


@pytest.mark.parametrize(
    "wish", [Wish.CANCEL, Wish.RUN, None], ids=["cancelled by somebody", "nothing to take back then", "never begun"]
)
async def test_only_what_somebody_cancelled_is_not_tried_again(town: Town, wish: Wish | None) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M")
    await plays(RELEASED, town)
    async with Bot(town) as bot:
        (one,) = await bot.store.timers()
        back = Operation(
            id="op_back",
            question=Question(Deed.ROLLBACK, "checkout", "prod"),
            asked_by=BOT,
            asked_at=town.clock.now(),
            expires_at=town.clock.now() + DAY,
            channel=one.channel,
            plan=one.plan,
            phase=Phase.CANCELLED,
            wish=wish or Wish.RUN,
            seen={TRIGGER: "unwell"},
        )
        asked = replace(one, seen={**one.seen, BACK: {"id": "op_back", "tries": 1, "not_before": ""}})
        began = ((back, timedelta(0)),) if wish is not None else ()  # None: another like it stood there
        await bot.store.commit(Writes(wakes=(one.id,), starts=began))
        claimed = await bot.store.claim()
        assert claimed is not None
        assert claimed[0].id == one.id
        await bot.store.commit(Writes(operation=asked, due=timedelta(seconds=1)), claimed[1])
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    async with Bot(town) as bot:
        for _ in range(2):
            town.clock.move(timedelta(minutes=10))
            await bot.rests()
    assert town.runs.traffic("checkout") == ({NEW: 100} if wish is Wish.CANCEL else {OLD: 100})


# While the next release begins ------------------------------------------------------------------------------------------


NEXT_BEGINS = """
    maya: /release promote checkout stage→prod
    bot: checkout c3c3c3c3c3c3 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c3c3c3c3c3c3 → prod: … [Approve] [Reject] [Cancel]
    omar: [Approve]
    bot: @omar approved checkout c3c3c3c3c3c3 → prod. Checking everything again.
    bot → omar: Your approval of checkout c3c3c3c3c3c3 → prod is recorded.
    bot: ✓ checkout c3c3c3c3c3c3 → prod: recorded as GitHub deployment 18
    bot now: checkout c3c3c3c3c3c3 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c3c3c3c3c3c3 → prod: every rule is met
    … once: recorded as
    """


async def next_begins(town: Town, *percents: int) -> None:
    """The second release is live and watched, the third is about to get its first traffic: its revision is made."""
    await plays(RELEASED, town)
    rollout = town.policies.current().policy.paths[0].rollout.model_dump(mode="python", by_alias=True)
    steps = [{"percent": percent, "hold": "PT6S"} for percent in percents]
    town.policies.adopt(to_prod={"rollout": {**rollout, "steps": steps}})
    town.version("checkout", 3, "Do it again", "lea-gh")
    town.deployed("checkout", "stage", 3, ago=2 * DAY)
    await plays(NEXT_BEGINS, town)
    town.clock.move(town.runs.settles_after)


async def shifts_meanwhile(bot: Bot) -> None:
    """The next release gets its first traffic, while the watch over the last waits for an answer."""
    for _ in range(20):
        if NEXT in bot.town.runs.traffic("checkout"):
            return
        claimed = await bot.store.claim()
        if claimed is None:
            bot.town.clock.move(timedelta(seconds=await bot.store.next_due() or 0, microseconds=1))
        else:
            await bot.controller._carry(*claimed, ())
    raise AssertionError("the next release never got any traffic")


def during(find: Callable[..., Awaitable[Any]], happens: Callable[[], Awaitable[None]], first: object) -> Any:
    """The same question, during the first of which that begins so something happens."""
    left = [happens]

    async def finds(*arguments: Any) -> Any:
        if left and first in arguments:
            await left.pop()()
        return await find(*arguments)

    return finds


async def looks_after_it(bot: Bot) -> None:
    """The watch over the last release has its look before anything else, and all goes on from there."""
    (watch,) = await bot.store.timers()
    await bot.store.commit(Writes(wakes=(watch.id,)))
    while (claimed := await bot.store.claim()) is not None and claimed[0].id != watch.id:
        await bot.store.let_go(*claimed, timedelta(seconds=1))
    assert claimed is not None
    await bot.controller._carry(*claimed, ())
    await bot.rests()


async def test_a_trigger_that_fires_while_the_next_release_gets_its_first_traffic_takes_back_what_it_spoke_of(
    town: Town,
) -> None:
    watched(town, signal="memory_percent", above=90)
    await next_begins(town, 10, 100)
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0, ago=timedelta(seconds=3))
    async with Bot(town) as bot:
        meanwhile = during(town.metrics.series, lambda: shifts_meanwhile(bot), Signal.MEMORY_PERCENT)
        town.metrics.series = meanwhile  # type: ignore[method-assign]
        await looks_after_it(bot)
        holds = await bot.store.holds("checkout")
    assert town.runs.ever_served(site_of("checkout"))[-2:] == [{NEW: 90, NEXT: 10}, {OLD: 100}]
    assert {hold.digest for hold in holds} == {digest("checkout", 2)}


async def test_where_the_next_release_has_all_the_traffic_by_then_it_keeps_it(town: Town) -> None:
    watched(town, signal="memory_percent", above=90)
    await next_begins(town, 100)
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0, ago=timedelta(seconds=3))
    async with Bot(town) as bot:
        meanwhile = during(town.metrics.series, lambda: shifts_meanwhile(bot), Signal.MEMORY_PERCENT)
        town.metrics.series = meanwhile  # type: ignore[method-assign]
        await looks_after_it(bot)
        assert await bot.store.holds("checkout") == ()
    assert town.runs.traffic("checkout") == {NEXT: 100}
    assert any("has no traffic any more" in line for m in town.slack.messages for line in m.now["body"])
    assert ("c3c3c3c3c3c3", "success") in town.github.told("checkout")


async def test_what_the_next_release_answers_at_the_common_address_is_not_held_against_the_last(town: Town) -> None:
    health = {"signal": "probes", "probes": "health", "in_a_row": 1, "every": "PT1S", "during": "watch"}
    rollout = {"steps": [{"percent": 100, "hold": "PT6S"}], "triggers": {"unwell": health}, "watch": "PT1H"}
    town.policies.adopt(probes={"health": [{"path": "/healthz"}]}, to_prod={"rollout": rollout})
    await next_begins(town, 10, 100)
    async with Bot(town) as bot:
        left, asks = [Probed(ok=False, saw=(503,), slowest_ms=12.0)], town.probes.probe

        async def answers(address: str, probe: PlannedProbe) -> Probed:
            """Where people reach it, one of ten is answered by the next release from its first traffic on."""
            if left:
                await shifts_meanwhile(bot)
            return left.pop() if left else await asks(address, probe)

        town.probes.probe = answers  # type: ignore[method-assign]
        await looks_after_it(bot)
    assert not left
    assert town.runs.ever_served(site_of("checkout"))[-2:] == [{NEW: 90, NEXT: 10}, {NEXT: 100}]


# What recovers --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S4-291")
async def test_recovery_is_declared_only_once_it_answers_as_it_should(town: Town) -> None:
    town.policies.adopt(probes={"health": [{"path": "/healthz"}]}, rollback={"recovered": "health"})
    await plays(
        """
    ines: /release rollback checkout reason:it fails
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. [Lift the hold]
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: …
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0) serves 100 % again, … after it was asked for
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recovered: it answers as it should, … after it was asked for
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: recorded as GitHub deployment 16
    bot: checkout c0c0c0c0c0c0 ⟲ prod serves again. It took … [Lift the hold]
    """,
        town,
    )


async def test_what_does_not_answer_after_the_rollback_is_told_to_people(town: Town) -> None:
    town.policies.adopt(probes={"health": [{"path": "/healthz"}]}, rollback={"recovered": "health"})
    town.runs.behaviours[digest("checkout", 0)] = Behaviour(healthz=503)
    await plays(
        """
    ines: /release rollback checkout reason:it fails
    bot: checkout c0c0c0c0c0c0 ⟲ prod ended in doubt: somebody has to look.
         …
         • checkout-r-c0c0c0c0c0c0 serves 100 % again, but does not answer as it should: /healthz 503. Look at …
         …
    bot: Plan for checkout c0c0c0c0c0c0 ⟲ prod: …
    bot: ✓ checkout c0c0c0c0c0c0 ⟲ prod: checkout-r-c0c0c0c0c0c0 (c0c0c0c0c0c0) serves 100 % again, … after it was asked for
    bot: checkout c0c0c0c0c0c0 ⟲ prod ended in doubt: somebody has to look. It took …
    ines: /release rollback checkout reason:it fails still
    bot → ines: checkout@prod cannot be rolled back: …
         …
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {revision_of("checkout", 0): 100}
