"""Several services as one candidate: may all of them go, whose turn is it, and what where one of them goes bad?

People agree to the whole: a plan that holds each one's own, and a manifest that pins them. What is here changes nothing
itself: each ships as a promotion of its own with its own record and thread, judged once more when its turn has come on
exactly what was pinned, and the next begins only once the one before is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from commands import confirm, explain, family, fields, gather, manifest, member, places, probing, tell
from commands.asking import Asking
from commands.consider import SOON, entry_of, looking, phase_for, rejected, remembering, summary, wait, who_wanted
from commands.gather import Asked, Gathered
from commands.grammar import ARROW
from commands.intent import PromoteSeveral
from commands.judged import Judged, judge
from commands.judged_together import Looked, findings, in_short, under_its_name, verdict, verdicts, would_ship
from commands.manifest import ManifestRecord
from commands.operation import PART_OF, Operation, Phase, Wish
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Message, World, Writes
from commands.promote import DEFAULT_REQUEST_LASTS, UNPROMISING
from commands.record import BOT, manifest_id, operation_id
from commands.reply import Button, Confirm, Line, Mark, Reply, Text, Tone, When
from policy.document import ActivePolicy, Model, Policy
from policy.facts import EMERGENCY, Deed, Question, Vote
from policy.model import Digest, Person, Unknown, short
from policy.wording import listed
from policy.wording import role as called

STAND = "stand"
"""Key in what was seen: how each of them stood when that was told last."""
BACK = "set_back"
"""The same: id of what takes back those that had shipped."""
WHY = "went_bad"
"""The same: why they go back, and how the whole will have ended."""
LOOK = timedelta(minutes=1)
"""Between two looks at whether the one under way is over, should its word of that get lost."""
EMPTY: Mapping[str, Operation | None] = MappingProxyType({})
STOPS = frozenset({Wish.ABORT, Wish.CANCEL, Wish.YIELD})
Members = list[tuple[Plan, Operation | None]]
"""Each one's part of the plan with its promotion, where that has begun, in the order in which they ship."""


def ships(part: Plan) -> bool:
    """Whether anything is to be done for this part; it may serve already."""
    return part.digest != part.from_digest


# Asking ---------------------------------------------------------------------------------------------------------------


async def ask(intent: PromoteSeveral, asking: Asking) -> Writes:
    """One request for all of them stands in the channel, with its manifest; or why it cannot was said privately."""
    asks, what = _asked(intent, asking), _what(intent)
    target = {"service": asks.question.service, "environment": intent.target, "from": intent.source}
    if (no := _cannot(intent, asking)) is not None:
        return asking.refused("operation", target, Reply(f"{what} cannot be promoted together: {no}."))
    looked = await look_at(asking.world, asking.active, asks)
    if (refusal := _hopeless(looked, what)) is not None:
        return replace(asking.refused("operation", target, refusal), entries=_refusals(looked, asking))
    plan = looked.plan
    assert not isinstance(plan, Unknown)  # noqa: S101 (`_hopeless` said so)
    if (no := _another(intent, plan) or await _unmeant(intent, looked, asking)) is not None:
        return asking.refused("operation", target, Reply(no))
    if (already := await _already(intent, asking)) is not None:
        return asking.refused("operation", target, already[0], operation=already[1])
    gaps = {gap.key: gap for one in looked.shipping for gap in fields.of_change(one.case, one.decision)}
    tested = looked.judged[0].facts.evidence.manifest
    if tested is not None and not isinstance(tested, Unknown) and tested.uncoordinated:
        breaks = f"{listed(tested.uncoordinated)} breaks those that need it, so link how they go together"
        gaps[fields.PLANNED] = fields.Gap(fields.PLANNED, breaks)
    if gaps:
        words, said = ("promote", asks.question.service, f"{intent.source}{ARROW}{intent.target}"), _said(intent)
        return asking.privately(fields.ask_for(f"{what} needs a little more.", tuple(gaps.values()), words, said))
    operation = Operation(
        id=operation_id(asking.request.id),
        question=asks.question,
        asked_by=asks.by,
        asked_at=asks.at,
        expires_at=asks.expires_at,
        channel=asking.channel_of(intent.services[0]),
        plan=plan,
        phase=_phase(looked),
        reason=intent.reason,
        fields=dict(intent.fields),
        confirmed=intent.confirms,
    )
    unstated = [button for one in looked.shipping for button in confirm.by_the_asker(operation, one)]
    if unstated:
        return asking.privately(Reply(f"{what}: whoever asks states something first.", buttons=tuple(unstated[:1])))
    operation = replace(operation, seen=_in_line(operation, looked, ()))
    private = gather.said(intent.fields, intent.reason)
    return Writes(
        operation=operation,
        creates=True,
        entries=tuple(replace(entry, private=private) for entry in _entries(operation, "asked", looked, actor=asks.by)),
        messages=tuple(replace(message, request=asking.request.id) for message in _standing(operation, looked)),
        due=timedelta(0) if looked.allowed or _sends(looked) else _wait(operation, looked, asking.world),
    )


