"""Promote: serve in one environment what the one below serves. What is asked becomes a request with a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from commands import gather, tell
from commands.asking import Asking
from commands.consider import phase_for, standing, summary, wait
from commands.intent import Promote
from commands.operation import Operation
from commands.ports import Entry, EntryPhase, Writes
from commands.record import operation_id, target_of
from commands.reply import Reply
from policy.decide import decide
from policy.facts import Deed, Question
from policy.model import Unknown, short

UNPROMISING = frozenset({"may-ask", "allowed-path", "something-to-promote"})
"""Rules that neither time nor anybody's vote will mend: such a request is refused instead of kept."""
DEFAULT_REQUEST_LASTS = timedelta(hours=24)


async def ask(intent: Promote, asking: Asking) -> Writes:
    """A request with its plan stands in the channel, or why it cannot was said privately."""
    world, policy, request = asking.world, asking.active.policy, asking.request
    question = Question(Deed.PROMOTE, intent.service, intent.target, intent.source)
    path = policy.path(intent.service, intent.source, intent.target)
    now = world.clock.now()
    expires_at = now + (path.request_lasts if path else DEFAULT_REQUEST_LASTS)
    gathered = await gather.promotion(
        world,
        asking.active,
        question,
        asked_by=asking.person,
        asked_at=now,
        expires_at=expires_at,
        version=intent.version,
    )
    decision = decide(question, gathered.facts, asking.active, now)
    what = f"{intent.service} {intent.source}→{intent.target}"
    target = {"service": intent.service, "environment": intent.target, "from": intent.source}
    if any(finding.rule in UNPROMISING for finding in decision.blockers) or isinstance(gathered.plan, Unknown):
        why = f" {gathered.plan.why}." if isinstance(gathered.plan, Unknown) and not decision.blockers else ""
        reply = tell.refused(f"{what} cannot be promoted: {tell.verdict(decision)}.{why}", decision)
        return asking.refused("operation", target, reply, decision)
    for other in await world.store.open_operations(question.place):
        if other.plan is not None and (other.plan.deed, other.plan.digest) == ("promote", gathered.plan.digest):
            before = f"{other.asked_by.name} asked for {what} of {short(other.plan.digest)} already"
            says = f"{before}: {other.id} is {tell.doing(other)}."
            refused = asking.refused("operation", target, Reply(says), operation=other.id)
            _, ts = await world.store.permalink(other.id)
            again = () if ts else standing(other, decision, gathered)  # it could not be posted before
            return replace(refused, messages=(*again, *refused.messages))
    operation = Operation(
        id=operation_id(request.id),
        question=question,
        asked_by=asking.person,
        asked_at=now,
        expires_at=expires_at,
        channel=asking.channel_of(intent.service),
        plan=gathered.plan,
        phase=phase_for(decision),
        version=intent.version,
        reason=intent.reason,
        seen={"decided": summary(decision)},
    )
    asked = Entry(
        "operation",
        EntryPhase.RECORD,
        "asked",
        asking.person,
        operation.id,
        "",
        target_of(operation),
        decision,
        private={"reason": intent.reason} if intent.reason else {},
    )
    return Writes(
        operation=operation,
        creates=True,
        entries=(asked,),
        messages=tuple(
            replace(message, request=request.id) for message in standing(operation, decision, gathered)
        ),  # should the channel be closed to us, the asker hears of it
        due=timedelta(0) if decision.allowed else wait(operation, decision, now),
    )
