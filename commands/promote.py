"""Promote: serve in one environment what the one below serves. What is asked becomes a request with a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from commands import confirm, explain, fields, gather, probing, tags, tell
from commands.asking import Asking
from commands.branch_plan import to_be_opened
from commands.consider import entry_of, held_back, in_line, phase_for, same_human, standing, wait
from commands.explain import texts
from commands.gather import Asked
from commands.grammar import ARROW
from commands.intent import Promote
from commands.judged import Judged, judge
from commands.operation import Operation
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import emergency_id, operation_id
from commands.reply import Line, Mark, Reply
from policy.agreement import Emergency
from policy.facts import EMERGENCY, Deed, EmergencyRecord, Question, Verdict, Vote
from policy.model import Unknown, short
from policy.wording import listed

UNPROMISING = frozenset({"may-ask", "allowed-path", "something-to-promote"})
"""Rules that neither time nor anybody's vote will mend: such a request is refused instead of kept."""
DEFAULT_REQUEST_LASTS = timedelta(hours=24)


async def ask(intent: Promote, asking: Asking) -> Writes:
    """A request with its plan stands in the channel, or why it cannot was said privately."""
    asks = asked(intent, asking)
    judged = await look(asks, asking)
    decision, plan = judged.decision, judged.gathered.plan
    what = _what(intent)
    target = {"service": intent.service, "environment": intent.target, "from": intent.source}
    if any(finding.rule in UNPROMISING for finding in decision.blockers) or isinstance(plan, Unknown):
        why = explain.unsaid(plan.why, decision) if isinstance(plan, Unknown) else ""
        reply = explain.refused(f"{what} cannot be promoted: {explain.verdict(decision)}. {why}".strip(), decision)
        return asking.refused("operation", target, reply, judged)
    if (no := await confirm.nothing_called(intent.confirms, judged.case, asking.world.store)) is not None:
        return asking.privately(Reply(no))
    already = await _already(plan, judged, intent, asking)
    if already is not None:
        return already
    gaps = fields.of_change(judged.case, decision)
    if gaps:
        return asking.privately(fields.ask_for(f"{what} needs a little more.", gaps, _words(intent), _said(intent)))
    operation = Operation(
        id=operation_id(asking.request.id),
        question=asks.question,
        asked_by=asks.by,
        asked_at=asks.at,
        expires_at=asks.expires_at,
        channel=asking.channel_of(intent.service),
        plan=plan,
        phase=phase_for(decision),
        version=intent.version,
        reason=intent.reason,
        fields=dict(intent.fields),
        confirmed=intent.confirms,
        emergency=asks.emergency,
        seen=in_line({}, decision),
    )
    sighting = tags.sighted(held_back(operation, judged), judged.facts, judged.case)
    operation = sighting.operation
    private = gather.said(intent.fields, intent.reason)
    entry = entry_of(operation, "asked", judged, actor=asks.by)
    return Writes(
        operation=operation,
        creates=True,
        entries=(replace(entry, private=private, detail=_stated(operation)), *sighting.entries),
        tags=sighting.tags,
        messages=tuple(
            replace(message, request=asking.request.id)
            for message in (*sighting.messages, *standing(operation, judged))
        ),  # should the channel be closed to us, the asker hears of it
        due=timedelta(0) if _at_once(plan, judged) else wait(operation, decision, asks.at),
    )


def _at_once(plan: Plan, judged: Judged) -> bool:
    """Whether there is something to do for it right now."""
    return judged.decision.allowed or to_be_opened(plan) or probing.wanted(judged.case, judged.decision)


def asked(intent: Promote, asking: Asking) -> Asked:
    """What these words ask for, from now on, and until it is too late."""
    policy, now = asking.active.policy, asking.world.clock.now()
    path = policy.path(intent.service, intent.source, intent.target)
    expires_at = (now + (path.request_lasts if path else DEFAULT_REQUEST_LASTS)).replace(microsecond=0)
    said = gather.said(intent.fields, intent.reason)
    record = None
    if intent.change == EMERGENCY and policy.emergency is not None:
        record = _emergency(policy.emergency, said, now, asking)
        expires_at = min(expires_at, record.ends_at)
    return Asked(
        Question(Deed.PROMOTE, intent.service, intent.target, intent.source, intent.change),
        asking.person,
        now,
        expires_at,
        intent.version,
        said,
        intent.confirms,
        record,
    )


def _emergency(rules: Emergency, said: dict[str, str], now: datetime, asking: Asking) -> EmergencyRecord:
    ends_at = (now + rules.lasts).replace(microsecond=0)
    return EmergencyRecord(emergency_id(asking.request.id), said, ends_at)


async def look(asks: Asked, asking: Asking) -> Judged:
    """What would be decided on it now. Nothing is written."""
    gathered = await gather.promotion(asking.world, asking.active, asks)
    return judge(asks.question, gathered, asking.active, asks.at)


