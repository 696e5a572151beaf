"""How does a branch go back that only ever goes forward? After traffic, and only once people agree to it.

What went bad has left its traffic already; the branch still stands at it. Taking a branch back takes force: so an
operation of its own waits for those who agree to promotions along that path, to where it stands and where it would go.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from commands import tell, way_back
from commands.branch_plan import path_forward
from commands.deployment import ARRIVES, about_to_tell, may_try_again, tried_again
from commands.errors import Conflict, LostLease, Rejected, ReleaseBotError
from commands.gather import Gathered
from commands.hand import AT_ONCE, LOOK, Hand
from commands.operation import Operation, Phase
from commands.places import known, seen
from commands.plan import Plan, PlannedBranch
from commands.ports import Deployment, Message, World, Writes
from commands.record import operation_id
from commands.reply import Mark
from policy.agreement import Relaxes
from policy.document import ActivePolicy
from policy.evidence import Authors
from policy.facts import Deed, Facts, KnownGood, Question, Vote
from policy.model import Sha, Unknown, short

ROWS = 200
"""So many of each service are looked through for what else moved a branch, or takes the same back."""
LASTS = timedelta(days=30)
"""What nobody agreed to by then, nobody wants."""
REFUSED = "refused"
"""Key in what was seen: why GitHub did not let it go back, and how often it had been woken until then."""


async def ask(hand: Hand) -> Writes:
    """Traffic is back: from now on an operation waits for those who agree that its branch goes back, too."""
    plan, operation, branch = hand.plan, hand.operation, _branch(hand.plan)
    path = path_forward(hand.world.policies.current().policy, operation.place)
    to = plan.commit if plan.deed == Deed.ROLLBACK else plan.from_commit or branch.base
    if path is None or to is None:
        says = f"where {branch.target} has to go back to is not known: look at {plan.repository}"
        return hand.next({"mark": Mark.NO.value, "says": says})
    stands = await known(f"the branch {branch.target}", hand.world.code.head(plan.repository, branch.target))
    if stands == branch.base and plan.deed == Deed.PROMOTE and "branch:0" not in operation.seen:
        return not_moved(hand, branch)
    if stands == branch.head and (settled := await moved_after_all(hand, branch, branch.head)) is not None:
        return settled
    if stands == to:
        return hand.next({"mark": Mark.YES.value, "says": f"{branch.target} stands at {short(to)}, which serves again"})
    at = branch.head if stands is None or isinstance(stands, Unknown) else stands
    waits = await _waiting(hand, to)
    back = waits or _following(hand, path.source, replace(branch, head=to, base=at))
    says = f"{branch.target} still stands at {short(at)}: {back.id} takes it back once that is agreed to"
    done = hand.next({"mark": Mark.NOTE.value, "says": says})
    if waits is not None:
        return replace(done, wakes=(*done.wakes, back.id))
    return replace(done, starts=(*done.starts, (back, AT_ONCE)))


async def _waiting(hand: Hand, to: Sha) -> Operation | None:
    """What waits already for the same, since an earlier release went bad; None: nothing does."""
    for other in await hand.world.store.open_operations(hand.operation.place):
        plan = other.plan
        if plan is not None and plan.deed == Deed.REWIND and _branch(plan).head == to:
            return other
    return None


def not_moved(hand: Hand, branch: PlannedBranch) -> Writes:
    """Nothing is to be taken back, once what was cut off on its way there has arrived or is lost."""
    if hand.now < (hand.operation.since or hand.now) + ARRIVES:
        return Writes(operation=hand.operation, due=LOOK)
    return hand.next({"mark": Mark.YES.value, "says": f"{branch.target} had not moved"})


async def moved_after_all(hand: Hand, branch: PlannedBranch, to: Sha) -> Writes | None:
    """It is remembered that a promotion moved its branch, where nobody had heard of that; or that another one did."""
    if hand.plan.deed != Deed.PROMOTE or "branch:0" in hand.operation.seen:
        return None
    if other := await moved_by(hand, branch, to):
        says = f"{branch.target} was moved to {short(to)} by {other}, and stays there"
        return hand.next({"mark": Mark.YES.value, "says": says})
    says = f"{branch.target} moved from {short(branch.base)} to {short(to)}, which nobody heard of in time"
    moved = {"mark": Mark.YES.value, "says": says, "commit": to}
    hand.operation = replace(hand.operation, seen={**hand.operation.seen, "branch:0": moved})
    return None


async def moved_by(hand: Hand, branch: PlannedBranch, to: Sha) -> str:
    """Id of another operation that moved the branch there since this one began; empty: none did.

    Services of one repository may share their branches: what one of them brought, another does not take back.
    """
    services, began = hand.world.policies.current().policy.services, hand.operation.began_at or hand.now
    for name in (name for name, service in services.items() if service.repository == hand.plan.repository):
        for row in await hand.world.store.history(name, ROWS):
            there = (row.detail.get("branch"), row.detail.get("commit")) == (branch.target, to)
            if there and row.at >= began and row.operation != hand.operation.id:
                return row.operation
    return ""


def _following(hand: Hand, source: str, branch: PlannedBranch) -> Operation:
    """What waits from now on; of the same id each time, so that it does once."""
    operation, plan = hand.operation, hand.plan
    now, was = (plan.digest, plan.revision), (plan.from_digest, plan.from_revision)
    (digest, revision), (left, leaving) = (now, was) if plan.deed == Deed.ROLLBACK else (was, now)
    return Operation(
        id=operation_id(f"rewind {operation.id}"),
        question=Question(Deed.REWIND, plan.service, plan.target, source),
        asked_by=operation.asked_by,
        asked_at=hand.now,
        expires_at=hand.now + LASTS,
        channel=operation.channel,
        plan=Plan(
            deed=Deed.REWIND.value,
            service=plan.service,
            target=plan.target,
            digest=digest,
            revision=revision,
            from_digest=left,
            from_revision=leaving,
            repository=plan.repository,
            policy_hash=plan.policy_hash,
            site=plan.site,
            production=plan.production,
            source=source,
            model=plan.model,
            branch=branch,
        ),
        reason=operation.note or operation.reason,
    )


# While it waits -------------------------------------------------------------------------------------------------------


async def moot(operation: Operation, world: World) -> str:
    """Why nobody needs to agree any more, a full sentence; empty: it is wanted as before."""
    if operation.plan is None:
        return "It was begun without a plan."
    branch, policy = _branch(operation.plan), world.policies.current().policy
    stands = await known("it", world.code.head(operation.plan.repository, branch.target))
    if stands == branch.head:
        return f"{branch.target} stands at {short(branch.head)} already."
    serves = (await seen(world, policy, operation.question.service, operation.question.target)).commit
    if serves is not None and serves != branch.head:
        return f"{operation.place} serves {short(serves)} by now, so {branch.target} does not go back to what was."
    return ""


async def gathered(operation: Operation, world: World, active: ActivePolicy, votes: tuple[Vote, ...]) -> Gathered:
    """Where the branch stands now, whether what it would go back to was good, and who agrees."""
    plan = operation.plan
    facts = Facts(
        operation.asked_by,
        operation.asked_at,
        expires_at=operation.expires_at,
        votes=votes,
        authors=Authors(frozenset()),  # nobody wrote anything that is new
        reviewers=frozenset(),
    )
    if plan is None:
        return Gathered(facts, Unknown("it was begun without a plan"), None)
    branch = _branch(plan)
    stands, good, records, people = await asyncio.gather(
        known(f"the branch {branch.target}", world.code.head(plan.repository, branch.target)),
        known("what was verified before", world.store.known_good(operation.place)),
        known("GitHub's deployments", world.code.deployments(plan.repository, plan.target)),
        known("who holds which role", world.people.holders(tuple(active.policy.roles))),
    )
    facts = replace(facts, people=people, rollback_to=_good(branch.head, plan.target, good, records))
    if isinstance(stands, Unknown):
        return Gathered(facts, stands, None)
    if stands is None:
        return Gathered(facts, Unknown(f"there is no branch {branch.target} in {plan.repository}"), None)
    now = replace(plan, branch=replace(branch, base=stands), policy_hash=active.hash)
    refused = operation.seen.get(REFUSED, {})
    waits = refused["says"] if refused.get("woken") == operation.wake else ""
    return Gathered(replace(facts, plan=now.hash), now, None, not_yet=waits)


def _good(
    to: Sha, where: str, good: tuple[KnownGood, ...] | Unknown, records: Sequence[Deployment] | Unknown
) -> KnownGood | Unknown:
    if isinstance(good, Unknown) and isinstance(records, Unknown):
        return good
    verified = way_back.with_theirs(() if isinstance(good, Unknown) else good, records)
    never = Unknown(f"nothing says that {short(to)} was ever verified in {where}")
    return next((one for one in verified if one.commit == to), never)


# Agreed to ------------------------------------------------------------------------------------------------------------


async def move(hand: Hand) -> Writes:
    """The branch stands where it was good, and nobody else moved it meanwhile; or why not is said."""
    operation, branch, effect = hand.operation, _branch(hand.plan), hand.operation.effect
    if effect is None:
        return hand.intend("branch", {"branch": branch.target, "from": branch.base, "back to": branch.head})
    if (before := about_to_tell(hand, effect)) is not None:
        return before
    try:
        await hand.world.branches.move(hand.plan.repository, branch.target, seen=branch.base, to=branch.head, back=True)
    except LostLease:
        raise
    except Conflict as error:
        return _again(hand, str(error), operation.seen)
    except Rejected as error:
        says = f"{error} {_way_on(hand, branch)}"
        return _again(hand, says, {**operation.seen, REFUSED: {"says": says.rstrip("."), "woken": operation.wake}})
    except ReleaseBotError as error:
        if may_try_again(hand, effect):
            return tried_again(hand, effect, error)
        note = f"Whether {branch.target} went back could not be told: {error} It should stand at {branch.head}."
        outcome = hand.outcome(effect, "unknown", {"says": str(error)})
        return hand.over(operation.ended(Phase.UNCERTAIN, note), (outcome,))
    says = f"{branch.target} stands at {short(branch.head)} again, and at {short(branch.base)} no more"
    outcome = hand.outcome(effect, "confirmed", {"branch": branch.target, "commit": branch.head, "from": branch.base})
    moved = replace(operation, seen={**operation.seen, hand.key(): {"mark": Mark.YES.value, "says": says}})
    return hand.over(moved.ended(Phase.DONE, ""), (outcome,))


def _again(hand: Hand, why: str, seen: dict[str, Any]) -> Writes:
    """Nothing moved: it waits again, for those who agree to how it stands now, or for whoever lets it."""
    operation, effect = hand.operation, hand.effect()
    again = replace(operation.asked_again(why), seen=seen)
    told = Message(
        operation.channel, tell.decided_again(again, why), operation=operation.id, slot=f"again:{hand.now.isoformat()}"
    )
    return Writes(
        operation=again,
        entries=(hand.outcome(effect, "not happened", {"says": why}),),
        messages=(told, hand.root(again)),
        due=AT_ONCE,
    )


def _way_on(hand: Hand, branch: PlannedBranch) -> str:
    """What people can do where GitHub's own rules forbid it."""
    kinds = hand.world.policies.current().policy.exceptions.values()
    if any(Relaxes.FORCE_PUSH in kind.relaxes for kind in kinds):
        place = hand.operation.place
        asks = f"/release exception request {place.service} {place.environment} relax:force_push"
        return f"An exception can let it for a time ({asks}); press Check again once it is in force."
    lease, ref = f"--force-with-lease={branch.target}:{branch.base}", f"{branch.head}:{branch.target}"
    by_hand = shlex.join(("git", "push", lease, "origin", ref))
    return f"Whoever may change the rules of {branch.target} can let it, or do it: {by_hand}"


def _branch(plan: Plan) -> PlannedBranch:
    if plan.branch is None:
        message = f"{plan.service} in {plan.target} has no branch that could go back"
        raise AssertionError(message)
    return plan.branch
