"""Several services that ship together, and go back one after the other: who is next, and what when one fails?

Each is a rollback of its own with its own record and thread. What is here changes nothing itself: it begins the next
once the one before serves again and was verified, and stops to ask where that does not come to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from commands import explain, fields, gather, manifest, places, rollback, tell
from commands.asking import Asking
from commands.consider import in_line, may_be_agreed, phase_for, standing, who_wanted
from commands.gather import LEAVES, TRIGGER, Asked
from commands.intent import RollbackSeveral
from commands.judged import Judged, judge
from commands.manifest import ManifestRecord
from commands.operation import PART_OF, Operation, Phase, Wish
from commands.places import known
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Message, World, Writes
from commands.record import BOT, operation_id
from commands.reply import Button, Line, Mark, Reply, Tone, When
from policy.document import ActivePolicy
from policy.facts import TOGETHER, Deed, Question
from policy.model import Person, Place, Unknown
from policy.wording import listed

FAMILY = "family"
"""Key in what was seen: the services in the order in which they go back."""
STAND = "stand"
"""The same: how each of them stood when that was told last."""
SERVED = "served"
"""The same: the revision of each that was to be left, when all this was asked for."""
SET = "set"
"""The same: by name, the set that will serve."""
TO = "to"
"""The same: what each goes back to, by digest or revision, where that was named."""
MOVED = "moved"
"""The same: the service of which another is to be left by now."""
Members = list[tuple[str, Operation | None]]
"""Each service with its rollback, where that has begun, in the order in which they go back."""
LOOK = timedelta(minutes=1)
"""Between two looks at whether the one under way is over, should its word of that get lost."""
LASTS = timedelta(hours=12)
"""So long all of them together may take, people's agreement included."""
BETWEEN = ","


async def ask(intent: RollbackSeveral, asking: Asking) -> Writes:
    """The first is about to go back, and the others follow; or why none can was said privately, and nothing begins."""
    world, active, now = asking.world, asking.active, asking.world.clock.now()
    back = await _back_to(intent, asking)
    if isinstance(back, str):
        return asking.refused("operation", {"environment": intent.target}, Reply(back))
    order = tuple(reversed(back.services))
    question = Question(Deed.ROLLBACK, BETWEEN.join(order), intent.target)
    target = {"service": question.service, "environment": intent.target}
    gaps = rollback.gaps(intent, active.policy)
    if gaps:
        said = {"reason": intent.reason, "incident": intent.incident, "despite": ",".join(intent.despite)}
        said |= {"leaves": ",".join(sorted(intent.leaves))}
        words = ["rollback", BETWEEN.join(back.services), intent.target, *(["to", back.set] if back.set else [])]
        what = f"A rollback of {listed(order)} needs a little more."
        return asking.privately(fields.ask_for(what, gaps, words, {**said, **intent.fields}))
    no = await _in_the_way(order, intent.target, asking)
    if no is not None:
        other, reply = no
        return asking.refused("operation", target, reply, operation=other.id)
    served = {}
    for service in order:
        place = Place(service, intent.target)
        found = await _judged(world, active, place, asking.person, now, intent.despite, back.to.get(service, ""))
        if isinstance(found, str):
            reply = Reply(f"{place} cannot be rolled back, so nothing was begun: {found}.")
            return asking.refused("operation", target, reply)
        if not (found.decision.allowed or may_be_agreed(found)):
            says = f"{place} cannot be rolled back, so nothing was begun: {explain.verdict(found.decision)}."
            return asking.refused("operation", target, explain.refused(says, found.decision), found)
        served[service] = rollback.leaving(found)
        if intent.leaves and served[service] not in intent.leaves:
            reply = Reply(rollback.old_button(place, served[service]))
            return asking.refused("operation", target, reply, found)
    operation = Operation(
        id=operation_id(asking.request.id),
        question=question,
        asked_by=asking.person,
        asked_at=now,
        expires_at=now + LASTS,
        channel=asking.channel_of(back.services[0]),
        plan=None,
        phase=Phase.WATCHING,
        reason=intent.reason,
        fields={**intent.fields, **({"incident": intent.incident} if intent.incident else {})},
        confirmed=intent.despite,
        seen={FAMILY: list(order), SERVED: served, **({TO: dict(back.to), SET: back.set} if back.set else {})},
    )
    return Writes(
        operation=operation,
        creates=True,
        entries=(rollback.on_record(operation, None, intent.incident),),
        messages=(replace(_root(operation, [(service, None) for service in order]), request=asking.request.id),),
        due=timedelta(0),
    )


