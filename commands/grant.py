"""Do people agree to a freeze or an exception? Their votes count like those on a promotion; then it is in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from commands import confirm, explain, frozen, owed, tell
from commands.asking import Asking
from commands.errors import Rejected
from commands.explain import texts
from commands.intent import Approve, Reject, Withdraw
from commands.judged import Decided, decided
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import hash_of
from commands.reply import Button, Code, Confirm, Line, Mark, Reply, Text, When
from commands.vote import ask_why, cannot_vote, same_voter, standing
from policy import duty, exceptions, wording
from policy.facts import Deed, ExceptionRecord, Facts, Freeze, Obligation, Question, Verdict, Vote
from policy.model import Unknown, short
from policy.votes import agreement, counted
from policy.wording import listed

Record = ExceptionRecord | Freeze


def is_record(id: str) -> bool:
    """Whether that names a freeze or an exception, not a request."""
    return id[:2].upper() in {"F-", "X-"}


async def decide_on(record: Record, votes: tuple[Vote, ...], asking: Asking) -> Decided:
    """Whether it comes into force now, with these votes on it."""
    now, world = asking.world.clock.now(), asking.world
    if isinstance(record, ExceptionRecord):
        question = Question(Deed.EXCEPTION, record.service or "", record.environment, kind=record.kind)
        asked_by, asked_at = record.asked_by, record.asked_at
    else:
        question = Question(Deed.FREEZE, record.service or "", record.environment)
        first, *votes_on_it = votes  # by whoever declared it
        asked_by, asked_at, votes = first.voter, first.at, tuple(votes_on_it)
    facts = Facts(
        asked_by=await world.people.person(asked_by.account),  # roles must hold now, too
        asked_at=asked_at,
        plan=hash_of(record),
        votes=votes,
        people=await world.people.holders(tuple(asking.active.policy.roles)),
        wanted=record,
    )
    return decided(question, facts, asking.active, now)


async def approve(intent: Approve, asking: Asking) -> Writes:
    """The vote is recorded, and what was asked is in force once that is enough; or why not was said privately."""
    record = await _find(intent.operation, asking)
    cast = await asking.world.store.record_votes(record.id)
    before = await decide_on(record, cast, asking)
    no = await _why_not(record, intent.plan, before, asking)
    if no is not None:
        return asking.refused("vote", target_of(record), Reply(no), before)
    mine = [vote for vote in standing(before.facts.votes, before.facts.plan) if same_voter(vote, asking.person)]
    if any(vote.verdict is Verdict.APPROVE for vote in mine):
        return asking.privately(Reply(f"You have approved {title(record)} already."))
    terms = before.case.once(agreement)
    if not isinstance(terms, Unknown) and terms.reason and not intent.reason:
        return asking.privately(ask_why(intent))
    vote = _vote(record, Verdict.APPROVE, intent.reason, asking)
    after = await decide_on(record, (*cast, vote), asking)
    because = f": {intent.reason}" if intent.reason else "."
    told = texts((tell.who(asking.person),), f" approved {title(record)}{because}")
    writes = Writes(
        entries=(_entry(record, vote, asking),),
        record_votes=((record.id, vote),),
        votes_seen=((record.id, cast),),
    )
    if after.decision.allowed:
        return await _in_force(record, after, told, writes, asking)
    return replace(writes, messages=await said(record, told, asking, after))


async def reject(intent: Reject, asking: Asking) -> Writes:
    """The rejection is recorded, and ends what was asked where it comes from somebody who could have agreed."""
    record = await _find(intent.operation, asking)
    cast = await asking.world.store.record_votes(record.id)
    before = await decide_on(record, cast, asking)
    no = await _why_not(record, intent.plan, before, asking)
    if no is not None:
        return asking.refused("vote", target_of(record), Reply(no), before)
    vote = _vote(record, Verdict.REJECT, intent.reason, asking)
    after = await decide_on(record, (*cast, vote), asking)
    told = texts((tell.who(asking.person),), f" rejected {title(record)}: {intent.reason}")
    writes = Writes(
        entries=(_entry(record, vote, asking),), record_votes=((record.id, vote),), votes_seen=((record.id, cast),)
    )
    count = after.case.once(counted)
    if isinstance(count, Unknown) or not count.rejected:
        return replace(writes, messages=await said(record, told, asking, after))
    return await _ended("rejected", record, after, told, writes, asking)


async def withdraw(intent: Withdraw, asking: Asking) -> Writes:
    """The vote is taken back; by whoever asked, what was asked for."""
    record, now = await _find(intent.operation, asking), asking.world.clock.now()
    cast = await asking.world.store.record_votes(record.id)
    before = await decide_on(record, cast, asking)
    if is_decided(record, now):
        return asking.privately(Reply(f"Too late to withdraw: {state(record, now)}."))
    human = asking.person.human
    if human is not None and human == before.facts.asked_by.human:
        told = texts((tell.who(asking.person),), f" withdrew {title(record)}.")
        return await _ended("withdrawn", record, before, told, Writes(), asking)
    mine = [vote for vote in standing(before.facts.votes, before.facts.plan) if same_voter(vote, asking.person)]
    if not mine:
        return asking.privately(Reply(f"You have no vote on {title(record)}."))
    vote = replace(mine[-1], withdrawn_at=now)
    after = await decide_on(record, (*(each for each in cast if each != mine[-1]), vote), asking)
    told = texts((tell.who(asking.person),), f" withdrew their vote on {title(record)}.")
    return Writes(
        entries=(_entry(record, vote, asking, "withdraw"),),
        record_votes=((record.id, vote),),
        votes_seen=((record.id, cast),),
        messages=await said(record, told, asking, after),
    )


async def _find(id: str, asking: Asking) -> Record:
    id = f"{id[:1].upper()}{id[1:]}"
    found: Record | None
    if id.startswith("X-"):
        found = await asking.world.store.exception(id)
    else:
        declared = await asking.world.store.freezes(asking.world.clock.now())
        found = next((each for each in declared if each.id == id), None)
    if found is None:
        raise Rejected(f"I know no exception or freeze `{id[:40]}` that waits for anybody.")
    return found


async def _why_not(record: Record, plan: str, before: Decided, asking: Asking) -> str | None:
    """Why this person's word cannot count on it right now; None where it can."""
    now = asking.world.clock.now()
    if is_decided(record, now):
        return f"That is decided already: {state(record, now)}."
    if plan and not before.facts.plan.startswith(plan):
        return f"That is not what is asked: its hash is {before.facts.plan[:8]}, not {plan}."
    return await cannot_vote(before.case, asking.person, asking)


