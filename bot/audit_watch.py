"""Who looks over the repositories each day? Whoever comes first: what is written says what it was compared with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from commands.audit import scopes
from commands.errors import ReleaseBotError
from commands.ports import Repositories, Taken, World, Writes
from commands.survey import due, glance, survey

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two looks at what is due."""


class AuditWatch:
    """Runs until it is cancelled."""

    def __init__(self, world: World, repositories: Repositories, *, every: float = EVERY) -> None:
        self._world, self._repositories, self._every = world, repositories, every
        self._heard: set[str] = set()

    def heard(self, repository: str) -> None:
        """Something was pushed there: how its branches moved is looked at with the next look."""
        self._heard.add(repository.casefold())

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Every repository that is due was looked over, and what was found is written down."""
        policy = self._world.policies.current().policy
        wanted = scopes(policy)
        if not wanted:
            return
        try:
            before = {each.repository: each for each in await self._world.store.audited()}
        except ReleaseBotError as error:
            log.warning("no repository can be looked over: %s", error)
            return
        heard, self._heard = self._heard, set()
        for name, scope in wanted.items():
            known = before.get(name)
            if known is None or due(scope, known, self._world.clock.now()):
                await self._write(name, survey(self._world, self._repositories, policy, name, scope, known))
            elif name.casefold() in heard:
                await self._write(name, glance(self._world, self._repositories, policy, name, scope, known))

    async def _write(self, name: str, looking: Awaitable[Writes | None]) -> None:
        try:
            writes = await looking
            if writes is not None:
                await self._world.store.commit(writes)
        except Taken:
            log.info("%s was looked over by another process just now", name)
        except ReleaseBotError as error:
            log.warning("%s could not be looked over: %s", name, error)
        except Exception:
            log.exception("looking over %s failed in a way nobody foresaw", name)
