"""How does a branch move before traffic does, and how does it go back after traffic did?

It moves under a condition: the head that people agreed to. What became of it is read back, and the commit that the
target stands at from then on is what is shipped. Back it goes only by a pull request that people review and merge.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import timedelta
from typing import Any

from commands import notes, proposal, rewind, tell
from commands.branch_plan import to_be_opened
from commands.deployment import about_to_tell, doubted, holds_up, may_try_again, tried_again
from commands.errors import Conflict, LostLease, Rejected, ReleaseBotError, Unavailable
from commands.hand import AT_ONCE, MOVED, Hand
from commands.operation import Effect, Operation, Phase
from commands.places import known
from commands.plan import Plan, PlannedBranch
from commands.ports import Entry, EntryPhase, Look, Merged, Message, World, Writes
from commands.reply import Mark
from policy.document import Model
from policy.facts import Deed
from policy.model import Sha, short

DECIDED_AGAIN = 5
"""So often a promotion is decided again because its branches moved; then somebody has to look."""
STALE = timedelta(minutes=1)
"""What was decided longer ago is decided again before a branch moves."""
PROPOSED = "proposed"
"""Key in what was seen: how often a pull request was to be opened, why that failed, and before when it is not tried."""
TRIES = "decided_again"
"""The same: how often it was decided again."""
REVERT = "revert"
"""The same: how far the way back of the branch has come."""
PROPOSE_AGAIN = timedelta(minutes=1)
NO_LOOK = frozenset[Look]()


# Before: the pull request ---------------------------------------------------------------------------------------------


def about_to_propose(operation: Operation, world: World) -> tuple[Operation, tuple[Entry, ...]]:
    """The operation, about to have its pull request opened, where that is what is missing; and what is recorded."""
    plan, before = operation.plan, operation.seen.get(PROPOSED, {"times": 0, "not_before": ""})
    now = world.clock.now()
    if plan is None or plan.branch is None or not to_be_opened(plan) or operation.effect is not None:
        return operation, ()
    if before["not_before"] and now.isoformat() < before["not_before"]:
        return operation, ()
    effect = Effect(f"propose:{before['times']}")
    detail = {"from": plan.branch.source, "to": plan.branch.target, "head": plan.branch.head}
    intent = Entry.of(operation, "branch", EntryPhase.INTENT, "about to", effect.key, detail=detail)
    return operation.doing(effect), (intent,)


async def propose(hand: Hand) -> Writes:
    """The pull request of a request that waits is there; everything is looked at again with it."""
    effect, branch = hand.effect(), _branch(hand.plan)
    if (before := about_to_tell(hand, effect)) is not None:
        return before
    try:
        title, body = await _words(hand, branch)
        number = await hand.world.branches.propose(
            hand.plan.repository, source=branch.source, target=branch.target, title=title, body=body
        )
    except LostLease:
        raise
    except ReleaseBotError as error:
        if not isinstance(error, Rejected) and may_try_again(hand, effect):
            return tried_again(hand, effect, error)
        what = "not happened" if isinstance(error, Rejected) else "unknown"
        return _proposed(hand, hand.outcome(effect, what, {"says": str(error)}), str(error))
    return _proposed(hand, hand.outcome(effect, "confirmed", {"pull_request": number}), "")


def _proposed(hand: Hand, outcome: Entry, trouble: str) -> Writes:
    operation = hand.operation
    times = operation.seen.get(PROPOSED, {"times": 0})["times"] + 1
    not_before = (hand.now + PROPOSE_AGAIN).isoformat() if trouble else ""
    seen = {**operation.seen, PROPOSED: {"times": times, "not_before": not_before, "says": trouble}}
    return Writes(operation=replace(operation, effect=None, seen=seen, attempts=0), entries=(outcome,), due=AT_ONCE)


def not_opened(operation: Operation) -> str:
    """Why its pull request could not be opened, a full sentence; empty: it could, or nobody has tried."""
    return str(operation.seen.get(PROPOSED, {}).get("says", "")) if to_be_opened(operation.plan) else ""


async def _words(hand: Hand, branch: PlannedBranch) -> tuple[str, str]:
    """Title and description: what it brings, and what was said for going back."""
    operation, plan = hand.operation, hand.plan
    code, repository = hand.world.code, plan.repository
    brings = await code.compare(repository, branch.base, branch.head)
    changes = await known("by what it came", code.changes(repository, branch.base, branch.head, NO_LOOK, ""))
    return proposal.promotion(operation, plan, branch, notes.of(changes, brings))


def never_mind(operation: Operation) -> tuple[Entry, ...]:
    """What is recorded where it ends while its pull request was about to be opened: nobody looks any more."""
    if operation.effect is None:
        return ()
    return (Entry.of(operation, "branch", EntryPhase.OUTCOME, "unknown", operation.effect.key),)


async def step(hand: Hand) -> Writes:
    """The branch goes there, before traffic; or back, after it."""
    back = hand.operation.phase is Phase.GOING_BACK or hand.plan.deed == Deed.ROLLBACK
    return await (go_back(hand) if back else move(hand))


# There ----------------------------------------------------------------------------------------------------------------


async def move(hand: Hand) -> Writes:
    """The target's branch holds what is shipped, read back; or nothing moved, and it is decided again or given up."""
    branch, effect = _branch(hand.plan), hand.operation.effect
    if branch.held:
        says = f"{branch.target} holds it already, at {short(branch.base)}"
        return hand.next({"mark": Mark.YES.value, "says": says, "commit": branch.base, "held": True})
    if effect is None:
        if hand.now - (hand.operation.began_at or hand.now) > STALE:
            return _again(hand, "it was decided long ago", ())
        detail = {"branch": branch.target, "from": branch.base, "to": branch.head}
        hand.operation = _perhaps(hand.operation)
        return hand.intend("branch", {**detail, **({"pull_request": n} if (n := branch.pull_request) else {})})
    if (before := about_to_tell(hand, effect)) is not None:
        return before
    try:
        landed = await _landed(hand, branch)
    except LostLease:
        raise
    except Conflict as error:
        return _again(hand, str(error), (hand.outcome(effect, "not happened", {"says": str(error)}),))
    except Rejected as error:
        if not doubted(hand):
            hand.operation = _surely_not(hand.operation)
        outcome = hand.outcome(effect, "not happened", {"says": str(error)})
        return hand.turn_back(f"{branch.target} was not moved: {error}", bad=False, entries=(outcome,))
    except ReleaseBotError as error:
        if may_try_again(hand, effect):
            return tried_again(hand, effect, error)
        outcome = hand.outcome(effect, "unknown", {"says": str(error)})
        return hand.turn_back(
            f"Whether {branch.target} moved could not be told: {error}", bad=False, entries=(outcome,)
        )
    return await _moved(hand, branch, *landed)


