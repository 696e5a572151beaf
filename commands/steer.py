"""Cancel, abort, pause, resume, continue: what people want of a request that is there already."""

from __future__ import annotations

from dataclasses import replace

from commands import database, tell
from commands.asking import Asking
from commands.consider import same_human
from commands.explain import texts
from commands.intent import Steer
from commands.operation import Operation, Phase, Wish
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import target_of
from commands.reply import Reply
from commands.vote import an, cases_of, find
from policy.facts import Deed
from policy.model import Unknown
from policy.rules.goes_back import forward_only
from policy.terms import agreement
from policy.wording import listed


async def steer(intent: Steer, asking: Asking) -> Writes:
    """What is wanted stands in our books, and whoever runs the operation is stopped and told."""
    operation = await find(intent.operation, asking)
    several = operation.plan is None and operation.question.deed is Deed.ROLLBACK
    ships = operation.is_a_set and operation.phase is Phase.WATCHING
    stops = _why_not_abort if ships else _why_not_stop if several else _why_not
    no = stops(operation, intent.word, asking) or _why_not_back(operation, intent, asking)
    if no is not None:
        return asking.refused("operation", target_of(operation), Reply(no), operation=operation.id)
    asked = tell.asked(operation)
    if asked is not None and intent.question not in {"", asked.id}:
        old = f"That button is old: it answers question {intent.question}."
        says = f"{old} Asked now, as question {asked.id}: {asked.why}"
        return asking.refused("operation", target_of(operation), Reply(says), operation=operation.id)
    waits = asked is not None and asked.about == tell.HELD
    entry = Entry.of(
        operation,
        "operation",
        EntryPhase.RECORD,
        intent.word,
        detail={"question": asked.id} if intent.word == "continue" and asked is not None else {},
        private={"reason": intent.reason} if intent.reason else {},
        by=asking.person,
    )
    several = several or operation.is_a_set
    says = {
        "cancel": "cancelled it"
        if operation.is_a_set
        else "stops it before the next one"
        if several
        else "cancelled it",
        "abort": "aborted all of it: what shipped goes back" if operation.is_a_set else "aborted it: traffic goes back",
        "leave": "ended it: traffic stays as it stands",
        "pause": "paused it: traffic stays as it is",
        "resume": "resumed it" if operation.moving else "had it looked at again",
        "continue": "lets it wait on" if waits else "lets it go on",
    }[intent.word]
    reason = f": {intent.reason}" if intent.reason else "."
    told = Message(
        operation.channel,
        Reply(texts((tell.who(asking.person),), f" {says}{reason}")),
        operation=operation.id,
    )
    if intent.word == "resume" and not operation.moving:
        return Writes(entries=(entry,), messages=(told,), wakes=(operation.id,))
    wish = {
        "cancel": Wish.CANCEL,
        "abort": Wish.ABORT,
        "leave": Wish.LEAVE,
        "pause": Wish.PAUSE,
        "resume": Wish.RUN,
        "continue": Wish.PROCEED,
    }[intent.word]
    wished = tell.root(replace(operation, wish=wish))
    root = Message(operation.channel, wished, operation=operation.id, slot="root", phase=operation.phase)
    return Writes(entries=(entry,), messages=(told,) if several else (told, root), wishes=((operation.id, wish),))


def _why_not(operation: Operation, word: str, asking: Asking) -> str | None:
    if operation.over:
        return f"That is over: {tell.state(operation)}"
    if operation.question.deed is Deed.RELAX:
        return f"Only its exception ends it: `exception revoke {operation.question.change}`."
    if not _may(operation, asking):
        asker = operation.asked_by.name
        return f"You may not {word} this: {asker} may, who asked, and so may approvers and whoever may roll back."
    if operation.phase is Phase.WATCHING:
        return "That only watches or waits; there is nothing to stop."
    waiting = operation.phase in {Phase.WAITING, Phase.BLOCKED}
    if operation.question.deed in {Deed.ROLLBACK, Deed.REWIND} and not waiting:
        return "A rollback is not stopped half-way; roll back to another target instead."
    if word == "cancel" and not waiting:
        return f"It has begun: `abort {operation.id}` takes its traffic back."
    if word in {"abort", "leave", "pause"} and waiting:
        return f"It has not begun: `cancel {operation.id}` drops it."
    if operation.phase is Phase.GOING_BACK:
        return "Its traffic is going back already."
    if operation.moving and operation.wish is Wish.YIELD and word != "abort":
        return "A rollback is taking over; that cannot be held up."
    if operation.moving and operation.wish in {Wish.ABORT, Wish.CANCEL}:
        return "It was aborted already; its traffic goes back."
    return _why_not_held(operation, word) or (_why_not_on(operation, asking) if word == "continue" else None)


