"""Is the new revision well? What it answers when it is asked, and what it answered to people."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from commands import explain, next_step, own, tell, triggers
from commands.errors import Unavailable
from commands.hand import ANSWERS_WITHIN, POLL, Hand, same
from commands.next_step import NextStep
from commands.operation import Phase
from commands.plan import PlannedStep
from commands.ports import Entry, Message, Requests, Writes
from commands.reply import Mark
from commands.tell import ASKED, Doubt
from policy.wording import listed

ASK = "ask"
BLUE_GREEN = "blue_green"
PROCEED = "continue"
"""Key in what was seen, with the step's number and what people were asked about: who let it go on."""
QUESTIONS = "questions"
"""Key in what was seen: how many questions people were asked; each has a number of its own."""
BETWEEN_LOOKS = timedelta(seconds=1)
BETWEEN_SMOKE = timedelta(seconds=1)
RECOVERS_WITHIN = timedelta(minutes=2)
"""So long what serves again may take to answer as it should."""
WHILE_HELD = timedelta(seconds=60)
"""Between two looks at what nobody moves for now."""


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
    within = timedelta(seconds=hand.plan.deploy_within_seconds)
    patient = hand.plan.style == BLUE_GREEN and hand.now - (hand.operation.began_at or hand.now) < within
    for probe in hand.plan.smoke:
        found = await hand.world.probes.probe(address, probe)
        hand.operation = replace(hand.operation, seen=own.noted(hand.operation.seen, hand.now, [found]))
        saw = ", ".join(str(status) if status else "no answer" for status in dict.fromkeys(found.saw))
        if not found.ok:
            if patient or (0 in found.saw and waited < ANSWERS_WITHIN):
                return Writes(operation=hand.operation, due=BETWEEN_SMOKE)
            expected = " or ".join(str(status) for status in probe.expect)
            why = f"Smoke test failed: {probe.method} {probe.path} gave {saw}, expected {expected}"
            return hand.turn_back(why, bad=True, entries=(hand.observed("smoke", {"says": why}),))
        told.append(f"{probe.method} {probe.path} {saw} ×{len(found.saw)}")
    took = hand.world.clock.now() - (hand.operation.began_at or hand.now)
    if hand.plan.style == BLUE_GREEN and told and took > within:  # the deadline goes by when it answered
        why = f"It answered as it should only after {tell.span(took)}, and had {tell.span(within)}"
        return hand.turn_back(why, bad=True, entries=(hand.observed("smoke", {"says": why}),))
    says = f"smoke test passed: {'; '.join(told)}" if told else "no smoke test is asked for"
    return hand.next({"mark": Mark.YES.value, "says": says}, (hand.observed("smoke", {"says": says}),))


async def recovered(hand: Hand) -> Writes:
    """What serves again answers as it should; only then is recovery declared."""
    running, since = await hand.world.runs.running(hand.site), hand.operation.since or hand.now
    asked = [(probe.path, await hand.world.probes.probe(running.address, probe)) for probe in hand.plan.recovered]
    failed, waited = triggers.failures(asked), hand.now - since
    if not failed:
        wanted_at, wanted = hand.wanted()
        took = hand.now - wanted_at
        says = f"recovered: it answers as it should, {tell.span(took)} after it was {wanted}"
        entry = hand.observed("recovered", {"seconds": round(took.total_seconds()), "verified": hand.now.isoformat()})
        return hand.next({"mark": Mark.YES.value, "says": says}, (entry,))
    if waited < RECOVERS_WITHIN:
        return Writes(operation=hand.operation, due=BETWEEN_SMOKE)
    note = f"{hand.plan.revision} serves 100 % again, but does not answer as it should: {failed}."
    entry = hand.observed("not recovered", {"says": note})
    return hand.over(hand.operation.ended(Phase.UNCERTAIN, f"{note} Look at {hand.plan.site}."), (entry,))