def _asked(intent: PromoteSeveral, asking: Asking) -> Asked:
    """The same as of one service; it lasts as long as the shortest of their paths lets it."""
    policy, now = asking.active.policy, asking.world.clock.now()
    paths = (policy.path(service, intent.source, intent.target) for service in intent.services)
    lasts = min((path.request_lasts for path in paths if path is not None), default=DEFAULT_REQUEST_LASTS)
    question = Question(Deed.PROMOTE, ",".join(intent.services), intent.target, intent.source, intent.change)
    said = gather.said(intent.fields, intent.reason)
    return Asked(
        question, asking.person, now, (now + lasts).replace(microsecond=0), fields=said, confirmed=intent.confirms
    )


def _cannot(intent: PromoteSeveral, asking: Asking) -> str | None:
    """What needs no look at the world to be refused."""
    if intent.change == EMERGENCY:
        return "an emergency is for one service; ask for one after the other"
    return not_theirs(asking.person, asking.active.policy)


def not_theirs(person: Person, policy: Policy) -> str | None:
    """Why this person may promote no set; None: they may, as far as that goes."""
    owner = policy.manifest.owner_role
    if owner is None or owner in person.roles:
        return None
    return f"only who is {called(owner)} promotes a set, and {person.name} is not"


def _hopeless(looked: Looked, what: str) -> Reply | None:
    """What neither time nor anybody's vote will mend, for each of them; None: there is hope."""
    if not isinstance(looked.plan, Unknown) and not looked.shipping:
        return Reply(f"{what}: all of {manifest_id(looked.plan.manifest)} serves there already.")
    bad = [one for one in looked.shipping if any(found.rule in UNPROMISING for found in one.decision.blockers)]
    if not bad and not isinstance(looked.plan, Unknown):
        return None
    why = looked.plan.why if isinstance(looked.plan, Unknown) else verdicts(bad)
    lines = [line for one in bad for line in under_its_name(one, explain.findings(one.decision))]
    return Reply(f"{what} cannot be promoted together: {why}.", lines=tuple(lines))


def _another(intent: PromoteSeveral, plan: Plan) -> str | None:
    wanted, serves = intent.manifest.casefold(), manifest_id(plan.manifest)
    if not wanted or serves.casefold().startswith(wanted):
        return None
    return f"{intent.source} serves {serves} ({manifest.of(plan.parts)}), not {intent.manifest}."


async def _unmeant(intent: PromoteSeveral, looked: Looked, asking: Asking) -> str | None:
    """Which statement nothing in any of them asks for; None: each is meant."""
    cases = [one.case for one in looked.judged]
    for name in sorted(intent.confirms):
        noes = [await confirm.nothing_called(frozenset({name}), case, asking.world.store) for case in cases]
        if all(noes):
            return noes[0]
    return None


