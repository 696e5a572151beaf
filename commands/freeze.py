"""Freeze: close the gates with a reason and an end, and open them again. Also lifts holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from commands import explain, fields, grant, tell
from commands.asking import Asking
from commands.errors import Misunderstood, Rejected
from commands.explain import texts
from commands.fields import Gap
from commands.frozen import described, scope, target_of
from commands.grammar import instant, known
from commands.intent import EndFreeze, StartFreeze
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import freeze_id, hash_of
from commands.reply import Reply, Text, When
from policy.document import Policy
from policy.facts import Deed, Freeze, Hold, Verdict, Vote
from policy.model import short


async def start(intent: StartFreeze, asking: Asking) -> Writes:
    """The freeze stands, the channel reads who, why and until when, and open requests are looked at again.

    Where somebody must agree to it first, it stands for so long as the policy lets it, and the channel is asked.
    """
    person, now = asking.person, asking.world.clock.now()
    target = {"environment": intent.environment, **({"service": intent.service} if intent.service else {})}
    allowed = await asking.may(Deed.FREEZE, intent.service, intent.environment)
    if not allowed.decision.allowed:
        reply = explain.refused(f"You may not freeze {intent.environment}.", allowed.decision)
        return asking.refused("freeze", target, reply, allowed)
    freeze, gaps = _from(intent, asking)
    if gaps or freeze is None:
        words = ("freeze", "start", intent.service or "", intent.environment)
        says = f"A freeze of {intent.environment} needs a little more."
        return asking.privately(fields.ask_for(says, gaps, words, intent.said))
    private = {"reason": freeze.reason, **({"exit": freeze.exit_criteria} if freeze.exit_criteria else {})}
    entry = Entry(
        "freeze",
        EntryPhase.RECORD,
        "start" if freeze.approved else "asked",
        person,
        target={**target, "freeze": freeze.id},
        detail={"from": freeze.starts_at.isoformat(), "until": freeze.ends_at.isoformat()},
        private={**private, **freeze.fields},
    )
    wakes = await asking.touched(freeze.environment, freeze.service)
    writes = Writes(entries=(allowed.kept_in(entry),), freezes=(freeze,), wakes=wakes)
    request = asking.request
    if freeze.approved:
        said = Reply(
            texts(f"❄ {scope(freeze)} is frozen until ", (When(freeze.ends_at),), " by ", *_by(asking, freeze)),
            lines=described(freeze),
            footer=f"{freeze.id} · promotions are blocked, rollbacks are not · freeze end {freeze.id}",
        )
        return replace(writes, messages=(Message(request.channel, said, thread=request.thread, request=request.id),))
    # whoever declares it agrees to it, first of all; that counts for nothing, but says who it was
    first = Vote(person, Verdict.APPROVE, now, hash_of(freeze), freeze.reason)
    decided = await grant.decide_on(freeze, (first,), asking)
    card = grant.card(freeze, decided, asking.active.policy, now)
    message = Message(request.channel, card, operation=freeze.id, slot="root", request=request.id)
    return replace(writes, record_votes=((freeze.id, first),), messages=(message,))


def _by(asking: Asking, freeze: Freeze) -> tuple[Text, ...]:
    return ((tell.who(asking.person),), f": {freeze.reason}")


def _from(intent: StartFreeze, asking: Asking) -> tuple[Freeze | None, list[Gap]]:
    """The freeze that these words mean, or what is missing before they mean one."""
    policy, now, said = asking.active.policy, asking.world.clock.now(), intent.said
    gaps: list[Gap] = []
    starts_at = _time("from", said.get("from", ""), now, policy, gaps) if said.get("from") else now
    ends_at = _time("until", said.get("until", ""), now, policy, gaps)
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        gaps.append(Gap("until", "that freeze would end before it starts"))
    elif ends_at is not None and ends_at <= now:
        gaps.append(Gap("until", "that freeze would be over already"))
    gaps += fields.unsaid(("reason",), said, "everybody will ask why, for example black friday")
    gaps += fields.unsaid(policy.freezes.fields, said, "a freeze needs it here")
    if gaps or starts_at is None or ends_at is None:
        return None, list({gap.key: gap for gap in reversed(gaps)}.values())[::-1]
    must_agree = bool(policy.freezes.approvals)
    provisional = policy.freezes.provisional
    return Freeze(
        id=freeze_id(asking.request.id),
        environment=intent.environment,
        service=intent.service,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=said["reason"],
        owner=asking.person.name,
        exit_criteria=said.get("exit", ""),
        approved=not must_agree,
        lapses_at=_lapses(max(now, starts_at), provisional) if must_agree else None,
        fields={key: said[key] for key in policy.freezes.fields if key not in {"reason", "exit"}},
    ), gaps


def _lapses(from_then: datetime, provisional: timedelta | None) -> datetime | None:
    """When it is over if nobody agrees; None: it does not hold before somebody does."""
    return None if provisional is None else (from_then + provisional).replace(microsecond=0)


def _time(key: str, text: str, now: datetime, policy: Policy, gaps: list[Gap]) -> datetime | None:
    """The instant that is meant; else a gap more."""
    if not text:
        gaps.append(Gap(key, "say when it ends, for example `18:00`, `2h` or `tomorrow 09:00`"))
        return None
    try:
        return instant(text, now, policy.zone())
    except Misunderstood as error:
        gaps.append(Gap(key, str(error)))
        return None


async def end(intent: EndFreeze, asking: Asking) -> Writes:
    """The freeze or hold is over, everybody reads by whom, and open requests are looked at again."""
    world = asking.world
    now = world.clock.now()
    declared, holds = await world.store.freezes(now), await world.store.holds()
    found = _named(intent.which, declared, holds, asking)
    if isinstance(found, Hold):
        return await _lift(found, intent, asking)
    allowed = await asking.may(Deed.FREEZE, found.service, found.environment)
    target = target_of(found)
    if not allowed.decision.allowed:
        reply = explain.refused(f"You may not end {found.id}.", allowed.decision)
        return asking.refused("freeze", target, reply, allowed)
    private = {"reason": intent.reason} if intent.reason else {}
    entry = Entry(
        "freeze", EntryPhase.RECORD, "end", asking.person, target=target, decision=allowed.decision, private=private
    )
    because = f": {intent.reason}" if intent.reason else "."
    said = Reply(
        texts(f"{scope(found)} is open again: ", (tell.who(asking.person),), f" ended freeze {found.id}{because}")
    )
    return Writes(
        entries=(replace(entry, question=allowed.question, facts=allowed.facts),),
        ended_freezes=((found.id, now),),
        messages=(
            *await grant.rewritten(replace(found, ends_at=now), asking),
            Message(asking.request.channel, said, thread=asking.request.thread),
        ),
        wakes=await asking.touched(found.environment, found.service),
    )


async def _lift(hold: Hold, intent: EndFreeze, asking: Asking) -> Writes:
    allowed = await asking.may(Deed.LIFT, hold.place.service, hold.place.environment)
    target = {
        "service": hold.place.service,
        "environment": hold.place.environment,
        "hold": hold.id,
        "digest": hold.digest,
    }
    if not allowed.decision.allowed:
        reply = explain.refused(f"You may not lift {hold.id}.", allowed.decision)
        return asking.refused("hold", target, reply, allowed)
    private = {"reason": intent.reason} if intent.reason else {}
    entry = Entry(
        "hold", EntryPhase.RECORD, "lifted", asking.person, target=target, decision=allowed.decision, private=private
    )
    because = f": {intent.reason}" if intent.reason else "."
    said = texts(
        (tell.who(asking.person),), f" lifted the hold {hold.id} on {hold.place.service} {short(hold.digest)}{because}"
    )
    return Writes(
        entries=(replace(entry, question=allowed.question, facts=allowed.facts),),
        lifted_holds=((hold.id, asking.world.clock.now()),),
        messages=(Message(asking.request.channel, Reply(said), thread=asking.request.thread),),
        wakes=await asking.touched(hold.place.environment, hold.place.service),
    )


def _named(which: str, declared: tuple[Freeze, ...], holds: tuple[Hold, ...], asking: Asking) -> Freeze | Hold:
    """The one that is meant; `Rejected`, with all there are, where that cannot be told."""
    if not which:
        if len(declared) == 1:
            return declared[0]
        if not declared:
            raise Rejected("Nothing is frozen.")
        raise Rejected(f"Which one? There are {known(freeze.id for freeze in declared)}.")
    every: tuple[Freeze | Hold, ...] = (*declared, *holds)
    for candidate in every:
        if candidate.id.casefold() == which.casefold():
            return candidate
    environment = asking.active.policy.environment_called(which)
    there = [freeze for freeze in declared if environment is not None and freeze.environment == environment]
    if len(there) == 1:
        return there[0]
    ids = [candidate.id for candidate in every]
    raise Rejected(f"I know no freeze or hold `{which[:40]}`; there {'are ' + known(ids) if ids else 'is none'}.")