async def judge(hand: Hand) -> Writes:
    """The new revision has answered enough real requests, and well; on it goes where nothing closed meanwhile."""
    bounds = hand.plan.health
    if bounds is None:
        return hand.next({"mark": Mark.NOTE.value, "says": "no bounds to judge by"})
    moved = await _moved_by_others(hand)
    if moved is not None:
        return moved
    wrong = await fired(hand)
    if wrong is not None:
        return wrong
    step = hand.plan.steps[hand.operation.moment.index]
    hold = timedelta(seconds=step.hold_seconds)
    every = timedelta(seconds=max(1.0, bounds.resolution_seconds))
    waited = hand.now - (hand.operation.since or hand.now)
    found = await numbers(hand)
    if isinstance(found, str):
        why_not = found
    else:
        counted, bad = measured(found), what_is_wrong(hand, found)
        if bad is not None:
            return hand.turn_back(bad, bad=True, entries=(hand.observed("unhealthy", counted),))
        if found.total >= _enough(hand) and waited >= hold:
            says = f"{hand.percent()} %: {_well(found)}"
            return await _on(hand, {"mark": Mark.YES.value, "says": says, **counted}, hand.observed("healthy", counted))
        why_not = f"only {found.total} of {_enough(hand)} requests"
    allowed = _let_on(hand, tell.NUMBERS)
    if allowed is not None and waited >= hold:
        return await _on(hand, {"mark": Mark.NOTE.value, "says": allowed}, hand.observed("let on", {"says": why_not}))
    if waited >= hold + timedelta(seconds=bounds.give_up_seconds):
        return _inconclusive(hand, waited, why_not)
    probes = triggers.soonest(triggers.during(hand.plan, triggers.ROLLOUT))
    every = every if probes is None else max(BETWEEN_LOOKS, min(every, probes))
    return Writes(operation=hand.operation, due=every if waited >= hold else min(every, hold - waited))


async def fired(hand: Hand, *, asks: bool = True) -> Writes | None:
    """What is written because a trigger fired; None: none did. `asks`: those count that only ask people, too."""
    watched = triggers.during(hand.plan, triggers.ROLLOUT)
    if not watched:
        return None
    operation, running = hand.operation, await hand.world.runs.running(hand.site)
    since = operation.began_at or hand.now
    looked = await triggers.look(hand.world, hand.plan, running, watched, operation.seen, since)
    hand.operation = replace(operation, seen=dict(looked.seen))
    if not looked.fired:
        return None
    if not looked.fired[0].asks:
        return hand.turn_back(looked.fired[0].says, bad=True, entries=(_trigger(hand, looked.fired[0]),))
    doubt = tell.asked(operation)
    new = [one for one in looked.fired if _let_on(hand, _about(one)) is None]
    if not asks or not new or (doubt is not None and doubt.about != tell.HELD):
        return None
    return _ask(hand, f"{new[0].says}.", _trigger(hand, new[0]), _about(new[0]))


def _about(fired: triggers.Fired) -> str:
    return f"trigger:{fired.trigger.name}"


def _trigger(hand: Hand, fired: triggers.Fired) -> Entry:
    return hand.observed("trigger", {"trigger": fired.trigger.name, "says": fired.says})


async def _on(hand: Hand, seen: dict[str, Any], entry: Entry) -> Writes:
    """On to the next step, where its own probes pass and it may be opened; held where something closed meanwhile."""
    step, index = hand.plan.steps[hand.operation.moment.index], hand.operation.moment.index
    doubt = tell.asked(hand.operation)
    if doubt is not None and doubt.about not in {tell.NUMBERS, tell.HELD}:
        return _patient(hand, doubt.why, doubt, entry)
    failed = await _failing(hand, step)
    if failed:
        why = f"After {step.percent} % its probes failed: {failed}"
        return hand.turn_back(why, bad=True, entries=(hand.observed("probes", {"says": why}),))
    if index + 1 < len(hand.plan.steps):
        follows = await next_step.decided(hand.operation, hand.plan, hand.world)
        if not follows.decision.allowed and follows.decision.findings:
            return _held(hand, follows)
    kept = {key: value for key, value in hand.operation.seen.items() if key not in {ASKED, tell.HELD}}
    hand.operation = replace(hand.operation, note="", seen=kept)
    return hand.next(seen, (entry,))