async def _already(intent: PromoteSeveral, asking: Asking) -> tuple[Reply, str] | None:
    """What is open for one of them already, alone or with others, and its id: each would ship in the other's midst."""
    for other in await asking.world.store.open_operations():
        shared = [name for name in other.question.services if name in intent.services]
        promotes = other.question.deed is Deed.PROMOTE and not other.of_a_set
        if promotes and shared and other.question.target == intent.target:
            says = f"{other.asked_by.name} asked for {tell.title(other)} already: {other.id} is {tell.doing(other)}."
            return Reply(says), other.id
    return None


def _what(intent: PromoteSeveral) -> str:
    return f"{listed(intent.services)} {intent.source}{ARROW}{intent.target}"


def _said(intent: PromoteSeveral) -> dict[str, str]:
    return {
        **({"type": intent.change} if intent.change else {}),
        **gather.said(intent.fields, intent.reason),
        **({"confirms": ",".join(sorted(intent.confirms))} if intent.confirms else {}),
    }


async def dry_run(intent: PromoteSeveral, asking: Asking) -> Reply:
    """Every rule for each of them, and everything that would be done. Nothing is done and nothing is kept."""
    looked = await look_at(asking.world, asking.active, _asked(intent, asking))
    plan, no = looked.plan, _cannot(intent, asking)
    would: list[Line] = []
    if not isinstance(plan, Unknown):
        steps = [step for part in plan.parts if ships(part) for step in tell.steps(part)]
        would = [Line(Mark.NOTE, "This is what would be done, in this order:")]
        would += [Line(Mark.NOTE, f"{number}. {step}") for number, step in enumerate(steps, 1)]
    return Reply(
        f"Dry run of {_what(intent)}: {verdict(looked)}. Nothing was done.",
        fields=() if isinstance(plan, Unknown) else tell.described(plan),
        lines=(*findings(looked, whole=True), *([Line(Mark.NO, f"{no[:1].upper()}{no[1:]}.")] if no else []), *would),
    )


async def why(intent: PromoteSeveral, asking: Asking) -> Reply:
    """Every rule for each of them, and what would help."""
    looked = await look_at(asking.world, asking.active, _asked(intent, asking))
    return Reply(f"{_what(intent)}: {verdict(looked)}.", lines=findings(looked, whole=True))


async def why_waits(operation: Operation, asking: Asking) -> Reply:
    """The same of a request that is open."""
    by = await asking.world.people.person(operation.asked_by.account)
    cast = await asking.world.store.votes(operation.id)
    looked = await look_at(asking.world, asking.active, gather.asked(operation, by), operation.plan, cast)
    return Reply(f"{tell.title(operation)}: {verdict(looked)}.", lines=findings(looked, whole=True))


# Judging --------------------------------------------------------------------------------------------------------------


async def look_at(
    world: World, active: ActivePolicy, asks: Asked, old: Plan | None = None, cast: tuple[Vote, ...] = ()
) -> Looked:
    """Each of them judged by the rules of its own path, on the set as it is now; `cast`: votes on the whole."""
    questions = [replace(asks.question, service=service) for service in asks.question.services]
    before = {} if old is None else {part.service: part for part in old.parts}
    found = await asyncio.gather(
        *(gather.promotion(world, active, replace(asks, question=question, votes=cast)) for question in questions)
    )
    gathered = [remembering(one, before.get(question.service)) for one, question in zip(found, questions, strict=True)]
    plan = _whole(active, asks, questions, gathered)
    if not isinstance(plan, Unknown):
        tested = await member.tested(world, active, questions, plan.parts)
        gathered = [
            member.of(replace(one, plan=part), plan, tested) for one, part in zip(gathered, plan.parts, strict=True)
        ]
    now = world.clock.now()
    pairs = zip(questions, gathered, strict=True)
    return Looked(tuple(judge(question, one, active, now) for question, one in pairs), plan)


