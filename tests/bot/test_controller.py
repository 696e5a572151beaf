from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.controller import LAST_RETRY, Advance, Controller, backoff
from bot.store import Store
from commands.errors import LostLease, Unavailable
from commands.operation import Operation, Phase, Wish
from commands.ports import EntryPhase, Lease, Writes
from policy.model import Place
from tests.bot.books import CHECKOUT, OTHER, Hands, closed, created, entry, fresh, opened, outside, vote
from tests.pace import stopwatch

pytestmark = pytest.mark.usefixtures("database")

AT_ONCE = timedelta(0)
MINUTE = timedelta(minutes=1)
STEPS = 3


class Counter:
    """A small true world: one number for each operation, and everybody who set it."""

    def __init__(self) -> None:
        self.at: dict[str, int] = {}
        self.set_by: list[tuple[str, int, int]] = []

    def set(self, id: str, number: int, fence: int) -> None:
        if self.at.get(id) != number:
            self.at[id] = number
            self.set_by.append((id, number, fence))


def counting(world: Counter, *, approvals: int = 0, store: Store | None = None) -> Advance:
    """Waits for so many votes, then counts to three, one step at a time."""

    async def advance(operation: Operation, lease: Lease) -> Writes:
        if operation.wish is Wish.ABORT:
            world.set(operation.id, 0, lease.fence)
            return Writes(operation=replace(operation, phase=Phase.CANCELLED))
        if store is not None and len(await store.votes(operation.id)) < approvals:
            return Writes(operation=replace(operation, phase=Phase.WAITING))
        done = int(operation.seen.get("steps", 0))
        if done == STEPS:
            return Writes(operation=replace(operation, phase=Phase.DONE), entries=(entry("done"),))
        world.set(operation.id, done + 1, lease.fence)
        stepped = replace(operation, phase=Phase.RUNNING, seen={"steps": done + 1})
        said = entry(f"step {done + 1}", EntryPhase.OUTCOME, operation=operation.id)
        return Writes(operation=stepped, entries=(said,), due=AT_ONCE, takes=CHECKOUT if done == 0 else None)

    return advance


@asynccontextmanager
async def controlling(
    store: Store, advance: Advance, poll: float = 30.0, **settings: float
) -> AsyncIterator[Controller]:
    controller = Controller(store, advance, poll=poll, slots=int(settings.pop("slots", 8)), **settings)
    running = asyncio.create_task(controller.run())
    try:
        yield controller
    finally:
        await controller.stop()
        await running


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """It holds within a minute."""
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.01)


async def over(store: Store, id: str = "op_1") -> Operation:
    """The operation, once it is over."""
    found: list[Operation] = []

    async def is_over() -> bool:
        operation = await store.operation(id)
        if operation is not None and operation.over:
            found.append(operation)
        return bool(found)

    await until(is_over)
    return found[0]


async def test_an_operation_is_carried_to_its_end_one_step_after_another(tmp_path: Path) -> None:
    world = Counter()
    async with opened(tmp_path) as store, controlling(store, counting(world)):
        await store.commit(created())
        assert (await over(store)).phase is Phase.DONE
        assert [number for _, number, _ in world.set_by] == [1, 2, 3]
        assert [each.what for each in reversed(await store.history("checkout", 9))] == [
            "step 1",
            "step 2",
            "step 3",
            "done",
        ]
        assert await store.holder(CHECKOUT) == ""
        fences = [fence for *_, fence in world.set_by]
        assert fences[1] > fences[0]  # drawn anew once the place was taken
        assert fences[2] == fences[1]


async def _so(what: bool) -> bool:
    return what


async def test_it_waits_for_votes_and_goes_on_when_they_come(tmp_path: Path) -> None:
    world = Counter()
    async with opened(tmp_path) as store, controlling(store, counting(world, approvals=1, store=store)):
        await store.commit(created())
        await until(lambda: _phase(store, Phase.WAITING))
        await store.commit(Writes(votes=(("op_1", vote()),)))
        assert (await over(store)).phase is Phase.DONE


async def _phase(store: Store, phase: Phase) -> bool:
    operation = await store.operation("op_1")
    return operation is not None and operation.phase is phase


async def test_what_another_process_writes_is_found_by_looking_now_and_then(tmp_path: Path) -> None:
    world, url = Counter(), fresh(tmp_path)
    async with closed(url) as store, closed(url) as other, controlling(store, counting(world), poll=0.05):
        await other.commit(created())
        assert (await over(store)).phase is Phase.DONE


