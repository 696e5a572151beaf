"""May it begin now? The decision taken again on fresh facts, under the lease, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from commands import branch, branch_plan, explain, gather, member, owed, probing, rewind, tags, tell, testimony, waived
from commands.evidence import YET
from commands.gather import Gathered
from commands.judged import Judged, judge
from commands.operation import Operation, Phase, Wish, road
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Message, Site, World, Writes
from commands.record import BOT
from commands.reply import Reply
from policy.case import Case
from policy.document import ActivePolicy, Policy
from policy.facts import Deed, ExceptionRecord, Vote
from policy.finding import Decision, Standing
from policy.model import Person, Unknown
from policy.terms import agreement
from policy.votes import counted

LOOK_AGAIN = timedelta(minutes=5)
"""A request that waits is looked at again so often, besides at every click, freeze and hold, and at its opening."""
SOON = timedelta(seconds=30)
"""And so often while something could not be found out."""
AFTER_ANOTHER = timedelta(seconds=1)
A_ROLLBACK_WAITS = timedelta(milliseconds=200)


async def gather_for(operation: Operation, world: World, active: ActivePolicy, votes: tuple[Vote, ...]) -> Gathered:
    """The facts that this operation turns on, as they are now."""
    if operation.question.deed is Deed.REWIND:
        return await rewind.gathered(operation, world, active, votes)
    if operation.question.deed is Deed.ROLLBACK:
        plan = operation.plan
        to = "" if plan is None else plan.digest if plan.image else plan.revision  # what is gone has another name now
        asks = replace(gather.asked(operation, operation.asked_by, votes), version=to)
        others = await world.store.open_operations(operation.place) if tell.waits_for_people(operation) else ()
        leaves = next((other for other in others if other.moving and other.question.deed is Deed.PROMOTE), None)
        return remembering(await gather.rollback(world, active, asks, leaves), plan)
    by = await world.people.person(operation.asked_by.account)  # roles must hold now, too
    stated, cast = _by_the_asker(operation, votes)
    gathered = remembering(await gather.promotion(world, active, gather.asked(operation, by, cast)), operation.plan)
    facts = gathered.facts
    stands = replace(
        facts, confirmed=facts.confirmed.union(stated), exceptions=_others_uses(operation, facts.exceptions)
    )
    gathered = replace(gathered, facts=stands)
    return await member.as_part(gathered, operation, world, active) if operation.of_a_set else gathered


def _others_uses(
    operation: Operation, known: tuple[ExceptionRecord, ...] | Unknown
) -> tuple[ExceptionRecord, ...] | Unknown:
    """The exceptions as they are for it: what it began with once and was then decided again, it has not used up."""
    if isinstance(known, Unknown):
        return known
    return tuple(
        replace(record, used=tuple(use for use in record.used if use != operation.id))
        if operation.id in record.used
        else record
        for record in known
    )


def _by_the_asker(operation: Operation, votes: tuple[Vote, ...]) -> tuple[frozenset[str], tuple[Vote, ...]]:
    """What whoever asked stated since, of this very plan; and the votes, which theirs are none of."""
    plan = operation.plan.hash if operation.plan else ""
    theirs = [vote for vote in votes if vote.confirms and same_human(vote.voter, operation.asked_by)]
    stated = [vote.confirms for vote in theirs if vote.withdrawn_at is None and vote.plan == plan]
    return frozenset[str]().union(*stated), tuple(vote for vote in votes if vote not in theirs)


def same_human(one: Person, other: Person) -> bool:
    return one.account == other.account or (one.human is not None and one.human == other.human)


STOPPED = frozenset({"cancel", "abort"})


async def who_wanted(operation: Operation, world: World, what: frozenset[str] = STOPPED) -> str:
    """By name, who wanted that of it last; the ledger knows."""
    for row in await world.store.history(operation.question.service, 50):
        if row.operation == operation.id and row.kind == "operation" and row.what in what:
            return row.actor_name
    return "Somebody"


def remembering(gathered: Gathered, old: Plan | None) -> Gathered:
    """What was gathered, for the old plan where nothing differs but that a commit cannot be read right now."""
    new = gathered.plan
    if old is None or isinstance(new, Unknown):
        return gathered
    same = replace(new, commit=new.commit or old.commit, from_commit=new.from_commit or old.from_commit)
    return replace(gathered, plan=old, facts=replace(gathered.facts, plan=old.hash)) if same == old else gathered


async def consider(operation: Operation, world: World) -> Writes:
    """What is written once it was decided again: it begins, waits, is blocked, or has ended."""
    now = world.clock.now()
    if operation.wish in {Wish.CANCEL, Wish.ABORT, Wish.YIELD}:
        return end(operation, Phase.CANCELLED, f"{await who_wanted(operation, world)} cancelled it.", now)
    if now >= operation.expires_at:
        return end(operation, Phase.EXPIRED, "It could not begin in time; ask again.", now)
    if operation.question.deed is Deed.ROLLBACK:
        return await _rollback(operation, world, now)
    if operation.question.deed is Deed.REWIND and (moot := await rewind.moot(operation, world)):
        return end(operation, Phase.CANCELLED, moot, now)
    judged, votes = await _judged(operation, world, now)
    rejection = rejected(judged)
    if rejection is not None:
        return end(operation, Phase.REJECTED, rejection, now, judged)
    considered, told = replanned(operation, judged.gathered)
    if told and operation.of_a_set and operation.plan is not None and considered.plan is not None:
        note = f"It is not what was agreed to any more: {difference(operation.plan, considered.plan)}."
        return end(operation, Phase.FAILED, note, now, judged)
    if judged.decision.allowed and operation.of_a_set and (why := await member.broken(operation, world)):
        return end(operation, Phase.FAILED, why, now, judged)
    if judged.decision.allowed and considered.plan is not None and not not_yet(judged):
        return await _begin(considered, considered.plan, judged, votes, world)
    writes = _waits(operation, considered, judged, votes, told)
    proposing, entries = branch.about_to_propose(writes.operation or considered, world)
    if not entries:
        return await looking(writes, [(judged.case, judged.decision)], world)
    return replace(writes, operation=proposing, entries=(*writes.entries, *entries), due=timedelta(0))


async def looking(writes: Writes, decided: Sequence[tuple[Case, Decision]], world: World) -> Writes:
    """The same of what waits, with what the bot itself finds out or puts on record of it meanwhile."""
    if writes.operation is None:
        return writes
    sending = await probing.about_to_send(writes.operation, decided, world)
    if sending != writes.operation:
        return replace(writes, operation=sending, due=timedelta(0))
    kept = await testimony.about_to_record(sending, decided, world)
    if kept is None:
        return writes
    return replace(
        writes,
        entries=(*writes.entries, *kept.entries),
        messages=(*writes.messages, *kept.messages),
        shown=kept.shown,
        due=kept.due,
    )


def not_yet(judged: Judged) -> str:
    """Why it cannot begin however it is decided, a sentence without its end; empty: it can."""
    gathered = judged.gathered
    return gathered.plan.why if isinstance(gathered.plan, Unknown) else gathered.not_yet


async def _rollback(operation: Operation, world: World, now: datetime) -> Writes:
    """The same of a rollback: what is under way gives way to it, once nobody has to agree any more."""
    if await _has_left(operation, world):
        note = f"{operation.seen[gather.LEAVES]} has no traffic any more: there is nothing to take back."
        return end(operation, Phase.CANCELLED, note, now)
    others = await _changing(operation, world)
    if others and not tell.waits_for_people(operation):
        return _behind(operation, others)
    if any(other.question.deed is Deed.ROLLBACK for other in others):  # let it end, then see what is left to do
        return Writes(operation=operation, due=AFTER_ANOTHER)
    judged, votes = await _judged(operation, world, now)
    rejection = rejected(judged)
    if rejection is not None:
        return end(operation, Phase.REJECTED, rejection, now, judged)
    considered, told = replanned(operation, judged.gathered)
    if judged.decision.allowed and considered.plan is not None:
        agreed = _agreed(considered, now) if tell.waits_for_people(considered) else considered
        return _behind(agreed, others) if others else await _begin(agreed, considered.plan, judged, votes, world)
    serving = judged.facts.target_serving
    if not isinstance(serving, Unknown) and operation.plan and serving.revision == operation.plan.revision:
        note = f"{serving.revision} has all the traffic already: what was under way has let go of it."
        return end(operation, Phase.CANCELLED, note, now, judged)
    if not may_be_agreed(judged):
        return end(considered, Phase.FAILED, explain.missing(judged.decision.blockers), now, judged)
    return _waits(operation, considered, judged, votes, told)


def _agreed(operation: Operation, now: datetime) -> Operation:
    """It waits for people no more."""
    seen = {key: value for key, value in operation.seen.items() if key != tell.WAITS}
    return replace(operation, seen={**seen, tell.AGREED: now.isoformat()})


async def _judged(operation: Operation, world: World, now: datetime) -> tuple[Judged, tuple[Vote, ...]]:
    active = world.policies.current()
    votes = await member.votes(operation, world)
    return judge(operation.question, await gather_for(operation, world, active, votes), active, now), votes


def _waits(
    before: Operation, considered: Operation, judged: Judged, votes: tuple[Vote, ...], told: tuple[Message, ...]
) -> Writes:
    """It is still waiting or blocked; who reads it hears where that has changed."""
    decision = judged.decision
    considered = held_back(replace(considered, phase=phase_for(decision), attempts=0, note=""), judged)
    changed = considered != before or before.seen.get("decided") != summary(decision, votes)
    in_turn = replace(considered, seen=in_line(considered.seen, decision, votes))
    sighting = tags.sighted(in_turn, judged.facts, judged.case)
    considered = sighting.operation
    return Writes(
        operation=considered,
        messages=(*sighting.messages, *((*told, *standing(considered, judged)) if changed else ())),
        entries=(*sighting.entries, *((entry_of(considered, "decided again", judged),) if changed else ())),
        tags=sighting.tags,
        due=wait(considered, decision, judged.case.at),
    )


def held_back(operation: Operation, judged: Judged) -> Operation:
    """The same; blocked, with the reason, where its branch cannot be moved, whatever the rules say."""
    why = explain.unsaid(not_yet(judged), judged.decision)
    note = " ".join(part for part in (why, branch.not_opened(operation)) if part)
    return replace(operation, phase=Phase.BLOCKED, note=note) if why else operation


def may_be_agreed(judged: Judged) -> bool:
    """Whether a rollback lacks people's word, and nothing else speaks against it for sure."""
    unmet = {finding.rule for finding in judged.decision.blockers if finding.standing is Standing.UNMET}
    terms = judged.case.once(agreement)
    return unmet <= tell.AGREEING and not isinstance(terms, Unknown) and bool(terms.seats)