def _whole(
    active: ActivePolicy, asks: Asked, questions: Sequence[Question], gathered: Sequence[Gathered]
) -> Plan | Unknown:
    """One plan for all of them, or what is in the way of any."""
    plans: list[Plan] = []
    for question, one in zip(questions, gathered, strict=True):
        if isinstance(one.plan, Unknown):
            return Unknown(f"{question.service}: {one.plan.why}")
        if one.plan.model != Model.ARTIFACT or one.plan.branch is not None:
            return Unknown(f"{question.service} goes by its branch, and a set ships only what is built already")
        plans.append(one.plan)
    if lacks := manifest.lacking(plans):
        return Unknown(f"the manifest lacks {listed(lacks)}")
    pinned, question = manifest.of(plans), asks.question
    return Plan(
        deed="promote",
        service=question.service,
        source=question.source,
        target=question.target,
        digest=Digest(f"sha256:{pinned.hash}"),
        revision="",
        from_digest=Digest(""),
        from_revision="",
        repository="",
        policy_hash=active.hash,
        site="",
        production=active.policy.environments[question.target].production,
        change=question.change,
        fields=dict(asks.fields),
        confirmed=tuple(sorted(asks.confirmed)),
        manifest=pinned.hash,
        parts=tuple(replace(plan, manifest=pinned.hash) for plan in plans),
    )


# Waiting --------------------------------------------------------------------------------------------------------------


async def advance(operation: Operation, world: World) -> Writes:
    """What one step of it writes."""
    if operation.phase in {Phase.BLOCKED, Phase.WAITING}:
        return await _consider(operation, world)
    return await _look(operation, world)


async def _consider(operation: Operation, world: World) -> Writes:
    now, active = world.clock.now(), world.policies.current()
    if operation.wish in STOPS:
        return await _over(operation, world, Phase.CANCELLED, f"{await who_wanted(operation, world)} cancelled it.")
    if now >= operation.expires_at:
        return await _over(operation, world, Phase.EXPIRED, "It could not begin in time; ask again.")
    by = await world.people.person(operation.asked_by.account)  # roles must hold now, too
    cast = await world.store.votes(operation.id)
    looked = await look_at(world, active, gather.asked(operation, by), operation.plan, cast)
    rejection = next(filter(None, map(rejected, looked.judged)), None)
    if rejection is not None:
        return await _over(operation, world, Phase.REJECTED, rejection)
    considered, told = _replanned(operation, looked)
    no = not_theirs(by, active.policy)
    if looked.allowed and no is None:
        return _begin(considered, looked, world, told)
    note = f"{no[:1].upper()}{no[1:]}." if no else f"{looked.plan.why}." if isinstance(looked.plan, Unknown) else ""
    phase = Phase.BLOCKED if note else _phase(looked)
    considered = replace(considered, phase=phase, attempts=0, note=note)
    considered = replace(considered, seen=_in_line(considered, looked, cast))
    changed = considered != operation
    writes = Writes(
        operation=considered,
        messages=(*told, *_standing(considered, looked)) if changed else (),
        entries=_entries(considered, "decided again", looked) if changed else (),
        due=_wait(considered, looked, world),
    )
    return await looking(writes, [(one.case, one.decision) for one in looked.shipping], world)


def _replanned(operation: Operation, looked: Looked) -> tuple[Operation, tuple[Message, ...]]:
    """The operation with the set as it is now. Another set is another candidate: votes on the old one stop counting."""
    plan, old = looked.plan, operation.plan
    if isinstance(plan, Unknown) or old is None or plan.hash == old.hash:
        return operation, ()
    which = f"This is another candidate, {manifest_id(plan.manifest)}. " if plan.manifest != old.manifest else ""
    says = f"What would be done has changed: {member.changed(old, plan)}. {which}Approvals start again."
    told = Message(operation.channel, Reply(says), operation=operation.id, slot=f"replanned:{plan.hash[:12]}")
    return replace(operation, plan=plan), (told,)


