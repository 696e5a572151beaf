"""Approve, reject, withdraw: a person's word on one plan. Whether it counts is decided anew whenever it matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from commands import confirm, evidence, tell
from commands.asking import Asking
from commands.errors import Misunderstood
from commands.explain import texts
from commands.gather import TRIGGER
from commands.intent import Approve, Reject, Withdraw
from commands.operation import PART_OF, Operation, Phase
from commands.places import known
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import target_of
from commands.reply import Button, Reply, Tone
from policy.agreement import Stance
from policy.case import Case
from policy.facts import Deed, Facts, Verdict, Vote
from policy.model import AccountKind, Person, Unknown, short
from policy.terms import Terms, agreement
from policy.wording import listed, role


async def approve(intent: Approve, asking: Asking) -> Writes:
    """The vote is recorded and everything is decided again; or why it cannot be was said privately."""
    operation = await find(intent.operation, asking)
    no = await _why_not(operation, intent.plan, asking) or await _wrote_it(operation, asking)
    no = no or await _unmeant(intent.confirms, operation, asking)
    if no is not None:
        return _refused(operation, no, asking)
    mine = next((vote for vote in await _standing(operation, asking) if same_voter(vote, asking.person)), None)
    before = mine.confirms if mine is not None and mine.verdict is Verdict.APPROVE else None
    if before is not None and intent.confirms <= before:
        return asking.privately(Reply(f"You have approved {tell.title(operation)} already."))
    says_why = [terms.reason for terms in _terms(operation, asking) if not isinstance(terms, Unknown)]
    if any(says_why) and not intent.reason:
        return asking.privately(ask_why(intent))
    vote = _vote(operation, Verdict.APPROVE, intent.reason, asking, intent.confirms | (before or frozenset()))
    checking = tell.checking(operation, asking.person)
    return replace(
        _cast(operation, vote, asking),
        messages=(
            Message(operation.channel, checking, operation=operation.id, slot="root", phase=operation.phase),
            Message(
                operation.channel, tell.closed(operation), operation=operation.id, slot="plan", phase=operation.phase
            ),
            Message(operation.channel, tell.voted(operation, vote), operation=operation.id),
            asking.whisper(Reply(f"Your approval of {tell.title(operation)} is recorded.")),
        ),
    )


async def reject(intent: Reject, asking: Asking) -> Writes:
    """The rejection is recorded, and ends the request where it comes from somebody who could have approved."""
    operation = await find(intent.operation, asking)
    no = await _why_not(operation, intent.plan, asking)
    if no is not None:
        return _refused(operation, no, asking)
    standing = await _standing(operation, asking)
    if any(same_voter(vote, asking.person) and vote.verdict is Verdict.REJECT for vote in standing):
        return asking.privately(Reply(f"You have rejected {tell.title(operation)} already."))
    vote = _vote(operation, Verdict.REJECT, intent.reason, asking)
    return replace(
        _cast(operation, vote, asking),
        messages=(
            Message(operation.channel, tell.voted(operation, vote), operation=operation.id),
            asking.whisper(Reply(f"Your rejection of {tell.title(operation)} is recorded.")),
        ),
    )


async def withdraw(intent: Withdraw, asking: Asking) -> Writes:
    """The vote is taken back, as long as nothing has begun."""
    operation = await find(intent.operation, asking)
    if operation.phase not in {Phase.WAITING, Phase.BLOCKED}:
        return asking.privately(Reply(f"Too late to withdraw: {tell.state(operation)}"))
    standing = [vote for vote in await _standing(operation, asking) if same_voter(vote, asking.person)]
    if not standing:
        return asking.privately(Reply(f"You have no vote on {tell.title(operation)}."))
    vote = replace(standing[-1], withdrawn_at=asking.world.clock.now())
    says = texts((tell.who(asking.person),), f" withdrew their vote on {tell.title(operation)}.")
    return replace(
        _cast(operation, vote, asking, what="withdraw"),
        messages=(
            Message(operation.channel, Reply(says), operation=operation.id),
            asking.whisper(Reply("Your vote is withdrawn.")),
        ),
    )


async def find(id: str, asking: Asking) -> Operation:
    operation = await asking.world.store.operation(id)
    if operation is None:
        raise Misunderstood(f"I know no request `{id[:40]}`; look at `status` for those that are open.")
    return operation


async def _why_not(operation: Operation, plan: str, asking: Asking) -> str | None:
    """Why this person's word cannot count on this request right now; None where it can."""
    person = asking.person
    if operation.of_a_set and not operation.over:
        return f"It ships as part of {operation.seen[PART_OF]}: people agree to the whole, and vote there."
    if operation.over or operation.moving or (operation.is_a_set and operation.phase is Phase.WATCHING):
        votes = [
            vote.voter.name for vote in await asking.world.store.votes(operation.id) if vote.verdict is Verdict.APPROVE
        ]
        by = f" {', '.join(dict.fromkeys(votes))} approved it." if votes else ""
        return f"That is decided already: {tell.state(operation)}{by}"
    if operation.plan is None or not _asks_people(operation, asking):
        return "Nothing of that request waits for a vote."
    if plan and not operation.plan.hash.startswith(plan):
        return (
            f"That button is old: the plan has changed since ({plan} is now {operation.plan.hash[:8]}). "
            "Look at the newest message in its thread."
        )
    noes = [await cannot_vote(case, person, asking) for case in cases_of(operation, asking)]
    return None if None in noes else noes[0]  # of several, whoever counts for one of them is heard


