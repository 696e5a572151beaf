"""While it is under way: held, let go on, aborted, and moved by somebody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from commands import tell
from commands.answer import answer
from commands.carry_out import advance
from commands.operation import Phase, Wish
from commands.ports import Entry, EntryPhase, Request, Signal, Writes
from tests.commands.test_promote import AT_10, LIVE, ON_TO_100, PLAN_SETTLED, SERVES_10, TAKEN_BACK
from tests.commands.test_rollout import ASKS, BAD_TAKEN_BACK, NOW_ASKING, NOW_UNDER_WAY, ONE_STEP, watched
from tests.conversation import Bot, plays
from tests.world import Behaviour, Town, digest, revision_of, site_of

OLD, NEW = revision_of("checkout", 1), revision_of("checkout", 2)
PAUSED = """
    maya: [Pause]
    bot: @maya paused it: traffic stays as it is.
    bot now: checkout c2c2c2c2c2c2 → prod is held where it is. [Resume] [Abort]
    """
RESUMED = """
    maya: [Resume]
    bot: @maya resumed it.
    """


async def test_the_buttons_change_before_the_one_who_runs_it_has_noticed(town: Town) -> None:
    await plays(
        AT_10
        + PAUSED
        + """
    … once: paused it
    maya: [Abort]
    bot: @maya aborted it: traffic goes back.
    bot now: checkout c2c2c2c2c2c2 → prod is being aborted.
    … once: aborted it
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 90, NEW: 10}


# Held ---------------------------------------------------------------------------------------------------------------


