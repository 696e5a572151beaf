"""How traffic moves on, waits and asks: what happens between one step and the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.plan import PlannedProbe
from commands.ports import Probed, Signal, Writes
from tests.commands.test_promote import AT_10, LIVE, PLAN_SETTLED, SERVES_10, TAKEN_BACK
from tests.conversation import Bot, plays
from tests.world import Behaviour, Town, digest, revision_of, site_of

OLD, NEW = revision_of("checkout", 1), revision_of("checkout", 2)
SITE = site_of("checkout")
CLOSES = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
PROVES_NOTHING = "Not judged within 2 min 6 s at 10 %: only 1 of 20 requests. Unknown is not healthy."
ASKS = f"""
    bot: • checkout c2c2c2c2c2c2 → prod: {PROVES_NOTHING} Shall it go on? [Go on] [Abort]
    """
NOW_ASKING = """
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Go on] [Abort]
    """
BAD_TAKEN_BACK = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took … [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod was taken back. [Lift the hold]
    """
SERVES_50 = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 50 %
    """
NOW_UNDER_WAY = """
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    """
WELL_AT_10 = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy over … requests, 0.0 % failed, p99 40 ms
    """


# What proves nothing --------------------------------------------------------------------------------------------------


async def test_somebody_else_answers_for_what_too_few_requests_prove(town: Town) -> None:
    town.metrics.per_second[SITE] = 0.1
    await plays(
        SERVES_10
        + ASKS
        + NOW_ASKING
        + PLAN_SETTLED
        + """
    … once: Shall it go on
    maya: [Go on] it is a quiet day
    bot → maya: You asked for it, so somebody else has to answer for it.
    … once: has to answer
    ines: [Go on] it is a quiet day
    bot: @ines lets it go on: it is a quiet day
    bot: • checkout c2c2c2c2c2c2 → prod: 10 %: ines let it go on
    """
        + SERVES_50
        + NOW_UNDER_WAY
        + """
    … once: serves 50 %
    """,
        town,
    )