async def test_two_controllers_on_one_file_do_each_step_once(tmp_path: Path) -> None:
    world, url = Counter(), fresh(tmp_path)
    places = [Place(f"s{n}", "prod") for n in range(6)]
    async with closed(url, patience=20.0) as one, closed(url, patience=20.0) as other:
        async with (
            controlling(one, without_place(world), poll=0.05),
            controlling(other, without_place(world), poll=0.05),
        ):
            for place in places:
                await one.commit(created(f"op_{place.service}", place=place))
            for place in places:
                assert (await over(one, f"op_{place.service}")).phase is Phase.DONE
        numbers = [[number for id, number, _ in world.set_by if id == f"op_{place.service}"] for place in places]
        assert numbers == [[1, 2, 3]] * 6
        assert (await one.verify()).ok


def without_place(world: Counter) -> Advance:
    advance = counting(world)

    async def going(operation: Operation, lease: Lease) -> Writes:
        return replace(await advance(operation, lease), takes=None)

    return going


async def test_a_timer_is_waited_for_by_the_business_clock(tmp_path: Path) -> None:
    clock, world = Hands(), Counter()
    async with opened(tmp_path, clock) as store, controlling(store, counting(world)) as controller:
        await store.commit(created(due=MINUTE))
        await asyncio.sleep(0.1)
        assert world.at == {}
        clock.move(MINUTE)
        controller.nudge()
        assert (await over(store)).phase is Phase.DONE


@pytest.mark.requirement("D-07")
async def test_steps_and_timers_go_on_after_a_restart_even_when_they_fell_due_meanwhile(tmp_path: Path) -> None:
    url, clock, world = fresh(tmp_path), Hands(), Counter()
    async with closed(url, clock) as store:
        await store.commit(created("op_1", due=MINUTE))
        await store.commit(created("op_2", OTHER, place=Place("search", "prod")))
        claimed = await store.claim()  # and dies in the middle of its second step
        assert claimed is not None
        first = await without_place(world)(*claimed)
        going = await store.carry_on(first, claimed[1])
        assert going is not None
        await without_place(world)(*going)
    clock.move(2 * MINUTE)
    async with closed(url, clock) as store:
        await store.take_over()
        async with controlling(store, without_place(world)):
            assert (await over(store, "op_1")).phase is Phase.DONE
            assert (await over(store, "op_2")).phase is Phase.DONE
    assert [number for id, number, _ in world.set_by if id == "op_2"] == [1, 2, 3]
    assert [number for id, number, _ in world.set_by if id == "op_1"] == [1, 2, 3]


async def test_an_abort_stops_the_runner_and_is_carried_out_by_the_next_claim(tmp_path: Path) -> None:
    world = Counter()
    stuck, cut_off = asyncio.Event(), asyncio.Event()
    going = counting(world)

    async def advance(operation: Operation, lease: Lease) -> Writes:
        if operation.wish is Wish.RUN and operation.seen.get("steps") == 2:
            stuck.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.05)  # it tidies up
                cut_off.set()
        if operation.wish is Wish.ABORT:
            assert cut_off.is_set()
        return await going(operation, lease)

    async with opened(tmp_path, lease=600.0) as store, controlling(store, advance):
        await store.commit(created())
        await asyncio.wait_for(stuck.wait(), 60)
        await store.commit(Writes(wishes=(("op_1", Wish.ABORT),)))
        assert (await over(store)).phase is Phase.CANCELLED
        assert world.at == {"op_1": 0}


async def test_a_runner_that_comes_back_after_its_lease_changes_nothing_in_the_books(tmp_path: Path) -> None:
    url, world = fresh(tmp_path), Counter()
    async with closed(url, lease=0.0) as frozen, closed(url) as store:
        await frozen.commit(created())
        claimed = await frozen.claim()
        assert claimed is not None
        async with controlling(store, counting(world)):
            await over(store)
        late = await counting(world)(*claimed)
        with pytest.raises(LostLease):
            await frozen.commit(late, claimed[1])
        operation = await store.operation("op_1")
        assert operation is not None
        assert operation.phase is Phase.DONE


async def test_a_long_step_keeps_its_lease_by_heartbeats(tmp_path: Path) -> None:
    world, url = Counter(), fresh(tmp_path)
    going, begun, go = counting(world), asyncio.Event(), asyncio.Event()
    given: list[int] = []

    async def slow(operation: Operation, lease: Lease) -> Writes:
        given.append(lease.fence)
        begun.set()
        await go.wait()
        return await going(operation, lease)

    class Beating(Store):
        """Its heart beats three times a second, and each beat is good for a minute."""

        @property
        def lease_seconds(self) -> float:
            return 1.0

        async def heartbeat(self, lease: Lease) -> Lease:
            renewed = await super().heartbeat(lease)
            beats.put_nowait(True)
            return renewed

    beats = asyncio.Queue[bool]()
    store = Beating(url, Hands(), closed(url)._render, lease=60.0)
    async with store, closed(url) as other, controlling(store, slow):
        await store.commit(created())
        await begun.wait()
        for _ in range(3):
            with outside(url) as connection:
                connection.execute("UPDATE operations SET lease_until = lease_until - 40000000")
                connection.commit()
            assert await other.claim() is None
            while not beats.empty():
                beats.get_nowait()
            for _ in range(2):  # one may have been on its way
                await asyncio.wait_for(beats.get(), 60)
        go.set()
        assert (await over(store)).phase is Phase.DONE
        assert [fence for *_, fence in world.set_by[:1]] == given[:1]