def _why_not_held(operation: Operation, word: str) -> str | None:
    """It stands still already, or does not."""
    if word == "pause" and operation.wish is Wish.PAUSE:
        return "It is paused already."
    if word == "resume" and operation.moving and operation.wish is not Wish.PAUSE:
        return "It is not paused."
    return None


def _why_not_abort(operation: Operation, word: str, asking: Asking) -> str | None:
    """Of several that ship as one: the whole is aborted, and nothing else."""
    if not _may(operation, asking):
        return _why_not(operation, word, asking)
    if operation.wish in {Wish.ABORT, Wish.CANCEL}:
        return "It was aborted already: what shipped goes back."
    parts, policy = () if operation.plan is None else operation.plan.parts, asking.active.policy
    if ahead := [part for part in parts if forward_only(policy, part.database)]:
        declared = listed(f"{part.service} {part.database}" for part in ahead)
        return (
            f"{declared} was declared: what served before works no more, so stop the one under way in its own thread."
        )
    only = f"Only `abort {operation.id}` stops all of it; pause or resume the one that is under way in its own thread."
    return None if word == "abort" else only


def _why_not_stop(operation: Operation, word: str, asking: Asking) -> str | None:
    """Of several rollbacks one after the other: they are stopped before the next, and nothing else."""
    if operation.over:
        return f"That is over: {tell.state(operation)}"
    if not _may(operation, asking):
        return f"You may not {word} this: {operation.asked_by.name} may, who asked, and so may whoever may roll back."
    return None if word == "cancel" else f"Only `cancel {operation.id}` stops it, before the next one begins."


def _why_not_back(operation: Operation, intent: Steer, asking: Asking) -> str | None:
    """Where what served before works no more, whoever takes the traffic back may do so, and says why."""
    policy, plan = asking.active.policy, operation.plan
    if intent.word != "abort" or plan is None or not database.asks_people(operation, policy):
        return None
    why = f"{operation.asked_by.name} declared {plan.database}: what served before works no more with the database."
    able = policy.rollback.database.override
    if not able:
        return f"{why} The policy lets nobody take its traffic back; mend it by another release, or by its flag."
    if asking.person.roles.isdisjoint(able):
        who = listed(map(an, able), "or")
        return f"{why} Only {who} may take its traffic back; else mend it by another release, or by its flag."
    return None if intent.reason.strip() else f"{why} Say why it goes back: `abort {operation.id} reason:…`."


def _why_not_on(operation: Operation, asking: Asking) -> str | None:
    """What is asked now is answered, by somebody who did not ask for the release."""
    asked = tell.asked(operation)
    if asked is None:
        return "Nobody is asked whether it shall go on."
    if operation.wish is Wish.PAUSE:
        return f"It is paused: `resume {operation.id}` comes first."
    if asked.about != tell.HELD and same_human(asking.person, operation.asked_by):
        return "You asked for it, so somebody else has to answer for it."
    return None


def _may(operation: Operation, asking: Asking) -> bool:
    """The asker, whoever could approve it, and whoever may roll back."""
    person, policy = asking.person, asking.active.policy
    if person.human is not None and person.human == operation.asked_by.human:
        return True
    found = [agreement(case) for case in cases_of(operation, asking)]
    agree = [role for terms in found if not isinstance(terms, Unknown) for seat in terms.seats for role in seat.roles]
    return not person.roles.isdisjoint((*agree, *policy.may.rollback))
