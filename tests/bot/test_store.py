from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import migrations
from bot.facts_json import from_json
from bot.ledger import Frontier, leaf_hash
from bot.postgres import WRITERS
from bot.records import REVISIONS
from bot.sqlite import path_of
from bot.store import Store
from commands import ports
from commands.errors import LostLease, Unavailable
from commands.operation import Effect, Operation, Phase, Wish
from commands.ports import EntryPhase, Lease, Message, Taken, Writes
from commands.reply import Reply
from policy.decide import decide
from policy.facts import Freeze, Hold, KnownGood, Verdict
from policy.model import Place, Sha
from tests.bot.books import (
    CHECKOUT,
    GOOD,
    HOUR,
    MAYA,
    OMAR,
    OTHER,
    REFUSED,
    START,
    Hands,
    closed,
    created,
    entry,
    exception,
    fresh,
    in_words_of,
    obligation,
    opened,
    operation,
    outside,
    request,
    unsettled,
    vote,
    with_guard,
    without_guards,
)
from tests.policy.good import ACTIVE, ALL_GOOD, NOW, PROMOTION

pytestmark = pytest.mark.usefixtures("database")

MINUTE = timedelta(minutes=1)
AT_ONCE = timedelta(0)


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """What is on disk, seen from outside."""
    with outside(store._url) as connection:
        return list(connection.execute(sql).fetchall())


async def claimed(store: Store) -> tuple[Operation, Lease]:
    found = await store.claim()
    assert found is not None
    return found


def test_it_is_the_store_that_commands_ask_for(tmp_path: Path) -> None:
    store: ports.Store = closed(fresh(tmp_path))  # the type checker's to prove
    assert isinstance(store, Store)


# Requests -----------------------------------------------------------------------------------------------------------


async def test_what_was_taken_is_in_the_ledger_on_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.take(request(), MAYA, answered=False)
        assert rows(store, "SELECT size FROM ledger_head") == [(1,)]
        assert await store.pending_requests() == (request(),)
        assert store.arrived.is_set()
        (asked,) = await store.newest(10)
        assert (asked.kind, asked.phase, asked.actor, asked.actor_name) == (
            "command",
            EntryPhase.REQUEST,
            MAYA.account,
            "Maya Ng",
        )
        assert asked.private == {"words": "promote checkout stage→prod"}
        assert asked.detail == {"request": "r1", "via": "command", "channel": "C0CHECKOUT"}


async def test_the_same_request_is_taken_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        took = await asyncio.gather(*(store.take(request(), MAYA, answered=False) for _ in range(20)))
        assert sorted(took) == [False] * 19 + [True]
        assert not await store.take(request(), MAYA, answered=True)
        assert rows(store, "SELECT count(*) FROM entries") == [(1,)]
        assert len(await store.pending_requests()) == 1


