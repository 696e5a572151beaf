"""Who notices what others change around us? Every place is looked at again and again, and each change is told once.

Several processes may look: what is written says what it was compared with, so whoever comes second writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets

from commands.errors import ReleaseBotError
from commands.notice import notice
from commands.ports import Sight, Taken, Watched, World
from policy.document import Policy
from policy.model import Place

log = logging.getLogger(__name__)

EVERY = 300.0
"""Seconds between two looks: so a change is told well within 10 minutes."""
AGAIN = 30.0
"""Seconds until another look, where something was seen: one answer of Cloud Run's may be an old one."""


class DriftWatch:
    """Runs until it is cancelled."""

    def __init__(self, world: World, *, every: float = EVERY, again: float = AGAIN) -> None:
        self._world = world
        self._every = every
        self._again = again
        self._salt = secrets.token_hex(16)
        self._suspected: dict[Place, Sight] = {}
        """What looked changed the last time."""

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._again if self._suspected else self._every)

    async def look(self) -> None:
        """Every place of the policy was looked at, and what looks as it did the last time is written down."""
        policy = self._world.policies.current().policy
        try:
            before = {each.place: each for each in await self._world.store.watched()}
        except ReleaseBotError as error:
            log.warning("what others changed cannot be looked for: %s", error)
            return
        for service, its in policy.services.items():
            for environment in its.cloud_run:
                place = Place(service, environment)
                try:
                    await self._look_at(policy, place, before.get(place))
                except Taken:
                    log.info("%s was looked at by another process just now", place)
                except ReleaseBotError as error:
                    log.warning("%s could not be looked at: %s", place, error)
                except Exception:
                    log.exception("looking at %s failed in a way nobody foresaw", place)

    async def _look_at(self, policy: Policy, place: Place, before: Watched | None) -> None:
        suspected = self._suspected.pop(place, None)
        writes = await notice(self._world, policy, place, before, f"{self._salt} {place}")
        if writes is None:
            return
        (seen,) = writes.watched
        if writes.entries and seen.last != suspected:
            self._suspected[place] = seen.last
            return
        await self._world.store.commit(writes)