async def _already(plan: Plan, judged: Judged, intent: Promote, asking: Asking) -> Writes | None:
    """What is written where the same was asked for and is open: no second request; what is stated besides is noted."""
    what = _what(intent)
    for other in await asking.world.store.open_operations():
        part = next((part for part in other.plan.parts if part.service == intent.service), None) if other.plan else None
        same_way = other.question.target == intent.target and intent.change != EMERGENCY
        if part is not None and same_way and part.digest == plan.digest:
            says = f"{what} of {short(plan.digest)} goes as part of {tell.title(other)}: {other.id}."
            target = {"service": intent.service, "environment": intent.target, "from": intent.source}
            return asking.refused("operation", target, Reply(says), operation=other.id)
    for other in await asking.world.store.open_operations(judged.question.place):
        same = other.plan is not None and (other.plan.deed, other.plan.digest) == ("promote", plan.digest)
        if not same or other.question.change != intent.change:
            continue
        if same_human(other.asked_by, asking.person) and not other.moving and intent.confirms - other.confirmed:
            return await _states(other, intent, asking)
        before = f"{other.asked_by.name} asked for {what} of {short(plan.digest)} already"
        mine = same_human(other.asked_by, asking.person)
        says = f"{before}: {other.id} is {tell.doing(other)}.{_unchanged(other, intent) if mine else ''}"
        target = {"service": intent.service, "environment": intent.target, "from": intent.source}
        refused = asking.refused("operation", target, Reply(says), operation=other.id)
        _, ts = await asking.world.store.permalink(other.id)
        again = () if ts else standing(other, judged)  # it could not be posted before
        return replace(refused, messages=(*again, *refused.messages))
    return None


def _unchanged(operation: Operation, intent: Promote) -> str:
    """That it still says what it said, where these words say otherwise."""
    before, now = gather.said(operation.fields, operation.reason), gather.said(intent.fields, intent.reason)
    other = [key for key, value in now.items() if before.get(key) != value]
    return (
        f" Its {listed(other)} {'stays' if len(other) == 1 else 'stay'} as before; cancel it to ask in other words."
        if other
        else ""
    )


async def _states(operation: Operation, intent: Promote, asking: Asking) -> Writes | None:
    """Whoever asked states more of their own request; it counts for exactly this plan."""
    plan = operation.plan.hash if operation.plan else ""
    mine = [vote for vote in await asking.world.store.votes(operation.id) if same_human(vote.voter, asking.person)]
    stated = frozenset[str]().union(*(vote.confirms for vote in mine if vote.plan == plan))
    unchanged = _unchanged(operation, intent)
    if intent.confirms <= stated | operation.confirmed:
        says = f"You have stated that already: {operation.id} is {tell.doing(operation)}.{unchanged}"
        return asking.privately(Reply(says))
    confirms = intent.confirms | stated
    vote = Vote(asking.person, Verdict.APPROVE, asking.world.clock.now(), plan, confirms=confirms)
    names = ", ".join(sorted(intent.confirms - stated))
    detail = {"confirms": sorted(confirms), "shown": short(plan)}
    entry = Entry.of(operation, "vote", EntryPhase.RECORD, "state", detail=detail, by=asking.person)
    said = texts((tell.who(asking.person),), f" states {names} for {tell.title(operation)}. Checking everything again.")
    return Writes(
        entries=(entry,),
        messages=(
            Message(operation.channel, Reply(said), operation=operation.id),
            *([asking.whisper(Reply(f"{operation.id} is open.{unchanged}"))] if unchanged else []),
        ),
        votes=((operation.id, vote),),
    )


async def dry_run(intent: Promote, asking: Asking) -> Reply:
    """Every rule, and everything that would be done, call by call. Nothing is done and nothing is kept."""
    judged = await look(asked(intent, asking), asking)
    plan, no = judged.gathered.plan, judged.gathered.not_yet
    steps = tell.steps(plan) if isinstance(plan, Plan) else ()
    would = [Line(Mark.NOTE, f"{number}. {step}") for number, step in enumerate(steps, 1)]
    cannot = [Line(Mark.NO, f"{plan.why}.")] if isinstance(plan, Unknown) else []
    return Reply(
        f"Dry run of {_what(intent)}: {explain.verdict(judged.decision)}. Nothing was done.",
        fields=tell.described(plan) if isinstance(plan, Plan) else (),
        lines=(
            *explain.findings(judged.decision, whole=True),
            *cannot,
            *([Line(Mark.NOTE, "This is what would be done, in this order:")] if would else []),
            *would,
            *([Line(Mark.NOTE, f"{no[:1].upper()}{no[1:]}.")] if no else []),
            *tell.changes(judged.gathered.comparison, judged.facts.evidence.changes),
        ),
    )


def _what(intent: Promote) -> str:
    return f"{intent.service} {intent.source}{ARROW}{intent.target}"


def _words(intent: Promote) -> tuple[str, ...]:
    return ("promote", intent.service, f"{intent.source}{ARROW}{intent.target}", intent.version)


def _said(intent: Promote) -> dict[str, str]:
    """The keys that were said, as they would be said again."""
    return {
        **({"type": intent.change} if intent.change else {}),
        **gather.said(intent.fields, intent.reason),
        **({"confirms": ",".join(sorted(intent.confirms))} if intent.confirms else {}),
    }


def _stated(operation: Operation) -> dict[str, object]:
    emergency = {"emergency": operation.emergency.id} if operation.emergency else {}
    return {**emergency, **({"confirms": sorted(operation.confirmed)} if operation.confirmed else {})}