def _asks_people(operation: Operation, asking: Asking) -> bool:
    """Whether anybody could ever have to agree to such a request."""
    if operation.question.deed is Deed.PROMOTE:
        return True
    terms = _terms(operation, asking)[0]
    goes_back = operation.question.deed in {Deed.ROLLBACK, Deed.REWIND}
    return goes_back and not isinstance(terms, Unknown) and bool(terms.seats)


async def cannot_vote(case: Case, person: Person, asking: Asking) -> str | None:
    """Why this person's word could never count in this case; None where it may."""
    if person.kind is not AccountKind.HUMAN:
        return "A guest or a bot cannot vote on a release."
    if person.human is None:
        return "Your account is linked to nobody in the policy, so your vote would not count."
    if person.human == case.facts.asked_by.human:
        return "You asked for it, so somebody else has to agree."
    terms = agreement(case)
    if isinstance(terms, Unknown):
        return f"Nobody can vote on it: {terms.why}."
    seats = [name for seat in terms.seats for name in seat.roles]
    seats += [gate.role for gate in case.gates.values() if gate.kind == "signoff"]
    through = case.policy.freezes.override if case.question.deed is Deed.PROMOTE else ()
    if person.roles.isdisjoint((*seats, *(name for slot in through for name in slot.roles))):
        wanted = list(dict.fromkeys(seats))
        holders = await asking.world.people.holders(wanted)
        others = [holder.name for holder in holders.values() if holder.human != case.facts.asked_by.human]
        needed = listed((an(name) for name in wanted), "or")
        return f"Your vote would not count: it takes {needed} ({', '.join(others) or 'nobody holds that role'})."
    return None


async def _wrote_it(operation: Operation, asking: Asking) -> str | None:
    """That this person wrote part of it and so cannot agree, as far as that can be told now; else None.

    Of several, whoever wrote none of one of them may agree to that one.
    """
    cases, plan = cases_of(operation, asking), operation.plan
    if operation.is_a_set and plan is not None:
        noes = [await _wrote(case, part, asking) for case, part in zip(cases, plan.parts, strict=True)]
        return None if None in noes else noes[0]
    return await _wrote(cases[0], plan, asking)


