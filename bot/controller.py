"""Who carries operations on? A level-triggered loop: claim what is due, do one small step, commit it, look again.

Nothing here knows what a step does. It may run twice, it may be cut off at any line, and whoever claims next goes on
from what was committed; the fence keeps a late writer out. Hints only make it faster: with all of them lost, the next
look comes after `poll`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from bot.store import Store
from commands.errors import LostLease, ReleaseBotError
from commands.operation import Operation
from commands.ports import Lease, Taken, Writes

log = logging.getLogger(__name__)

Advance = Callable[[Operation, Lease], Awaitable[Writes]]
"""Looks at the world, changes at most one thing in it, says what to write down. Cancelled when the lease is lost."""

SOONEST = 0.02  # seconds: what is due in less is due now
FIRST_RETRY = 0.2  # seconds; doubled with each failure in a row
LAST_RETRY = 60.0  # seconds
PLACE_TAKEN = timedelta(seconds=5)
"""Until another look at a place that somebody else has, should the wake-up at its release get lost."""


def backoff(failures: int) -> timedelta:
    """How long after that many failures in a row, this one not counted."""
    return timedelta(seconds=min(LAST_RETRY, FIRST_RETRY * 2 ** min(failures, 8)))


class Controller:
    """Carries on what is due, at most `slots` operations at a time, until it is stopped."""

    def __init__(
        self, store: Store, advance: Advance, *, slots: int = 8, poll: float = 5.0, grace: float = 3.0
    ) -> None:
        """Seconds: `poll` between looks without a reason, `grace` for steps in hand when it is stopped."""
        self._store = store
        self._advance = advance
        self._slots = slots
        self._poll = poll
        self._grace = grace
        self._stopping = asyncio.Event()
        self._running: dict[asyncio.Task[None], Lease] = {}

    @property
    def running(self) -> frozenset[str]:
        """Ids of the operations in hand."""
        return frozenset(lease.operation for lease in self._running.values())

    def nudge(self) -> None:
        """Look again now."""
        self._store.changed.set()

    async def run(self) -> None:
        """Returns once `stop` was called and every lease in hand has been given back."""
        self._store.fenced = self._fenced
        try:
            while not self._stopping.is_set():
                self._store.changed.clear()  # before looking, so that what happens meanwhile is not missed
                wait = await self._look()
                if not self._stopping.is_set():
                    await self._rest(wait)
        finally:
            await self._let_go()

    async def stop(self) -> None:
        """No more claims and no new steps. Those in hand have `grace` to end; then `run` gives their leases back."""
        self._stopping.set()
        self.nudge()

    async def _look(self) -> float:
        """Claims what is due while there is room; seconds until it is worth looking again."""
        try:
            while len(self._running) < self._slots and not self._stopping.is_set():
                due = await self._store.next_due()  # read first: a claim of nothing would keep all others from writing
                claimed = await self._store.claim() if due is not None and due <= 0 else None
                if claimed is None:
                    return self._poll if due is None else min(self._poll, max(due, SOONEST))
                operation, lease = claimed
                older = self._cut_off(operation.id)
                task = asyncio.create_task(self._carry(operation, lease, older), name=f"carry {operation.id}")
                self._running[task] = lease
                task.add_done_callback(self._ended)
        except ReleaseBotError as error:
            log.warning("cannot look for what is due: %s", error)
            return min(self._poll, 0.5)
        except Exception:
            log.exception("looking for what is due failed in a way nobody foresaw")
            return min(self._poll, 0.5)
        return self._poll

    def _cut_off(self, operation: str) -> list[asyncio.Task[None]]:
        """Those of ours who still carry it under an older fence: they need not wait for their next heartbeat."""
        older = [task for task, lease in self._running.items() if lease.operation == operation]
        for task in older:
            if not task.cancelling():  # who was told is tidying up
                task.cancel()
        return older

    def _fenced(self, operation: str, fence: int) -> None:
        """Somebody claimed it or wants something else of it: who carries it on under an older fence stops now."""
        for task, lease in self._running.items():
            if lease.operation == operation and lease.fence < fence and not task.cancelling():
                task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self.nudge()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s ended in a way nobody foresaw", task.get_name(), exc_info=error)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._store.changed.wait()

    async def _let_go(self) -> None:
        if self._stopping.is_set() and self._running:
            await asyncio.wait(list(self._running), timeout=self._grace)
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, operation: Operation, lease: Lease, older: Sequence[asyncio.Task[None]]) -> None:
        """Steps, one after another, while the lease is kept; the first once the `older` have ended."""
        await asyncio.gather(*older, return_exceptions=True)
        going: tuple[Operation, Lease] | None = (operation, lease)
        while going is not None:
            operation, lease = going
            if self._stopping.is_set():
                await self._give_back(operation, lease)
                return
            try:
                going = await self._store.carry_on(await self._while_held(operation, lease), lease)
            except asyncio.CancelledError:
                await self._give_back(operation, lease)
                raise
            except LostLease as error:
                log.info("%s: stopped at fence %d: %s", operation.id, lease.fence, error)
                return
            except Taken as taken:
                log.info("%s: waits for %s, which has the place", operation.id, taken.operation)
                await self._give_back(operation, lease, PLACE_TAKEN)
                return
            except Exception as error:  # noqa: BLE001  (whatever a step runs into, its operation is tried again)
                await self._failed(operation, lease, error)
                return

    async def _while_held(self, operation: Operation, lease: Lease) -> Writes:
        """What the step says; `LostLease` where the lease ended before it did, and the step is cut off."""
        step = asyncio.ensure_future(self._advance(operation, lease))
        heart = asyncio.create_task(self._beat(lease), name=f"heartbeat {operation.id}")
        try:
            await asyncio.wait({step, heart}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                heart.result()  # raises what ended it
            return await step
        finally:
            for task in (step, heart):
                task.cancel()
            await asyncio.gather(step, heart, return_exceptions=True)

    async def _beat(self, lease: Lease) -> None:
        """Ends only by raising `LostLease`: a newer claim exists, or none of ours got through for too long."""
        length = self._store.lease_seconds
        while True:
            heard = lease.ends - length
            try:
                async with asyncio.timeout(heard + 0.8 * length - time.monotonic()):
                    lease = await self._renewed(lease)
            except TimeoutError as error:
                raise LostLease("The lease could not be renewed in time.") from error

    async def _renewed(self, lease: Lease) -> Lease:
        """The lease with its full length again, a third of it later; tries until it is cut off."""
        while True:
            await asyncio.sleep(self._store.lease_seconds / 3)
            try:
                return await self._store.heartbeat(lease)
            except LostLease:
                raise
            except ReleaseBotError as error:
                log.warning("heartbeat of %s: %s", lease.operation, error)

    async def _give_back(self, operation: Operation, lease: Lease, after: timedelta = timedelta(0)) -> None:
        with suppress(ReleaseBotError):  # it runs out by itself
            await self._store.let_go(operation, lease, after)

    async def _failed(self, operation: Operation, lease: Lease, error: Exception) -> None:
        """The operation is tried again later. Its state is what was last committed."""
        after = backoff(operation.attempts)
        expected = isinstance(error, ReleaseBotError)
        log.warning(
            "%s: step %s failed %d times, again in %.1f s: %s",
            operation.id,
            operation.moment.key,
            operation.attempts + 1,
            after.total_seconds(),
            error,
            exc_info=None if expected else error,
        )
        note = str(error) if expected else f"{type(error).__name__}, a mistake of ours"
        with suppress(ReleaseBotError):  # lost, or the books are closed: the lease runs out by itself
            await self._store.give_up(lease, after, note)