READY = "ready"
"""Key in what was seen: everything allows it, and only others are before it."""
OPENS = "opens"
"""The same: when time alone will have opened what it closes."""
IN_TIME = timedelta(seconds=5)
"""So long after that instant, whoever asked first is waited for."""
IN_VAIN = 5
"""And only until so many looks at it have failed in a row, which takes about as long."""


def in_line(seen: dict[str, Any], decision: Decision, votes: tuple[Vote, ...] = ()) -> dict[str, Any]:
    """What is remembered of a request that waits: how it was decided, what it waits for, and when it might go."""
    rest = {key: value for key, value in seen.items() if key not in {READY, OPENS}}
    opens = {} if decision.earliest is None else {OPENS: decision.earliest.isoformat()}
    return {**rest, **opens, "decided": summary(decision, votes), tell.WAITS: tell.waits(decision)}


def phase_for(decision: Decision) -> Phase:
    return Phase.WAITING if decision.allowed or decision.waits_for_people_only else Phase.BLOCKED


def wait(operation: Operation, decision: Decision, now: datetime) -> timedelta:
    """How long until it is worth another look, if nothing happens."""
    until_end = operation.expires_at - now
    opening = [decision.earliest - now] if decision.earliest and decision.earliest > now else []
    unknown = [finding for finding in decision.blockers if finding.standing is Standing.UNKNOWN]
    again = SOON if any(finding.reason != YET.why for finding in unknown) else LOOK_AGAIN
    return max(timedelta(seconds=1), min([again, until_end, *opening]))