async def test_where_nobody_answers_it_is_taken_back(town: Town) -> None:
    town.metrics.per_second[SITE] = 0.1
    await plays(
        SERVES_10
        + ASKS
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Not judged within 4 min 6 s at 10 %: only 2 of 20 requests. Unknown is not healthy. Nobody answered for 2 min.
    """
        + TAKEN_BACK
        + PLAN_SETTLED,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


async def test_what_proves_itself_late_goes_on_without_anybody(town: Town) -> None:
    town.metrics.per_second[SITE] = 1.5
    await plays(
        SERVES_10
        + """
    bot: • checkout c2c2c2c2c2c2 → prod: Not judged within 2 min 6 s at 10 %: only 18 of 20 requests. Unknown is not healthy. Shall it go on? [Go on] [Abort]
    """
        + WELL_AT_10
        + SERVES_50
        + NOW_UNDER_WAY
        + PLAN_SETTLED
        + """
    … once: serves 50 %
    """,
        town,
    )


async def test_nobody_answers_where_nobody_is_asked(town: Town) -> None:
    await plays(
        AT_10
        + """
    ines: /release continue op_82f3e9c695 reason:I am in a hurry
    bot → ines: Nobody is asked whether it shall go on.
    … once: Nobody is asked
    ines: /release continue op_82f3e9c695
    bot → ines: Say why it may go on: `continue op_1a2b3c4d5e reason:it is a quiet day`.
    … once: Say why
    """,
        town,
    )


async def test_another_question_needs_another_answer(town: Town) -> None:
    trigger = {"signal": "memory_percent", "above": 90, "lasts": "PT1M", "then": "ask"}
    steps = [{"percent": 10, "hold": "PT2M"}, {"percent": 100, "hold": "PT6S"}]
    lenient = {"max_error_percent": 5.0, "min_requests": 20, "give_up_after": "PT1M"}
    town.policies.change(rollout={"steps": steps, "triggers": {"too-hot": trigger}, "health": lenient})
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    town.metrics.per_second[SITE] = 0.01
    await plays(
        ONE_STEP
        + ASKS_OF_MEMORY.replace("5 min", "1 min")
        + NOW_ASKING
        + PLAN_SETTLED
        + """
    … once: Shall it go on
    ines: [Go on] it always does that at first
    bot: @ines lets it go on: it always does that at first
    bot: • checkout c2c2c2c2c2c2 → prod: Not judged within 3 min at 10 %: only … of 20 requests. Unknown is not healthy. Shall it go on? [Go on] [Abort]
    … once: Shall it go on
    ines: [Go on] (first seen) it always does that at first
    bot → ines: That button is old: it answers question 1. Asked now, as question 2: Not judged within 3 min at 10 %: only … of 20 requests. Unknown is not healthy.
    … once: That button is old
    ines: [Go on] it is a quiet day
    bot: @ines lets it go on: it is a quiet day
    bot: • checkout c2c2c2c2c2c2 → prod: 10 %: ines let it go on
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
    bot: • checkout c2c2c2c2c2c2 → prod: too-hot: it uses 93 % of its memory, allowed 90 %, for 3 min 1 s. Shall it go on? [Go on] [Abort]
    … once: serves 100 %
    """,
        town,
    )


# What closes meanwhile ------------------------------------------------------------------------------------------------


HELD = """
    bot: • checkout c2c2c2c2c2c2 → prod: Held at 10 %: window: office_hours is …, closed, next Wed 25 Nov 2026 09:00 CET. What serves is watched meanwhile.
    """
FROM_50 = """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 50 %: healthy over 50 requests, 0.0 % failed, p99 40 ms
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 100 %: healthy over 100 requests, 0.0 % failed, p99 40 ms
    """


@pytest.mark.requirement("S4-135")
async def test_a_window_that_closes_lets_the_step_end_and_no_other_begin(town: Town) -> None:
    town.clock.move(CLOSES - town.clock.now() - timedelta(seconds=7))
    await plays(SERVES_10 + HELD + WELL_AT_10 + SERVES_50 + FROM_50 + LIVE + PLAN_SETTLED, town)
    lines = [
        (at, line.percent) for at, shares in town.runs.places[SITE].since for line in shares if line.revision == NEW
    ]
    assert [percent for _, percent in lines] == [0, 10, 50, 100]
    ten, fifty = lines[1][0], lines[2][0]
    assert ten < CLOSES
    assert fifty >= CLOSES + timedelta(hours=16), "the next morning"


async def test_what_turns_bad_while_it_is_held_goes_back(town: Town) -> None:
    town.clock.move(CLOSES - town.clock.now() - timedelta(seconds=7))
    await plays(
        SERVES_10
        + HELD
        + NOW_UNDER_WAY
        + PLAN_SETTLED
        + """
    … once: Held at 10 %
    """,
        town,
    )
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=40)
    await plays(
        """
    … 2 min later
    bot: ✗ checkout c2c2c2c2c2c2 → prod: … requests failed at 10 % of traffic: 40.0 %, allowed 1 %
    """
        + BAD_TAKEN_BACK,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


async def test_a_freeze_that_begins_meanwhile_holds_it_until_it_ends(town: Town) -> None:
    await plays(
        AT_10
        + """
    ines: /release freeze start checkout prod until:11:00 reason:the bank is down
    bot: …
    bot: • checkout c2c2c2c2c2c2 → prod: Held at 10 %: no-freeze: … the bank is down … What serves is watched meanwhile.
    bot: checkout in prod is open again: the freeze F-e49d63b2a8 by ines ended.
    """
        + WELL_AT_10
        + SERVES_50
        + FROM_50
        + LIVE,
        town,
    )
    fifty = next(
        at for at, lines in town.runs.places[SITE].since for line in lines if (line.revision, line.percent) == (NEW, 50)
    )
    assert fifty >= datetime(2026, 11, 24, 10, 0, tzinfo=UTC), "11:00 in Berlin"


AT_NIGHT = """
    maya: /release exception request checkout prod waive:window until:{until} reason:the fix cannot wait
    bot: …
    omar: [Approve]
    bot: …
    bot now: The exception X-82f3e9c695 for window of checkout in prod is in force.
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: …
    ines: [Approve]
    bot: @ines approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → ines: …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    """


def let_through_at_night(town: Town, uses: int | None = None) -> None:
    """It is evening, the window is closed, and exceptions from it can be had."""
    kind = {"waives": ["window"], "approvals": [{"role": "release_manager"}], "fields": ["reason"], "uses": uses}
    may = {**town.policies.current().policy.may.model_dump(), "exception": ("engineer",)}
    agreed = {"approvals": [{"any_of": ["release_manager", "incident_commander"]}]}
    town.policies.adopt(exceptions={"late": kind}, may=may, to_prod=agreed)
    town.clock.move(CLOSES - town.clock.now() + timedelta(hours=1))


async def test_what_it_began_through_holds_no_later_step(town: Town) -> None:
    """An exception let it begin at night; its use by this very release does not use it up for its next step."""
    let_through_at_night(town, uses=1)
    await plays(
        AT_NIGHT.format(until="23:00")
        + SERVES_10.partition("deployment 16\n")[2]
        + WELL_AT_10
        + SERVES_50
        + FROM_50
        + LIVE.replace(
            "    bot now",
            "    bot now: The exception X-82f3e9c695 for window of checkout in prod is used up.\n    bot now",
        )
        + PLAN_SETTLED.replace("every rule is met", "nothing blocks it; waived: window"),
        town,
    )


async def test_an_exception_that_is_revoked_meanwhile_holds_it_before_the_next_step(town: Town) -> None:
    let_through_at_night(town)
    await plays(
        AT_NIGHT.format(until="23:00")
        + SERVES_10.partition("deployment 16\n")[2]
        + """
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: nothing blocks it; waived: window
    … once: serves 10 %
    omar: /release exception revoke X-82f3e9c695 reason:the fix can wait
    bot: @omar revoked the exception X-82f3e9c695 for window of checkout in prod: the fix can wait
    bot: • checkout c2c2c2c2c2c2 → prod: Held at 10 %: window: office_hours is …, closed, next Wed 25 Nov 2026 09:00 CET; X-82f3e9c695, under which it began, ended. What serves is watched meanwhile.
    bot now: The exception X-82f3e9c695 for window of checkout in prod was revoked.
    … once: Held at 10 %
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 90, NEW: 10}