async def _moved(hand: Hand, branch: PlannedBranch, ends: tuple[Sha, Sha], wrong: str) -> Writes:
    """The same, once the target stands where it does by it, or by another one of the same repository."""
    (commit, base), effect = ends, hand.effect()
    if not wrong and (other := await rewind.moved_by(hand, branch, commit)):
        says = f"{branch.target} was moved to {short(commit)} by {other} just then"
        hand.operation = _surely_not(hand.operation)
        settled = hand.outcome(effect, "not happened", {"says": says})
        return hand.next({"mark": Mark.YES.value, "says": says, "commit": commit, "held": True}, (settled,))
    how = f" by #{branch.pull_request}" if branch.pull_request else ""
    seen = {
        "mark": Mark.YES.value,
        "says": f"{branch.target} moved from {short(base)} to {short(commit)}{how}",
        "commit": commit,
        "base": base,
    }
    outcome = hand.outcome(effect, "confirmed", {"branch": branch.target, "commit": commit, "base": base})
    if wrong:
        hand.operation = replace(hand.operation, seen={**hand.operation.seen, hand.key(): seen})
        return hand.turn_back(wrong, bad=False, entries=(outcome,))
    return hand.next(seen, (outcome,))


async def _landed(hand: Hand, branch: PlannedBranch) -> tuple[tuple[Sha, Sha], str]:
    """Where the target stands by it and where it stood before; and what is wrong with that, empty: nothing."""
    plan, world = hand.plan, hand.world
    if plan.model == Model.FAST_FORWARD:
        await world.branches.move(plan.repository, branch.target, seen=branch.base, to=branch.head)
        return (branch.head, branch.base), ""
    if branch.pull_request is None:
        raise Rejected("it has no pull request.")
    title = f"Promote {branch.source} to {branch.target}: {plan.service} {short(plan.digest)}"
    merged = await world.branches.merge(
        plan.repository,
        branch.pull_request,
        head=branch.head,
        base=branch.base,
        description=branch.description,
        title=f"{title} (#{branch.pull_request})",
        message=f"Operation {hand.operation.id}, plan {plan.hash[:12]}.",
    )
    return (merged.commit, merged.parents[0]), _wrong(
        merged, branch, await world.code.tree(plan.repository, branch.head)
    )