def replanned(operation: Operation, gathered: Gathered) -> tuple[Operation, tuple[Message, ...]]:
    """The operation with the plan as it would be now. Votes on an older plan stop counting, and people hear it."""
    plan, old = gathered.plan, operation.plan
    if isinstance(plan, Unknown) or old is None or plan.hash == old.hash:
        return operation, ()
    if branch_plan.to_be_opened(old) and replace(plan, branch=old.branch) == old:  # nobody could agree without it
        return replace(operation, plan=plan), ()
    told = Message(
        operation.channel,
        Reply(f"What would be done has changed: {difference(old, plan)}. Approvals start again."),
        operation=operation.id,
        slot=f"replanned:{plan.hash[:12]}",
    )
    return replace(operation, plan=plan), (told,)


def difference(old: Plan, new: Plan) -> str:
    """Which parts of the plan differ, by name."""
    before, after = old.to_dict(), new.to_dict()
    names = [name.replace("_", " ") for name in before if name != "branch" and before[name] != after[name]]
    return ", ".join([*names, *_branch_differs(old, new)])


def _branch_differs(old: Plan, new: Plan) -> list[str]:
    """The same of its branches."""
    one, other = old.branch, new.branch
    if one is None or other is None:
        return [] if one == other else ["branch"]
    differs = {
        f"where {other.source} stands": one.head != other.head,
        f"where {other.target} stands": one.base != other.base,
        "its pull request": one.pull_request != other.pull_request,
        f"what #{other.pull_request} says": one.pull_request == other.pull_request
        and one.description != other.description,
    }
    return [says for says, holds in differs.items() if holds]


