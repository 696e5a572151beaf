"""How does it end? Once traffic stays where it was put, GitHub and our own books are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from commands import bring, deployment, publish, separated, tell, watch
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from commands.hand import AT_ONCE, GREEN, LATE, LOOK, POLL, SHIFT_WITHIN, Hand, same
from commands.operation import Moment, Phase, Step
from commands.ports import Entry, Share, Writes
from policy.facts import Deed, KnownGood


async def finish(hand: Hand) -> Writes:
    """GitHub knows how it ended, and so do our books."""
    left = hand.operation.left is not None
    if hand.operation.effect is None and not left:
        before = await _not_yet(hand)
        if before is not None:
            return before
    operation, plan = hand.operation, hand.plan
    went_back = operation.phase is Phase.GOING_BACK
    failed = went_back or left
    recorded = operation.seen.get("record:0", {}).get("deployment")
    settled: tuple[Entry, ...] = ()
    trouble = ""
    if isinstance(recorded, int):
        if operation.effect is None:
            return hand.intend("deployment", {"environment": plan.target, "state": "failure" if failed else "success"})
        if (before := deployment.about_to_tell(hand, operation.effect)) is not None:
            return before
        try:
            await deployment.conclude(hand, recorded, failed=failed)
            settled = (hand.outcome(operation.effect, "confirmed", {"deployment": recorded}),)
        except (Unavailable, OutcomeUnknown, Rejected) as error:
            again = deployment.may_try_again(hand, operation.effect)
            if again and not (went_back and await deployment.holds_up(hand)):
                return deployment.tried_again(hand, operation.effect, error)
            trouble = f" GitHub could not be told how it ended: {error}"
            settled = (hand.outcome(operation.effect, "unknown", {}),)
    if left and not went_back:
        return _left(hand, settled, trouble)
    if went_back:
        moved = any(key.startswith("shift:") for key in operation.seen)
        return hand.over(
            operation.ended(Phase.ROLLED_BACK if moved else Phase.FAILED, operation.note + trouble), settled
        )
    good = KnownGood(plan.revision, plan.digest, hand.now, f"{plan.deed} {operation.id}", hand.commit, plan.image)
    if plan.deed == Deed.ROLLBACK:  # what was deployed again serves under a name of its own
        made = ((operation.place, good),) if plan.image else ()
        return hand.over(operation.ended(Phase.DONE, trouble.strip()), settled, good=made)
    seen = await _still_separate(hand)
    trouble += "".join(f" {entry.detail['says']}" for entry in seen if entry.detail)
    done = operation.ended(Phase.DONE, trouble.strip())
    policy = hand.world.policies.current().policy
    looks_after = [
        watch.after(done, plan, hand.now),
        bring.after(done, plan, policy, hand.now),
        publish.after(done, plan, policy, hand.now),
    ]
    over = hand.over(done, (*settled, *seen), good=((operation.place, good),))
    return replace(over, starts=tuple((one, AT_ONCE) for one in looks_after if one is not None))


def _left(hand: Hand, settled: tuple[Entry, ...], trouble: str) -> Writes:
    """It ends where somebody left it: nothing is verified, and what went bad stays out until the hold is lifted."""
    operation = hand.operation
    if tell.FORWARD not in operation.seen:
        return hand.over(operation.ended(Phase.CANCELLED, operation.note + trouble), settled)
    hold, entry = hand.holds(f"{hand.plan.revision} went bad, and its traffic was left as it stood")
    operation = replace(operation, seen={**operation.seen, "hold": hold.id})
    over = hand.over(operation.ended(Phase.CANCELLED, operation.note + trouble), (*settled, entry))
    return replace(over, holds=(*over.holds, hold))


async def _still_separate(hand: Hand) -> tuple[Entry, ...]:
    """Whether what has all the traffic now is configured as its place demands, where any gate asks that."""
    policy, place = hand.world.policies.current().policy, hand.operation.place
    if separated.demanded(policy, place) is None:
        return ()
    try:
        wrong = await separated.still_separate(hand.world, policy, place, hand.plan.revision)
    except (Unavailable, Rejected) as error:
        return (hand.observed("perhaps not separate", {"says": str(error)}),)
    return (hand.observed("separate", {}) if wrong is None else hand.observed("not separate", {"says": wrong}),)


async def _not_yet(hand: Hand) -> Writes | None:
    """What is written before the end may be told, since traffic is not where it was put, or may not stay there.

    A write that was cut off, ours or that of whom we took over from, can arrive after ours. None: the end is near.
    """
    operation, plan = hand.operation, hand.plan
    back = operation.phase is Phase.GOING_BACK or plan.deed == Deed.ROLLBACK
    until = await _watched_until(hand)
    if back and until is None:
        return None
    running = await hand.world.runs.running(hand.site)
    wanted = hand.shares() if back else (Share(plan.revision, plan.steps[-1].percent, GREEN),)
    if running.settled and same(running.serving, wanted) and not hand.left_tagged(running):
        return None if until is None else Writes(operation=operation, due=LOOK)
    if back:
        seen = {**operation.seen, "again": operation.seen.get("again", 0) + 1}
        return Writes(operation=replace(operation.at(Moment(Step.SHIFT), hand.now), seen=seen), due=AT_ONCE)
    if not running.settled and hand.now - (operation.since or hand.now) < SHIFT_WITHIN:
        return Writes(operation=operation, due=POLL)
    if hand.stray(running):
        again = hand.again(len(plan.steps) - 1)
        if again is not None:
            return again
    once_more = hand.once_more("strange:finish")
    if once_more is not None:
        return once_more
    note = f"Somebody else moved its traffic. Look at {plan.site}: {plan.revision} had 100 % and was well."
    return hand.over(operation.ended(Phase.UNCERTAIN, note), ())


async def _watched_until(hand: Hand) -> datetime | None:
    """Until when a late write has to be expected; None: none, or not any more."""
    doubts = [hand.operation.seen.get("watch")]
    if after := hand.operation.seen.get("after"):
        other = await hand.world.store.operation(str(after))
        doubts.append(other.seen.get("watch") if other is not None else None)
    until = max((datetime.fromisoformat(doubt) for doubt in doubts if doubt), default=None)
    return until if until is not None and hand.now < until <= hand.now + LATE else None
