"""Who notices what others change around us? Every place is looked at again and again, and each change is told once.

Several processes may look: what is written says what it was compared with, so whoever comes second writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets

from commands.errors import ReleaseBotError
from commands.notice import notice
from commands.ports import Taken, World
from policy.model import Place

log = logging.getLogger(__name__)

EVERY = 300.0
"""Seconds between two looks: within 10 minutes a change has been told, even if one look finds nobody home."""


class DriftWatch:
    """Runs until it is cancelled."""

    def __init__(self, world: World, *, every: float = EVERY) -> None:
        self._world = world
        self._every = every

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Every place of the policy was looked at once, and what is new about it is written down."""
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
                    writes = await notice(self._world, policy, place, before.get(place), secrets.token_hex(16))
                    if writes is not None:
                        await self._world.store.commit(writes)
                except Taken:
                    log.info("%s was looked at by another process just now", place)
                except ReleaseBotError as error:
                    log.warning("%s could not be looked at: %s", place, error)
                except Exception:
                    log.exception("looking at %s failed in a way nobody foresaw", place)