def standing(operation: Operation, judged: Judged) -> tuple[Message, ...]:
    """The root message and the plan in its thread, as they stand."""
    return (
        Message(operation.channel, tell.root(operation, judged), operation=operation.id, slot="root"),
        Message(operation.channel, tell.plan(operation, judged), operation=operation.id, slot="plan"),
    )


def rejected(judged: Judged) -> str | None:
    """Who rejected it and why, where somebody who may did."""
    count = judged.case.once(counted)
    for vote in () if isinstance(count, Unknown) else count.rejected:
        return f"{vote.voter.name} rejected it: {vote.reason or 'no reason given'}"
    return None


async def _changing(operation: Operation, world: World) -> list[Operation]:
    """Others that come before it at its place: what is under way, and for a promotion a rollback that was asked for."""
    promotes = operation.question.deed is Deed.PROMOTE
    return [
        other
        for other in await world.store.open_operations(operation.place)
        if other.id != operation.id
        and (other.has_place or (promotes and other.question.deed is Deed.ROLLBACK and other.wish is Wish.RUN))
    ]


async def _before(operation: Operation, world: World) -> list[Operation]:
    """Who asked earlier for the same place, and might begin now as well: first come, first served.

    What takes something back stands in no line: promotions wait for a rollback, and would for ever if it did for them.
    """
    if operation.question.deed is not Deed.PROMOTE:
        return []
    now = world.clock.now()

    def might(other: Operation) -> bool:
        opens = other.seen.get(OPENS)
        late = None if opens is None else now - datetime.fromisoformat(opens)
        return bool(other.seen.get(READY)) or (late is not None and timedelta(0) <= late < IN_TIME)

    return [
        other
        for other in await world.store.open_operations(operation.place)
        if other.question.deed is Deed.PROMOTE
        and (other.asked_at, other.id) < (operation.asked_at, operation.id)
        and other.wish is Wish.RUN
        and not other.moving
        and other.attempts < IN_VAIN
        and might(other)
    ]


async def _has_left(operation: Operation, world: World) -> bool:
    """True where the revision that a trigger spoke of has lost its traffic already: then nobody has to give way."""
    leaves, plan = operation.seen.get(gather.LEAVES), operation.plan
    if leaves is None or plan is None:
        return False
    running = await world.runs.running(Site(plan.site))
    lines = (*running.serving, *running.wanted)
    return running.settled and not any(line.revision == leaves and line.percent for line in lines)


def _behind(operation: Operation, others: list[Operation]) -> Writes:
    """A rollback waits until what is under way has let go, and says so to whatever began, or was held, meanwhile."""
    note, seen = f"It begins when {others[0].id} has let go.", {**operation.seen, "after": others[0].id}
    waits = replace(operation, phase=Phase.WAITING, note=note, seen=seen)
    root = Message(waits.channel, tell.root(waits), operation=waits.id, slot="root")
    return Writes(
        operation=waits,
        messages=(root,) if waits != operation else (),
        wishes=tuple(
            (other.id, Wish.YIELD)
            for other in others
            if other.question.deed is Deed.PROMOTE
            and other.phase is Phase.RUNNING
            and other.wish in {Wish.RUN, Wish.PAUSE, Wish.PROCEED}
        ),
        due=A_ROLLBACK_WAITS,
    )


