"""What did others change around us, and who hears of it? Each change is told once, and stands in the ledger.

Where a change came from, nobody can tell for sure: Cloud Run says at most which account wrote last.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from commands import drift
from commands.drift import Ours
from commands.operation import Operation
from commands.places import WORKED, site_of
from commands.ports import Configuration, Entry, EntryPhase, Message, Running, Share, Site, Watched, World, Writes
from commands.record import BOT
from commands.reply import Bold, Line, Mark, Piece, Reply, Text, When
from policy import windows
from policy.document import Policy
from policy.model import Place, Unknown
from policy.wording import listed

KIND = "drift"
RECORDED_WITHIN = timedelta(hours=1)
"""Whoever deploys by another road records it in GitHub so soon."""
NAMES_MAX = 12
"""More names make no message better."""


async def notice(world: World, policy: Policy, place: Place, before: Watched | None, salt: str) -> Writes | None:
    """What is written because of how the place looks now; None: nothing is new, or somebody is changing it just now.

    With an entry where others changed something. One answer alone may be an old one, so whoever calls looks twice
    before that is written. `salt` is for a place that was never looked at.
    """
    site = site_of(policy, place.service, place.environment)
    if isinstance(site, Unknown):
        return None
    running, configuration = await asyncio.gather(world.runs.running(site), world.configurations.configured(site))
    if configuration is None or not running.settled:
        return None
    number = 0 if before is None else before.number
    before = before if before is not None and before.site == site else None
    salt = salt if before is None else before.salt
    now = drift.sight(running, configuration, salt, ours_to_change=_ours_to_change(policy, place))
    if before is not None and now == before.last and not before.changed:
        return None
    wrote = await world.store.operation(running.operation) if running.operation else None
    ours = await _ours(world, site, wrote, configuration, salt)
    known, new = drift.compared(place, before, now, ours, world.clock.now(), salt)
    if new and await _by_their_own_road(world, policy, place, site, configuration):
        known, new = drift.accepted(known), ()
    known = replace(known, site=site, number=number)
    if known == before or await _moving(world, place):
        return None
    if not new:
        return Writes(watched=(known,))
    waiting = tuple(each.id for each in await world.store.open_operations(place))
    seen = _Seen(policy, known, new, running, configuration, world.clock.now(), again=bool(before and before.changed))
    return Writes(
        entries=(seen.entry(),),
        messages=tuple(Message(channel, seen.told()) for channel in _channels(policy, place, wrote)),
        watched=(known,),
        wakes=waiting,
    )


async def _moving(world: World, place: Place) -> bool:
    return any(each.has_place for each in await world.store.open_operations(place))


def _ours_to_change(policy: Policy, place: Place) -> bool:
    """True where traffic moves by promotions; what nothing leads to is deployed by somebody else."""
    return any(path.target == place.environment and path.serves(place.service) for path in policy.paths)


async def _ours(world: World, site: Site, wrote: Operation | None, configuration: Configuration, salt: str) -> Ours:
    """What our operations put there, by the names that are still written on it."""
    made = await world.store.operation(configuration.operation) if configuration.operation else None
    if made is None or made.plan is None or not drift.brought(made):
        return Ours(traffic=drift.left(wrote))
    theirs = await world.configurations.configured(site, made.plan.revision)
    return Ours(
        traffic=drift.left(wrote),
        operation=made.id,
        image=drift.brought(made),
        marks=None if theirs is None else drift.marks(theirs, salt),
    )


async def _by_their_own_road(
    world: World, policy: Policy, place: Place, site: Site, configuration: Configuration
) -> bool:
    """True where it is no production, and GitHub has a deployment of what was newly made there."""
    if policy.environments[place.environment].production or not configuration.revision:
        return False
    made = await world.runs.revision(site, configuration.revision)
    if made is None:
        return False
    repository = policy.services[place.service].repository
    return any(
        record.digest == made.digest
        and record.state in WORKED
        and abs(record.updated_at - made.created_at) <= RECORDED_WITHIN
        for record in await world.code.deployments(repository, place.environment)
    )


# What is said of it -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """A change that others made, with all that is known of it."""

    policy: Policy
    known: Watched
    new: tuple[str, ...]
    running: Running
    configuration: Configuration
    at: datetime
    again: bool
    """It looked otherwise before that, too."""

    def entry(self) -> Entry:
        place, by = self.known.place, self.configuration.by
        serving = [{"revision": share.revision, "percent": share.percent} for share in self._serving()]
        detail: dict[str, Any] = {"changed": list(self.new), "still": list(self.known.changed), "serving": serving}
        if (window := self._window()) is not None:
            detail["window"] = {"name": window[0], "open": window[1]}
        return Entry(
            KIND,
            EntryPhase.OBSERVATION,
            "changed around",
            BOT,
            target={"service": place.service, "environment": place.environment},
            detail=detail,
            private={"by": by} if by else {},
        )

    def told(self) -> Reply:
        place, by = self.known.place, self.configuration.by
        lines = []
        if drift.TRAFFIC in self.new:
            serving = ", ".join(f"{share.percent} % {share.revision}" for share in self._serving())
            lines.append(Line(Mark.NOTE, f"It serves {serving} now."))
        if drift.BY_TAG in self.new:
            lines.append(
                Line(Mark.WARNING, "A tag may mean something else tomorrow, so what would run is not certain.")
            )
        if (window := self._window()) is not None and not window[1]:
            lines.append(Line(Mark.NO, f"The window {window[0]} is closed."))
        wrote = f" Cloud Run names {by} as who wrote last." if by else ""
        lines.append(Line(Mark.NOTE, f"No release of mine did this; who did, and from where, I cannot tell.{wrote}"))
        lines.append(Line(Mark.NOTE, self._follows()))
        where = f"{place.service} in {place.environment}"
        return Reply(f"Somebody changed {where} around me: {_names(self.new)}.", lines=tuple(lines))

    def _follows(self) -> str:
        if self.known.changed:
            return "The next promotion starts from what is there, and nobody verified that."
        return "So it is as I left it again." if self.again else "My last release took it along."

    def _serving(self) -> tuple[Share, ...]:
        return tuple(share for share in self.running.serving if share.percent)

    def _window(self) -> tuple[str, bool] | None:
        """The window that changes of this place keep to, and whether it is open."""
        policy, place = self.policy, self.known.place
        for path in policy.paths:
            if path.target == place.environment and path.serves(place.service) and path.gates.window:
                return path.gates.window, windows.named(policy, path.gates.window).is_open(self.at)
        return None


def standing(known: Watched) -> Text:
    """For `status`: what looks otherwise than we left it, and since when."""
    name: tuple[Piece, ...] = (Bold(f"{known.place.service} in {known.place.environment}"),)
    since: tuple[Piece, ...] = () if known.since is None else (" (seen ", When(known.since), ")")
    return (*name, f": changed around me: {_names(known.changed)}", *since)


def _names(changed: tuple[str, ...]) -> str:
    more = len(changed) - NAMES_MAX
    return listed(changed) if more <= 0 else f"{', '.join(changed[:NAMES_MAX])} and {more} more"


def _channels(policy: Policy, place: Place, wrote: Operation | None) -> tuple[str, ...]:
    """The service's own, and those that hear of its changes; where there is none, where the last one was asked for."""
    own = policy.services[place.service].channel
    informed = policy.informed(place.service, place.environment)
    channels = tuple(dict.fromkeys((*([own] if own else []), *informed)))
    return channels or ((wrote.channel,) if wrote is not None else ())
