"""What may have become due, by what GitHub told us? Requests for that repository are looked at now and not later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet

from bot.store import Store
from commands import relax
from commands.errors import ReleaseBotError
from commands.operation import Operation
from commands.ports import PolicyInForce, Writes
from policy.facts import Deed

log = logging.getLogger(__name__)

GAP = 1.0
"""Seconds: a push comes with dozens of events, and one look sees them all."""
LONGEST_GAP = 15.0
"""Seconds between looks where events do not end, as with many builds in one repository: each look asks GitHub anew."""


class Hints:
    """What was heard of since somebody last looked."""

    def __init__(
        self,
        store: Store,
        policies: PolicyInForce,
        *,
        gap: float = GAP,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._policies, self._gap, self._sleep = store, policies, gap, sleep
        self._heard: set[str] = set()
        self._any = asyncio.Event()

    def heard(self, repository: str) -> None:
        """Something happened there."""
        self._heard.add(repository.casefold())
        self._any.set()

    async def run(self) -> None:
        """Never returns. What cannot be written down is left to polling."""
        gap = self._gap
        while True:
            await self._any.wait()
            self._any.clear()
            about, self._heard = self._heard, set()
            try:
                await self.wake(about)
            except ReleaseBotError as error:
                log.warning("a hint is lost: %s", error)
            await self._sleep(gap)
            gap = min(2 * gap, LONGEST_GAP) if self._any.is_set() else self._gap

    async def wake(self, about: AbstractSet[str]) -> None:
        """Every request that waits and is about one of these repositories, in small letters, is due now.

        Who is changing a place already learns nothing from GitHub, and waits for good reasons.
        """
        services = self._policies.current().policy.services
        concerned = {name for name, service in services.items() if service.repository.casefold() in about}
        found = tuple(
            operation.id
            for operation in (*await self._store.open_operations(), *await self._fixes())
            if not operation.moving
            and (
                not concerned.isdisjoint(operation.question.services)
                or (operation.plan is not None and operation.plan.repository.casefold() in about)
            )
        )
        relaxed = (one for one in await self._store.timers() if one.question.deed is Deed.RELAX)
        found += tuple(one.id for one in relaxed if relax.repository(one).casefold() in about)
        if found:
            await self._store.commit(Writes(wakes=found))

    async def _fixes(self) -> list[Operation]:
        """What brings fixes to branches: its pull requests may have been merged."""
        return [one for one in await self._store.timers() if one.question.deed is Deed.HOTFIX]