def _vote(record: Record, verdict: Verdict, reason: str, asking: Asking) -> Vote:
    return Vote(asking.person, verdict, asking.world.clock.now(), hash_of(record), reason)


def _entry(record: Record, vote: Vote, asking: Asking, what: str = "") -> Entry:
    return Entry(
        "vote",
        EntryPhase.RECORD,
        what or vote.verdict.value,
        asking.person,
        target={**target_of(record), "plan": vote.plan},
        detail={"roles": sorted(vote.voter.roles), "shown": short(vote.plan)},
        private={"reason": vote.reason} if vote.reason else {},
    )


async def _in_force(record: Record, after: Decided, told: Text, writes: Writes, asking: Asking) -> Writes:
    """It holds from now on: what it owes is written, and open requests are looked at again."""
    now, count = asking.world.clock.now(), after.case.once(counted)
    owes: tuple[Obligation, ...] = ()
    if isinstance(record, ExceptionRecord):
        by = () if isinstance(count, Unknown) else tuple(one.vote.voter for one in count.filled)
        record = replace(record, granted_by=by, granted_at=now)
        writes = replace(writes, exceptions=(record,))
        owes = duty.of_exception(record, asking.active.policy)
    else:
        record = replace(record, approved=True)
        writes = replace(writes, freezes=(record,))
    kind = "exception" if isinstance(record, ExceptionRecord) else "freeze"
    what = "granted" if isinstance(record, ExceptionRecord) else "approved"
    entry = Entry(
        kind,
        EntryPhase.RECORD,
        what,
        asking.person,
        target=target_of(record),
        decision=after.decision,
        question=after.question,
        facts=after.facts,
    )
    messages = await said(record, told, asking)
    return replace(
        writes,
        entries=(*writes.entries, entry, *(owed.entry(each) for each in owes)),
        obligations=owes,
        messages=(*messages, *owed.told(messages[0].channel, record.id, owes)),
        wakes=await asking.touched(record.environment, record.service),
    )


async def _ended(what: str, record: Record, after: Decided, told: Text, writes: Writes, asking: Asking) -> Writes:
    """It never comes into force."""
    now = asking.world.clock.now()
    if isinstance(record, ExceptionRecord):
        record = replace(record, revoked_at=now)
        writes, kind = replace(writes, exceptions=(record,)), "exception"
    else:
        record = replace(record, ends_at=now)
        writes, kind = replace(writes, ended_freezes=((record.id, now),)), "freeze"
    entry = Entry(
        kind,
        EntryPhase.RECORD,
        what,
        asking.person,
        target=target_of(record),
        decision=after.decision,
        question=after.question,
        facts=after.facts,
    )
    return replace(
        writes,
        entries=(*writes.entries, entry),
        messages=await said(record, told, asking),
        wakes=await asking.touched(record.environment, record.service),
    )


# In words -----------------------------------------------------------------------------------------------------------


def target_of(record: Record) -> dict[str, str]:
    """What an entry about it is about."""
    if isinstance(record, Freeze):
        return frozen.target_of(record)
    target = {"environment": record.environment, "exception": record.id, "plan": record.plan}
    return {**target, **({"service": record.service} if record.service else {})}


def title(record: Record) -> str:
    """`the exception X-4 for soak of checkout in prod`."""
    if isinstance(record, Freeze):
        return frozen.title(record)
    return f"the exception {record.id} for {listed(sorted(record.waives))} {_where(record)}"