async def _wrote(case: Case, plan: Plan | None, asking: Asking) -> str | None:
    if case.path is None or plan is None or plan.commit is None or plan.from_commit is None:
        return None
    if (case.path.separation or case.policy.separation).authors is not Stance.OUT:
        return None
    compared = await known("it", asking.world.code.compare(plan.repository, plan.from_commit, plan.commit))
    wrote = evidence.authors(case.policy, compared)
    if isinstance(wrote, Unknown) or asking.person.human not in wrote.humans:
        return None
    return "You wrote part of it, so somebody who did not has to agree."


def cases_of(operation: Operation, asking: Asking) -> tuple[Case, ...]:
    """As far as it is known without a look at the world: who may agree does not turn on more. One for each service."""
    facts = Facts(operation.asked_by, operation.asked_at, trigger=operation.seen.get(TRIGGER, ""))
    policy, now = asking.active.policy, asking.world.clock.now()
    return tuple(
        Case(replace(operation.question, service=service), facts, policy, now)
        for service in operation.question.services
    )


def _terms(operation: Operation, asking: Asking) -> tuple[Terms | Unknown, ...]:
    return tuple(map(agreement, cases_of(operation, asking)))


async def _unmeant(confirms: frozenset[str], operation: Operation, asking: Asking) -> str | None:
    """Which of these names nothing that could be stated of any of them bears; None: each is meant."""
    cases = cases_of(operation, asking)
    for name in sorted(confirms):
        noes = [await confirm.nothing_called(frozenset({name}), case, asking.world.store) for case in cases]
        if None not in noes:
            return noes[0]
    return None


def an(name: str) -> str:
    """`an on call`, `a tech lead`."""
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {role(name)}"


def ask_why(intent: Approve) -> Reply:
    """Whoever agrees to this says why; what they were about to say is kept."""
    says = confirm.approving(intent.operation, intent.plan, intent.confirms)
    button = Button("Approve", says, Tone.PRIMARY, asks=confirm.WHY)
    return Reply("Whoever agrees to this says why.", buttons=(button,), footer=f"Or say {says} reason:…")


def _refused(operation: Operation, no: str, asking: Asking) -> Writes:
    return asking.refused("vote", target_of(operation), Reply(no), operation=operation.id)


async def _standing(operation: Operation, asking: Asking) -> list[Vote]:
    """Votes on the present plan that nobody has withdrawn, oldest first, one for each voter: the last."""
    plan = operation.plan.hash if operation.plan else ""
    votes = await asking.world.store.votes(operation.id)
    return standing(votes, plan)


def standing(votes: Iterable[Vote], plan: str) -> list[Vote]:
    """Of each voter the last vote that was not taken back, where it is on this plan."""
    last = {vote.voter.human or vote.voter.account: vote for vote in votes if vote.withdrawn_at is None}
    return [vote for vote in last.values() if vote.plan == plan]


def same_voter(vote: Vote, person: Person) -> bool:
    return vote.voter.human is not None and vote.voter.human == person.human


def _vote(
    operation: Operation,
    verdict: Verdict,
    reason: str,
    asking: Asking,
    confirms: frozenset[str] = frozenset(),
) -> Vote:
    plan = operation.plan.hash if operation.plan else ""
    return Vote(asking.person, verdict, asking.world.clock.now(), plan, reason, confirms=confirms)


def _cast(operation: Operation, vote: Vote, asking: Asking, what: str = "") -> Writes:
    entry = Entry.of(
        operation,
        "vote",
        EntryPhase.RECORD,
        what or vote.verdict.value,
        also={"plan": vote.plan},
        detail={
            "roles": sorted(vote.voter.roles),
            "shown": short(vote.plan),
            **({"confirms": sorted(vote.confirms)} if vote.confirms else {}),
        },
        private={"reason": vote.reason} if vote.reason else {},
        by=asking.person,
    )
    return Writes(entries=(entry,), votes=((operation.id, vote),))