def _phase(looked: Looked) -> Phase:
    phases = {phase_for(one.decision) for one in looked.shipping}
    return Phase.BLOCKED if Phase.BLOCKED in phases or isinstance(looked.plan, Unknown) else Phase.WAITING


def _sends(looked: Looked) -> bool:
    """Whether probes are to be sent for one of them."""
    return any(probing.wanted(one.case, one.decision) for one in looked.shipping)


def _in_line(operation: Operation, looked: Looked, cast: tuple[Vote, ...]) -> dict[str, object]:
    """What is remembered while it waits: how each was decided, and what the whole waits for."""
    decided = {one.question.service: summary(one.decision, cast) for one in looked.judged}
    blocking = dict.fromkeys(
        "approval" if found.rule in tell.AGREEING else found.rule
        for one in looked.shipping
        for found in one.decision.blockers
    )
    return {**operation.seen, "decided": decided, tell.WAITS: f"waiting for {listed(blocking)}" if blocking else ""}


def _wait(operation: Operation, looked: Looked, world: World) -> timedelta:
    now = world.clock.now()
    waits = [wait(operation, one.decision, now) for one in looked.shipping]
    return min(SOON, *waits) if isinstance(looked.plan, Unknown) else min(waits, default=SOON)


def _begin(operation: Operation, looked: Looked, world: World, told: tuple[Message, ...]) -> Writes:
    """All of it may go: the set is on record, and the first is next."""
    plan, now = operation.plan, world.clock.now()
    if plan is None or not operation.is_a_set:
        message = f"{operation.id} begins without a set"
        raise AssertionError(message)
    seen = {key: value for key, value in operation.seen.items() if key != tell.WAITS}
    begun = replace(operation, phase=Phase.WATCHING, began_at=now, since=now, note="", seen=seen)
    record = ManifestRecord(begun.id, plan.target, manifest.of(plan.parts), _references(looked), now)
    return Writes(
        operation=begun,
        entries=_entries(begun, "began", looked),
        messages=(*told, *_standing(begun, looked)),
        manifests=(record,),
        due=timedelta(0),
    )


def _references(looked: Looked) -> dict[str, dict[str, str]]:
    """What belongs to each of them besides, as far as anybody looked: its tag, its documents, what attests it."""
    return {one.question.service: _belongs(one) for one in looked.judged}


def _belongs(judged: Judged) -> dict[str, str]:
    evidence, found = judged.facts.evidence, dict[str, str]()
    if evidence.tag is not None and not isinstance(evidence.tag, Unknown):
        found["tag"] = evidence.tag.name
    if not isinstance(evidence.documents, Unknown):
        found |= {item: document.where for item, document in evidence.documents.items()}
    if not isinstance(evidence.attestations, Unknown):
        found |= {each.predicate: each.builder for each in evidence.attestations if each.verified}
    return found


# Shipping -------------------------------------------------------------------------------------------------------------


async def _look(operation: Operation, world: World) -> Writes:
    """One look at whose turn it is: the next one begins, all is over, or what shipped goes back."""
    members = await _members(operation, world)
    if BACK in operation.seen:
        return await _goes_back(operation, world)
    current = next(((part, one) for part, one in members if one is None or one.phase is not Phase.DONE), None)
    if current is None:
        return await _done(operation, world)
    part, one = current
    if one is not None and one.over:
        stopped = operation.wish in STOPS
        phase = Phase.CANCELLED if stopped else one.phase if one.phase is Phase.ROLLED_BACK else Phase.FAILED
        note = f" {one.note.rstrip('.')}." if one.note else ""
        return await _went_bad(operation, members, world, phase, f"{tell.state(one)}{note}")
    if operation.wish in STOPS and one is None:
        who = await who_wanted(operation, world)
        return await _went_bad(operation, members, world, Phase.CANCELLED, f"{who} stopped it before {part.service}.")
    if one is not None:
        return _still(operation, part, one, members)
    return await _next(operation, part, members, world)


