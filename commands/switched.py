"""What did somebody switch elsewhere to bring it back? It is written down and looked after; nothing is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from commands import explain, fields, gather, tell, triggers
from commands.asking import Asking
from commands.errors import Rejected, Unavailable
from commands.explain import texts
from commands.gather import Asked
from commands.intent import Switched
from commands.operation import Operation, Phase
from commands.places import site_of
from commands.ports import Entry, EntryPhase, Message, World, Writes
from commands.probing import planned_probes
from commands.record import operation_id
from commands.reply import Button, Code, Line, Mark, Reply, Text, Tone, When
from policy.document import Policy
from policy.facts import Deed, Question
from policy.model import Place, Unknown

SWITCHED = "switched"
"""Key in what was seen: what was switched, by whom and when."""
SERVES = "serves"
"""The same: the revision that served then. The button takes back that one and no other, whenever it is pressed."""
AGAIN = timedelta(seconds=2)
"""Between two looks at whether it answers as it should."""
RECOVERED = "recovered"
"""Key in what was seen: it answers as it should."""
RECOVERS_WITHIN = timedelta(minutes=5)
"""So long that may take: flags reach what runs a while after they were switched."""


async def record(intent: Switched, asking: Asking) -> Writes:
    """It is on record and in the channel, and whether that was enough is looked at; or why not was said privately."""
    world, policy, now = asking.world, asking.active.policy, asking.world.clock.now()
    named = f"{intent.name}={intent.value}" if intent.value else intent.name
    question = Question(Deed.WATCH, intent.service, intent.target, change=f"{intent.what} {named}")
    target = {"service": intent.service, "environment": intent.target, intent.what: intent.name}
    may = await asking.may(Deed.ROLLBACK, intent.service, intent.target)
    if not may.decision.allowed:
        says = f"You may not record that: {explain.missing(may.decision.blockers)}."
        return asking.refused("operation", target, Reply(says), may)
    gaps = fields.of_a_rollback(policy, intent.reason, intent.fields)
    if gaps:
        about = f"What was switched for {question.place} needs a little more."
        return asking.privately(fields.ask_for(about, gaps, *_said(intent)))
    if any(one.question == question for one in await world.store.timers(question.place)):
        says = f"That is on record for {question.place}, and whether it was enough is being looked at."
        return asking.refused("operation", target, Reply(says))
    others = await world.store.open_operations(question.place)
    by = intent.by or asking.person.name
    switched = {"what": intent.what, "name": intent.name, "value": intent.value, "by": by, "link": intent.link}
    serves = await _serves(question.place, others, asking)
    operation = Operation(
        id=operation_id(asking.request.id),
        question=question,
        asked_by=asking.person,
        asked_at=now,
        expires_at=now + RECOVERS_WITHIN,
        channel=asking.channel_of(intent.service),
        plan=None,
        phase=Phase.WATCHING,
        reason=intent.reason,
        fields={**intent.fields, **({"incident": intent.incident} if intent.incident else {})},
        seen={SWITCHED: switched, SERVES: serves},
    )
    entry = Entry(
        "operation",
        EntryPhase.RECORD,
        "switched",
        asking.person,
        operation.id,
        "",
        {**target, **({"incident": intent.incident} if intent.incident else {})},
        detail={key: value for key, value in switched.items() if value},
        private={**intent.fields, **({"reason": intent.reason} if intent.reason else {})},
    )
    heard = dict.fromkeys((*policy.informed(intent.service, intent.target), *policy.rollback.informs))
    threads = [one for one in others if one.question.deed is Deed.ROLLBACK]
    return Writes(
        operation=operation,
        creates=True,
        entries=(entry,),
        messages=(
            replace(_root(operation), request=asking.request.id),
            *(Message(one.channel, Reply(state(operation)), operation=one.id) for one in threads),
            *(Message(channel, Reply(state(operation))) for channel in heard if channel != operation.channel),
        ),
        due=timedelta(0),
    )


async def _serves(place: Place, others: Sequence[Operation], asking: Asking) -> str:
    """The revision that a rollback would take back now, by name; empty: that is not known."""
    brings = next((one for one in others if one.has_place and one.question.deed is Deed.PROMOTE), None)
    now = asking.world.clock.now()
    asks = Asked(Question(Deed.ROLLBACK, place.service, place.environment), asking.person, now, now)
    serving = (await gather.rollback(asking.world, asking.active, asks, brings)).facts.target_serving
    return "" if isinstance(serving, Unknown) else serving.revision


def _said(intent: Switched) -> tuple[list[str], dict[str, str]]:
    """The same words once more."""
    named = f"{intent.name}={intent.value}" if intent.value else intent.name
    keys = {intent.what: named, "by": intent.by, "link": intent.link, "reason": intent.reason}
    return ["rollback", intent.service, intent.target], {**keys, "incident": intent.incident, **intent.fields}


async def look(operation: Operation, world: World) -> Writes:
    """Whether it answers as it should: recovery is declared only then."""
    now, place, policy = world.clock.now(), operation.place, world.policies.current().policy
    site, asked = site_of(policy, place.service, place.environment), policy.rollback.recovered
    if asked is None or isinstance(site, Unknown):
        note = "Whether it recovered cannot be told by itself: the policy names no probes under rollback.recovered."
        return _over(operation, Phase.DONE, note, "not looked at", {})
    failed = await _failing(policy, asked, world, operation)
    took = now - operation.asked_at
    if not failed:
        note = f"Recovered: it answers as it should, {tell.span(took)} after that was recorded."
        measured = {"seconds": round(took.total_seconds()), "verified": now.isoformat()}
        return _over(operation, Phase.DONE, note, RECOVERED, measured)
    if now < operation.expires_at:
        return Writes(operation=operation, due=min(AGAIN, operation.expires_at - now))
    note = f"It has not recovered after {tell.span(took)}: {failed}."
    return _over(operation, Phase.FAILED, note, "not recovered", {"says": failed})


async def _failing(policy: Policy, asked: str, world: World, operation: Operation) -> str:
    """What does not answer as it should; empty: everything does."""
    site = site_of(policy, operation.question.service, operation.question.target)
    if isinstance(site, Unknown):
        return site.why
    try:
        running = await world.runs.running(site)
    except (Unavailable, Rejected) as error:
        return str(error).rstrip(".")
    probes = planned_probes(policy.probes[asked])
    return triggers.failures([(probe.path, await world.probes.probe(running.address, probe)) for probe in probes])


def _over(operation: Operation, phase: Phase, note: str, what: str, detail: dict[str, Any]) -> Writes:
    ended = replace(operation, seen={**operation.seen, RECOVERED: what == RECOVERED}).ended(phase, note)
    entry = Entry.of(ended, "operation", EntryPhase.OBSERVATION, what, also=_named(ended), detail=detail)
    told = Message(ended.channel, Reply(f"{_mark(ended).value} {note}"), operation=ended.id, slot="ended")
    return Writes(operation=ended, entries=(entry,), messages=(told, _root(ended)))


# In words -------------------------------------------------------------------------------------------------------------


def state(operation: Operation) -> str:
    """`checkout@prod: the flag new-cart was switched to off by maya.`"""
    its = operation.seen[SWITCHED]
    if its["what"] == "flag":
        return f"{operation.place}: the flag {its['name']} was switched to {its['value']} by {its['by']}."
    return f"{operation.place}: the configuration {its['name']} was changed by {its['by']}."


def line(operation: Operation) -> Line:
    """For `status`."""
    return Line(Mark.NOTE, f"{state(operation)[:-1]}; whether that was enough is being looked at")


def _root(operation: Operation) -> Message:
    its = operation.seen[SWITCHED]
    told: list[tuple[str, Text]] = [("Recorded by", (tell.who(operation.asked_by),))]
    told.append(("Recorded", (When(operation.asked_at),)))
    told += [("Link", (Code(its["link"]),))] if its["link"] else []
    told += [("Reason", operation.reason)] if operation.reason else []
    told += [(tell.name(key), value) for key, value in operation.fields.items()]
    says = operation.note or "Nothing is carried out for that. Whether it was enough is being looked at."
    place, serves = operation.place, operation.seen.get(SERVES)
    back = Button(
        "Roll back",
        f"rollback {place.service} {place.environment} leaves:{serves}",
        Tone.DANGER,
        meant_for=f"Roll {place} back",
        asks="reason",
    )
    card = Reply(
        state(operation),
        fields=tuple(told),
        lines=(Line(_mark(operation), says),),
        buttons=() if operation.seen.get(RECOVERED) or not serves else (back,),
        footer=texts((f"{operation.id} · recorded ", When(operation.asked_at))),
    )
    return Message(operation.channel, card, operation=operation.id, slot="root")


def _mark(operation: Operation) -> Mark:
    if operation.phase is Phase.FAILED:
        return Mark.NO
    return Mark.YES if operation.seen.get(RECOVERED) else Mark.NOTE


def _named(operation: Operation) -> dict[str, str]:
    its = operation.seen[SWITCHED]
    return {its["what"]: its["name"]}