async def test_an_exception_that_ends_meanwhile_holds_it_before_the_next_step(town: Town) -> None:
    let_through_at_night(town)
    steps = [{"percent": 10, "hold": "PT4M"}, {"percent": 100, "hold": "PT6S"}]
    town.policies.adopt(to_prod={"rollout": {"steps": steps, "health": {"max_error_percent": 5.0, "min_requests": 20}}})
    await plays(
        AT_NIGHT.format(until="18:03")
        + "\n"
        + ONE_STEP.partition("deployment 16\n")[2]
        + """
    bot: The exception X-82f3e9c695 for window of checkout in prod ended: nothing is waived by it any more.
    bot: • checkout c2c2c2c2c2c2 → prod: Held at 10 %: … X-82f3e9c695, under which it began, ended. What serves is watched meanwhile.
    bot now: The exception X-82f3e9c695 for window of checkout in prod has expired.
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: nothing blocks it; waived: window
    … once: Held at 10 %
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 90, NEW: 10}


async def test_a_freeze_from_before_holds_it_once_the_exception_from_it_is_revoked(town: Town) -> None:
    kind = {"waives": ["no-freeze"], "approvals": [{"role": "release_manager"}], "fields": ["reason"]}
    may = {**town.policies.current().policy.may.model_dump(), "exception": ("engineer",)}
    agreed = {"approvals": [{"any_of": ["release_manager", "incident_commander"]}]}
    town.policies.adopt(exceptions={"late": kind}, may=may, to_prod=agreed)
    await plays(
        """
    ines: /release freeze start checkout prod until:16:00 reason:the bank is down
    bot: …
    """
        + AT_NIGHT.format(until="15:00")
        .replace("waive:window", "waive:no-freeze")
        .replace("for window", "for no-freeze")
        .replace("X-82f3e9c695", "X-…")
        + SERVES_10.partition("deployment 16\n")[2]
        + """
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    bot now: Plan for checkout c2c2c2c2c2c2 → prod: nothing blocks it; waived: no-freeze
    … once: serves 10 %
    """,
        town,
    )
    async with Bot(town) as bot:
        (record,) = await bot.store.exceptions(town.clock.now())
        await bot.store.commit(Writes(exceptions=(replace(record, revoked_at=town.clock.now()),)))
        await bot.rests(lambda: any("Held at 10 %" in message.now["text"] for message in town.slack.messages))
    assert (
        town.slack.messages[-1]
        .now["text"]
        .endswith(
            f"the bank is down (F-82f3e9c695); {record.id}, under which it began, ended. What serves is watched meanwhile."
        )
    )
    assert town.runs.traffic("checkout") == {OLD: 90, NEW: 10}


# What stays closed ----------------------------------------------------------------------------------------------------


def held_for_an_hour_at_most(town: Town) -> None:
    steps = [{"percent": 10, "hold": "PT6S"}, {"percent": 100, "hold": "PT6S"}]
    lenient = {"max_error_percent": 5.0, "min_requests": 20}
    town.policies.adopt(to_prod={"rollout": {"steps": steps, "health": lenient, "held_at_most": "PT1H"}})


async def test_what_opens_later_than_the_policy_waits_is_asked_about_at_once(town: Town) -> None:
    held_for_an_hour_at_most(town)
    town.clock.move(CLOSES - town.clock.now() - timedelta(seconds=7))
    await plays(
        ONE_STEP
        + """
    bot: • checkout c2c2c2c2c2c2 → prod: Held at 10 %: window: office_hours is …, closed, next Wed 25 Nov 2026 09:00 CET. That is later than 1 h. Shall it wait on? [Wait on] [Abort]
    """
        + NOW_UNDER_WAY.replace("[Pause]", "[Wait on]")
        + PLAN_SETTLED
        + """
    … once: Shall it wait on
    """,
        town,
    )


async def test_what_is_held_for_long_is_asked_about_again_and_again_until_somebody_ends_it(town: Town) -> None:
    held_for_an_hour_at_most(town)
    await plays(
        ONE_STEP
        + NOW_UNDER_WAY
        + PLAN_SETTLED
        + """
    … once: serves 10 %
    ines: /release freeze start checkout prod until:23:00 reason:the bank is down
    bot: …
    bot: • checkout c2c2c2c2c2c2 → prod: Held at 10 %: no-freeze: … the bank is down … That is later than 1 h. Shall it wait on? [Wait on] [Abort]
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Wait on] [Abort]
    … once: Shall it wait on
    maya: [Wait on] the bank will be back
    bot: @maya lets it wait on: the bank will be back
    bot: • checkout c2c2c2c2c2c2 → prod: Held at 10 %: no-freeze: … the bank is down … What serves is watched meanwhile.
    bot: • checkout c2c2c2c2c2c2 → prod: Held at 10 %: no-freeze: … So it has been for 1 h. Shall it wait on? [Wait on] [Abort]
    … once: Shall it wait on
    dan: /release status checkout
    bot → dan: Status of checkout: 1 under way or waiting, frozen.
         …
         • op_82f3e9c695 checkout c2c2c2c2c2c2 → prod: held at 10 % of traffic since Tue 24 Nov 2026 09:00 UTC: no-freeze: … the bank is down …, asked by maya
         …
    bot: • checkout c2c2c2c2c2c2 → prod: Held at 10 %: no-freeze: … So it has been for 2 h. Shall it wait on? [Wait on] [Abort]
    … once: Shall it wait on
    ines: [Abort]
    bot: @ines aborted it: traffic goes back.
    bot: ✗ checkout c2c2c2c2c2c2 → prod: ines aborted it.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took 2 h …
    bot now: checkout c2c2c2c2c2c2 → prod was taken back.
    """,
        town,
    )


# Triggers of the policy -----------------------------------------------------------------------------------------------


ONE_STEP = """
    maya: /release promote checkout stage→prod
    bot: checkout c2c2c2c2c2c2 → prod is waiting for approval. [Approve] [Reject] [Cancel]
    bot: Plan for checkout c2c2c2c2c2c2 → prod: 2 of 14 rules not met (second-person, approvals) [Approve] [Reject] [Cancel]
    omar: [Approve]
    bot: @omar approved checkout c2c2c2c2c2c2 → prod. Checking everything again.
    bot → omar: Your approval of checkout c2c2c2c2c2c2 → prod is recorded.
    bot: ✓ checkout c2c2c2c2c2c2 → prod: recorded as GitHub deployment 16
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 is deployed at 0 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: no smoke test is asked for
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 10 %
    """


def watched(town: Town, hold: str = "PT1H", **trigger: Any) -> None:
    """The path to production has one trigger, and holds 10 % for so long."""
    steps = [{"percent": 10, "hold": hold}, {"percent": 100, "hold": "PT6S"}]
    lenient = {"max_error_percent": 5.0, "min_requests": 20}
    town.policies.change(rollout={"steps": steps, "triggers": {"too-hot": trigger}, "health": lenient})


def held_for(town: Town) -> timedelta:
    """How long the candidate had 10 % of the traffic."""
    since = next(
        at for at, lines in town.runs.places[SITE].since for line in lines if (line.revision, line.percent) == (NEW, 10)
    )
    return next(at for at, _ in town.runs.places[SITE].since if at > since) - since


@pytest.mark.parametrize(
    ("signal", "value", "above", "minutes", "says"),
    [
        pytest.param("memory_percent", 93, 90, 5, "it uses 93 % of its memory, allowed 90 %, for 5 min", marks=pytest.mark.requirement("S3-40")),
        pytest.param("cpu_percent", 85, 80, 10, "it uses 85 % of its processors, allowed 80 %, for 10 min", marks=pytest.mark.requirement("S3-41")),
        pytest.param("p99_ms", 620, 500, 5, "its p99 is 620 ms, allowed 500 ms, for 5 min", marks=pytest.mark.requirement("S3-39")),
        pytest.param("error_percent", 1.2, 1, 5, "1.20 % of its answers fail, allowed 1 %, for 5 min", marks=pytest.mark.requirement("S3-38")),
    ],
)  # fmt: skip
async def test_too_much_for_too_long_takes_it_back(
    town: Town, signal: str, value: float, above: float, minutes: int, says: str
) -> None:
    watched(town, signal=signal, above=above, lasts=f"PT{minutes}M")
    town.metrics.becomes(NEW, Signal(signal), value)
    await plays(
        ONE_STEP
        + f"""
    bot: ✗ checkout c2c2c2c2c2c2 → prod: too-hot: {says}
    """
        + BAD_TAKEN_BACK
        + PLAN_SETTLED,
        town,
    )
    assert timedelta(minutes=minutes) <= held_for(town) <= timedelta(minutes=minutes, seconds=30)
    assert town.runs.traffic("checkout") == {OLD: 100}


async def test_what_is_exactly_at_the_bound_is_not_too_much(town: Town) -> None:
    watched(town, hold="PT10M", signal="memory_percent", above=93, lasts="PT5M")
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(ONE_STEP + WELL_AT_10 + FROM_50.split("\n", 2)[2].join(("\n", "")) + LIVE + PLAN_SETTLED, town)


# Steps with probes of their own, and blue beside green ----------------------------------------------------------------


@pytest.mark.requirement("S3-26")
async def test_after_a_step_its_own_probes_must_pass(town: Town) -> None:
    steps = [{"percent": 10, "hold": "PT6S", "probes": "health"}, {"percent": 100, "hold": "PT6S"}]
    lenient = {"max_error_percent": 5.0, "min_requests": 20}
    town.policies.adopt(
        probes={"health": [{"path": "/healthz"}]}, to_prod={"rollout": {"steps": steps, "health": lenient}}
    )
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        ONE_STEP
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: After 10 % its probes failed: /healthz 503
    """
        + BAD_TAKEN_BACK
        + PLAN_SETTLED,
        town,
    )