async def test_what_turns_bad_while_it_is_held_goes_back_and_nobody_has_to_resume_it(town: Town) -> None:
    await plays(
        SERVES_10
        + """
    bot: ✓ checkout c2c2c2c2c2c2 → prod: 10 %: healthy …
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c2c2c2c2c2c2 serves 50 %
    bot now: checkout c2c2c2c2c2c2 → prod is under way. [Pause] [Abort]
    """
        + PLAN_SETTLED
        + """
    … once: serves 50 %
    """
        + PAUSED,
        town,
    )
    town.runs.behaviours[digest("checkout", 2)] = Behaviour(error_percent=50)
    await plays(
        """
    … 10 s later
    bot: ✗ checkout c2c2c2c2c2c2 → prod: … requests failed at 50 % of traffic: 50.0 %, allowed 1 %
    bot: ✓ checkout c2c2c2c2c2c2 → prod: checkout-r-c1c1c1c1c1c1 (c1c1c1c1c1c1) serves 100 % again
    bot: checkout c2c2c2c2c2c2 → prod was taken back. It took … [Lift the hold]
    bot now: checkout c2c2c2c2c2c2 → prod was taken back. [Lift the hold]
    """,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


async def test_the_time_of_a_pause_does_not_count_for_the_hold(town: Town) -> None:
    await plays(
        AT_10
        + PAUSED
        + """
    … 2 h later
    """,
        town,
    )
    resumed_at = town.clock.now()
    await plays(RESUMED + ON_TO_100 + LIVE, town)
    fifty_at = next(at for at, lines in town.runs.places[site_of("checkout")].since if lines[0].percent == 50)
    assert fifty_at - resumed_at > timedelta(seconds=5), "of its 6 s at 10 % hardly one had passed"


async def test_a_pause_counts_from_when_it_was_said_though_nobody_looked_for_long(town: Town) -> None:
    await plays(AT_10 + PAUSED + "… once: paused it", town)
    town.clock.move(timedelta(hours=2))
    await plays("… 1 s later", town)
    resumed_at = town.clock.now()
    await plays(RESUMED + ON_TO_100 + LIVE, town)
    fifty_at = next(at for at, lines in town.runs.places[site_of("checkout")].since if lines[0].percent == 50)
    assert fifty_at - resumed_at > timedelta(seconds=5), "of its 6 s at 10 % hardly one had passed"


async def test_the_time_of_a_pause_does_not_count_for_giving_up(town: Town) -> None:
    await plays(AT_10 + PAUSED, town)
    town.metrics.silent = True
    await plays(
        """
    … 2 h later
    """
        + RESUMED
        + """
    bot: • checkout c2c2c2c2c2c2 → prod: Not judged within 2 min 6 s at 10 %: only 0 of 20 requests. Unknown is not healthy. Shall it go on? [Go on] [Abort]
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Not judged within 4 min 6 s at 10 %: only 0 of 20 requests. Unknown is not healthy. Nobody answered for 2 min.
    """
        + TAKEN_BACK,
        town,
    )


async def test_a_trigger_takes_back_what_is_held(town: Town) -> None:
    watched(town, signal="memory_percent", above=90, lasts="PT5M")
    at_10 = ONE_STEP + NOW_UNDER_WAY + PLAN_SETTLED + "… once: serves 10 %"
    await plays(at_10 + PAUSED, town)
    town.metrics.becomes(NEW, Signal.MEMORY_PERCENT, 93.0)
    await plays(
        """
    … 7 min later
    bot: ✗ checkout c2c2c2c2c2c2 → prod: too-hot: it uses 93 % of its memory, allowed 90 %, for …
    """
        + BAD_TAKEN_BACK,
        town,
    )
    assert town.runs.traffic("checkout") == {OLD: 100}


async def test_who_is_asked_has_the_time_of_a_pause_besides(town: Town) -> None:
    town.metrics.per_second[site_of("checkout")] = 0.1
    await plays(
        SERVES_10
        + ASKS
        + NOW_ASKING
        + PLAN_SETTLED
        + """
    … once: Shall it go on
    """
        + PAUSED
        + """
    ines: /release continue op_82f3e9c695 reason:it is a quiet day
    bot → ines: It is paused: `resume op_82f3e9c695` comes first.
    … 2 h later
    """,
        town,
    )
    await plays(
        RESUMED
        + """
    bot: ✗ checkout c2c2c2c2c2c2 → prod: Not judged within 4 min 6 s at 10 %: only … of 20 requests. Unknown is not healthy. Nobody answered for 2 min.
    """
        + TAKEN_BACK,
        town,
    )


async def test_an_answer_that_comes_too_late_lets_nothing_through(town: Town) -> None:
    """The step that people were asked about was over when they pressed; about this one nobody was asked."""
    await plays(AT_10, town)
    async with Bot(town) as bot:
        (operation,) = await bot.store.open_operations()
        await bot.store.commit(Writes(wishes=((operation.id, Wish.PROCEED),)))
        for _ in range(3):
            claimed = await bot.store.claim()
            if claimed is not None:
                await bot.store.commit(await advance(claimed[0], claimed[1], bot.world), claimed[1])
        (after,) = await bot.store.open_operations()
    assert (after.wish, [key for key in after.seen if key.startswith("continue")]) == (Wish.RUN, [])


async def test_an_answer_lets_nothing_through_but_what_was_asked(town: Town) -> None:
    """Another question stood there by the time that the answer was heeded."""
    town.metrics.per_second[site_of("checkout")] = 0.1
    await plays(SERVES_10 + ASKS + NOW_ASKING + PLAN_SETTLED + "… once: Shall it go on", town)
    async with Bot(town) as bot:
        (operation,) = await bot.store.open_operations()
        answer = Entry("operation", EntryPhase.RECORD, "continue", await town.people.person("slack:T0ACME/U0INES"))
        told = replace(answer, operation=operation.id, target={"service": "checkout"}, detail={"question": "7"})
        await bot.store.commit(Writes(entries=(told,), wishes=((operation.id, Wish.PROCEED),)))
        for _ in range(3):
            claimed = await bot.store.claim()
            if claimed is not None:
                await bot.store.commit(await advance(claimed[0], claimed[1], bot.world), claimed[1])
        (after,) = await bot.store.open_operations()
    assert (after.wish, [key for key in after.seen if key.startswith("continue")]) == (Wish.RUN, [])
    assert tell.asked(after) == tell.asked(operation)


async def test_who_lets_it_go_on_just_after_somebody_held_it_leaves_the_way_on_in_its_card(town: Town) -> None:
    """What came first stands; so does what its card says, and that it can be resumed."""
    town.metrics.per_second[site_of("checkout")] = 0.1
    await plays(
        SERVES_10
        + ASKS
        + NOW_ASKING
        + PLAN_SETTLED
        + """
    … once: Shall it go on
    """,
        town,
    )
    async with Bot(town) as bot:
        (operation,) = await bot.store.open_operations()
        words = f"continue {operation.id} question:1 reason:quiet"
        late = Request("late", words, town.people.account("ines"), "C0RELEASES")
        await bot.store.take(late, await town.people.person(late.account), answered=False)
        answered = await answer(late, bot.world)
        paused = Request("pause", f"pause {operation.id}", town.people.account("maya"), "C0RELEASES")
        await bot.store.take(paused, await town.people.person(paused.account), answered=False)
        await bot.store.commit(await answer(paused, bot.world))
        await bot.rests()
        await bot.store.commit(answered)
        await bot.says()
        await bot.rests()
        (after,) = await bot.store.open_operations()
        standing = await bot.store.slot(operation.id, "root")
    assert after.wish is Wish.PAUSE
    assert standing is not None
    [card] = [one.now for one in town.slack.messages if one.ts == standing.ts]
    assert [label for label, *_ in card["buttons"]] == ["Resume", "Abort"]


# Moved by somebody else ---------------------------------------------------------------------------------------------


async def test_what_somebody_else_moves_is_theirs(town: Town) -> None:
    await plays(AT_10, town)
    written = len(town.runs.writes)
    theirs = {OLD: 70, NEW: 30}
    town.runs.somebody_moves(site_of("checkout"), **{name.replace("-", "_"): part for name, part in theirs.items()})
    await plays(
        """
    … 1 s later
    bot: checkout c2c2c2c2c2c2 → prod ended in doubt: somebody has to look. It took …
         • Somebody else moved its traffic (70 % checkout-r-c1c1c1c1c1c1, 30 % checkout-r-c2c2c2c2c2c2), so it is theirs now. Look at acme-prod/europe-west1/checkout.
    bot now: checkout c2c2c2c2c2c2 → prod ended in doubt: somebody has to look.
    """,
        town,
    )
    assert len(town.runs.writes) == written
    assert town.runs.traffic("checkout") == theirs


async def test_a_service_that_is_gone_keeps_its_place_from_nobody_for_ever(town: Town) -> None:
    await plays(AT_10, town)
    town.runs.gone.add(site_of("checkout"))
    async with Bot(town) as bot:
        (operation,) = await bot.store.open_operations()
        await bot.rests()
        ended = await bot.store.operation(operation.id)
        holder = await bot.store.holder(operation.place)
    assert ended is not None
    assert (ended.phase, holder) == (Phase.UNCERTAIN, "")
    assert ended.note.endswith("it is not there. Look at acme-prod/europe-west1/checkout.")
    assert timedelta(minutes=15) < town.clock.now() - operation.asked_at < timedelta(minutes=30)


async def test_an_old_answer_now_and_then_is_not_somebody_else(town: Town) -> None:
    await plays(AT_10, town)
    town.runs.stale.extend([True, True, False, True, False])
    await plays(
        """
    … 1 s later
    """
        + ON_TO_100
        + LIVE,
        town,
    )
    assert not town.runs.stale
    assert town.runs.serving("checkout") == digest("checkout", 2)