def _wrong(merged: Merged, branch: PlannedBranch, tree: str) -> str:
    """What differs from what was agreed to; empty: it is exactly that."""
    if len(merged.parents) != 2 or merged.parents[1] != branch.head:
        return f"{short(merged.commit)} is no merge of {short(branch.head)}"
    if merged.tree != tree:
        return (
            f"{branch.target} holds something else than {branch.source} since {short(merged.commit)}:"
            f" git diff {branch.head} {merged.commit} shows it"
        )
    return ""


def _again(hand: Hand, why: str, entries: tuple[Entry, ...]) -> Writes:
    """Everything is decided again, with a new plan where the branches moved; at most so many times."""
    operation, tries = hand.operation, hand.operation.seen.get(TRIES, 0) + 1
    if tries > DECIDED_AGAIN:
        hand.operation = _surely_not(operation)
        return hand.turn_back(
            f"It was decided again {DECIDED_AGAIN} times, and each time: {why}", bad=False, entries=entries
        )
    seen = {**_surely_not(operation).seen, TRIES: tries}
    again = replace(operation.asked_again(why), seen=seen)
    told = Message(
        operation.channel, tell.decided_again(again, why), operation=operation.id, slot=f"decided again:{tries}"
    )
    return Writes(
        operation=again, entries=entries, messages=(told, hand.root(again)), leaves=operation.place, due=AT_ONCE
    )


def _perhaps(operation: Operation) -> Operation:
    """From now on the branch may have moved, whoever stops it and whenever."""
    return replace(operation, seen={**operation.seen, MOVED: "perhaps"})


def _surely_not(operation: Operation) -> Operation:
    return replace(operation, seen={key: value for key, value in operation.seen.items() if key != MOVED})


# And back -------------------------------------------------------------------------------------------------------------


async def go_back(hand: Hand) -> Writes:
    """A pull request takes the merge back, or people know what they have to do; traffic is back already."""
    if hand.plan.model == Model.FAST_FORWARD:
        return await rewind.ask(hand)
    branch, effect = _branch(hand.plan), hand.operation.effect
    try:
        merge = await _merged_as(hand, branch)
    except (Unavailable, Rejected) as error:
        return _by_hand(hand, branch, None, str(error))
    if merge is None:
        return rewind.not_moved(hand, branch)
    if effect is None and (settled := await rewind.moved_after_all(hand, branch, merge)) is not None:
        return settled
    if effect is None:
        return hand.intend("branch", {"branch": branch.target, "reverts": merge})
    if (before := about_to_tell(hand, effect)) is not None:
        return before
    try:
        return await _reverting(hand, branch, merge)
    except LostLease:
        raise
    except ReleaseBotError as error:
        again = not isinstance(error, Rejected) and may_try_again(hand, effect)
        if again and not await holds_up(hand):
            return tried_again(hand, effect, error)
        return _by_hand(hand, branch, merge, str(error))


async def _merged_as(hand: Hand, branch: PlannedBranch) -> Sha | None:
    """The merge to be taken back; None: there is none. Where nobody knows, the target's own history tells."""
    if hand.plan.deed == Deed.ROLLBACK:
        return branch.head
    seen = hand.operation.seen.get("branch:0", {})
    if "commit" in seen:
        return Sha(seen["commit"])
    code, repository = hand.world.code, hand.plan.repository
    stands = await code.head(repository, branch.target)
    if stands is None or stands == branch.base:
        return None
    for link in await code.lineage(repository, branch.base, stands):
        if len(link.parents) == 2 and link.parents[1] == branch.head:
            return link.commit
    return None


