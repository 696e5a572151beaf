"""Who notices that the rules have changed? Every version is written down, takes over in time, and is looked at anew.

What becomes of a version stands in the ledger, once for all processes: which one, what it says of itself, what decided
before. Requests that wait are woken, since the new rules may let them through, or no longer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from bot.policy_file import RESTART, Became, PolicyChange, PolicyFile
from bot.store import Store
from commands.errors import ReleaseBotError
from commands.ports import Clock, Entry, EntryPhase, Writes
from commands.record import BOT
from policy.document import ActivePolicy

log = logging.getLogger(__name__)

KIND = "policy"
AGAIN_SECONDS = 2.0
"""While our own books cannot be written."""


class PolicyWatch:
    """Runs until it is cancelled. `begin` first: it says under which policy this process goes on."""

    def __init__(self, store: Store, policies: PolicyFile, clock: Clock, *, poll: float) -> None:
        """`poll`: seconds between looks while a version waits for its time."""
        self._store = store
        self._policies = policies
        self._clock = clock
        self._poll = poll
        self._before = ""
        """Hash of what decided before, as far as the ledger tells."""
        self._told = -1
        """Place in the ledger up to which we know what it says of policies, by us or by others."""
        self._changes: asyncio.Queue[PolicyChange] = asyncio.Queue()

    async def begin(self) -> None:
        """The ledger says which policy decides from now on, where that is another than the last one that it knows."""
        active = self._policies.current()
        self._policies.tell(self._changes.put_nowait)
        self._before, self._told = await self._store.last_policy()
        if self._before != active.hash:
            await self._write(_took_over(active, self._before))

    async def run(self) -> None:
        while True:
            change = await self._next()
            if change is None:
                self._policies.current()  # takes over what has waited for this instant
                continue
            while True:
                try:
                    await self._write(_entry(change, self._before))
                    break
                except ReleaseBotError as error:
                    log.warning("policy %s is not written down yet: %s", change.active.hash[:12], error)
                    await asyncio.sleep(AGAIN_SECONDS)

    async def _next(self) -> PolicyChange | None:
        """What changed; None: time has, and a version waits."""
        wait: float | None = None
        if (at := self._policies.next_at) is not None:
            wait = min(self._poll, max(0.02, (at - self._clock.now()).total_seconds()))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                return await self._changes.get()
        return None

    async def _write(self, entry: Entry) -> None:
        """It stands in the ledger, by us or by another process that goes by the same file; where another policy decides
        now, whoever waits is due."""
        wakes: tuple[str, ...] = ()
        if entry.target["policy"] != self._before:
            wakes = tuple(each.id for each in await self._store.open_operations() if not each.moving)
        self._told = await self._store.say_once(Writes(entries=(entry,), wakes=wakes), self._told)
        self._before = entry.target["policy"]


def _took_over(active: ActivePolicy, before: str) -> Entry:
    return _said(Became.IN_FORCE, active, {"policy": active.hash, "before": before}, {})


def _entry(change: PolicyChange, before: str) -> Entry:
    target = {"policy": change.active.hash, "before": before}
    detail: dict[str, Any] = {}
    if change.effective_at is not None:
        detail |= {"effective_at": change.effective_at.isoformat(), "until_then": RESTART}
    if change.version is None:
        private = {"complaints": "\n".join(map(str, change.complaints))}
        detail["complaints"] = len(change.complaints)
        return Entry(KIND, EntryPhase.CONFIG, change.became.value, BOT, target=target, detail=detail, private=private)
    return _said(change.became, change.version, target | {"version": change.version.hash}, detail)


def _said(became: Became, version: ActivePolicy, target: Mapping[str, str], detail: Mapping[str, Any]) -> Entry:
    """What became of that version, with what it says of itself."""
    private: dict[str, str] = {}
    known = {"source": version.source, **detail}
    for change in version.policy.changes[-1:]:
        known |= {"version": change.version, "effective": str(change.effective)}
        private = {"summary": change.summary, "rationale": change.rationale, "migration": change.migration}
    return Entry(
        KIND,
        EntryPhase.CONFIG,
        became.value,
        BOT,
        target={name: value for name, value in target.items() if value},
        detail=known,
        private={name: value for name, value in private.items() if value},
    )