async def _begin(operation: Operation, plan: Plan, judged: Judged, votes: tuple[Vote, ...], world: World) -> Writes:
    """It begins: the decision, the intent and the right to change the place are written together, and with them what
    it rests on and what it owes."""
    others = await _changing(operation, world) or await _before(operation, world)
    if others and operation.question.deed is Deed.ROLLBACK:
        return _behind(operation, others)
    if others:
        note, decided = f"It begins when {others[0].id} is over.", summary(judged.decision, votes)
        seen = {**operation.seen, "decided": decided, READY: True, tell.WAITS: f"waiting for {others[0].id}"}
        waits = replace(operation, phase=Phase.WAITING, note=note, seen=seen)
        changed = waits != operation
        return Writes(operation=waits, messages=standing(waits, judged) if changed else (), due=AFTER_ANOTHER)
    now = world.clock.now()
    begun = operation.begun(now, road(plan)[0])
    begun = replace(begun, seen={**begun.seen, "decided": summary(judged.decision)})
    verified = judged.gathered.serving_was_verified
    rests_on, owes = _rests_on(begun, judged), owed.by_operation(begun, judged, now)
    began = entry_of(begun, "began", judged, EntryPhase.INTENT)
    return Writes(
        operation=begun,
        entries=(
            replace(began, detail=_under(begun, judged, rests_on)),
            *(_used(begun, record) for record in rests_on),
            *(owed.entry(each, begun.id) for each in owes),
        ),
        messages=(
            Message(begun.channel, tell.root(begun), operation=begun.id, slot="root"),
            Message(begun.channel, tell.plan(begun, judged), operation=begun.id, slot="plan"),
            *_told_first(begun, judged.case.policy),
            *owed.told(begun.channel, begun.id, owes),
            *(_as_it_stands(record, judged, begun.channel) for record in rests_on),
        ),
        exceptions=rests_on,
        obligations=owes,
        tags=tags.sighted(begun, judged.facts, judged.case).tags,
        takes=begun.place if begun.has_place else None,
        good=((begun.place, verified),) if verified is not None else (),
        due=timedelta(0),
    )


def _told_first(operation: Operation, policy: Policy) -> tuple[Message, ...]:
    """Who hears of a rollback before it begins."""
    rules = policy.rollback
    if operation.question.deed is not Deed.ROLLBACK or not rules.informs_first:
        return ()
    return tuple(Message(channel, tell.result(operation)) for channel in rules.informs if channel != operation.channel)


def _under(operation: Operation, judged: Judged, rests_on: tuple[ExceptionRecord, ...]) -> dict[str, Any]:
    """Which window was open when it began, and what it rests on instead: an emergency, exceptions."""
    path = judged.case.path
    under: dict[str, Any] = {"window": path.gates.window if path is not None and path.gates.window else "any time"}
    if operation.emergency is not None:
        under["emergency"] = operation.emergency.id
    return {**under, "exceptions": [record.id for record in rests_on]} if rests_on else under


def _rests_on(operation: Operation, judged: Judged) -> tuple[ExceptionRecord, ...]:
    """The exceptions without which it would not begin, used by it from now on."""
    named = {finding.by for finding in judged.decision.findings if finding.standing is Standing.WAIVED}
    known = judged.facts.exceptions
    return tuple(
        replace(record, used=(*record.used, operation.id))
        for record in (() if isinstance(known, Unknown) else known)
        if record.id in named
    )


def _used(operation: Operation, record: ExceptionRecord) -> Entry:
    return Entry.of(operation, "exception", EntryPhase.RECORD, "used", also={"exception": record.id})


def _as_it_stands(record: ExceptionRecord, judged: Judged, channel: str) -> Message:
    card = waived.card(record, judged.case.policy, judged.case.at)
    return Message(channel, card, operation=record.id, slot="root")


def end(operation: Operation, phase: Phase, note: str, now: datetime, judged: Judged | None = None) -> Writes:
    """It ends before it began."""
    ended = operation.ended(phase, note)
    return Writes(
        operation=ended,
        entries=(*branch.never_mind(operation), entry_of(ended, phase.value, judged)),
        messages=(
            Message(ended.channel, tell.root(ended), operation=ended.id, slot="root"),
            Message(ended.channel, tell.closed(ended), operation=ended.id, slot="plan"),
            Message(ended.channel, tell.ended(ended, now), operation=ended.id, slot="ended"),
        ),
        leaves=ended.place,
    )


def entry_of(
    operation: Operation,
    what: str,
    judged: Judged | None,
    phase: EntryPhase = EntryPhase.RECORD,
    actor: Person = BOT,
) -> Entry:
    """What became of it, with all that it was decided on."""
    entry = Entry.of(operation, "operation", phase, what, by=actor)
    return entry if judged is None else judged.kept_in(entry)


def summary(decision: Decision, votes: tuple[Vote, ...] = ()) -> list[list[str]]:
    """How each rule stands, and each vote: when this changes, people are told."""
    rules = [[finding.rule, finding.standing.value] for finding in decision.findings]
    cast = [[vote.voter.account, vote.verdict.value, vote.at.isoformat(), str(vote.withdrawn_at)] for vote in votes]
    return rules + cast