def _still(operation: Operation, part: Plan, one: Operation, members: Members) -> Writes:
    """The one under way goes on, or is stopped where the whole is; people read how each of them stands."""
    order = [each.service for each, _ in members]
    stand = {each.service: "" if other is None else other.phase.value for each, other in members}
    number = f"{order.index(part.service) + 1} of {len(order)}: {part.service}"
    seen = {**operation.seen, tell.WAITS: number, STAND: stand}
    going = replace(operation, seen=seen)
    stops = operation.wish in STOPS and one.wish not in STOPS and one.phase is not Phase.GOING_BACK
    wish = Wish.ABORT if one.moving else Wish.CANCEL
    told = going.seen[STAND] != operation.seen.get(STAND)
    return Writes(
        operation=going,
        messages=(_root(going, members),) if told else (),
        wishes=((one.id, wish),) if stops else (),
        due=LOOK,
    )


async def _next(operation: Operation, part: Plan, members: Members, world: World) -> Writes:
    """That service begins to ship: it is judged once more, and so are those that shipped before it."""
    for other in await world.store.open_operations(part.place):
        if other.question.deed is Deed.PROMOTE and other.plan is not None and other.plan.digest == part.digest:
            why = f"{other.asked_by.name} promotes {part.service} meanwhile, {other.id}."
            return await _went_bad(operation, members, world, Phase.FAILED, f"{why} {part.service} was not begun.")
    one = Operation(
        id=operation_id(_cause(operation, part.service)),
        question=replace(operation.question, service=part.service),
        asked_by=operation.asked_by,
        asked_at=operation.asked_at,
        expires_at=world.clock.now().replace(microsecond=0) + (operation.expires_at - operation.asked_at),
        channel=operation.channel,
        plan=part,
        phase=Phase.WAITING,
        reason=operation.reason,
        fields=dict(operation.fields),
        confirmed=operation.confirmed,
        seen={PART_OF: operation.id},
    )
    asked = entry_of(one, "asked", None, actor=operation.asked_by)
    still = _still(operation, part, one, [(each, one if each is part else other) for each, other in members])
    told = Message(one.channel, tell.root(one), operation=one.id, slot="root")
    return replace(
        still,
        entries=(replace(asked, detail={"together": operation.id}),),
        messages=(told, *still.messages),
        starts=((one, timedelta(0)),),
    )


async def _done(operation: Operation, world: World) -> Writes:
    """All of it serves and is well: the set can be gone back to."""
    records = await world.store.manifests(operation.question.target)
    mine = next((each for each in records if each.operation == operation.id), None)
    over = await _over(operation, world, Phase.DONE, "Each of them serves what was pinned.")
    return replace(over, manifests=() if mine is None else (replace(mine, verified_at=world.clock.now()),))


async def _went_bad(operation: Operation, members: Members, world: World, phase: Phase, why: str) -> Writes:
    """Those that had shipped go back, too, the last first; or stay, where the policy says so. Nothing more begins."""
    policy = world.policies.current().policy
    shipped = [part for part, one in members if one is not None and one.phase is Phase.DONE]
    left = [part for part in shipped if await _is_to_go_back(part, world)]
    if policy.manifest.if_one_fails == "stay" or not left:
        stays = f" {listed(part.service for part in shipped)} shipped before." if shipped else ""
        return await _over(operation, world, Phase.FAILED if left else phase, f"{why}{stays}")
    back = family.of_a_set(operation, left[::-1], f"another one of {tell.title(operation)} went bad", world)
    seen = {**operation.seen, BACK: back.id, WHY: {"says": why, "phase": phase.value}}
    going = replace(operation, seen={**seen, tell.WAITS: f"{listed(part.service for part in left)} go back"})
    entry = Entry.of(
        operation, "operation", EntryPhase.RECORD, "turned back", also={"back": back.id}, private={"says": why}
    )
    says = f"{why} {listed(part.service for part in left[::-1])} shipped before and {_goes(left)} back, too."
    told = Message(operation.channel, Reply(says), operation=operation.id, slot="turned")
    return Writes(
        operation=going,
        entries=(entry,),
        messages=(told, family.announced(back), _root(going, members)),
        starts=((back, timedelta(0)),),
        due=LOOK,
    )


