"""Is the new revision well? What it answers when it is asked, and what it answered to people."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from commands import tell
from commands.errors import Unavailable
from commands.hand import ANSWERS_WITHIN, POLL, Hand, same, traffic
from commands.operation import Phase
from commands.ports import Requests, Writes
from commands.reply import Mark


async def smoke(hand: Hand) -> Writes:
    """The tagged address answers as it should."""
    running = await hand.world.runs.running(hand.site)
    address = next((s.address for s in running.serving if s.revision == hand.plan.revision and s.address), "")
    waited = hand.now - (hand.operation.since or hand.now)
    if not address:
        if waited < ANSWERS_WITHIN:
            return Writes(operation=hand.operation, due=POLL)
        return hand.turn_back("Its tagged address never appeared, so it could not be tested.", bad=False)
    told = []
    for probe in hand.plan.smoke:
        found = await hand.world.probes.probe(address, probe)
        saw = ", ".join(str(status) if status else "no answer" for status in dict.fromkeys(found.saw))
        if not found.ok:
            if 0 in found.saw and waited < ANSWERS_WITHIN:
                return Writes(operation=hand.operation, due=timedelta(seconds=1))
            expected = " or ".join(str(status) for status in probe.expect)
            why = f"Smoke test failed: {probe.method} {probe.path} gave {saw}, expected {expected}"
            return hand.turn_back(why, bad=True, entries=(hand.observed("smoke", {"says": why}),))
        told.append(f"{probe.method} {probe.path} {saw} ×{len(found.saw)}")
    says = f"smoke test passed: {'; '.join(told)}" if told else "no smoke test is asked for"
    return hand.next({"mark": Mark.YES.value, "says": says}, (hand.observed("smoke", {"says": says}),))


async def judge(hand: Hand) -> Writes:
    """The new revision has answered enough real requests, and well."""
    bounds = hand.plan.health
    if bounds is None:
        return hand.next({"mark": Mark.NOTE.value, "says": "no bounds to judge by"})
    moved = await _moved_by_others(hand)
    if moved is not None:
        return moved
    operation = hand.operation
    hold = timedelta(seconds=hand.plan.steps[operation.moment.index].hold_seconds)
    every = timedelta(seconds=max(1.0, bounds.resolution_seconds))
    waited = hand.now - (operation.since or hand.now)
    found = await numbers(hand)
    if isinstance(found, str):
        why_not = found
    else:
        counted, wrong = measured(found), what_is_wrong(hand, found)
        if wrong is not None:
            return hand.turn_back(wrong, bad=True, entries=(hand.observed("unhealthy", counted),))
        if found.total >= bounds.min_requests and waited >= hold:
            says = f"{hand.percent()} %: {_well(found)}"
            return hand.next({"mark": Mark.YES.value, "says": says, **counted}, (hand.observed("healthy", counted),))
        why_not = f"only {found.total} of {bounds.min_requests} requests"
    if waited >= hold + timedelta(seconds=bounds.give_up_seconds):
        why = f"Not judged within {tell.span(waited)} at {hand.percent()} %: {why_not}. Unknown is not healthy."
        return hand.turn_back(why, bad=False, entries=(hand.observed("inconclusive", {"says": why}),))
    return Writes(operation=operation, due=every if waited >= hold else min(every, hold - waited))


async def numbers(hand: Hand) -> Requests | str:
    """What the candidate answered since traffic reached it, as far as that can be known; or why it cannot."""
    bounds, since = hand.plan.health, hand.operation.since or hand.now
    if bounds is None:
        return "there are no bounds to judge by"
    resolution = timedelta(seconds=bounds.resolution_seconds)
    until = hand.now - timedelta(seconds=bounds.delay_seconds)
    if until - since < resolution:
        return "its numbers are not in yet"
    try:
        return await hand.world.metrics.requests(hand.site, hand.plan.revision, since, until, resolution)
    except Unavailable as error:
        return f"its numbers cannot be had: {str(error).rstrip('.')}"


async def _moved_by_others(hand: Hand) -> Writes | None:
    """What is written where traffic is not where this step put it; None: it is."""
    running = await hand.world.runs.running(hand.site)
    key = f"strange:{hand.operation.moment.index}"
    if not running.settled or same(running.serving, hand.shares()):
        seen = {name: value for name, value in hand.operation.seen.items() if name != key}
        hand.operation = replace(hand.operation, seen=seen)
        return None
    again = hand.once_more(key)
    if again is not None:
        return again
    serving = ", ".join(f"{line.percent} % {line.revision}" for line in running.serving if line.percent)
    note = f"Somebody else moved its traffic ({serving}), so it is theirs now. Look at {hand.plan.site}."
    return hand.over(hand.operation.ended(Phase.UNCERTAIN, note), (hand.observed("moved", traffic(running)),))


def what_is_wrong(hand: Hand, seen: Requests) -> str | None:
    """What is wrong with these numbers, if anything is and they are enough to say so."""
    bounds = hand.plan.health
    if bounds is None or seen.total < bounds.min_requests:
        return None
    if seen.error_percent > bounds.max_error_percent:
        return (
            f"{seen.errors} of {seen.total} requests failed at {hand.percent()} % of traffic: "
            f"{seen.error_percent:.1f} %, allowed {bounds.max_error_percent:g} %"
        )
    if bounds.max_p99_ms is not None and seen.p99_ms is not None and seen.p99_ms > bounds.max_p99_ms:
        return f"p99 is {seen.p99_ms:.0f} ms at {hand.percent()} % of traffic, allowed {bounds.max_p99_ms:.0f} ms"
    return None


def _well(seen: Requests) -> str:
    p99 = "" if seen.p99_ms is None else f", p99 {seen.p99_ms:.0f} ms"
    return f"healthy over {seen.total} requests, {seen.error_percent:.1f} % failed{p99}"


def measured(seen: Requests) -> dict[str, Any]:
    return {"requests": seen.total, "errors": seen.errors, "error_percent": f"{seen.error_percent:.2f}"}