async def _in_the_way(order: Sequence[str], environment: str, asking: Asking) -> tuple[Operation, Reply] | None:
    """What takes some of them back already, or ships them right now, and how that is said; None: nothing does."""
    for other in await asking.world.store.open_operations():
        if other.question.target != environment:
            continue
        shared = set(order) & set(other.seen.get(FAMILY, ()))
        if shared:
            by, what = other.asked_by.name, f"{listed(sorted(shared))} back in {environment}"
            return other, Reply(f"{by} is rolling {what} already: {other.id}.")
        if other.is_a_set and other.phase is Phase.WATCHING and not set(order).isdisjoint(other.question.services):
            abort = Button("Abort", f"abort {other.id}", Tone.DANGER, meant_for=f"Abort {other.id}")
            says = f"{other.id} ships them as one right now; abort it, and what shipped goes back."
            return other, Reply(says, buttons=(abort,))
    return None


class _BackTo(NamedTuple):
    """What a rollback of several goes to."""

    services: tuple[str, ...]
    """Those that go back, in the order in which they ship."""
    to: Mapping[str, str]
    """Service → digest; empty: each goes to its own last verified good one."""
    set: str = ""
    """By name, the set that will serve; empty: it is none that ever went as one."""


async def _back_to(intent: RollbackSeveral, asking: Asking) -> _BackTo | str:
    """The set that was named, or the one before it where what serves went as one, or neither; or why that cannot be."""
    records = await asking.world.store.manifests(intent.target)
    held = [(hold.place, hold.digest) for hold in await asking.world.store.holds()]
    good = manifest.known_good(records, () if intent.to else held)
    wanted = intent.to.casefold()
    named = [each for each in good if wanted and each.manifest.id.casefold().startswith(wanted)]
    if wanted and len(named) != 1:
        if not good:
            return f"No set was ever verified as a whole in {intent.target}; roll back each service by itself."
        known_ones = listed(f"{each.manifest.id} ({each.manifest})" for each in good[:5])
        which = "names more than one set" if named else "is no set that was verified as a whole"
        return f"{intent.to} {which} in {intent.target}; these were: {known_ones}."
    if not records:
        return _BackTo(intent.services, {})
    services = intent.services or named[0].manifest.services
    if gone := [service for service in services if service not in asking.active.policy.services]:
        return f"{intent.to} pins {listed(gone)}, of which the policy knows nothing any more."
    serves = {service: await _serves(asking, service, intent.target) for service in services}

    def is_it(each: ManifestRecord) -> bool:
        return all(each.manifest.digest(service) == serves[service] for service in services)

    if not wanted and not any(map(is_it, records)):
        return _BackTo(services, {})
    able = [each for each in named or good if set(services) <= set(each.manifest.services)]
    chosen = next((each for each in able if not is_it(each)), None)
    if chosen is None:
        serving = any(map(is_it, named))
        no = f"{intent.to} serves in {intent.target} already." if serving else f"{intent.to} pins other services."
        return no if wanted else _BackTo(services, {})
    to = {service: str(chosen.manifest.digest(service)) for service in services}
    return _BackTo(tuple(name for name in services if to[name] != serves[name]), to, chosen.manifest.id)


async def _serves(asking: Asking, service: str, environment: str) -> str:
    """The digest; empty: that is not known."""
    serving = (await places.seen(asking.world, asking.active.policy, service, environment)).serving
    return "" if isinstance(serving, Unknown) else serving.digest


def of_a_set(whole: Operation, parts: Sequence[Plan], why: str, world: World) -> Operation:
    """What takes these back by itself, in this order, because another one of their set went bad."""
    now, order = world.clock.now(), [part.service for part in parts]
    return Operation(
        id=operation_id(f"{whole.id} back"),
        question=Question(Deed.ROLLBACK, BETWEEN.join(order), whole.question.target),
        asked_by=BOT,
        asked_at=now,
        expires_at=now + LASTS,
        channel=whole.channel,
        plan=None,
        phase=Phase.WATCHING,
        reason=why,
        seen={
            FAMILY: order,
            SERVED: {part.service: part.revision for part in parts},
            TO: {part.service: part.from_revision for part in parts},
            TRIGGER: TOGETHER,
            PART_OF: whole.id,
        },
    )


def announced(operation: Operation) -> Message:
    """That it begins, for all to read."""
    return _root(operation, [(service, None) for service in operation.seen[FAMILY]])