GREEN_UP = ONE_STEP.partition("    bot: ✓ checkout c2c2c2c2c2c2 → prod: no smoke")[0]


def blue_green(town: Town, within: str = "PT2M", **more: Any) -> None:
    lenient = {"max_error_percent": 5.0, "min_requests": 20}
    rollout = {"style": "blue_green", "smoke": [{"path": "/healthz"}], "deploy_within": within, "health": lenient}
    town.policies.change(rollout={**rollout, **more})


@pytest.mark.requirement("S3-11")
async def test_green_stands_beside_blue_until_it_is_well_and_then_has_everything(town: Town) -> None:
    blue_green(town)
    await plays(
        GREEN_UP
        + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×1
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 100 %: healthy over … requests, 0.0 % failed, p99 40 ms
    """
        + LIVE
        + PLAN_SETTLED,
        town,
    )
    shares = [line.percent for _, lines in town.runs.places[SITE].since for line in lines if line.revision == NEW]
    assert shares == [0, 100]


@pytest.mark.requirement("S3-13")
async def test_green_that_is_not_well_in_time_never_gets_traffic(town: Town) -> None:
    blue_green(town)
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        GREEN_UP
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Smoke test failed: GET /healthz gave 503, expected 200
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod failed. It took 2 min … [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod failed. [Lift the hold]
    """
        + PLAN_SETTLED,
        town,
    )
    assert not any(line.revision == NEW and line.percent for _, lines in town.runs.places[SITE].since for line in lines)