async def _reverting(hand: Hand, branch: PlannedBranch, merge: Sha) -> Writes:
    """The next of: a commit that takes it back, a branch for it, a pull request."""
    world, plan, operation, effect = hand.world, hand.plan, hand.operation, hand.effect()
    came: dict[str, Any] = operation.seen.get(REVERT, {})
    name = revert_branch(operation)
    title = f'Revert "{branch.source} to {branch.target}" ({short(merge)})'
    if not came and (says := await _needless(hand, branch, merge)):
        return hand.next({"mark": Mark.NOTE.value, "says": says}, (hand.outcome(effect, "not happened", {}),))
    if "commit" not in came:
        onto = await world.code.head(plan.repository, branch.target)
        if onto is None:
            raise Rejected(f"there is no branch {branch.target} any more.")
        message = f"{title}\n\nThis reverts commit {merge}.\n\nOperation {operation.id}."
        made = await world.branches.reverted(plan.repository, onto=onto, commit=merge, mainline=1, message=message)
        if made is None:
            says = f"{branch.target} holds nothing of {short(merge)} any more: nothing is to be taken back there"
            return hand.next({"mark": Mark.YES.value, "says": says}, (hand.outcome(effect, "confirmed", {}),))
        return _came(hand, {"commit": made})
    if "branch" not in came:
        await world.branches.begin(plan.repository, name, Sha(came["commit"]))
        return _came(hand, {**came, "branch": name})
    why = operation.note or operation.reason
    body = proposal.revert(operation, plan, branch, merge, why)
    number = await world.branches.propose(plan.repository, source=name, target=branch.target, title=title, body=body)
    says = f"pull request #{number} takes {short(merge)} back from {branch.target}; somebody has to review and merge it"
    outcome = hand.outcome(effect, "confirmed", {"pull_request": number, "reverts": merge, "commit": came["commit"]})
    return hand.next({"mark": Mark.NOTE.value, "says": says, "pull_request": number}, (outcome,))


async def _needless(hand: Hand, branch: PlannedBranch, merge: Sha) -> str:
    """Why nobody needs to take it back, or not once more; empty: somebody does."""
    plan, world = hand.plan, hand.world
    if plan.deed == Deed.ROLLBACK and plan.commit is not None:
        lies = await world.code.compare(plan.repository, merge, plan.commit)
        if not lies.behind:
            return f"{short(plan.commit)} holds {short(merge)}: nothing is to be taken back from {branch.target}"
    services = world.policies.current().policy.services
    for name in (name for name, service in services.items() if service.repository == plan.repository):
        for row in await world.store.history(name, rewind.ROWS):
            opened = row.detail.get("pull_request") if row.detail.get("reverts") == merge else None
            if opened is not None and (await world.code.opened(plan.repository, opened)).open:
                return f"pull request #{opened} takes {short(merge)} back from {branch.target} already"
    return ""


def _came(hand: Hand, came: dict[str, Any]) -> Writes:
    operation = replace(hand.operation, seen={**hand.operation.seen, REVERT: came}, attempts=0)
    return Writes(operation=operation, due=AT_ONCE)


def _by_hand(hand: Hand, branch: PlannedBranch, merge: Sha | None, why: str) -> Writes:
    """Nothing more is tried: what people have to do is said, word by word."""
    if merge is None:
        says = f"whether {branch.target} moved could not be told ({why}): look at {hand.plan.repository}"
        return hand.next({"mark": Mark.NO.value, "says": says})
    name, from_ = shlex.quote(revert_branch(hand.operation)), shlex.quote(f"origin/{branch.target}")
    commands = (
        f"git fetch origin && git switch -c {name} {from_} && git revert -m 1 {merge} && git push -u origin {name}"
    )
    failed = f"{short(merge)} was not taken back from {branch.target}: {why.rstrip('.')}"
    says = f"{failed}. By hand, then a pull request: {commands}"
    effect = hand.operation.effect
    settled = () if effect is None else (hand.outcome(effect, "unknown", {"says": why}),)
    return hand.next({"mark": Mark.NO.value, "says": says}, settled)


def revert_branch(operation: Operation) -> str:
    """What the branch of its revert is called: the same each time, so that it is opened once."""
    return f"revert/{operation.id}"


def _branch(plan: Plan) -> PlannedBranch:
    if plan.branch is None:
        message = f"{plan.service} → {plan.target} moves no branch"
        raise AssertionError(message)
    return plan.branch