async def _failing(hand: Hand, step: PlannedStep) -> str:
    """Which of the step's own probes fail, asked of its tagged address; empty: none."""
    if not step.probes:
        return ""
    running = await hand.world.runs.running(hand.site)
    address = next((s.address for s in running.serving if s.revision == hand.plan.revision and s.address), "")
    if not address:
        return "its tagged address is gone"
    asked = [(probe.path, await hand.world.probes.probe(address, probe)) for probe in step.probes]
    seen = own.noted(hand.operation.seen, hand.now, [found for _, found in asked])
    hand.operation = replace(hand.operation, seen=seen)
    return triggers.failures(asked)


def _held(hand: Hand, follows: NextStep) -> Writes:
    """The step is finished and no other is opened until all is open again; it is watched meanwhile.

    Whoever it is held for gets the place as soon as it may go on; people are asked where that takes long.
    """
    operation, decision, index = hand.operation, follows.decision, hand.operation.moment.index
    gone = f"; {listed(follows.gone)}, under which it began, ended" if follows.gone else ""
    why = f"{explain.missing(decision.blockers)}{gone}"
    note = f"Held at {hand.percent()} %: {why}"
    begun = tell.held_since(operation) is None
    most, opens = held_at_most(hand), decision.earliest
    late = begun and opens is not None and opens > hand.now + most
    seen = {
        "index": index,
        "since": hand.now.isoformat(),
        "ask_at": (hand.now + (timedelta(0) if late else most)).isoformat(),
        **({} if begun else operation.seen[tell.HELD]),
        "why": why,
    }
    ask_at, since = datetime.fromisoformat(seen["ask_at"]), datetime.fromisoformat(seen["since"])
    entry = replace(hand.observed("held", {}), decision=decision)
    if hand.now >= ask_at:
        held = tell.span(hand.now - since)
        so_far = f"That is later than {tell.span(most)}" if late else f"So it has been for {held}"
        seen["ask_at"] = (hand.now + most).isoformat()
        hand.operation = replace(operation, seen={**operation.seen, tell.HELD: seen})
        return _ask(hand, f"{note}. {so_far}.", entry, tell.HELD)
    asked = _asked(hand, tell.HELD) is not None
    waits = replace(operation, note=operation.note if asked else note, seen={**operation.seen, tell.HELD: seen})
    due = min(_meanwhile(hand), max(BETWEEN_LOOKS, ask_at - hand.now))
    if opens is not None:
        due = min(due, max(BETWEEN_LOOKS, opens - hand.now))
    if asked or operation.note == note:
        return Writes(operation=waits, due=due)
    told = Message(operation.channel, tell.held(waits), operation=operation.id, slot=f"held:{index}")
    return Writes(operation=waits, entries=(entry,), messages=(told, hand.root(waits)), due=due)


def held_at_most(hand: Hand) -> timedelta:
    """So long it is held before people are asked, and again each time that passes."""
    question = hand.operation.question
    path = hand.world.policies.current().policy.path(question.service, question.source or "", question.target)
    return path.rollout.held_at_most if path is not None else WHILE_HELD


def _inconclusive(hand: Hand, waited: timedelta, why_not: str) -> Writes:
    """Somebody is asked, once; nobody answers for as long again, or nobody is to be asked: it is taken back."""
    why = f"Not judged within {tell.span(waited)} at {hand.percent()} %: {why_not}. Unknown is not healthy."
    entry, doubt = hand.observed("inconclusive", {"says": why}), tell.asked(hand.operation)
    if hand.plan.inconclusive != ASK:
        return hand.turn_back(why, bad=False, entries=(entry,))
    if doubt is None or doubt.about == tell.HELD:
        return _ask(hand, why, entry, tell.NUMBERS)
    return _patient(hand, why, doubt, entry)


