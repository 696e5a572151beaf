"""Approve, reject, withdraw: a person's word on one plan. Whether it counts is decided anew whenever it matters."""

from __future__ import annotations

from dataclasses import replace

from commands import tell
from commands.asking import Asking
from commands.errors import Misunderstood
from commands.intent import Approve, Reject, Withdraw
from commands.operation import Operation, Phase
from commands.ports import Entry, EntryPhase, Message, Writes
from commands.record import target_of
from commands.reply import Reply
from policy.facts import Deed, Verdict, Vote
from policy.model import AccountKind, short


async def approve(intent: Approve, asking: Asking) -> Writes:
    """The vote is recorded and everything is decided again; or why it cannot be was said privately."""
    operation = await find(intent.operation, asking)
    no = await _why_not(operation, intent.plan, asking)
    if no is not None:
        return _refused(operation, no, asking)
    if any(
        _same_voter(vote, asking) and vote.verdict is Verdict.APPROVE for vote in await _standing(operation, asking)
    ):
        return asking.privately(Reply(f"You have approved {tell.title(operation)} already."))
    vote = _vote(operation, Verdict.APPROVE, "", asking)
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
    if any(_same_voter(vote, asking) and vote.verdict is Verdict.REJECT for vote in await _standing(operation, asking)):
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
    standing = [vote for vote in await _standing(operation, asking) if _same_voter(vote, asking)]
    if not standing:
        return asking.privately(Reply(f"You have no vote on {tell.title(operation)}."))
    vote = replace(standing[-1], withdrawn_at=asking.world.clock.now())
    says = tell.texts((tell.who(asking.person),), f" withdrew their vote on {tell.title(operation)}.")
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
    if operation.over or operation.moving:
        votes = [
            vote.voter.name for vote in await asking.world.store.votes(operation.id) if vote.verdict is Verdict.APPROVE
        ]
        by = f" {', '.join(dict.fromkeys(votes))} approved it." if votes else ""
        return f"That is decided already: {tell.state(operation)}{by}"
    if operation.plan is None or operation.question.deed is not Deed.PROMOTE:
        return "Nothing of that request waits for a vote."
    if plan and not operation.plan.hash.startswith(plan):
        return (
            f"That button is old: the plan has changed since ({plan} is now {operation.plan.hash[:8]}). "
            "Look at the newest message in its thread."
        )
    if person.kind is not AccountKind.HUMAN:
        return "A guest or a bot cannot vote on a release."
    if person.human is None:
        return "Your account is linked to nobody in the policy, so your vote would not count."
    if person.human == operation.asked_by.human:
        return "You asked for it, so somebody else has to agree."
    path = asking.active.policy.path(
        operation.question.service, operation.question.source or "", operation.question.target
    )
    roles = [role for slot in path.approvals for role in slot.roles] if path else []
    if not person.roles & set(roles):
        holders = await asking.world.people.holders(roles)
        others = [holder.name for holder in holders.values() if holder.human != operation.asked_by.human]
        needed = " or ".join(role.replace("_", " ") for role in roles)
        return f"Your vote would not count: it takes a {needed} ({', '.join(others) or 'nobody holds that role'})."
    return None


def _refused(operation: Operation, no: str, asking: Asking) -> Writes:
    return asking.refused("vote", target_of(operation), Reply(no), operation=operation.id)


async def _standing(operation: Operation, asking: Asking) -> list[Vote]:
    """Votes on the present plan that nobody has withdrawn, oldest first, one for each voter: the last."""
    plan = operation.plan.hash if operation.plan else ""
    votes = await asking.world.store.votes(operation.id)
    last = {vote.voter.human or vote.voter.account: vote for vote in votes if vote.withdrawn_at is None}
    return [vote for vote in last.values() if vote.plan == plan]


def _same_voter(vote: Vote, asking: Asking) -> bool:
    return vote.voter.human is not None and vote.voter.human == asking.person.human


def _vote(operation: Operation, verdict: Verdict, reason: str, asking: Asking) -> Vote:
    plan = operation.plan.hash if operation.plan else ""
    return Vote(asking.person, verdict, asking.world.clock.now(), plan, reason)


def _cast(operation: Operation, vote: Vote, asking: Asking, what: str = "") -> Writes:
    entry = Entry(
        "vote",
        EntryPhase.RECORD,
        what or vote.verdict.value,
        asking.person,
        operation.id,
        "",
        {**target_of(operation), "plan": vote.plan},
        detail={"roles": sorted(vote.voter.roles), "shown": short(vote.plan)},
        private={"reason": vote.reason} if vote.reason else {},
    )
    return Writes(entries=(entry,), votes=((operation.id, vote),))