def _where(record: ExceptionRecord) -> str:
    return f"of {record.service} in {record.environment}" if record.service else f"in {record.environment}"


def over(record: Record, now: datetime) -> str:
    """Why nothing can be done about it any more, a sentence; empty: something can."""
    if isinstance(record, ExceptionRecord):
        gone = record.revoked_at is not None and record.revoked_at <= now
        gone = gone or (record.ends_at is not None and record.ends_at <= now)
    else:
        gone = record.over_at <= now
    return f"That is over: {state(record, now)}." if gone else ""


def is_decided(record: Record, now: datetime) -> bool:
    """Whether nobody's vote changes anything any more."""
    if isinstance(record, ExceptionRecord):
        return bool(over(record, now)) or record.granted_at is not None
    return bool(over(record, now)) or record.approved


def state(record: Record, now: datetime) -> str:
    """A sentence that makes sense alone, without the full stop."""
    name = title(record)
    if isinstance(record, Freeze):
        if record.over_at <= now:
            return f"{name} is over"
        return f"{name} is in force" if record.approved else f"{name} waits for approval"
    if record.revoked_at is not None and record.revoked_at <= now:
        return f"{name} was revoked" if record.granted_at else f"{name} was not granted"
    if record.ends_at is not None and record.ends_at <= now:
        return f"{name} has expired"
    if record.granted_at is None:
        return f"{name} waits for approval"
    if record.uses is not None and len(record.used) >= record.uses:
        return f"{name} is used up"
    return f"{name} is in force"


def card(record: Record, judged: Decided | None, asking: Asking) -> Reply:
    """What is asked for, letter by letter, with its hash, the rules for it, and who can grant it."""
    now = asking.world.clock.now()
    says = state(record, now)
    title_says = f"{says[:1].upper()}{says[1:]}."
    open_for_votes = not is_decided(record, now)
    lines = explain.findings(judged.decision) if judged is not None and open_for_votes else ()
    buttons = _buttons(record, judged, asking) if open_for_votes else ()
    if isinstance(record, Freeze):
        shown = frozen.card(record, title_says, record.owner, lines)
        return replace(shown, buttons=buttons, footer=record.id)
    until: Text = (When(record.ends_at),) if record.ends_at else "for good"
    return Reply(
        title_says,
        fields=(
            ("Title", exceptions.title(record, asking.active.policy)),
            ("Asked by", (tell.who(record.asked_by),)),
            ("Kind", record.kind),
            ("Would waive" if record.granted_at is None else "Waives", ", ".join(sorted(record.waives))),
            ("Where", f"{record.service} in {record.environment}" if record.service else record.environment),
            *([("Candidate", (Code(record.digest),))] if record.digest else []),
            ("From", (When(record.starts_at),)),
            ("Until", until),
            *([("Uses", f"{len(record.used)} of {record.uses}")] if record.uses else []),
            *((tell.name(key), value) for key, value in record.fields.items()),
            *([("Granted by", listed(each.name for each in record.granted_by))] if record.granted_by else []),
            ("Hash", (Code(record.plan[:12]),)),
        ),
        lines=lines,
        buttons=buttons,
        footer=(f"{record.id} · asked ", When(record.asked_at)),
    )


def _buttons(record: Record, judged: Decided | None, asking: Asking) -> tuple[Button, ...]:
    until = "" if record.ends_at is None else f" until {wording.instant(record.ends_at, asking.active.policy.zone())}"
    if isinstance(record, Freeze):
        ask, what = "Freeze it?", f"{frozen.scope(record)} is frozen{until}: {record.reason}"
    else:
        ask, what = "Waive this?", f"{listed(sorted(record.waives))} {_where(record)} would be waived{until}."
    votes = confirm.votes(record.id, hash_of(record), record.id, ask, what, judged)
    says = "Whoever asked for it asks no more; anybody else takes their vote back."
    back = Confirm("Withdraw it?", says, "Withdraw")
    return (*votes, Button("Withdraw", f"withdraw {record.id}", confirm=back, meant_for=f"Withdraw {record.id}"))


async def said(record: Record, told: Text, asking: Asking, judged: Decided | None = None) -> tuple[Message, ...]:
    """Its message as it stands now, and what happened in the thread below it."""
    channel, _ = await asking.world.store.permalink(record.id)
    channel = channel or asking.request.channel
    root = Message(channel, card(record, judged, asking), operation=record.id, slot="root")
    below = Message(channel, Reply(told), operation=record.id)
    return (root, below)


def line(record: ExceptionRecord, now: datetime) -> Line:
    """One line of a list."""
    mark = Mark.WAIVED if record.holds(now) else Mark.NOTE
    until: Text = (" until ", When(record.ends_at)) if record.ends_at else " for good"
    uses = f", used {len(record.used)} of {record.uses} times" if record.uses else ""
    reason = f": {record.fields['reason']}" if record.fields.get("reason") else ""
    says = state(record, now)
    return Line(mark, texts(f"{says[:1].upper()}{says[1:]}", until, f"{uses}, asked by {record.asked_by.name}{reason}"))
