"""Roll back: the last verified good revision serves again, whatever is frozen. Nobody's vote is waited for."""

from __future__ import annotations

from datetime import timedelta

from commands import gather, tell
from commands.asking import Asking
from commands.intent import Rollback
from commands.operation import Operation, Phase, Wish
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import operation_id, target_of
from commands.reply import Reply
from policy.decide import decide
from policy.facts import Deed, Question
from policy.model import Unknown

LASTS = timedelta(hours=1)
"""A rollback that could not begin for so long is not wanted any more."""


async def ask(intent: Rollback, asking: Asking) -> Writes:
    """It is about to begin, and whatever else was changing the place yields; or why not was said privately."""
    world, request = asking.world, asking.request
    question = Question(Deed.ROLLBACK, intent.service, intent.target)
    target = {"service": intent.service, "environment": intent.target}
    now = world.clock.now()
    open_operations = await world.store.open_operations(question.place)
    for other in open_operations:
        if other.question.deed is Deed.ROLLBACK:
            says = f"{other.asked_by.name} is rolling {question.place} back already: {other.id} is {tell.doing(other)}."
            return asking.refused("operation", target, Reply(says), operation=other.id)
    under_way = next((other for other in open_operations if other.moving), None)
    gathered = await gather.rollback(
        world,
        asking.active,
        question,
        asked_by=asking.person,
        asked_at=now,
        expires_at=now + LASTS,
        to=intent.to,
        under_way=None if under_way is None else under_way.plan,
    )
    decision = decide(question, gathered.facts, asking.active, now)
    if not decision.allowed or isinstance(gathered.plan, Unknown):
        why = f" {gathered.plan.why}." if isinstance(gathered.plan, Unknown) else ""
        reply = tell.refused(f"{question.place} cannot be rolled back: {tell.verdict(decision)}.{why}", decision)
        return asking.refused("operation", target, reply, decision)
    operation = Operation(
        id=operation_id(request.id),
        question=question,
        asked_by=asking.person,
        asked_at=now,
        expires_at=now + LASTS,
        channel=asking.channel_of(intent.service),
        plan=gathered.plan,
        phase=Phase.WAITING,
        reason=intent.reason,
        seen={} if under_way is None else {"after": under_way.id},
    )
    asked = Entry(
        "operation",
        EntryPhase.RECORD,
        "asked",
        asking.person,
        operation.id,
        "",
        {**target_of(operation), **({"incident": intent.incident} if intent.incident else {})},
        decision,
        private={"reason": intent.reason} if intent.reason else {},
    )
    return Writes(
        operation=operation,
        creates=True,
        entries=(asked,),
        messages=(
            Message(operation.channel, tell.root(operation), operation=operation.id, slot="root", request=request.id),
            Message(operation.channel, tell.plan(operation, decision), operation=operation.id, slot="plan"),
        ),
        wishes=tuple((other.id, Wish.YIELD) for other in open_operations if other.moving),
        due=timedelta(0),
    )