async def look(operation: Operation, world: World) -> Writes:
    """One look at whose turn it is: the next one begins, or all is over."""
    now = world.clock.now()
    found = await rollbacks(operation, world)
    current = next(
        ((service, child) for service, child in found if child is None or child.phase is not Phase.DONE), None
    )
    if current is None:
        return await _over(operation, world, Phase.DONE, "Each of them serves again.")
    service, child = current
    if child is not None and child.over:
        why = child.note or tell.state(child)
        return await _over(operation, world, Phase.FAILED, f"{service} did not go back: {why} The rest was not begun.")
    if child is not None:
        return _still(operation, service, found)
    if operation.wish is not Wish.RUN:
        return await _over(operation, world, Phase.CANCELLED, f"{await who_wanted(operation, world)} stopped it here.")
    if now >= operation.expires_at:
        return await _over(operation, world, Phase.EXPIRED, "It took too long; ask again for the rest.")
    return await _next(operation, service, found, world)


def _still(operation: Operation, service: str, members: Members) -> Writes:
    """The one under way goes on; people read which one it is, and how each of them stands."""
    order = operation.seen[FAMILY]
    stand = {name: "" if child is None else child.phase.value for name, child in members}
    seen = {**operation.seen, tell.WAITS: f"{order.index(service) + 1} of {len(order)}: {service}", STAND: stand}
    going = replace(operation, seen=seen)
    return Writes(operation=going, messages=(_root(going, members),) if going != operation else (), due=LOOK)


async def _next(operation: Operation, service: str, members: Members, world: World) -> Writes:
    """That service begins to go back, or why it cannot ends the whole."""
    now = world.clock.now()
    active, place = world.policies.current(), Place(service, operation.question.target)
    person = await known("who asked", world.people.person(operation.asked_by.account))
    by = (
        operation.asked_by if isinstance(person, Unknown) or _by_itself(operation, service) else person
    )  # roles must hold hours later, too
    found = await _turn(operation, world, active, place, by, now)
    why = found if isinstance(found, str) else ""
    if not isinstance(found, str) and not (found.decision.allowed or may_be_agreed(found)):
        why = explain.missing(found.decision.blockers)
    if isinstance(found, str) or why or isinstance(found.gathered.plan, Unknown):
        note = f"{service} cannot go back: {why}. The rest was not begun."
        return await _over(operation, world, Phase.FAILED, note)
    if (leaves := rollback.leaving(found)) != operation.seen[SERVED][
        service
    ]:  # it would go further back than anybody asked for
        note = f"{service} leaves {leaves} by now, not {operation.seen[SERVED][service]}. The rest was not begun."
        moved = replace(operation, seen={**operation.seen, MOVED: service})
        return await _over(moved, world, Phase.FAILED, note)
    cause = _cause(operation, service)
    said = {"reason": operation.reason, **operation.fields}
    child = Operation(
        id=operation_id(cause),
        question=found.question,
        asked_by=by,
        asked_at=now,
        expires_at=now + rollback.LASTS,
        channel=operation.channel,
        plan=found.gathered.plan,
        phase=Phase.WAITING,
        reason=operation.reason,
        fields={key: value for key, value in operation.fields.items() if key != "incident"},
        confirmed=operation.confirmed,
        emergency=rollback.emergency(active.policy, place, cause, {k: v for k, v in said.items() if v}, now),
        seen={PART_OF: operation.id, **_by_itself(operation, service)},
    )
    if not found.decision.allowed:
        child = replace(child, phase=phase_for(found.decision), seen=in_line(child.seen, found.decision))
    asked = rollback.on_record(child, found, operation.fields.get("incident", ""))
    asked = replace(asked, detail={**asked.detail, "family": operation.id})
    still = _still(operation, service, [(name, child if name == service else other) for name, other in members])
    return replace(
        still, entries=(asked,), messages=(*standing(child, found), *still.messages), starts=((child, timedelta(0)),)
    )


async def _turn(
    operation: Operation, world: World, active: ActivePolicy, place: Place, by: Person, now: datetime
) -> Judged | str:
    """The same, by what is on record of the whole. What goes back by itself goes to any other that was verified, where
    nothing better is left."""
    seen, to = _by_itself(operation, place.service), operation.seen.get(TO, {}).get(place.service, "")
    trigger, leaves = seen.get(TRIGGER, ""), seen.get(LEAVES, "")
    found = await _judged(world, active, place, by, now, operation.confirmed, to, trigger, leaves)
    if trigger and to and not (isinstance(found, Judged) and found.decision.allowed):
        return await _judged(world, active, place, by, now, operation.confirmed, "", trigger, leaves)
    return found


def _by_itself(operation: Operation, service: str) -> dict[str, str]:
    """What each of them has seen where nobody asked for it; empty: somebody did."""
    trigger = operation.seen.get(TRIGGER)
    return {} if trigger is None else {TRIGGER: trigger, LEAVES: operation.seen[SERVED][service]}


