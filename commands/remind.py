"""What ends or falls due by itself, and who hears of it then? Each such instant is an operation that waits for it.

It stands in the books with whatever made it necessary, so neither a restart nor a clock that jumps loses it. What it is
about is read again when it is due: what was ended before is not told twice, and what ends later now is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from commands import frozen, owed, unasked, waived
from commands.explain import texts
from commands.operation import Operation, Phase
from commands.ports import Entry, EntryPhase, Message, World, Writes
from commands.record import BOT, operation_under
from commands.reply import Mark, Reply
from policy.exceptions import relaxation
from policy.facts import Deed, ExceptionRecord, Freeze, Obligation
from policy.model import Place

EARLY = timedelta(seconds=1)
"""Ended so much before its time, somebody ended it, and everybody heard of it."""


def follows(writes: Writes, channel: str, now: datetime) -> tuple[tuple[Operation, timedelta], ...]:
    """What waits from now on for the end of what is written there."""
    waiting = []
    for ends_at, one in _ends(writes):
        place = Place(one.service or "", one.environment)
        reminds = unasked.begin(Deed.REMIND, one.id, place, channel, now, ends_at)
        waiting.append((reminds, max(timedelta(0), ends_at - now)))
    return tuple(waiting)


async def standing(world: World) -> tuple[tuple[Operation, timedelta], ...]:
    """What should wait for the end of all that stands in the books. From before anything did, nothing may wait yet;
    where something does, it is not begun twice."""
    now, store = world.clock.now(), world.store
    there = Writes(
        freezes=await store.freezes(now), exceptions=await store.exceptions(now), obligations=await store.obligations()
    )
    waiting = []
    for one, after in follows(there, "", now):
        channel = (await store.permalink(one.question.change))[0] or _own_channel(one, world)
        waiting += [(replace(one, channel=channel), after)] if channel else []
    return tuple(waiting)


def _own_channel(waiting: Operation, world: World) -> str:
    """Of its service, or of the first one that has any; empty: nobody can be told."""
    services, name = world.policies.current().policy.services, waiting.question.service
    about = [services[name]] if name in services else [] if name else services.values()
    return next((service.channel for service in about if service.channel), "")


def _ends(writes: Writes) -> Iterator[tuple[datetime, Freeze | ExceptionRecord | Obligation]]:
    """When, and of what."""
    for freeze in writes.freezes:
        yield freeze.over_at, freeze
    for record in writes.exceptions:
        if relaxation(record) is not None:  # what relaxes tells its end itself
            continue
        if record.granted_at is not None and record.ends_at is not None and record.revoked_at is None:
            yield record.ends_at, record
    for one in writes.obligations:
        if one.settled_at is None:
            yield one.due_at, one


async def remind(operation: Operation, world: World) -> Writes:
    """It is told, once; or waited for on."""
    now, about = world.clock.now(), operation.question.change
    match about[:2]:
        case "F-":
            freeze = await world.store.freeze(about)
            return await _freeze(operation, freeze, world, now)
        case "X-":
            return await _exception(operation, await world.store.exception(about), world, now)
        case _:
            standing = {one.id: one for one in await world.store.obligations()}
            return _obligation(operation, standing.get(about), now)


async def _freeze(operation: Operation, freeze: Freeze | None, world: World, now: datetime) -> Writes:
    if freeze is None or freeze.over_at < operation.expires_at - EARLY:
        return _nothing(operation)
    if freeze.over_at > now:
        return Writes(operation=operation, due=freeze.over_at - now)
    ended = "ended" if freeze.approved else "lapsed, for nobody agreed to it"
    says = f"{frozen.scope(freeze)} is open again: the freeze {freeze.id} by {freeze.owner} {ended}."
    entry = Entry("freeze", EntryPhase.RECORD, "over", BOT, target=frozen.target_of(freeze))
    return await _told(operation, Reply(says), entry, world, frozen.card(freeze, now))


async def _exception(operation: Operation, record: ExceptionRecord | None, world: World, now: datetime) -> Writes:
    if record is None or record.revoked_at is not None or record.ends_at is None:
        return _nothing(operation)
    if record.ends_at > now:
        return Writes(operation=operation, due=record.ends_at - now)
    title = waived.title(record)
    entry = Entry("exception", EntryPhase.RECORD, "over", BOT, target=waived.target_of(record))
    says = f"{title[:1].upper()}{title[1:]} ended: nothing is waived by it any more."
    card = waived.card(record, world.policies.current().policy, now)
    return await _told(operation, Reply(says), entry, world, card)


def _obligation(operation: Operation, one: Obligation | None, now: datetime) -> Writes:
    if one is None:
        return _nothing(operation)
    if one.due_at > now:
        return Writes(operation=operation, due=one.due_at - now)
    entry = Entry("obligation", EntryPhase.RECORD, "overdue", BOT, target=owed.target_of(one))
    reply = Reply(texts(f"{Mark.NO.value} Overdue: ", owed.says(one)), buttons=(owed.done(one),))
    thread = operation_under(one.about) if one.about.startswith("E-") else one.about
    told = Message(operation.channel, reply, operation=thread, slot=f"{one.id}:due")
    return Writes(operation=operation.ended(Phase.DONE, ""), entries=(entry,), messages=(told,))


async def _told(operation: Operation, reply: Reply, entry: Entry, world: World, card: Reply) -> Writes:
    """Everybody reads it, there and on its card where it has one; requests that it touches are looked at again."""
    about = operation.question.change
    channel, _ = await world.store.permalink(about)
    stands = (Message(channel, card, operation=about, slot="root"),) if channel else ()
    place = operation.place
    touched = tuple(
        other.id
        for other in await world.store.open_operations()
        if other.question.target == place.environment
        and (not place.service or place.service in other.question.services)
    )
    return Writes(
        operation=operation.ended(Phase.DONE, ""),
        entries=(entry,),
        messages=(Message(operation.channel, reply), *stands),
        wakes=touched,
    )


def _nothing(operation: Operation) -> Writes:
    """It was ended or settled before, and told then."""
    return Writes(operation=operation.ended(Phase.CANCELLED, ""))
