"""Do people agree to a freeze or an exception? Their votes count like those on a promotion; then it is in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from commands import confirm, explain, frozen, owed, relax, tell, waived
from commands.asking import Asking
from commands.errors import Rejected
from commands.explain import texts
from commands.intent import Approve, Reject, Withdraw
from commands.judged import Decided, decided
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import hash_of
from commands.reply import Button, Confirm, Reply, Text, When
from commands.vote import ask_why, cannot_vote, same_voter, standing
from policy import duty, wording
from policy.document import Policy
from policy.exceptions import relaxation
from policy.facts import Deed, ExceptionRecord, Facts, Freeze, Obligation, Question, Verdict, Vote
from policy.model import Unknown, short
from policy.terms import agreement
from policy.votes import counted
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
    if is_decided(record, asking.world.clock.now()):
        return await _too_late(record, asking)
    cast = await asking.world.store.record_votes(record.id)
    before = await decide_on(record, cast, asking)
    if before.decision.allowed and asking.person.human is not None and before.facts.plan.startswith(intent.plan):
        # the policy asks for less by now than when the last vote was cast
        told = texts((tell.who(asking.person),), f" had {title(record)} looked at again: {_enough(before)}.")
        return await _in_force(record, before, told, Writes(votes_seen=((record.id, cast),)), asking)
    no = await _why_not(intent.plan, before, asking)
    if no is not None:
        return asking.refused("vote", target_of(record), Reply(no), before)
    mine = [vote for vote in standing(before.facts.votes, before.facts.plan) if same_voter(vote, asking.person)]
    if any(vote.verdict is Verdict.APPROVE for vote in mine):
        blocks = before.decision._replace(findings=before.decision.blockers)
        says = f"You have approved {title(record)} already; what it still takes:"
        return asking.privately(Reply(says, lines=explain.findings(blocks)))
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
    if is_decided(record, asking.world.clock.now()):
        return await _too_late(record, asking)
    cast = await asking.world.store.record_votes(record.id)
    before = await decide_on(record, cast, asking)
    no = await _why_not(intent.plan, before, asking)
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
    if is_decided(record, now):
        return await _too_late(record, asking)
    cast = await asking.world.store.record_votes(record.id)
    before = await decide_on(record, cast, asking)
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
    id, store = f"{id[:1].upper()}{id[1:]}", asking.world.store
    found = await (store.exception(id) if id.startswith("X-") else store.freeze(id))
    if found is None:
        kind = "exception" if id.startswith("X-") else "freeze"
        raise Rejected(f"I know no {kind} `{id[:40]}`; `{kind} list` shows those there are.")
    return found


async def _too_late(record: Record, asking: Asking) -> Writes:
    """Said privately; its message loses the buttons that time alone had made useless."""
    no = Reply(f"That is decided already: {state(record, asking.world.clock.now())}.")
    refused = asking.refused("vote", target_of(record), no)
    return replace(refused, messages=(*await rewritten(record, asking), *refused.messages))


async def _why_not(plan: str, before: Decided, asking: Asking) -> str | None:
    """Why this person's word cannot count on it right now; None where it can."""
    if plan and not before.facts.plan.startswith(plan):
        return f"That is not what is asked: its hash is {before.facts.plan[:8]}, not {plan}."
    return await cannot_vote(before.case, asking.person, asking)


def _enough(decided: Decided) -> str:
    """Why it needs nobody's vote any more."""
    terms = decided.case.once(agreement)
    nobody = not isinstance(terms, Unknown) and not terms.seats
    return "nobody has to agree to it any more" if nobody else "those who agreed are enough by now"


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
    entry = after.kept_in(Entry(kind, EntryPhase.RECORD, what, asking.person, target=target_of(record)))
    since: Text = " It is in force from now on."
    if record.starts_at > now:
        since = (" It will be in force from ", When(record.starts_at), " on.")
    messages = await said(record, texts(told, since), asking)
    relaxes = (
        relax.begins(record, asking.active.policy, messages[0].channel, now)
        if isinstance(record, ExceptionRecord)
        else None
    )
    return replace(
        writes,
        starts=(*writes.starts, *((relaxes,) if relaxes is not None else ())),
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
    entry = after.kept_in(Entry(kind, EntryPhase.RECORD, what, asking.person, target=target_of(record)))
    return replace(
        writes,
        entries=(*writes.entries, entry),
        messages=await said(record, told, asking),
        wakes=await asking.touched(record.environment, record.service),
    )


# In words -----------------------------------------------------------------------------------------------------------


def target_of(record: Record) -> dict[str, str]:
    """What an entry about it is about."""
    return frozen.target_of(record) if isinstance(record, Freeze) else waived.target_of(record)


def title(record: Record) -> str:
    return frozen.title(record) if isinstance(record, Freeze) else waived.title(record)


def state(record: Record, now: datetime) -> str:
    """A sentence that makes sense alone, without the full stop."""
    return frozen.state(record, now) if isinstance(record, Freeze) else waived.state(record, now)


def is_decided(record: Record, now: datetime) -> bool:
    """Whether nobody's vote changes anything any more."""
    if isinstance(record, Freeze):
        return record.over_at <= now or record.approved
    return waived.over(record, now) or record.granted_at is not None


def card(record: Record, decided: Decided | None, policy: Policy, now: datetime) -> Reply:
    """What is asked for; while people can agree to it, the rules for it, who can, and the buttons."""
    shown = frozen.card(record, now) if isinstance(record, Freeze) else waived.card(record, policy, now)
    if decided is None or is_decided(record, now):
        return shown
    lines = (*shown.lines, *explain.findings(decided.decision))
    return replace(shown, lines=lines, buttons=_buttons(record, decided, policy))


def _buttons(record: Record, decided: Decided, policy: Policy) -> tuple[Button, ...]:
    until = "" if record.ends_at is None else f" until {wording.instant(record.ends_at, policy.zone())}"
    if isinstance(record, Freeze):
        ask, what = "Freeze it?", f"{frozen.scope(record)} is frozen{until}: {record.reason}"
    else:
        ask, what = "Waive this?", f"{listed(sorted(record.waives))} {waived.where(record)} would be waived{until}."
        relaxed = relaxation(record)
        if relaxed is not None:
            ask = "Relax this?"
            what = f"{listed(relaxed.what)} of {relaxed.branch} {waived.where(record)} would be relaxed{until}."
    votes = confirm.votes(record.id, hash_of(record), record.id, ask, what, decided)
    says = "Whoever asked for it asks no more; anybody else takes their vote back."
    back = Confirm("Withdraw it?", says, "Withdraw")
    return (*votes, Button("Withdraw", f"withdraw {record.id}", confirm=back, meant_for=f"Withdraw {record.id}"))


async def said(record: Record, told: Text, asking: Asking, decided: Decided | None = None) -> tuple[Message, ...]:
    """Its message as it stands now, and what happened in the thread below it."""
    root = await _root(record, asking, decided)
    return (root, Message(root.channel, Reply(told), operation=record.id))


async def rewritten(record: Record, asking: Asking) -> tuple[Message, ...]:
    """Its message as it stands now that nobody can agree to it any more; none, where nobody ever had to."""
    if not await asking.world.store.record_votes(record.id) and isinstance(record, Freeze):
        return ()
    return (await _root(record, asking),)


async def _root(record: Record, asking: Asking, decided: Decided | None = None) -> Message:
    channel, _ = await asking.world.store.permalink(record.id)
    shown = card(record, decided, asking.active.policy, asking.world.clock.now())
    return Message(channel or asking.request.channel, shown, operation=record.id, slot="root")
