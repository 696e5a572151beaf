"""Does what was released stay well? It is watched for as long as the policy says; triggers take it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from commands import explain, gather, rollback, tell, triggers, unasked
from commands.errors import Rejected
from commands.gather import Asked
from commands.hand import STRANGE
from commands.judged import judge
from commands.operation import Operation, Phase, Wish
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Message, Running, Site, World, Writes
from commands.record import BOT, operation_id
from commands.reply import Button, Line, Mark, Reply, Tone
from commands.triggers import Fired
from policy.facts import Deed, Question
from policy.model import Unknown

AT_ONCE = timedelta(0)
SETTLES = timedelta(seconds=5)
"""Until another look where traffic is just being moved."""
ROLLBACK_LASTS = timedelta(hours=1)
RELEASE = "release"
"""Key in what was seen: id of the operation that is looked after."""
MOVED = "moved"
"""The same: looks in a row that showed it without any traffic."""
TOLD = "told"
"""The same: names of the triggers that people were told of."""
BACK = "back"
"""The same: the rollback that was asked for last, how many were, and before when no other is."""
BACK_TRIES = 3
"""Rollbacks that come to nothing before people are asked."""
BACK_AGAIN = timedelta(minutes=1)
"""Until the second of them; from each to the next twice as long."""


def after(operation: Operation, plan: Plan, now: datetime) -> Operation | None:
    """What looks after this release from now on; None: the policy asks for no such thing."""
    if not plan.watch_seconds or not triggers.during(plan, triggers.WATCH):
        return None
    watching = unasked.after(operation, Deed.WATCH, now, timedelta(seconds=plan.watch_seconds))
    return replace(watching, plan=plan, since=operation.began_at or now, seen={RELEASE: operation.id})


async def watch(operation: Operation, plan: Plan, world: World) -> Writes:
    """One look at it, and when to look again."""
    now = world.clock.now()
    going_on = await _rolled_back(operation, world)
    if isinstance(going_on, Writes):
        return going_on
    operation = going_on
    try:
        running = await world.runs.running(Site(plan.site))
    except Rejected as error:
        if now < operation.expires_at:
            raise
        says = f"Whether {plan.revision} stayed well cannot be told: {error}"
        return replace(_over(operation, Phase.FAILED, says, "not watched"), messages=_loud(operation, Reply(says)))
    if not running.settled and now < operation.expires_at:
        return Writes(operation=operation, due=SETTLES)
    if running.whole != plan.revision:
        return _not_alone(operation, plan, running, now)
    if now >= operation.expires_at and BACK in operation.seen:
        says = f"{plan.revision} was to be rolled back and was not; it is watched no more."
        return replace(_over(operation, Phase.FAILED, says, "not rolled back"), messages=_loud(operation, Reply(says)))
    if now >= operation.expires_at:
        says = f"{plan.revision} stayed well for {tell.span(now - operation.asked_at)} after it had all the traffic."
        told = _told(operation, Reply(f"{Mark.YES.value} {says}"), "watched")
        return replace(_over(operation, Phase.DONE, says, "stayed well"), messages=(told,))
    watched = triggers.during(plan, triggers.WATCH)
    looked = await triggers.look(world, plan, running, watched, operation.seen, operation.since or now)
    operation = replace(operation, seen={key: value for key, value in looked.seen.items() if key != MOVED})
    told = operation.seen.get(TOLD, [])
    fired = next((one for one in looked.fired if not one.asks or one.trigger.name not in told), None)
    if fired is not None:
        return await _fired(operation, plan, fired, world)
    return Writes(operation=operation, due=_due(operation, plan, now))


async def _rolled_back(operation: Operation, world: World) -> Writes | Operation:
    """What is written while the rollback that was asked for goes on, and once it worked; else the watch, to go on."""
    back, now = operation.seen.get(BACK), world.clock.now()
    if back is None or back["not_before"]:
        return operation
    other = await world.store.operation(back["id"])
    if other is not None and not other.over:
        return Writes(operation=operation, due=SETTLES)
    if other is not None and other.phase is Phase.DONE:
        return _over(operation, Phase.ROLLED_BACK, other.reason, "rolled back")
    told = operation.seen.get(TOLD, [])
    said_no = other is not None and (other.phase is Phase.REJECTED or other.wish in {Wish.CANCEL, Wish.ABORT})
    if other is not None and said_no:  # people know; None: it was never begun, as another like it stood there
        back, told = {**back, "tries": BACK_TRIES}, [*told, other.seen.get(gather.TRIGGER)]
    not_before = now + BACK_AGAIN * 2 ** (back["tries"] - 1)
    seen = {**operation.seen, BACK: {**back, "not_before": not_before.isoformat()}, TOLD: told}
    return replace(operation, seen=seen)


def _not_alone(operation: Operation, plan: Plan, running: Running, now: datetime) -> Writes:
    """It is over once several looks show it without traffic; while it has some, a later release may be taken back."""
    some = any(line.revision == plan.revision and line.percent for line in running.serving)
    looks = 0 if some else operation.seen.get(MOVED, 0) + 1
    if looks < STRANGE and now < operation.expires_at:
        waits = replace(operation, seen={**operation.seen, MOVED: looks})
        return Writes(operation=waits, due=min(SETTLES, operation.expires_at - now))
    return _over(operation, Phase.CANCELLED, f"{plan.revision} does not serve alone any more.", "moved on")


def _due(operation: Operation, plan: Plan, now: datetime) -> timedelta:
    every = timedelta(seconds=60 if plan.health is None else plan.health.resolution_seconds)
    probes = triggers.soonest(triggers.during(plan, triggers.WATCH))
    soon = max(SETTLES, every if probes is None else min(every, probes))
    return min(soon, operation.expires_at - now)


async def _fired(operation: Operation, plan: Plan, fired: Fired, world: World) -> Writes:
    """Traffic goes back by itself, or somebody is asked whether it shall."""
    name, place = fired.trigger.name, operation.place
    entry = _observed(operation, "trigger", {"trigger": name, "says": fired.says})
    what = f"{Mark.NO.value} {plan.service} {plan.revision} in {place.environment}: {fired.says}"
    back = None if fired.asks else await _rollback(operation, plan, fired, world)
    if isinstance(back, Operation):
        tries = operation.seen.get(BACK, {"tries": 0})["tries"] + 1
        told = (_told(operation, Reply(f"{what}. It is rolled back."), f"watched:{tries}"), _root(back))
        going = replace(operation, seen={**operation.seen, BACK: {"id": back.id, "tries": tries, "not_before": ""}})
        return Writes(operation=going, entries=(entry,), messages=told, starts=((back, AT_ONCE),), due=SETTLES)
    if name in operation.seen.get(TOLD, []) or back == "":  # people know, or it is too soon: each look tries again
        return Writes(operation=operation, due=_due(operation, plan, world.clock.now()))
    why = f" It cannot be rolled back by itself: {back}." if back else ""
    ask = Button(
        "Roll back",
        f'rollback {plan.service} {place.environment} leaves:{plan.revision} reason:"{name}"',
        Tone.DANGER,
        meant_for=f"Roll {place} back",
    )
    reply = Reply(f"{what}.{why}", buttons=(ask,))
    seen = {**operation.seen, TOLD: [*operation.seen.get(TOLD, []), name]}
    return Writes(
        operation=replace(operation, seen=seen),
        entries=(entry,),
        messages=_loud(operation, reply) if BACK in operation.seen else (_told(operation, reply, f"watched:{name}"),),
        due=_due(operation, plan, world.clock.now()),
    )


async def _rollback(operation: Operation, plan: Plan, fired: Fired, world: World) -> Operation | str:
    """What takes it back; or why nothing can, empty where it is only too soon to try once more."""
    now, active, before = world.clock.now(), world.policies.current(), operation.seen.get(BACK)
    if before is not None and before["tries"] >= BACK_TRIES:
        return f"that was tried {before['tries']} times, and came to nothing"
    if before is not None and now < datetime.fromisoformat(before["not_before"]):
        return ""
    for other in await world.store.open_operations(operation.place):
        if other.question.deed is Deed.ROLLBACK and not tell.waits_for_people(other):
            return f"{other.asked_by.name} is rolling it back already"
    number = f" {before['tries'] + 1}" if before is not None else ""
    question = Question(Deed.ROLLBACK, plan.service, plan.target)
    asks = Asked(question, BOT, now, now + ROLLBACK_LASTS, trigger=fired.trigger.name, leaves=plan.revision)
    gathered = await gather.rollback(world, active, asks)
    decision = judge(question, gathered, active, now).decision
    if isinstance(gathered.plan, Unknown):
        return gathered.plan.why
    if not decision.allowed:
        return explain.missing(decision.blockers)
    cause = f"{operation.id} {fired.trigger.name}{number}"
    return Operation(
        id=operation_id(cause),
        question=question,
        asked_by=BOT,
        asked_at=now,
        expires_at=now + ROLLBACK_LASTS,
        channel=operation.channel,
        plan=gathered.plan,
        phase=Phase.WAITING,
        reason=fired.says,
        emergency=rollback.emergency(active.policy, operation.place, cause, {"reason": fired.says}, now),
        seen={gather.TRIGGER: fired.trigger.name, gather.LEAVES: plan.revision},
    )


def _root(back: Operation) -> Message:
    return Message(back.channel, tell.root(back), operation=back.id, slot="root")


def _told(operation: Operation, reply: Reply, slot: str) -> Message:
    """In the thread of the release."""
    return Message(operation.channel, reply, operation=str(operation.seen[RELEASE]), slot=slot)


def _loud(operation: Operation, reply: Reply) -> tuple[Message, ...]:
    """In the channel itself, not only in the thread of the release."""
    return (_told(operation, reply, "watched:loud"), Message(operation.channel, reply))


def _over(operation: Operation, phase: Phase, note: str, what: str) -> Writes:
    return Writes(operation=operation.ended(phase, note), entries=(_observed(operation, what, {}),))


def _observed(operation: Operation, what: str, detail: Mapping[str, str]) -> Entry:
    """It stands with the release."""
    seen = Entry.of(operation, "operation", EntryPhase.OBSERVATION, what, detail=detail)
    return replace(seen, operation=str(operation.seen[RELEASE]))


def line(operation: Operation) -> Line:
    """For `status`."""
    return Line(Mark.NOTE, f"{operation.place}: {tell.title(operation)} is watched after its release")
