"""Roll back: the last verified good revision serves again, whatever is frozen. Nobody's vote is waited for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from commands import explain, fields, gather, tell
from commands.asking import Asking
from commands.consider import entry_of, in_line, may_be_agreed, phase_for, standing, wait
from commands.gather import Asked
from commands.intent import Rollback, RollbackSeveral
from commands.judged import Judged, judge
from commands.operation import Operation, Phase, Wish
from commands.places import known
from commands.ports import Entry, Writes
from commands.record import emergency_id, operation_id
from commands.reply import Reply
from policy import windows
from policy.document import Policy
from policy.facts import Deed, EmergencyRecord, Question
from policy.model import Place, Unknown

LASTS = timedelta(hours=1)
"""A rollback that could not begin for so long is not wanted any more."""


async def ask(intent: Rollback, asking: Asking) -> Writes:
    """It is about to begin, and whatever else was changing the place yields; or why not was said privately."""
    world, request, policy = asking.world, asking.request, asking.active.policy
    question = Question(Deed.ROLLBACK, intent.service, intent.target)
    target = {"service": intent.service, "environment": intent.target}
    now = world.clock.now()
    missing = gaps(intent, policy)
    if missing:
        return asking.privately(
            fields.ask_for(f"A rollback of {question.place} needs a little more.", missing, *_said(intent))
        )
    open_operations = await world.store.open_operations(question.place)
    for other in open_operations:
        if other.question.deed is Deed.ROLLBACK:
            says = f"{other.asked_by.name} is rolling {question.place} back already: {other.id} is {tell.doing(other)}."
            return asking.refused("operation", target, Reply(says), operation=other.id)
    under_way = next((other for other in open_operations if other.has_place), None)
    asks = Asked(question, asking.person, now, now + LASTS, intent.to, confirmed=intent.despite)
    gathered = await gather.rollback(world, asking.active, asks, under_way)
    judged = judge(question, gathered, asking.active, now)
    decision = judged.decision
    if intent.leaves and (leaves := leaving(judged)) not in intent.leaves:
        return asking.refused("operation", target, Reply(old_button(question.place, leaves)), judged)
    waits = not decision.allowed and may_be_agreed(judged)
    if not (decision.allowed or waits) or isinstance(gathered.plan, Unknown):
        people = await known("who holds which role", world.people.holders(tuple(asking.active.policy.roles)))
        facts = replace(gathered.facts, people=people)  # looked up only now: to say who may, if somebody may not
        judged = judge(question, replace(gathered, facts=facts), asking.active, now)
        decision = judged.decision
        why = f" {gathered.plan.why}." if isinstance(gathered.plan, Unknown) else ""
        reply = explain.refused(f"{question.place} cannot be rolled back: {explain.verdict(decision)}.{why}", decision)
        return asking.refused("operation", target, reply, judged)
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
        fields=dict(intent.fields),
        confirmed=intent.despite,
        emergency=emergency(policy, question.place, request.id, _record(intent), now),
        seen={} if under_way is None else {"after": under_way.id},
    )
    if waits:
        operation = replace(operation, phase=phase_for(decision), seen=in_line({}, decision))
    return Writes(
        operation=operation,
        creates=True,
        entries=(on_record(operation, judged, intent.incident),),
        messages=tuple(
            replace(message, request=request.id) for message in standing(operation, judged)
        ),  # should the channel be closed to us, the asker hears of it
        wishes=() if waits else tuple((other.id, Wish.YIELD) for other in open_operations if other.has_place),
        due=wait(operation, decision, now) if waits else timedelta(0),
    )


def leaving(judged: Judged) -> str:
    """The revision that would be taken back, by name; empty: that is not known."""
    serving = judged.facts.target_serving
    return "" if isinstance(serving, Unknown) else serving.revision


def old_button(place: Place, leaves: str) -> str:
    """What it offered to take back is gone; the next one back is nobody's wish yet."""
    return f"That button is old: {place} would leave {leaves or 'what is not known'} now. Look at `status` first."


def on_record(operation: Operation, judged: Judged | None, incident: str) -> Entry:
    """That it was asked for, by whom and with which words."""
    asked = entry_of(operation, "asked", judged, actor=operation.asked_by)
    despite, record = ",".join(sorted(operation.confirmed)), operation.emergency
    told = {"incident": incident, "despite": despite}
    return replace(
        asked,
        target={**asked.target, **{key: value for key, value in told.items() if value}},
        detail={} if record is None else {"emergency": record.id},
        private=gather.said(operation.fields, operation.reason),
    )


def emergency(policy: Policy, place: Place, cause: str, said: dict[str, str], now: datetime) -> EmergencyRecord | None:
    """The record that a rollback outside the window opens by itself; None: it is inside, or the policy wants none."""
    rules = policy.emergency
    if rules is None or not policy.rollback.emergency_outside_window:
        return None
    paths = (path for path in policy.paths if path.target == place.environment and path.serves(place.service))
    named = {path.gates.window for path in paths if path.gates.window is not None}
    if not named or any(windows.named(policy, name).is_open(now) for name in named):
        return None
    return EmergencyRecord(emergency_id(cause), said, (now + rules.lasts).replace(microsecond=0))


def _record(intent: Rollback) -> dict[str, str]:
    """What was said for it, as its emergency keeps it."""
    keys = {"reason": intent.reason, "incident": intent.incident, **intent.fields}
    return {key: value for key, value in keys.items() if value}


def gaps(intent: Rollback | RollbackSeveral, policy: Policy) -> list[fields.Gap]:
    """What the policy wants said and was not."""
    found = fields.of_a_rollback(policy, intent.reason, intent.fields)
    if intent.despite and not intent.reason and not policy.rollback.reasons:
        found.insert(0, fields.Gap("reason", "whoever goes back over a change of the database says why"))
    return found


def _said(intent: Rollback) -> tuple[list[str], dict[str, str]]:
    """The same words once more: those that stand alone, and those with a key."""
    words = ["rollback", intent.service, intent.target, *(["to", intent.to] if intent.to else [])]
    keys = {"despite": ",".join(sorted(intent.despite)), "leaves": ",".join(sorted(intent.leaves))}
    return words, {"reason": intent.reason, "incident": intent.incident, **keys, **intent.fields}
