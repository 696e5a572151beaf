"""What is owed, by whom, until when? Written together with what it follows from, told, and settled by a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from commands import tell
from commands.asking import Asking
from commands.errors import Rejected
from commands.explain import texts
from commands.intent import Settle
from commands.judged import Judged
from commands.operation import Operation
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import BOT, operation_under
from commands.reply import Bold, Button, Line, Mark, Reply, Text, Tone, When
from policy import duty
from policy.document import Policy
from policy.facts import Deed, Obligation
from policy.model import Unknown
from policy.votes import counted
from policy.wording import role


def by_operation(operation: Operation, judged: Judged, at: datetime) -> tuple[Obligation, ...]:
    """What becomes owed because this begins; whoever asked and whoever agreed took part."""
    record, count, policy = judged.facts.emergency, judged.case.once(counted), judged.case.policy
    voters = () if isinstance(count, Unknown) else (*count.agreed, *count.heard)
    takers = (operation.asked_by, *(vote.voter for vote in voters))
    if operation.question.deed is Deed.ROLLBACK:
        return (*duty.of_rollback(operation.id, operation.place, at, takers, policy), *_hurried(operation, at, policy))
    if record is None or operation.emergency is None:
        return ()
    return duty.of_emergency(record.id, operation.place, at, takers, policy)


def _hurried(operation: Operation, at: datetime, policy: Policy) -> tuple[Obligation, ...]:
    """What a rollback outside the window owes: nobody is kept waiting for what its emergency wants said."""
    record, rules, place = operation.emergency, policy.emergency, operation.place
    if record is None or rules is None:
        return ()
    missing = (key for key in rules.fields if not record.fields.get(key, "").strip())
    return (
        *duty.of_emergency(record.id, place, at, (operation.asked_by,), policy),
        *duty.to_complete(record.id, missing, place, at, policy),
    )


def entry(owed: Obligation, operation: str = "") -> Entry:
    """That it is owed from now on."""
    detail = {"kind": owed.kind, "owner": owed.owner, "due": owed.due_at.isoformat()}
    return Entry("obligation", EntryPhase.RECORD, "owed", BOT, operation, "", target_of(owed), detail=detail)


def target_of(owed: Obligation) -> dict[str, str]:
    """What an entry about it is about."""
    target = {"environment": owed.environment, "obligation": owed.id, "about": owed.about}
    return {**target, **({"service": owed.service} if owed.service else {})}


def told(channel: str, about: str, owes: Sequence[Obligation]) -> tuple[Message, ...]:
    """What is owed now, said in the thread of what it follows from; a message each, to be settled there."""
    said = ((one, Reply(texts("Owed from now on: ", says(one)), buttons=(done(one),))) for one in owes)
    return tuple(Message(channel, reply, operation=about, slot=one.id) for one, reply in said)


def says(owed: Obligation) -> Text:
    """`a review of E-4 (O-1a2b3c4d) by an incident commander until …`."""
    return texts(
        f"{owed.says} (", (Bold(owed.id),), f", from {owed.about}), by {role(owed.owner)}, until ", (When(owed.due_at),)
    )


def done(owed: Obligation) -> Button:
    name = f"{owed.says} ({owed.id})"
    return Button("Done", f"exception settle {owed.id}", Tone.PRIMARY, asks="note", meant_for=f"Done: {name}")


def lines(owes: Sequence[Obligation], now: datetime) -> tuple[Line, ...]:
    """A line for each, overdue ones first."""
    late = [one for one in owes if duty.overdue(one, now)]
    rest = [one for one in owes if one not in late]
    return (
        *(Line(Mark.NO, texts("Overdue: ", says(one))) for one in late),
        *(Line(Mark.NOTE, texts("Owed: ", says(one))) for one in rest),
    )


def in_order(owes: Sequence[Obligation], now: datetime) -> tuple[Obligation, ...]:
    """Overdue ones first, then by when they are due."""
    return tuple(sorted(owes, key=lambda one: (not duty.overdue(one, now), one.due_at, one.id)))


async def settle(intent: Settle, asking: Asking) -> Writes:
    """It is owed no more, everybody reads who says so, and requests that it blocked are looked at again."""
    world, person, now = asking.world, asking.person, asking.world.clock.now()
    owes = await world.store.obligations()
    found = next((one for one in owes if one.id.casefold() == intent.obligation.casefold()), None)
    if found is None:
        raise Rejected(f"Nothing is owed as `{intent.obligation[:40]}`, or not any more; see `exception list`.")
    no = duty.why_not(found, person)
    if no:
        return asking.refused("obligation", target_of(found), Reply(f"{person.name} {no}: {found.says} ({found.id})."))
    settled = replace(found, settled_at=now)
    entry = Entry(
        "obligation", EntryPhase.RECORD, "settled", person, target=target_of(found), private={"note": intent.note}
    )
    thread = await _thread(found, asking)
    channel, _ = await world.store.permalink(thread)
    said = Reply(texts((tell.who(person),), f" settled {found.id} ({found.says}; from {found.about}): {intent.note}"))
    return Writes(
        entries=(entry,),
        obligations=(settled,),
        messages=(
            Message(channel or asking.request.channel, said, operation=thread, slot=found.id),
            asking.whisper(Reply(f"{found.id} is settled.")),
        ),
        wakes=await asking.touched(found.environment, found.service),
    )


async def _thread(owed: Obligation, asking: Asking) -> str:
    """In whose thread it was told: of the operation, for an emergency, else of what it follows from."""
    if not owed.about.startswith("E-"):
        return owed.about
    operation = await asking.world.store.operation(operation_under(owed.about))
    return owed.about if operation is None else operation.id