async def test_a_step_whose_lease_cannot_be_renewed_is_cut_off_before_it_ends(tmp_path: Path) -> None:
    cut_off: list[float] = []
    begun = asyncio.Event()

    async def slow(operation: Operation, lease: Lease) -> Writes:
        begun.set()
        async with stopwatch() as since:
            try:
                await asyncio.Event().wait()
            finally:
                cut_off.append(since())
        raise AssertionError

    class Deaf(Store):
        async def heartbeat(self, lease: Lease) -> Lease:
            raise Unavailable("no answer")

        async def claim(self) -> tuple[Operation, Lease] | None:
            return None if begun.is_set() else await super().claim()

    url = fresh(tmp_path)
    ordinary = closed(url)
    store = Deaf(url, Hands(), ordinary._render, lease=3.0)
    async with store, controlling(store, slow):
        await store.commit(created())
        await until(lambda: _so(bool(cut_off)))
        assert cut_off[0] < store.lease_seconds


async def test_a_step_that_fails_is_tried_again_from_what_was_committed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world, clock = Counter(), Hands()
    going, failures = counting(world), [Unavailable("no answer"), ZeroDivisionError("a mistake")]

    async def shaky(operation: Operation, lease: Lease) -> Writes:
        if operation.seen.get("steps") == 1 and failures:
            raise failures.pop(0)
        return await going(operation, lease)

    async with opened(tmp_path, clock) as store, controlling(store, shaky) as controller:
        with caplog.at_level(logging.WARNING, logger="bot.controller"):
            await store.commit(created())
            ended = asyncio.create_task(over(store))
            while not ended.done():
                clock.move(MINUTE)
                controller.nudge()
                await asyncio.sleep(0.02)
            assert (await ended).attempts == 0
            assert not failures
        assert [number for _, number, _ in world.set_by] == [1, 2, 3]
        said = [record.getMessage() for record in caplog.records]
        assert any("no answer" in each for each in said)
        assert [record.exc_info is not None for record in caplog.records if "failed" in record.getMessage()] == [
            False,
            True,
        ]


def test_failures_in_a_row_wait_longer_up_to_a_minute() -> None:
    waits = [backoff(failures).total_seconds() for failures in range(20)]
    assert waits == sorted(waits)
    assert waits[0] == 0.2
    assert waits[-1] <= LAST_RETRY


async def test_who_finds_the_place_taken_goes_on_when_it_is_left(tmp_path: Path) -> None:
    world = Counter()
    async with opened(tmp_path, lease=600.0) as store:
        await store.commit(created("op_0", OTHER, takes=CHECKOUT, due=None))
        async with controlling(store, counting(world)):
            await store.commit(created())
            await asyncio.sleep(0.1)
            assert world.at.get("op_1", 0) <= 1
            await store.commit(Writes(wishes=(("op_0", Wish.ABORT),)))
            assert (await over(store)).phase is Phase.DONE


async def test_stopping_lets_the_step_in_hand_end_and_gives_the_lease_back(tmp_path: Path) -> None:
    world = Counter()
    going, begun, go = counting(world), asyncio.Event(), asyncio.Event()

    async def slow(operation: Operation, lease: Lease) -> Writes:
        begun.set()
        await go.wait()
        return await going(operation, lease)

    async with opened(tmp_path) as store:
        await store.commit(created(due=AT_ONCE))
        async with controlling(store, slow, grace=20.0) as controller:
            await begun.wait()
            await controller.stop()
            go.set()
        assert world.at == {"op_1": 1}
        next_owner = await store.claim()
        assert next_owner is not None
        assert next_owner[0].seen == {"steps": 1}


async def test_stopping_cuts_off_a_step_that_does_not_end_and_gives_the_lease_back(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def forever(operation: Operation, lease: Lease) -> Writes:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with opened(tmp_path) as store:
        await store.commit(created())
        async with controlling(store, forever, grace=0.05):
            await begun.wait()
        next_owner = await store.claim()
        assert next_owner is not None
        assert next_owner[0].attempts == 0


async def test_no_more_are_run_at_once_than_there_are_slots(tmp_path: Path) -> None:
    world, at_once, most = Counter(), 0, 0
    going = without_place(world)

    async def counted(operation: Operation, lease: Lease) -> Writes:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return await going(operation, lease)

    async with opened(tmp_path) as store, controlling(store, counted, slots=2):
        for n in range(6):
            await store.commit(created(f"op_{n}", place=Place(f"s{n}", "prod")))
        for n in range(6):
            await over(store, f"op_{n}")
        assert most == 2