def _goes(parts: Sequence[Plan]) -> str:
    return "go" if len(parts) > 1 else "goes"


async def _is_to_go_back(part: Plan, world: World) -> bool:
    """Whether it serves what this set brought, and nobody is rolling it back already."""
    for other in await world.store.open_operations():
        about = other.question.deed is Deed.ROLLBACK and other.question.target == part.target
        if about and part.service in other.question.services:
            return False
    serving = (await places.seen(world, world.policies.current().policy, part.service, part.target)).serving
    return isinstance(serving, Unknown) or serving.digest == part.digest


async def _goes_back(operation: Operation, world: World) -> Writes:
    """Until those that had shipped are back; then the whole is over."""
    back = await world.store.operation(str(operation.seen[BACK]))
    if back is None or not back.over:
        return Writes(operation=operation, due=LOOK)
    bad = operation.seen[WHY]
    if back.phase is Phase.DONE:
        return await _over(operation, world, Phase(bad["phase"]), f"{bad['says']} What had shipped is back.")
    return await _over(operation, world, Phase.FAILED, f"{bad['says']} Not all is back: {back.note}")


async def _taken_back(operation: Operation, world: World) -> dict[str, Operation | None]:
    """By service, the rollback of each that had shipped, where that was begun."""
    back = await world.store.operation(str(operation.seen[BACK])) if BACK in operation.seen else None
    return {} if back is None else dict(await family.rollbacks(back, world))


def _cause(operation: Operation, service: str) -> str:
    """The same each time: whoever goes on after a crash begins none of them twice."""
    return f"{operation.id} {service}"


async def _members(operation: Operation, world: World) -> Members:
    parts = () if operation.plan is None else operation.plan.parts
    return [
        (part, await world.store.operation(operation_id(_cause(operation, part.service))))
        for part in parts
        if ships(part)
    ]


# In words -------------------------------------------------------------------------------------------------------------


def _entries(operation: Operation, what: str, looked: Looked, actor: Person = BOT) -> tuple[Entry, ...]:
    """One for each of them, with all that it was decided on; each names the set and the plan of the whole."""
    whole = "" if operation.plan is None else operation.plan.hash
    found = []
    for one in looked.judged:
        plan = None if isinstance(one.gathered.plan, Unknown) else one.gathered.plan
        entry = entry_of(replace(operation, question=one.question, plan=plan), what, one, actor=actor)
        found.append(replace(entry, detail={"whole": whole, "ships": would_ship(one)}))
    return tuple(found)


def _refusals(looked: Looked, asking: Asking) -> tuple[Entry, ...]:
    refused = []
    for one in looked.judged:
        asked = one.question
        target = {"service": asked.service, "environment": asked.target, "from": asked.source or ""}
        entry = Entry("operation", EntryPhase.RECORD, "refused", asking.person, target=target)
        refused.append(one.kept_in(entry))
    return tuple(refused)


def _standing(operation: Operation, looked: Looked) -> tuple[Message, ...]:
    """The root message and the plan in its thread, as they stand."""
    lines = [
        Line(Mark.YES if one.decision.allowed or not would_ship(one) else Mark.NO, in_short(one))
        for one in looked.judged
    ]
    root = Reply(
        title=tell.state(operation),
        fields=_fields(operation),
        lines=(*lines, *([Line(Mark.NOTE, operation.note)] if operation.note else [])),
        buttons=_buttons(operation, looked),
        footer=(f"{operation.id} · asked ", When(operation.asked_at)),
    )
    plan = Reply(
        title=f"Plan for {tell.title(operation)}: {verdict(looked)}",
        fields=() if operation.plan is None else tell.described(operation.plan),
        lines=findings(looked),
        buttons=() if operation.phase is Phase.WATCHING else _buttons(operation, looked),
    )
    return (
        Message(operation.channel, root, operation=operation.id, slot="root"),
        Message(operation.channel, plan, operation=operation.id, slot="plan"),
    )