async def _judged(
    world: World,
    active: ActivePolicy,
    place: Place,
    by: Person,
    now: datetime,
    despite: frozenset[str],
    to: str = "",
    trigger: str = "",
    leaves: str = "",
) -> Judged | str:
    """What would be decided on the rollback of one of them now; or what is in its way."""
    under_way = None
    for other in await world.store.open_operations(place):
        if other.question.deed is Deed.ROLLBACK and FAMILY not in other.seen:
            return f"{other.asked_by.name} is rolling {place} back already, {other.id}"
        under_way = other if other.has_place else under_way
    question = Question(Deed.ROLLBACK, place.service, place.environment)
    lasts = now + rollback.LASTS
    asks = Asked(question, by, now, lasts, to, confirmed=despite, trigger=trigger, leaves=leaves)
    return judge(question, await gather.rollback(world, active, asks, under_way), active, now)


def waking(before: Operation, writes: Writes) -> Writes:
    """With word to the whole that it is part of, where it has come further."""
    whole, after = before.seen.get(PART_OF), writes.operation
    if whole is None or after is None or after.phase is before.phase:
        return writes
    return replace(writes, wakes=(*writes.wakes, str(whole)))


def _cause(operation: Operation, service: str) -> str:
    """The same each time: whoever goes on after a crash begins none of them twice."""
    return f"{operation.id} {service}"


async def rollbacks(operation: Operation, world: World) -> Members:
    """Each service with its rollback, where that has begun, in the order in which they go back."""
    return [
        (service, await world.store.operation(operation_id(_cause(operation, service))))
        for service in operation.seen[FAMILY]
    ]


# In words -------------------------------------------------------------------------------------------------------------


async def _over(operation: Operation, world: World, phase: Phase, note: str) -> Writes:
    ended = operation.ended(phase, note)
    entry = Entry.of(operation, "operation", EntryPhase.RECORD, phase.value, private={"says": note})
    root = _root(ended, await rollbacks(ended, world))
    told = Message(ended.channel, replace(root.reply, fields=(), footer=()), operation=ended.id, slot="ended")
    return Writes(operation=ended, entries=(entry,), messages=(told, root))


def _root(operation: Operation, members: Members) -> Message:
    """Where each of them stands."""
    lines = [_line(number, service, child) for number, (service, child) in enumerate(members, 1)]
    lines += [Line(Mark.NOTE, operation.note)] if operation.note else []
    moved = operation.seen.get(MOVED)
    left = [service for service, child in members if _not_begun(child) and service != moved]
    reply = Reply(
        title=f"{tell.title(operation)} {_STATES.get(operation.phase, 'stopped')}.",
        fields=(
            ("Asked by", (tell.who(operation.asked_by),)),
            *((("Back to", str(operation.seen[SET])),) if SET in operation.seen else ()),
            *((("Reason", operation.reason),) if operation.reason else ()),
        ),
        lines=tuple(lines),
        buttons=_buttons(operation, left),
        footer=(f"{operation.id} · asked ", When(operation.asked_at)),
    )
    return Message(operation.channel, reply, operation=operation.id, slot="root")


def _not_begun(child: Operation | None) -> bool:
    """Whether nothing of it has moved: else it might go further back than anybody asked for."""
    return child is None or (child.over and child.began_at is None)


_STATES = {Phase.WATCHING: "go back one after the other", Phase.DONE: "serve again", Phase.CANCELLED: "was stopped"}


def _line(number: int, service: str, child: Operation | None) -> Line:
    if child is None:
        return Line(Mark.NOTE, f"{number}. {service}: not begun")
    mark = Mark.YES if child.phase is Phase.DONE else Mark.NO if child.over else Mark.NOTE
    return Line(mark, f"{number}. {tell.state(child)[:-1]} ({child.id})")


def _buttons(operation: Operation, left: list[str]) -> tuple[Button, ...]:
    """What is left can be gone on with, or stopped before the next."""
    where = operation.question.target
    if operation.phase is Phase.WATCHING:
        return (Button("Stop before the next", f"cancel {operation.id}", meant_for=f"Stop {operation.id}"),)
    if operation.phase is Phase.DONE or not left:
        return ()
    what = BETWEEN.join(reversed(left))
    leaves = ",".join(sorted(operation.seen[SERVED][service] for service in left))
    to = f" to {operation.seen[SET]}" if SET in operation.seen else ""
    on = f"rollback {what} {where}{to} leaves:{leaves}"
    return (Button("Go on with the rest", on, Tone.DANGER, meant_for=f"Roll {what} back in {where}", asks="reason"),)