@pytest.mark.requirement("S3-12")
async def test_green_that_is_well_just_after_its_time_never_gets_traffic(town: Town) -> None:
    blue_green(town)
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    deadline, asks = town.clock.now() + timedelta(minutes=2), town.probes.probe

    async def answers(address: str, probe: PlannedProbe) -> Probed:
        """It is well from the very end of its time on; its answer takes a second."""
        if town.clock.now() >= deadline - timedelta(seconds=1):
            town.runs.behaviours[digest("checkout", 2)] = Behaviour()
            town.clock.move(timedelta(seconds=2))
        return await asks(address, probe)

    town.probes.probe = answers  # type: ignore[method-assign]
    await plays(
        GREEN_UP
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: It answered as it should only after 2 min …, and had 2 min
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod failed. It took 2 min … [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod failed. [Lift the hold]
    """
        + PLAN_SETTLED,
        town,
    )
    assert not any(line.revision == NEW and line.percent for _, lines in town.runs.places[SITE].since for line in lines)


# What we ask ourselves proves nothing about others ---------------------------------------------------------------------


def probed_each_second(town: Town, **trigger: Any) -> None:
    """Its own probes are many more than the requests of people."""
    asked = {"path": "/", "expect": [503], "repeat": 10}
    probes = {"signal": "probes", "probes": "closed", "in_a_row": 3, "every": "PT1S"}
    steps = [{"percent": 10, "hold": "PT30S"}, {"percent": 100, "hold": "PT6S"}]
    lenient = {"max_error_percent": 5.0, "min_requests": 20, "give_up_after": "PT1M"}
    triggers = {"unwell": probes, **({"too-many": trigger} if trigger else {})}
    rollout = {"steps": steps, "health": lenient, "triggers": triggers}
    town.policies.adopt(probes={"closed": [asked]}, to_prod={"rollout": rollout})
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(root=503)


async def test_what_probes_expect_is_not_held_against_the_release(town: Town) -> None:
    """A page that is closed on purpose answers 503; of those, three hundred come in half a minute."""
    probed_each_second(town, signal="error_percent", above=1, lasts="PT5S")
    town.metrics.per_second[SITE] = 20
    await plays(
        ONE_STEP
        + WELL_AT_10
        + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
    """
        + NOW_UNDER_WAY
        + PLAN_SETTLED
        + """
    … once: serves 100 %
    """,
        town,
    )


async def test_what_green_answered_before_it_was_well_is_not_held_against_it(town: Town) -> None:
    """The smoke test asked it ten times a second until it was well; the next second it has all the traffic."""
    smoke = [{"path": "/healthz", "repeat": 10}]
    blue_green(town, smoke=smoke, triggers={"too-many": {"signal": "error_percent", "above": 1, "lasts": "PT5S"}})
    town.policies.adopt(measure={"resolution": "PT10S", "delay": "PT0S"})
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    well, asks = town.clock.now() + timedelta(minutes=1), town.probes.probe

    async def answers(address: str, probe: PlannedProbe) -> Probed:
        if town.clock.now() >= well:
            town.runs.behaviours[digest("checkout", 2)] = Behaviour()
        return await asks(address, probe)

    town.probes.probe = answers  # type: ignore[method-assign]
    await plays(
        GREEN_UP
        + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: smoke test passed: GET /healthz 200 ×10
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 100 %: healthy over … requests, 0.0 % failed, p99 40 ms
    """
        + LIVE
        + PLAN_SETTLED,
        town,
    )


async def test_probes_are_not_among_the_requests_that_prove_it_well(town: Town) -> None:
    probed_each_second(town)
    town.metrics.per_second[SITE] = 0.1
    await plays(
        ONE_STEP
        + """
    bot: • checkout c2c2c2c2c2c2 → prod: Not judged within 1 min 30 s at 10 %: only 0 of 20 requests. Unknown is not healthy. Shall it go on? [Go on] [Abort]
    """
        + NOW_ASKING
        + PLAN_SETTLED
        + """
    … once: Shall it go on
    """,
        town,
    )


ASKS_OF_MEMORY = """
    bot: • checkout c2c2c2c2c2c2 → prod: too-hot: it uses 93 % of its memory, allowed 90 %, for 5 min. Shall it go on? [Go on] [Abort]
    """


async def test_a_trigger_that_asks_is_answered_before_the_next_step(town: Town) -> None:
    watched(town, hold="PT6M", signal="memory_percent", above=90, lasts="PT5M", then="ask")
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        ONE_STEP
        + ASKS_OF_MEMORY
        + NOW_ASKING
        + PLAN_SETTLED
        + """
    … once: Shall it go on
    ines: [Go on] it always does that at first
    bot: @ines lets it go on: it always does that at first
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy over … requests, 0.0 % failed, p99 40 ms
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 100 %
    bot: …
    … once: serves 100 %
    """,
        town,
    )
    assert held_for(town) >= timedelta(minutes=6)


async def test_a_trigger_that_nobody_answers_takes_it_back(town: Town) -> None:
    watched(town, hold="PT6M", signal="memory_percent", above=90, lasts="PT5M", then="ask")
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        ONE_STEP
        + ASKS_OF_MEMORY
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: too-hot: it uses 93 % of its memory, allowed 90 %, for 5 min. Nobody answered for 30 min.
    """
        + TAKEN_BACK
        + PLAN_SETTLED,
        town,
    )


async def test_what_is_held_is_probed_at_its_own_pace(town: Town) -> None:
    """Three failures five seconds apart take fifteen seconds, not three looks a minute apart."""
    trigger = {"signal": "probes", "probes": "health", "in_a_row": 3, "every": "PT5S"}
    rollout = {"triggers": {"unwell": trigger}, "health": {"max_error_percent": 5.0, "min_requests": 20}}
    steps = [{"percent": 10, "hold": "PT6S"}, {"percent": 100, "hold": "PT6S"}]
    town.policies.adopt(probes={"health": [{"path": "/healthz"}]}, to_prod={"rollout": {**rollout, "steps": steps}})
    town.clock.move(CLOSES - town.clock.now() - timedelta(seconds=7))
    await plays(
        ONE_STEP
        + HELD
        + NOW_UNDER_WAY
        + PLAN_SETTLED
        + """
    … once: Held at 10 %
    """,
        town,
    )
    began = town.clock.now()
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(healthz=503)
    await plays(
        """
    … 1 s later
    bot: ✗ checkout c2c2c2c2c2c2 → prod: unwell: its probes failed 3 times in a row (/healthz 503)
    """
        + BAD_TAKEN_BACK,
        town,
    )
    back = next(at for at, lines in town.runs.places[SITE].since if at > began and lines[0].revision == OLD)
    assert back - began < timedelta(seconds=30)


async def test_what_few_requests_say_fires_no_trigger(town: Town) -> None:
    watched(town, hold="PT6M", signal="error_percent", above=1, lasts="PT5M", min_requests=1_000_000)
    town.metrics.becomes(NEW, Signal.ERROR_PERCENT, 1.2)
    await plays(
        ONE_STEP
        + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy over … requests, …
    """
        + NOW_UNDER_WAY
        + PLAN_SETTLED
        + """
    … once: 10 %: healthy over
    """,
        town,
    )


async def test_a_step_can_want_more_requests_than_the_others(town: Town) -> None:
    """At 10 % two a second come: sixty take half a minute, and the health's twenty would take ten seconds."""
    steps = [{"percent": 10, "hold": "PT6S", "min_requests": 60}, {"percent": 100, "hold": "PT6S"}]
    town.policies.change(rollout={"steps": steps, "health": {"max_error_percent": 5.0, "min_requests": 20}})
    await plays(ONE_STEP + WELL_AT_10 + "\n" + FROM_50.partition("p99 40 ms\n")[2] + LIVE + PLAN_SETTLED, town)
    assert held_for(town) >= timedelta(seconds=30)