async def test_what_was_answered_on_the_spot_does_not_wait(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.take(request(), MAYA, answered=True)
        assert await store.pending_requests() == ()
        assert not store.arrived.is_set()


async def test_requests_wait_in_the_order_of_asking(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for id in ("r3", "r1", "r2"):
            await store.take(request(id), MAYA, answered=False)
        assert [each.id for each in await store.pending_requests()] == ["r3", "r1", "r2"]
        assert [each.id for each in await store.pending_requests(2)] == ["r3", "r1"]


async def test_a_request_is_answered_once_and_the_second_answer_writes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.take(request(), MAYA, answered=False)
        await store.commit(created(entries=(entry(operation="op_1"),), answers="r1"))
        assert await store.pending_requests() == ()
        await store.commit(created("op_2", OTHER, entries=(entry(),), answers="r1"))
        assert await store.operation("op_2") is None
        assert rows(store, "SELECT count(*) FROM entries") == [(2,)]
        asked, caused = reversed(await store.newest(2))
        ids = rows(store, "SELECT seq, id, body FROM entries ORDER BY seq")
        assert (asked.seq, caused.seq) == (0, 1)
        assert f'"cause":"{ids[0][1]}"'.encode() in ids[1][2]


async def test_an_answer_to_nothing_is_a_mistake_of_ours(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        with pytest.raises(ValueError, match="never taken"):
            await store.commit(Writes(entries=(entry(),), answers="r9"))


async def test_twenty_people_at_once_are_all_taken_down(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await asyncio.gather(*(store.take(request(f"r{n}"), MAYA, answered=False) for n in range(20)))
        assert len(await store.pending_requests()) == 20
        assert (await store.verify()).problems == ()


# All or nothing -----------------------------------------------------------------------------------------------------


async def test_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        before = rows(store, "SELECT (SELECT size FROM ledger_head), (SELECT count(*) FROM outbox)")
        said = Message("C0CHECKOUT", Reply("hello"))
        with pytest.raises(Taken) as taken:
            await store.commit(created("op_2", entries=(entry(),), messages=(said,), takes=CHECKOUT))
        assert taken.value.operation == "op_1"
        with pytest.raises(LostLease):
            await store.commit(Writes(entries=(entry(),), messages=(said,)), Lease("op_1", 99, 0.0))
        assert rows(store, "SELECT (SELECT size FROM ledger_head), (SELECT count(*) FROM outbox)") == before


async def test_commits_that_share_a_transaction_fail_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        results = await asyncio.gather(
            *(store.commit(created(f"op_{n}", entries=(entry(f"asked {n}"),))) for n in range(10)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [type(None), *[Taken] * 9]
        assert [each.what for each in await store.newest(20)] == ["asked 0"]
        assert (await store.verify()).ok


async def test_a_step_that_fails_after_its_entries_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        good = Writes(entries=(entry("good"),), wakes=("op_1",))
        bad = Writes(entries=(entry("bad"), entry("bad")), votes=(("op_nowhere", vote()),))
        results = await asyncio.gather(
            *(store.commit(bad if n % 3 else good) for n in range(20)), return_exceptions=True
        )
        assert [result is None for result in results] == [n % 3 == 0 for n in range(20)]
        with pytest.raises(REFUSED):
            await store.commit(bad)
        await store.commit(good)
        assert {each.what for each in await store.newest(20)} == {"good"}
        found = await store.verify()
        assert (found.size, found.problems) == (8, ())


async def test_there_is_one_open_operation_for_each_deed_place_and_digest(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created("op_1"))
        with pytest.raises(Taken, match="op_1"):
            await store.commit(created("op_2"))
        await store.commit(created("op_3", OTHER))
        await store.commit(created("op_4", place=Place("search", "prod")))
        found, lease = await claimed(store)
        assert found.id == "op_1"
        await store.commit(Writes(operation=found.ended(Phase.CANCELLED, "no more")), lease)
        await store.commit(created("op_5"))
        assert [each.id for each in await store.open_operations(CHECKOUT)] == ["op_3", "op_5"]


async def test_the_same_operation_is_created_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created("op_1"))
        with pytest.raises(Taken, match="op_1"):
            await store.commit(created("op_1", OTHER))


async def test_an_operation_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    kept = replace(operation(), effect=Effect("shift:1", "handle", START, 2), since=START, reason="ünd so")
    async with opened(tmp_path) as store:
        await store.commit(Writes(operation=kept, creates=True))
        assert await store.operation("op_1") == kept
        assert await store.operation("op") == kept
        assert await store.operation("op_2") is None
        assert await store.operation("") is None
        await store.commit(created("op_12", OTHER))
        assert await store.operation("op") is None
        assert await store.operation("op_1") == kept


# Leases and fences --------------------------------------------------------------------------------------------------


async def test_due_operations_are_claimed_once_each_oldest_first(tmp_path: Path) -> None:
    clock = Hands()
    async with opened(tmp_path, clock) as store:
        await store.commit(created("op_1", due=2 * MINUTE))
        await store.commit(created("op_2", OTHER, due=MINUTE))
        await store.commit(created("op_3", place=Place("search", "prod"), due=None))
        assert await store.claim() is None
        assert await store.next_due() == 60.0
        clock.move(2 * MINUTE)
        assert await store.next_due() == 0.0
        (one, first), (two, second) = await claimed(store), await claimed(store)
        assert (one.id, two.id) == ("op_2", "op_1")
        assert (one.fence, two.fence) == (first.fence, second.fence)
        assert 0 < first.fence < second.fence
        assert await store.claim() is None


async def test_books_begun_anew_draw_larger_fences_than_those_that_were_lost(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    began = int(time.time())
    new = f"sqlite:///{tmp_path}/new.db"
    url = new if database == "sqlite" else request.getfixturevalue("postgres").empty()
    migrations.upgrade(url)
    with outside(url) as connection:
        (drawn,) = connection.execute("SELECT n FROM fences").fetchone()
    assert began - 1 <= drawn <= time.time() + 1
    async with closed(url) as store:
        await store.commit(created())
        _, lease = await claimed(store)
        assert lease.fence > drawn


async def test_books_restored_from_an_old_copy_draw_larger_fences_than_those_drawn_since(
    tmp_path: Path, database: str
) -> None:
    url = fresh(tmp_path)
    with outside(url) as connection:
        as_a_day_ago = "UPDATE fences SET n = n - 86400"
        for statement in (
            *without_guards(database, "fences_grow"), as_a_day_ago, *with_guard(database, "fences_grow"),
        ):  # fmt: skip
            connection.execute(statement)
        connection.commit()
    drawn_since = int(time.time()) - 3600
    async with closed(url) as store:
        await store.commit(created())
        _, lease = await claimed(store)
        assert lease.fence > drawn_since


async def test_two_stores_on_one_file_never_claim_the_same(tmp_path: Path) -> None:
    url = fresh(tmp_path)
    places = [Place(f"s{n}", "prod") for n in range(12)]
    async with closed(url) as one, closed(url) as other:
        for place in places:
            await one.commit(created(f"op_{place.service}", place=place))
        found = await asyncio.gather(*(store.claim() for _ in range(12) for store in (one, other)))
        leases = [each[1] for each in found if each is not None]
        assert len(leases) == len({lease.operation for lease in leases}) == len({lease.fence for lease in leases}) == 12
        assert (await other.verify()).ok


async def test_a_lease_that_ran_out_is_claimed_by_somebody_else_and_its_writes_come_too_late(tmp_path: Path) -> None:
    url = fresh(tmp_path)
    async with closed(url, lease=0.0) as dead, closed(url) as alive:
        await dead.commit(created())
        found, old = await claimed(dead)
        _, new = await claimed(alive)
        assert new.fence > old.fence
        for late in (
            dead.commit(Writes(operation=replace(found, note="late")), old),
            dead.commit(Writes(entries=(entry("late"),)), old),
            dead.give_up(old, AT_ONCE, "late"),
        ):
            with pytest.raises(LostLease):
                await late
        with pytest.raises(LostLease):
            await dead.heartbeat(old)
        await dead.let_go(found, old)
        assert await alive.claim() is None
        await alive.commit(Writes(operation=replace(found, note="in time")), new)
        kept = await alive.operation("op_1")
        assert kept is not None
        assert kept.note == "in time"
        assert await alive.newest(5) == ()


async def test_a_step_that_goes_on_at_once_keeps_its_lease_and_any_other_gives_it_up(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        found, lease = await claimed(store)
        going = await store.carry_on(Writes(operation=replace(found, note="one"), due=AT_ONCE), lease)
        assert going is not None
        assert (going[0].note, going[1].fence) == ("one", lease.fence)
        assert going[1].ends >= lease.ends
        assert await store.claim() is None
        assert await store.carry_on(Writes(operation=going[0], due=MINUTE), going[1]) is None
        assert await store.next_due() == 60.0


async def test_who_takes_a_place_goes_on_under_a_fence_newer_than_that_of_its_last_holder(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created("op_1", due=AT_ONCE))
        found, lease = await claimed(store)
        await store.commit(created("op_2", OTHER, due=AT_ONCE, takes=CHECKOUT))
        holder, newest = await claimed(store)
        assert newest.fence > lease.fence
        await store.commit(Writes(operation=holder, leaves=CHECKOUT), newest)
        going = await store.carry_on(Writes(operation=found, due=AT_ONCE, takes=CHECKOUT), lease)
        assert going is not None
        operation, mine = going
        assert await store.holder(CHECKOUT) == mine.operation == "op_1"
        assert operation.fence == mine.fence > newest.fence
        assert await store.claim() is None
        with pytest.raises(LostLease):
            await store.heartbeat(lease)
        await store.heartbeat(mine)


async def test_a_place_is_one_operations_until_it_leaves_and_then_the_others_are_woken(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created("op_1", due=AT_ONCE))
        await store.commit(created("op_2", OTHER, due=None))
        found, lease = await claimed(store)
        await store.commit(Writes(operation=found, takes=CHECKOUT, wakes=("op_2",)), lease)
        waiting, other = await claimed(store)
        with pytest.raises(Taken, match="op_1"):
            await store.commit(Writes(operation=waiting, takes=CHECKOUT), other)
        await store.commit(Writes(operation=waiting), other)
        await store.commit(Writes(wakes=("op_1",)))
        found, lease = await claimed(store)
        await store.commit(Writes(operation=found.ended(Phase.FAILED, "so it goes")), lease)
        assert await store.holder(CHECKOUT) == ""
        waiting, other = await claimed(store)
        assert waiting.id == "op_2"
        await store.commit(Writes(operation=waiting, takes=CHECKOUT, due=None), other)
        assert await store.holder(CHECKOUT) == "op_2"


async def test_leaving_a_place_lets_go_of_that_place(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created("op_1", takes=CHECKOUT))
        found, lease = await claimed(store)
        await store.commit(Writes(operation=found, leaves=Place("search", "prod"), due=AT_ONCE), lease)
        assert await store.holder(CHECKOUT) == "op_1"
        await store.commit(Writes(operation=found, leaves=CHECKOUT, due=AT_ONCE), lease)
        assert await store.holder(CHECKOUT) == ""


async def test_a_click_between_looking_and_committing_is_not_slept_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        found, lease = await claimed(store)
        assert await store.votes("op_1") == ()  # the step looks: nobody has voted
        await store.commit(Writes(votes=(("op_1", vote()),)))  # the click lands meanwhile
        await store.commit(Writes(operation=found, due=None), lease)  # the step means to sleep
        woken, _ = await claimed(store)
        assert woken.wake == found.wake + 1
        assert [each.voter.account for each in await store.votes("op_1")] == [OMAR.account]


async def test_a_wish_preempts_whoever_runs_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        found, lease = await claimed(store)
        store.changed.clear()
        await store.commit(Writes(wishes=(("op_1", Wish.ABORT),)))
        assert store.changed.is_set()
        with pytest.raises(LostLease):
            await store.heartbeat(lease)
        with pytest.raises(LostLease):
            await store.commit(Writes(operation=found, due=AT_ONCE), lease)
        again, newer = await claimed(store)
        assert (again.wish, newer.fence > lease.fence) == (Wish.ABORT, True)
        await store.commit(Writes(operation=again.ended(Phase.CANCELLED, "aborted")), newer)
        await store.commit(Writes(wishes=(("op_1", Wish.RUN),)))
        over = await store.operation("op_1")
        assert over is not None
        assert (over.wish, over.over) == (Wish.ABORT, True)
        assert await store.claim() is None


@pytest.mark.parametrize("first", [Wish.ABORT, Wish.CANCEL, Wish.YIELD])
@pytest.mark.parametrize("second", [Wish.RUN, Wish.PAUSE])
async def test_who_says_go_on_or_pause_right_after_an_abort_does_not_take_it_back(
    tmp_path: Path, first: Wish, second: Wish
) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        await store.commit(Writes(wishes=(("op_1", Wish.PAUSE),)))
        await store.commit(Writes(wishes=(("op_1", first),)))
        await store.commit(Writes(wishes=(("op_1", second),), entries=(entry("pause"),)))
        found, lease = await claimed(store)
        assert found.wish is first
        assert [each.what for each in await store.newest(1)] == ["pause"]  # the rest of the commit stands
        await store.commit(Writes(operation=replace(found, wish=Wish.RUN), due=HOUR), lease)  # its runner has heeded it
        await store.commit(Writes(wishes=(("op_1", second),)))
        after = await store.operation("op_1")
        assert after is not None
        assert after.wish is second


@pytest.mark.parametrize(
    ("first", "second", "stands"),
    [
        (Wish.RUN, Wish.PROCEED, Wish.PROCEED),
        (Wish.PAUSE, Wish.PROCEED, Wish.PAUSE),
        (Wish.ABORT, Wish.PROCEED, Wish.ABORT),
        (Wish.YIELD, Wish.PROCEED, Wish.YIELD),
        (Wish.PROCEED, Wish.PAUSE, Wish.PAUSE),
        (Wish.PROCEED, Wish.RUN, Wish.PROCEED),
        (Wish.PROCEED, Wish.ABORT, Wish.ABORT),
        (Wish.PROCEED, Wish.LEAVE, Wish.LEAVE),
        (Wish.PAUSE, Wish.LEAVE, Wish.LEAVE),
        (Wish.ABORT, Wish.LEAVE, Wish.ABORT),
        (Wish.YIELD, Wish.LEAVE, Wish.YIELD),
        (Wish.LEAVE, Wish.PAUSE, Wish.LEAVE),
        (Wish.LEAVE, Wish.RUN, Wish.LEAVE),
        (Wish.LEAVE, Wish.ABORT, Wish.ABORT),
        (Wish.LEAVE, Wish.YIELD, Wish.YIELD),
    ],
)
async def test_letting_it_go_on_or_leaving_it_takes_back_no_abort_and_no_pause(
    tmp_path: Path, first: Wish, second: Wish, stands: Wish
) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        await store.commit(Writes(wishes=(("op_1", first),)))
        await store.commit(Writes(wishes=(("op_1", second),)))
        found = await store.operation("op_1")
        assert found is not None
        assert found.wish is stands


async def test_an_abort_replaces_every_other_wish(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        for wish in (Wish.PAUSE, Wish.RUN, Wish.YIELD, Wish.ABORT):
            await store.commit(Writes(wishes=(("op_1", wish),)))
            found = await store.operation("op_1")
            assert found is not None
            assert found.wish is wish


async def test_a_step_that_failed_is_due_again_later_and_counted(tmp_path: Path) -> None:
    clock = Hands()
    async with opened(tmp_path, clock) as store:
        await store.commit(created())
        _, lease = await claimed(store)
        await store.give_up(lease, MINUTE, "no answer")
        assert await store.claim() is None
        clock.move(MINUTE)
        found, lease = await claimed(store)
        assert found.attempts == 1
        await store.commit(Writes(operation=found, due=AT_ONCE), lease)
        kept = await store.operation("op_1")
        assert kept is not None
        assert kept.attempts == 0


async def test_a_lease_given_back_is_free_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        found, lease = await claimed(store)
        await store.let_go(found, lease)
        again, newer = await claimed(store)
        assert (again.attempts, newer.fence > lease.fence) == (0, True)


async def test_a_lease_given_back_for_later_is_due_now_if_something_happened(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        found, lease = await claimed(store)
        await store.let_go(found, lease, MINUTE)
        assert await store.claim() is None
        await store.commit(Writes(wakes=("op_1",)))
        found, lease = await claimed(store)
        await store.commit(Writes(wakes=("op_1",)))
        await store.let_go(found, lease, MINUTE)
        await claimed(store)


async def test_a_heartbeat_keeps_others_out(tmp_path: Path) -> None:
    async with opened(tmp_path, lease=30.0) as store:
        await store.commit(created())
        _, lease = await claimed(store)
        longer = await store.heartbeat(lease)
        assert longer.fence == lease.fence
        assert longer.ends >= lease.ends
        assert longer.outlives(20)
        assert await store.claim() is None


async def test_who_is_alone_takes_over_what_a_dead_process_held(tmp_path: Path) -> None:
    url = fresh(tmp_path)
    async with closed(url) as dead, closed(url) as alone:
        await dead.commit(created("op_1"))
        await dead.commit(created("op_2", OTHER, due=HOUR))
        found, lease = await claimed(dead)
        assert await alone.claim() is None
        await alone.take_over()
        again, newer = await claimed(alone)
        assert (again.id, newer.fence > lease.fence) == ("op_1", True)
        assert await alone.claim() is None
        with pytest.raises(LostLease):
            await dead.commit(Writes(operation=found, due=AT_ONCE), lease)


async def test_an_operation_changes_only_under_its_own_lease(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created("op_1"))
        await store.commit(created("op_2", OTHER))
        found, lease = await claimed(store)
        with pytest.raises(ValueError, match="own lease"):
            await store.commit(Writes(operation=found))
        with pytest.raises(ValueError, match="own lease"):
            await store.commit(Writes(operation=replace(found, id="op_2")), lease)


# Votes, freezes, holds, what is good ----------------------------------------------------------------------------------


async def test_votes_are_all_kept_in_order_with_the_voter_as_they_were(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        approve, reject = vote(), vote(verdict=Verdict.REJECT, at=START + MINUTE)
        await store.commit(Writes(votes=(("op_1", approve),)))
        await store.commit(Writes(votes=(("op_1", reject),)))
        assert await store.votes("op_1") == (approve, reject)
        assert await store.votes("op_2") == ()


async def test_a_vote_taken_back_takes_back_every_earlier_one_on_the_plan(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        first, second, other = vote(), replace(vote(at=START + MINUTE), verdict=Verdict.REJECT), vote(MAYA)
        back = replace(second, withdrawn_at=START + HOUR)
        await store.commit(Writes(votes=(("op_1", first), ("op_1", other), ("op_1", second))))
        await store.commit(Writes(votes=(("op_1", back),)))
        assert await store.votes("op_1") == (replace(first, withdrawn_at=START + HOUR), other, back)
        again = vote(at=START + 2 * HOUR)
        await store.commit(Writes(votes=(("op_1", again),)))
        assert (await store.votes("op_1"))[-1] == again
        assert len(rows(store, "SELECT * FROM votes")) == 5


async def test_the_same_vote_twice_at_once_is_one_vote_and_the_second_looks_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        clicks = (store.commit(Writes(votes=(("op_1", vote(at=START + n * MINUTE)),))) for n in range(5))
        ends = await asyncio.gather(*clicks, return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), *[Taken] * 4]
        assert len(await store.votes("op_1")) == 1


async def test_two_approvers_at_the_same_instant_both_count(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        await asyncio.gather(*(store.commit(Writes(votes=(("op_1", vote(who)),))) for who in (OMAR, MAYA)))
        assert {each.voter.name for each in await store.votes("op_1")} == {"Omar Said", "Maya Ng"}


async def test_freezes_are_open_at_their_end_and_can_be_ended_early(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        frozen = Freeze("F1", "prod", None, START, START + HOUR, "quarter end", "Omar", "books closed")
        later = Freeze("F2", "prod", "checkout", START + HOUR, START + 3 * HOUR, "launch", "Omar")
        await store.commit(Writes(freezes=(later, frozen)))
        assert await store.freezes(START) == (frozen, later)
        assert await store.freezes(START + HOUR) == (later,)
        await store.commit(Writes(ended_freezes=(("F2", START + 2 * HOUR),)))
        assert await store.freezes(START + HOUR) == (replace(later, ends_at=START + 2 * HOUR),)
        assert await store.freezes(START + 2 * HOUR) == ()


async def test_holds_stand_until_they_are_lifted(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        hold = Hold("H1", CHECKOUT, GOOD, START, "went bad at 10 %")
        other = Hold("H2", Place("search", "prod"), GOOD, START + MINUTE, "slow")
        await store.commit(Writes(holds=(hold, other)))
        assert await store.holds() == (hold, other)
        assert await store.holds("checkout") == (hold,)
        await store.commit(Writes(lifted_holds=(("H1", START + HOUR),)))
        assert await store.holds() == (other,)


async def test_known_good_revisions_come_newest_first_and_once_each(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        one = KnownGood("r-1", GOOD, START, "release op_1", Sha("c" * 40))
        two = KnownGood("r-2", OTHER, START + MINUTE, "GitHub deployment 17", image=f"registry/app@{OTHER}")
        await store.commit(Writes(good=((CHECKOUT, one), (CHECKOUT, two))))
        assert await store.known_good(CHECKOUT) == (two, one)
        again = replace(one, verified_at=START + HOUR, source="release op_2")
        await store.commit(Writes(good=((CHECKOUT, again),)))
        await store.commit(Writes(good=((CHECKOUT, one),)))
        assert await store.known_good(CHECKOUT) == (again, two)
        await store.commit(Writes(good=((CHECKOUT, replace(two, image="")),)))
        assert await store.known_good(CHECKOUT) == (again, two), "what was kept stays"
        assert await store.known_good(Place("checkout", "stage")) == ()


# The ledger ---------------------------------------------------------------------------------------------------------


async def test_as_many_revisions_are_known_to_be_good_as_cloud_run_keeps(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        every = [KnownGood(f"r-{n}", GOOD, START + n * MINUTE, "") for n in range(REVISIONS + 5)]
        await store.commit(Writes(good=tuple((CHECKOUT, one) for one in every)))
        assert await store.known_good(CHECKOUT) == tuple(reversed(every[5:]))


@pytest.mark.requirement("D-11")
@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE entries SET body = X'00' WHERE seq = 1",
        "UPDATE OR REPLACE entries SET seq = 0 WHERE seq = 1",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE seq = 2",
        "INSERT OR REPLACE INTO entries SELECT seq, 'x', kind, phase, operation, effect, service, body, leaf FROM entries WHERE seq = 1",
        "INSERT OR REPLACE INTO entries SELECT seq, 'x', kind, phase, operation, effect, service, body, leaf FROM entries WHERE seq = 2",
        "INSERT INTO entries SELECT 7, 'x', kind, phase, operation, effect, service, body, leaf FROM entries WHERE seq = 1",
        "INSERT INTO entries SELECT -1, 'x', kind, phase, operation, effect, service, body, leaf FROM entries WHERE seq = 1",
        "INSERT INTO entries SELECT * FROM entries WHERE seq = 1 ON CONFLICT (seq) DO UPDATE SET body = X'00'",
        "UPDATE checkpoints SET root = zeroblob(32)",
        "DELETE FROM checkpoints",
        "INSERT OR REPLACE INTO checkpoints SELECT size, zeroblob(32), at, note FROM checkpoints LIMIT 1",
        "UPDATE ledger_head SET size = 1",
        "DELETE FROM ledger_head",
        "INSERT OR REPLACE INTO ledger_head SELECT 1, 0, X'', root, 0 FROM ledger_head",
        "UPDATE votes SET verdict = 'approve'",
        "DELETE FROM votes",
        "INSERT OR REPLACE INTO votes SELECT number, operation, account, voter, 'reject', at, plan, reason, NULL, '[]' FROM votes",
        "UPDATE record_votes SET verdict = 'reject'",
        "DELETE FROM record_votes",
        "INSERT OR REPLACE INTO record_votes SELECT number, 'X-9', account, voter, verdict, at, plan, reason, NULL, '[]' FROM record_votes",
        "DELETE FROM exceptions",
        "DELETE FROM obligations",
        "UPDATE fences SET n = 0",
        "DELETE FROM fences",
        "INSERT OR REPLACE INTO fences VALUES (1, 0)",
    ],
)
async def test_what_was_written_down_cannot_be_changed_by_accident(tmp_path: Path, database: str, attack: str) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created(entries=(entry(), entry())))
        await store.commit(Writes(entries=(entry(),), votes=(("op_1", vote()),), record_votes=(("X-1", vote()),)))
        await store.commit(Writes(exceptions=(exception(),), obligations=(obligation(),)))
        before = rows(store, "SELECT * FROM entries")
        with outside(store._url) as connection:
            with pytest.raises(REFUSED, match="append-only"):
                connection.execute(in_words_of(database, attack))
            connection.rollback()
        assert rows(store, "SELECT * FROM entries") == before
        assert (await store.verify()).ok


async def test_the_sequence_has_no_gaps_and_every_commit_a_checkpoint(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for n in range(5):
            await store.commit(Writes(entries=(entry(f"a{n}"), entry(f"b{n}"))))
        assert rows(store, "SELECT seq FROM entries ORDER BY seq") == [(n,) for n in range(10)]
        tree, roots = Frontier(), {}
        for (body,) in rows(store, "SELECT body FROM entries ORDER BY seq"):
            tree.append(leaf_hash(body))
            roots[tree.size] = tree.root
        assert rows(store, "SELECT size, root FROM checkpoints ORDER BY size") == [
            (n, roots[n]) for n in (2, 4, 6, 8, 10)
        ]
        found = await store.verify()
        assert (found.size, found.root, found.problems) == (10, tree.root, ())


@pytest.mark.requirement("D-11")
@pytest.mark.parametrize(
    ("attack", "says"),
    [
        (
            "UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'asked', 'acted') AS BLOB) WHERE seq = 1",
            "changed",
        ),
        ("DELETE FROM entries WHERE seq = 1", "stands where 1 should"),
        ("DELETE FROM entries WHERE seq = 3", "lies beyond the 3 entries"),
        ("UPDATE entries SET service = 'search' WHERE seq = 2", "filed under"),
        ("UPDATE disclosures SET value = 'Somebody else' WHERE seq = 1", "not what was committed to"),
    ],
)
async def test_who_drops_the_guards_and_tampers_is_found_out(
    tmp_path: Path, database: str, attack: str, says: str
) -> None:
    async with opened(tmp_path) as store:
        for _ in range(4):
            await store.commit(Writes(entries=(entry(),)))
        with outside(store._url) as connection:
            for statement in without_guards(database):
                connection.execute(statement)
            connection.execute(in_words_of(database, attack))
            connection.commit()
        problems = (await store.verify()).problems
        assert any(says in problem for problem in problems), problems
        assert "the guard entries_no_delete is gone" in problems
        with pytest.raises(Unavailable):
            await store.ready()


async def test_nothing_is_appended_to_a_ledger_that_was_cut_off(tmp_path: Path, database: str) -> None:
    async with opened(tmp_path) as store:
        for _ in range(3):
            await store.commit(Writes(entries=(entry(),)))
        with outside(store._url) as connection:
            for statement in (
                *without_guards(database, "entries_no_delete"),
                "DELETE FROM disclosures WHERE seq = 2",
                "DELETE FROM entries WHERE seq = 2",
                *with_guard(database, "entries_no_delete"),
            ):
                connection.execute(statement)
            connection.commit()
            with pytest.raises(REFUSED, match="append-only"):  # nor put in the place of what was cut off
                connection.execute(
                    "INSERT INTO entries SELECT 2, 'x', kind, phase, operation, effect, service, body, leaf FROM entries"
                    " WHERE seq = 1"
                )
            connection.rollback()
        with pytest.raises(REFUSED, match="append-only"):
            await store.commit(Writes(entries=(entry(),)))


async def test_text_is_erased_and_every_hash_still_holds(tmp_path: Path, database: str) -> None:
    async with opened(tmp_path) as store:
        await store.take(request(words="promote checkout because Bob said so"), MAYA, answered=True)
        with outside(store._url) as connection:
            connection.execute("DELETE FROM disclosures")
            connection.execute("UPDATE requests SET words = ''")
            connection.commit()
            if database == "sqlite":
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert (await store.verify()).ok
        (asked,) = await store.newest(1)
        assert (asked.private, asked.actor_name, asked.actor) == ({}, "", MAYA.account)
        if database == "sqlite":
            assert b"Bob" not in path_of(store._url).read_bytes()


async def test_history_is_what_was_done_to_one_service_newest_first(tmp_path: Path) -> None:
    clock = Hands()
    async with opened(tmp_path, clock) as store:
        await store.commit(Writes(entries=(entry("one"), entry("other", target={"service": "search"}))))
        clock.move(MINUTE)
        told = entry("two", operation="op_1", detail={"errors": 3}, private={"reason": "too slow"}, actor=OMAR)
        await store.commit(Writes(entries=(told,)))
        two, one = await store.history("checkout", 10)
        assert (one.what, two.what) == ("one", "two")
        assert (two.at, two.operation, two.detail, two.private, two.actor_name) == (
            START + MINUTE, "op_1", {"errors": 3}, {"reason": "too slow"}, "Omar Said",
        )  # fmt: skip
        assert [each.what for each in await store.history("checkout", 1)] == ["two"]


async def test_what_a_decision_looked_at_is_kept_whole_and_not_read_with_the_history(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        decision = decide(PROMOTION, ALL_GOOD, ACTIVE, NOW)
        await store.commit(
            Writes(
                entries=(entry("decided", decision=decision, question=PROMOTION, facts=ALL_GOOD, private={"a": "b"}),)
            )
        )
        ((text,),) = rows(store, "SELECT value FROM disclosures WHERE field = 'decision.facts'")
        assert from_json(text) == (PROMOTION, ALL_GOOD)
        assert [each.private for each in await store.history("checkout", 5)] == [{"a": "b"}]
        assert (await store.verify()).ok


async def test_intents_dangle_until_their_outcome_is_written(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        intent = entry("about to", EntryPhase.INTENT, operation="op_1", effect="shift:0")
        other = entry("about to", EntryPhase.INTENT, operation="op_1", effect="shift:1")
        await store.commit(Writes(entries=(intent, other, entry("began", EntryPhase.INTENT, operation="op_1"))))
        assert [each.seq for each in await unsettled(store)] == [0, 1]
        await store.commit(Writes(entries=(replace(intent, phase=EntryPhase.OUTCOME, what="confirmed"),)))
        assert [each.seq for each in await unsettled(store)] == [1]
        ids = rows(store, "SELECT id, body FROM entries ORDER BY seq")
        assert f'"cause":"{ids[0][0]}"'.encode() in ids[-1][1]
        await store.commit(Writes(entries=(intent,)))
        assert [each.seq for each in await unsettled(store)] == [1, 4]


async def test_time_that_runs_backwards_is_flagged_and_the_order_stays(tmp_path: Path) -> None:
    clock = Hands()
    async with opened(tmp_path, clock) as store:
        await store.commit(Writes(entries=(entry("one"),)))
        clock.move(-HOUR)
        await store.commit(Writes(entries=(entry("two"),)))
        bodies = [body for (body,) in rows(store, "SELECT body FROM entries ORDER BY seq")]
        assert b"clock_behind" not in bodies[0]
        assert b'"clock_behind":3600000000' in bodies[1]
        assert (await store.verify()).ok


async def test_two_stores_on_one_file_write_one_ledger(tmp_path: Path) -> None:
    url = fresh(tmp_path)
    async with closed(url, patience=20.0) as one, closed(url, patience=20.0) as other:
        await asyncio.gather(
            *(store.commit(Writes(entries=(entry(f"{n}"),))) for n in range(40) for store in (one, other))
        )
        found = await one.verify()
        assert (found.size, found.problems) == (80, ())


async def test_books_that_cannot_be_written_say_so_and_read_on(tmp_path: Path) -> None:
    async with opened(tmp_path, patience=0.2) as store:
        await store.commit(created())
        with outside(store._url) as other:
            lock = f"SELECT pg_advisory_xact_lock({WRITERS})" if store.shared else "BEGIN IMMEDIATE"
            other.execute(lock)
            with pytest.raises(Unavailable, match="nothing was done"):
                await store.take(request(), MAYA, answered=False)
            with pytest.raises(Unavailable):
                await store.ready()
            assert len(await store.open_operations()) == 1
            other.execute("ROLLBACK")
        await store.ready()
        assert await store.take(request(), MAYA, answered=False)


# What is said -------------------------------------------------------------------------------------------------------


async def test_a_message_for_a_phase_that_has_passed_is_left_unsaid(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.commit(created())
        said = [
            Message("C0CHECKOUT", Reply(f"for {phase}"), operation="op_1", phase=phase)
            for phase in ("", "blocked", "running")
        ]
        await store.commit(Writes(messages=tuple(said)))
        assert [each.payload["text"] for each in await store.unsent("C0CHECKOUT")] == ["for ", "for blocked"]


# Crashes ------------------------------------------------------------------------------------------------------------

STREAM = """
import asyncio, sys
from bot.clock import SystemClock
from commands.ports import Writes
from tests.bot.books import MAYA, closed, created, entry, request
from policy.model import Place

async def caller(store, me):
    for n in range(100_000):
        id = f"{me}-{n}"
        await store.take(request(id), MAYA, answered=False)
        print("request", id, flush=True)
        made = created(f"op_{id}", place=Place(id, "prod"), entries=(entry(operation=f"op_{id}"),) * 2, answers=id)
        await store.commit(made)
        print("operation", f"op_{id}", flush=True)

async def main():
    async with closed(sys.argv[1], SystemClock(), patience=20.0) as store:
        await asyncio.gather(*(caller(store, me) for me in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 40, 333])
async def test_what_was_acknowledged_survives_a_kill_in_mid_stream(tmp_path: Path, lines: int) -> None:
    url = fresh(tmp_path)
    with subprocess.Popen([sys.executable, "-c", STREAM, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().split() for _ in range(lines)]
        os.kill(process.pid, signal.SIGKILL)
        said += [line.split() for line in process.stdout if line.endswith("\n")]
    async with closed(url) as store:
        found = await store.verify()
        assert found.ok, found.problems
        requests = {id for (id,) in rows(store, "SELECT id FROM requests")}
        operations = {id for (id,) in rows(store, "SELECT id FROM operations")}
        answered = {id for (id,) in rows(store, "SELECT id FROM requests WHERE answered_at IS NOT NULL")}
        assert {id for what, id in said if what == "request"} <= requests
        assert {id for what, id in said if what == "operation"} <= operations
        assert {f"op_{id}" for id in answered} == operations
        assert found.size == len(requests) + 2 * len(operations)
        await store.commit(Writes(entries=(entry("after the crash"),)))
        assert (await store.verify()).ok
