"""What if a replica freezes between its last look at its right to write and the write, and is thawed much later?

By then people have aborted the release, and another replica has taken it back.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.sandbox.google.engine import Write
from tests.chaos.fleet import Replica
from tests.chaos.monkey import Wanted
from tests.chaos.run import Asked, Stage, stage
from tests.chaos.town import Nature, site

WITHIN = 90.0
"""Seconds, on a busy machine."""
SERVICE = "s01"


async def _until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not what():
            await asyncio.sleep(0.02)


class Frozen:
    """A release that is aborted while the write of its 50 % stands still in a frozen process."""

    def __init__(self, on: Stage, order: Path) -> None:
        self._on = on
        self._order = order
        self._engine = on.town.there.google.engine
        (self.old,) = self.serving()

    def serving(self) -> dict[str, int]:
        return self._engine.weights(self._engine.record(site(SERVICE)))

    def late(self) -> Write | None:
        """The write of 50 %, as it came at last."""
        return next((write for write in self._engine.writes if 50 in {line[1] for line in write.traffic}), None)

    async def begins(self) -> Replica:
        """It is at 10 %, somebody has frozen before the write of 50 %, and the abort is on its way."""
        on, people = self._on, self._on.people
        self._order.write_text("50")
        digest = await on.town.build(SERVICE, Nature.GOOD)
        words = f"promote {SERVICE} stage→prod"
        asked = await people.insist("maya", SERVICE, words, lambda: people.promoting(digest))
        await people.press_until("omar", asked, "Approve", lambda: on.desk.known[asked].phase != "waiting")
        await _until(lambda: any(one.stands_still for one in on.bots.replicas))
        (frozen,) = (one for one in on.bots.replicas if one.stands_still)
        (awake,) = (one for one in on.bots.replicas if one is not frozen)
        on.bots.address = lambda: awake.url  # type: ignore[method-assign]  # so that the abort comes before the end
        await people.press_until("maya", asked, "Abort", lambda: on.desk.known[asked].phase != "running")
        await _until(lambda: self.serving() == {self.old: 100})
        return frozen

    async def ends(self) -> None:
        await _until(lambda: not self._on.desk.open())
        (phase,) = (one.phase for one in self._on.desk.known.values())
        assert phase == "rolled back"


def two_replicas(order: Path, *, etags: bool) -> Asked:
    nothing = Wanted(0, 0, 0, 0)
    return Asked("postgres", 2, 1, nothing, services=1, etags=etags, arguments=("--stops", str(order)))


@pytest.mark.slow
async def test_where_old_etags_are_refused_so_is_a_late_write(tmp_path: Path) -> None:
    order = tmp_path / "stop at"
    async with stage(two_replicas(order, etags=True), tmp_path, latency=0) as on:
        release = Frozen(on, order)
        frozen = await release.begins()
        await release.ends()
        frozen.send(signal.SIGCONT)
        await on.bots.ready([frozen])
        late = release.late()  # or its lease had run out so long ago that it was not even sent
        assert late is None or (late.accepted, late.why) == (False, "ABORTED")
        assert release.serving() == {release.old: 100}


@pytest.mark.slow
async def test_where_old_etags_are_taken_a_late_write_is_seen_and_put_right(tmp_path: Path) -> None:
    order = tmp_path / "stop at"
    async with stage(two_replicas(order, etags=False), tmp_path, latency=0) as on:
        release = Frozen(on, order)
        frozen = await release.begins()
        frozen.send(signal.SIGCONT)
        await on.bots.ready([frozen])
        await release.ends()
        late = release.late()  # on a busy machine its lease may have run out before, and it was not even sent
        assert late is None or late.accepted
        assert release.serving() == {release.old: 100}