def _fields(operation: Operation) -> tuple[tuple[str, Text], ...]:
    found: list[tuple[str, Text]] = [("Asked by", (tell.who(operation.asked_by),))]
    found.append(("From → to", f"{operation.question.source} → {operation.question.target}"))
    if operation.plan is not None:
        found.append(("Manifest", manifest_id(operation.plan.manifest)))
    if operation.question.change:
        found.append(("Type", operation.question.change))
    if operation.reason:
        found.append(("Reason", operation.reason))
    return (*found, *((tell.name(key), value) for key, value in operation.fields.items()))


def _buttons(operation: Operation, looked: Looked | None) -> tuple[Button, ...]:
    plan, id, name = operation.plan, operation.id, tell.title(operation)
    cancel = Button("Cancel", f"cancel {id}", meant_for=f"Cancel {name}")
    match operation.phase:
        case Phase.WAITING if plan is not None and looked is not None:
            what = f"{manifest.of(plan.parts)} go to {plan.target} in this order, as one."
            return (*confirm.votes(id, plan.hash, name, "Ship these together?", what, *looked.shipping), cancel)
        case Phase.BLOCKED:
            return (Button("Check again", f"resume {id}", meant_for=f"Check {name} again"), cancel)
        case Phase.WATCHING if BACK not in operation.seen and operation.wish not in STOPS:
            sure = Confirm("Abort all of it?", "The one under way goes back, and then what had shipped.", "Abort")
            return (Button("Abort", f"abort {id}", Tone.DANGER, sure, meant_for=f"Abort {name}"),)
        case _:
            return ()


def _root(operation: Operation, members: Members, back: Mapping[str, Operation | None] = EMPTY) -> Message:
    """Where each of them stands; `back`: by service, what took back or is to take back those that had shipped."""
    begun = {part.service: one for part, one in members}
    parts = () if operation.plan is None else operation.plan.parts
    lines = [_line(number, part, begun.get(part.service), back) for number, part in enumerate(parts, 1)]
    lines += [Line(Mark.NOTE, operation.note)] if operation.note else []
    reply = Reply(
        title=tell.state(operation),
        fields=_fields(operation),
        lines=tuple(lines),
        buttons=_buttons(operation, None),
        footer=(f"{operation.id} · asked ", When(operation.asked_at)),
    )
    return Message(operation.channel, reply, operation=operation.id, slot="root")


def _line(number: int, part: Plan, one: Operation | None, back: Mapping[str, Operation | None]) -> Line:
    name = f"{number}. {part.service} {short(part.digest)}"
    if part.service in back:
        went = back[part.service]
        says = "it is still there" if went is None else tell.state(went)[:-1]
        mark = Mark.NO if went is None or went.phase is not Phase.DONE else Mark.YES
        return Line(mark, f"{name} had shipped: {says}{f' ({went.id})' if went else ''}")
    if not ships(part):
        return Line(Mark.YES, f"{name} serves there already")
    if one is None:
        return Line(Mark.NOTE, f"{name}: not begun")
    mark = Mark.YES if one.phase is Phase.DONE else Mark.NO if one.over else Mark.NOTE
    return Line(mark, f"{number}. {tell.state(one)[:-1]} ({one.id})")


async def _over(operation: Operation, world: World, phase: Phase, note: str) -> Writes:
    ended = operation.ended(phase, note)
    entry = Entry.of(operation, "operation", EntryPhase.RECORD, phase.value, private={"says": note})
    root = _root(ended, await _members(ended, world), await _taken_back(ended, world))
    told = Message(ended.channel, replace(root.reply, fields=(), footer=()), operation=ended.id, slot="ended")
    closed = Message(ended.channel, tell.closed(ended), operation=ended.id, slot="plan")
    return Writes(operation=ended, entries=(entry,), messages=(closed, told, root))
