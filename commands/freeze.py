"""Freeze: close the gates with a reason and an end, and open them again. Also lifts holds."""

from __future__ import annotations

from commands import tell
from commands.asking import Asking
from commands.errors import Rejected
from commands.grammar import known
from commands.intent import EndFreeze, StartFreeze
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import freeze_id
from commands.reply import Bold, Line, Mark, Reply, Text, When
from policy.decide import decide
from policy.facts import Deed, Facts, Freeze, Hold, Question
from policy.finding import Decision
from policy.model import short


async def start(intent: StartFreeze, asking: Asking) -> Writes:
    """The freeze stands, the channel reads who, why and until when, and open requests are looked at again."""
    world, person = asking.world, asking.person
    now = world.clock.now()
    target = {"environment": intent.environment, **({"service": intent.service} if intent.service else {})}
    decision = _may(Deed.FREEZE, intent.service or "", intent.environment, asking)
    if not decision.allowed:
        reply = tell.refused(f"You may not freeze {intent.environment}.", decision)
        return asking.refused("freeze", target, reply, decision)
    freeze = Freeze(
        id=freeze_id(asking.request.id),
        environment=intent.environment,
        service=intent.service,
        starts_at=intent.starts_at or now,
        ends_at=intent.ends_at,
        reason=intent.reason,
        owner=person.name,
        exit_criteria=intent.exit_criteria,
    )
    entry = Entry(
        "freeze",
        EntryPhase.RECORD,
        "start",
        person,
        target={**target, "freeze": freeze.id},
        decision=decision,
        detail={"from": freeze.starts_at.isoformat(), "until": freeze.ends_at.isoformat()},
        private={"reason": freeze.reason, **({"exit": freeze.exit_criteria} if freeze.exit_criteria else {})},
    )
    said = Reply(
        tell.texts(
            f"❄ {scope(freeze)} is frozen until ",
            (When(freeze.ends_at),),
            " by ",
            (tell.who(person),),
            f": {freeze.reason}",
        ),
        lines=described(freeze),
        footer=f"{freeze.id} · promotions are blocked, rollbacks are not · freeze end {freeze.id}",
    )
    return Writes(
        entries=(entry,),
        freezes=(freeze,),
        messages=(Message(asking.request.channel, said, thread=asking.request.thread, request=asking.request.id),),
        wakes=await _touched(freeze.environment, freeze.service, asking),
    )


async def end(intent: EndFreeze, asking: Asking) -> Writes:
    """The freeze or hold is over, everybody reads by whom, and open requests are looked at again."""
    world = asking.world
    now = world.clock.now()
    freezes, holds = await world.store.freezes(now), await world.store.holds()
    found = _named(intent.which, freezes, holds, asking)
    if isinstance(found, Hold):
        return await _lift(found, intent, asking)
    decision = _may(Deed.FREEZE, found.service or "", found.environment, asking)
    target = {
        "environment": found.environment,
        "freeze": found.id,
        **({"service": found.service} if found.service else {}),
    }
    if not decision.allowed:
        return asking.refused("freeze", target, tell.refused(f"You may not end {found.id}.", decision), decision)
    private = {"reason": intent.reason} if intent.reason else {}
    entry = Entry("freeze", EntryPhase.RECORD, "end", asking.person, target=target, decision=decision, private=private)
    because = f": {intent.reason}" if intent.reason else "."
    said = Reply(
        tell.texts(f"{scope(found)} is open again: ", (tell.who(asking.person),), f" ended freeze {found.id}{because}")
    )
    return Writes(
        entries=(entry,),
        ended_freezes=((found.id, now),),
        messages=(Message(asking.request.channel, said, thread=asking.request.thread),),
        wakes=await _touched(found.environment, found.service, asking),
    )


async def _lift(hold: Hold, intent: EndFreeze, asking: Asking) -> Writes:
    decision = _may(Deed.LIFT, hold.place.service, hold.place.environment, asking)
    target = {
        "service": hold.place.service,
        "environment": hold.place.environment,
        "hold": hold.id,
        "digest": hold.digest,
    }
    if not decision.allowed:
        return asking.refused("hold", target, tell.refused(f"You may not lift {hold.id}.", decision), decision)
    private = {"reason": intent.reason} if intent.reason else {}
    entry = Entry("hold", EntryPhase.RECORD, "lifted", asking.person, target=target, decision=decision, private=private)
    because = f": {intent.reason}" if intent.reason else "."
    said = tell.texts(
        (tell.who(asking.person),), f" lifted the hold {hold.id} on {hold.place.service} {short(hold.digest)}{because}"
    )
    return Writes(
        entries=(entry,),
        lifted_holds=((hold.id, asking.world.clock.now()),),
        messages=(Message(asking.request.channel, Reply(said), thread=asking.request.thread),),
        wakes=await _touched(hold.place.environment, hold.place.service, asking),
    )


def _named(which: str, freezes: tuple[Freeze, ...], holds: tuple[Hold, ...], asking: Asking) -> Freeze | Hold:
    """The one that is meant; `Rejected`, with all there are, where that cannot be told."""
    if not which:
        if len(freezes) == 1:
            return freezes[0]
        if not freezes:
            raise Rejected("Nothing is frozen.")
        raise Rejected(f"Which one? There are {known(freeze.id for freeze in freezes)}.")
    every: tuple[Freeze | Hold, ...] = (*freezes, *holds)
    for candidate in every:
        if candidate.id.casefold() == which.casefold():
            return candidate
    environment = asking.active.policy.environment_called(which)
    there = [freeze for freeze in freezes if environment is not None and freeze.environment == environment]
    if len(there) == 1:
        return there[0]
    ids = [candidate.id for candidate in every]
    raise Rejected(f"I know no freeze or hold `{which[:40]}`; there {'are ' + known(ids) if ids else 'is none'}.")


def _may(deed: Deed, service: str, environment: str, asking: Asking) -> Decision:
    now = asking.world.clock.now()
    return decide(Question(deed, service, environment), Facts(asking.person, now), asking.active, now)


async def _touched(environment: str, service: str | None, asking: Asking) -> tuple[str, ...]:
    """Open requests that this may open or close the way for."""
    return tuple(
        operation.id
        for operation in await asking.world.store.open_operations()
        if not operation.moving
        and operation.question.target == environment
        and service in {None, operation.question.service}
    )


def scope(freeze: Freeze) -> str:
    return f"{freeze.service} in {freeze.environment}" if freeze.service else freeze.environment


def described(freeze: Freeze) -> tuple[Line, ...]:
    lines = [
        Line(
            Mark.NOTE,
            tell.texts((Bold(freeze.id),), " from ", (When(freeze.starts_at),), " until ", (When(freeze.ends_at),)),
        )
    ]
    if freeze.exit_criteria:
        lines.append(Line(Mark.NOTE, f"It can end when {freeze.exit_criteria}"))
    return tuple(lines)


def held(hold: Hold) -> Text:
    return tell.texts(
        (Bold(hold.id),),
        f" {hold.place.service} {short(hold.digest)} stays out of {hold.place.environment}: {hold.reason}",
    )
