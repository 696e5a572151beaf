"""Has one of a policy's triggers fired? What is measured is read here, and judged by rules that anybody can recount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from commands import own, tell
from commands.errors import Unavailable
from commands.plan import Plan, PlannedTrigger
from commands.ports import Point, Probed, Running, Signal, Site, World

PROBES = "probes"
ROLLOUT = "rollout"
WATCH = "watch"
BOTH = "both"

_SAYS = {
    Signal.ERROR_PERCENT: "{:.2f} % of its answers fail, allowed {:g} %",
    Signal.P99_MS: "its p99 is {:.0f} ms, allowed {:g} ms",
    Signal.MEMORY_PERCENT: "it uses {:.0f} % of its memory, allowed {:g} %",
    Signal.CPU_PERCENT: "it uses {:.0f} % of its processors, allowed {:g} %",
}


@dataclass(frozen=True, slots=True)
class Fired:
    """A trigger that fired, and what it saw."""

    trigger: PlannedTrigger
    says: str

    @property
    def asks(self) -> bool:
        """Somebody is asked, instead of taking it back."""
        return self.trigger.then == "ask"


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at all of them gave."""

    fired: tuple[Fired, ...]
    """Those that take it back before those that only ask, each in the policy's order."""
    seen: Mapping[str, Any]
    """What must be remembered until the next look, by key: plain JSON values."""


def during(plan: Plan, phase: str) -> tuple[PlannedTrigger, ...]:
    """Those that are looked at then: `rollout` or `watch`."""
    return tuple(trigger for trigger in plan.triggers if trigger.during in {phase, BOTH})


def soonest(triggers: Sequence[PlannedTrigger]) -> timedelta | None:
    """How long until the next look at the latest; None: the numbers come when they come."""
    return min((timedelta(seconds=each.every_seconds) for each in triggers if each.signal == PROBES), default=None)


async def look(
    world: World,
    plan: Plan,
    running: Running,
    triggers: Sequence[PlannedTrigger],
    seen: Mapping[str, Any],
    since: datetime,
) -> Looked:
    """All that fired. `since`: when its traffic came; before that it answered nobody."""
    now, remembered = world.clock.now(), dict(seen)
    fired: list[Fired] = []
    for trigger in triggers:
        if trigger.signal == PROBES:
            found = await _probed(world, plan, running, trigger, remembered, now)
        else:
            found = await _measured(world, plan, trigger, remembered, since, now)
        if found is not None:
            fired.append(Fired(trigger, f"{trigger.name}: {found}"))
    return Looked(tuple(sorted(fired, key=lambda one: one.asks)), remembered)


async def _probed(
    world: World, plan: Plan, running: Running, trigger: PlannedTrigger, seen: dict[str, Any], now: datetime
) -> str | None:
    key = f"trigger:{trigger.name}"
    before = seen.get(key, {"failed": 0})
    if "at" in before and now - datetime.fromisoformat(before["at"]) < timedelta(seconds=trigger.every_seconds):
        return None
    address = next((s.address for s in running.serving if s.revision == plan.revision and s.address), "")
    if not address and running.whole == plan.revision:  # a later release had the tag and was taken back
        address = running.address
    if not address:
        return None  # nobody can be asked; that is no answer
    asked = [(probe.path, await world.probes.probe(address, probe)) for probe in trigger.probes]
    if address == running.address and (await world.runs.running(running.site)).whole != plan.revision:
        return None  # a later release got traffic meanwhile, and may be what answered there
    seen |= own.noted(seen, now, [found for _, found in asked])
    failed = before["failed"] + 1 if any(not found.ok for _, found in asked) else 0
    seen[key] = {"failed": failed, "at": now.isoformat()}
    return f"its probes failed {failed} times in a row ({failures(asked)})" if failed >= trigger.in_a_row else None


def failures(asked: Sequence[tuple[str, Probed]]) -> str:
    """`/db/health 503`, each of those that failed."""
    return ", ".join(f"{path} {_saw(found)}" for path, found in asked if not found.ok)


def _saw(found: Probed) -> str:
    return ", ".join(str(status) if status else "no answer" for status in dict.fromkeys(found.saw))


async def _measured(
    world: World, plan: Plan, trigger: PlannedTrigger, seen: Mapping[str, Any], since: datetime, now: datetime
) -> str | None:
    """What it saw where it fired; None: it did not, or there are no numbers, which clears nothing either."""
    bounds, signal = plan.health, Signal(trigger.signal)
    if bounds is None or trigger.above is None:
        return None
    resolution = timedelta(seconds=bounds.resolution_seconds)
    until = now - timedelta(seconds=bounds.delay_seconds)
    lasts, site = timedelta(seconds=trigger.lasts_seconds), Site(plan.site)
    if until - since < max(lasts, resolution):
        return None
    try:
        points = await world.metrics.series(site, plan.revision, signal, since, until, resolution)
        run = too_much(points, trigger.above, resolution)
        if run is None or run.lasted < max(lasts, resolution):
            return None
        if signal in {Signal.ERROR_PERCENT, Signal.P99_MS}:
            answered = await world.metrics.requests(site, plan.revision, run.since, run.until, resolution)
            others = own.without(answered, seen, run.since, run.until)
            too_few = others.total < trigger.min_requests
            if too_few or (signal is Signal.ERROR_PERCENT and others.error_percent <= trigger.above):
                return None
    except Unavailable:
        return None
    says = _SAYS[signal].format(run.newest, trigger.above)
    return f"{says}, for {tell.span(run.lasted)}" if lasts else says


@dataclass(frozen=True, slots=True)
class Run:
    """Values that are all too much, without one between them that is not."""

    since: datetime
    until: datetime
    newest: float

    @property
    def lasted(self) -> timedelta:
        return self.until - self.since


def too_much(points: Sequence[Point], above: float, resolution: timedelta) -> Run | None:
    """The newest such run up to the newest point; a span without data neither breaks it nor makes it longer.

    None: the newest value is not too much, or there is none.
    """
    run: Run | None = None
    for point in reversed(points):
        if point.value <= above:
            break
        run = Run(point.at - resolution, run.until if run else point.at, run.newest if run else point.value)
    return run