def _patient(hand: Hand, why: str, doubt: Doubt, entry: Entry) -> Writes:
    """Somebody is asked; where nobody answers for as long as numbers may be missing, it is taken back."""
    bounds = hand.plan.health
    patience = timedelta(seconds=0 if bounds is None else bounds.give_up_seconds)
    if hand.now < doubt.at + patience:
        return Writes(operation=hand.operation, due=min(doubt.at + patience - hand.now, _meanwhile(hand)))
    why = f"{why} Nobody answered for {tell.span(hand.now - doubt.at)}."
    return hand.turn_back(why, bad=False, entries=(entry,))


def _meanwhile(hand: Hand) -> timedelta:
    """How long until the next look at what nobody moves for now; its probes keep their pace."""
    probes = triggers.soonest(triggers.during(hand.plan, triggers.ROLLOUT))
    return WHILE_HELD if probes is None else min(WHILE_HELD, probes)


def _let_on(hand: Hand, about: str) -> str | None:
    """Who let this step go on when asked about that, and that they did; None: nobody."""
    return hand.operation.seen.get(let_on(hand, about))


def let_on(hand: Hand, about: str) -> str:
    """The key of that answer in what was seen."""
    return f"{PROCEED}:{hand.operation.moment.index}:{about}"


def _asked(hand: Hand, about: str) -> datetime | None:
    """Since when somebody is asked about that; None: nobody is."""
    doubt = tell.asked(hand.operation)
    return doubt.at if doubt is not None and doubt.about == about else None


def _ask(hand: Hand, why: str, entry: Entry, about: str) -> Writes:
    """People read why, and press a button that answers this question only; asked once more, it is the same one."""
    operation, doubt = hand.operation, tell.asked(hand.operation)
    again = doubt is not None and doubt.about == about
    number = operation.seen.get(QUESTIONS, 0) + 1
    id = doubt.id if doubt is not None and again else str(number)
    asked = {"index": operation.moment.index, "at": hand.now.isoformat(), "why": why, "about": about, "id": id}
    asking = replace(operation, note=why, seen={**operation.seen, QUESTIONS: number, ASKED: asked})
    told = Message(operation.channel, tell.asks(asking), operation=operation.id, slot=f"asked:{number}")
    return Writes(operation=asking, entries=(entry,), messages=(told, hand.root(asking)), due=BETWEEN_LOOKS)


def _enough(hand: Hand) -> int:
    """So many requests prove something at this step."""
    step, bounds = hand.plan.steps[hand.operation.moment.index], hand.plan.health
    return step.min_requests or (bounds.min_requests if bounds is not None else 1)


async def numbers(hand: Hand) -> Requests | str:
    """What the candidate answered to others since traffic reached it, as far as that is known; or why it is not."""
    bounds, since = hand.plan.health, hand.operation.since or hand.now
    if bounds is None:
        return "there are no bounds to judge by"
    resolution = timedelta(seconds=bounds.resolution_seconds)
    until = hand.now - timedelta(seconds=bounds.delay_seconds)
    if until - since < resolution:
        return "its numbers are not in yet"
    try:
        found = await hand.world.metrics.requests(hand.site, hand.plan.revision, since, until, resolution)
        return own.without(found, hand.operation.seen, since, until)
    except Unavailable as error:
        return f"its numbers cannot be had: {str(error).rstrip('.')}"


async def _moved_by_others(hand: Hand) -> Writes | None:
    """What is written where traffic is not where this step put it; None: it is."""
    running = await hand.world.runs.running(hand.site)
    if not running.settled or same(running.serving, hand.shares()):
        hand.operation = replace(hand.operation, seen=hand.familiar())
        return None
    again = hand.again(hand.operation.moment.index) if hand.stray(running) else None
    return again if again is not None else hand.theirs(running)


def what_is_wrong(hand: Hand, seen: Requests) -> str | None:
    """What is wrong with these numbers, if anything is and they are enough to say so."""
    bounds = hand.plan.health
    if bounds is None or seen.total < _enough(hand):
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
