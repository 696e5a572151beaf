"""What does GitHub know of it? One deployment for each operation, and how it went."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from commands import tell
from commands.errors import LostLease, OutcomeUnknown, Rejected, ReleaseBotError
from commands.hand import AT_ONCE, TRIES, Hand
from commands.operation import Effect
from commands.places import WORKED, known
from commands.ports import Writes
from commands.reply import Mark
from policy.facts import Deed
from policy.model import Unknown, short

ARRIVES = timedelta(seconds=5)
"""What was sent to GitHub has arrived by then, or been lost with whoever sent it."""
SOON = timedelta(seconds=0.2)
"""After that it is tried again, and then after twice as long each time."""


async def record(hand: Hand) -> Writes:
    """GitHub knows of the deployment."""
    plan = hand.plan
    if hand.commit is None:
        return hand.next({"mark": Mark.NOTE.value, "says": "not recorded in GitHub: its commit is not known"})
    effect = hand.operation.effect
    if effect is None:
        return hand.intend("deployment", {"environment": plan.target, "commit": hand.commit})
    if (before := about_to_tell(hand, effect)) is not None:
        return before
    try:
        id = await _deployment(hand)
        await hand.world.code.record_status(
            plan.repository,
            id,
            state="in_progress",
            description=cut(f"{plan.deed} by Release Bot, {hand.operation.id}"),
            log=await _log(hand),
            doubted=doubted(hand),
        )
    except ReleaseBotError as error:
        if isinstance(error, LostLease):
            raise
        if may_try_again(hand, effect):
            return tried_again(hand, effect, error)
        settled = (hand.outcome(effect, "unknown", {}),)
        if plan.deed == Deed.ROLLBACK:
            return hand.next({"mark": Mark.NO.value, "says": f"not recorded in GitHub: {error}"}, settled)
        return hand.turn_back(f"GitHub could not be told: {error}", bad=False, entries=settled)
    said = {"mark": Mark.YES.value, "says": f"recorded as GitHub deployment {id}", "deployment": id}
    return hand.next(said, (hand.outcome(effect, "confirmed", {"deployment": id}),))


def about_to_tell(hand: Hand, effect: Effect) -> Writes | None:
    """What is written before GitHub may be told, so that it hears of it once; None: it may be told now.

    GitHub takes no condition with what it is told, and the words of whoever had this before may still be on their way.
    """
    if effect.fence == hand.lease.fence:
        return None
    tried = effect.attempts + hand.operation.attempts  # of which a commit forgets the latter
    tried += 1 if effect.fence and not tried else 0  # whoever had it did not live to count
    sent_at = hand.now if effect.fence else effect.sent_at
    waits = timedelta(0) if sent_at is None else sent_at + ARRIVES - hand.now  # whatever wakes it meanwhile
    mine = replace(effect, fence=0 if waits > timedelta(0) else hand.lease.fence, attempts=tried, sent_at=sent_at)
    return Writes(operation=hand.operation.doing(mine), due=max(AT_ONCE, waits))


def doubted(hand: Hand) -> bool:
    """Whether GitHub may have been told already."""
    return hand.effect().attempts > 0


def may_try_again(hand: Hand, effect: Effect) -> bool:
    return effect.attempts + hand.operation.attempts < TRIES


async def holds_up(hand: Hand) -> bool:
    """True where somebody wants traffic to go back further, which has to wait until this one has let go."""
    others = await hand.world.store.open_operations(hand.operation.place)
    back = (one for one in others if one.question.deed is Deed.ROLLBACK and one.id != hand.operation.id)
    return any(not tell.waits_for_people(one) for one in back)


def tried_again(hand: Hand, effect: Effect, error: ReleaseBotError) -> Writes:
    """It is told again before long; where it may have been told, not before that would have arrived."""
    tried = effect.attempts + hand.operation.attempts
    sent = isinstance(error, OutcomeUnknown)
    sent_at = hand.world.clock.now() if sent else None
    again = replace(effect, fence=0, attempts=tried + 1, sent_at=sent_at)
    return Writes(operation=hand.operation.doing(again), due=ARRIVES if sent else SOON * 2**tried)


async def _deployment(hand: Hand) -> int:
    plan = hand.plan
    if hand.commit is None:
        raise Rejected("its commit is not known")
    return await hand.world.code.record_deployment(
        plan.repository,
        commit=hand.commit,
        environment=plan.target,
        production=plan.production,
        operation=hand.operation.id,
        payload={
            "operation": hand.operation.id,
            "service": plan.service,
            "digest": plan.digest,
            "revision": plan.revision,
            "from": plan.source or "",
            "to": plan.target,
            "plan": plan.hash,
            **({"emergency": plan.emergency} if plan.emergency else {}),
            **({"manifest": plan.manifest} if plan.manifest else {}),
        },
        description=cut(f"{plan.deed} {plan.service} {short(plan.digest)} to {plan.target}"),
        doubted=doubted(hand),
    )


async def conclude(hand: Hand, deployment: int, *, failed: bool) -> None:
    code, plan = hand.world.code, hand.plan
    if plan.deed == Deed.ROLLBACK:
        for other in await code.deployments(plan.repository, plan.target):
            if other.operation and other.operation != hand.operation.id and other.state in {"in_progress", ""}:
                await code.record_status(
                    plan.repository,
                    other.id,
                    state="failure",
                    description="A rollback took over.",
                    doubted=doubted(hand),
                )
    state, says = ("failure", hand.operation.note) if failed else ("success", f"{plan.revision} serves 100 %")
    await code.record_status(
        plan.repository,
        deployment,
        state=state,
        description=cut(says),
        log=await _log(hand),
        address="" if failed else await _address(hand),
        doubted=doubted(hand),
    )
    if not failed:
        await _retire(hand, deployment)


async def _retire(hand: Hand, deployment: int) -> None:
    """The one before it is inactive: GitHub leaves that to us in production, and retires too much elsewhere."""
    code, plan = hand.world.code, hand.plan
    services = hand.world.policies.current().policy.services.values()
    alone = sum(service.repository == plan.repository for service in services) == 1
    mine = {plan.service, ""} if alone else {plan.service}
    listed = await code.deployments(plan.repository, plan.target)
    worked = (one for one in listed if one.id < deployment and one.state in WORKED and one.service in mine)
    before = next(worked, None)
    if before is not None and before.state == "success":
        says = f"{plan.revision} serves now"
        await code.record_status(
            plan.repository, before.id, state="inactive", description=cut(says), doubted=doubted(hand)
        )


async def _log(hand: Hand) -> str:
    """Where it is told how it goes; empty while nothing is told yet."""
    workspace = hand.world.policies.current().policy.workspace
    channel, ts = await hand.world.store.permalink(hand.operation.id)
    return f"https://app.slack.com/client/{workspace}/{channel}/thread/{channel}-{ts}" if ts else ""


async def _address(hand: Hand) -> str:
    running = await known("where it serves", hand.world.runs.running(hand.site))
    return "" if isinstance(running, Unknown) else running.address


def cut(text: str) -> str:
    """GitHub's limit on a description (https://docs.github.com/rest/deployments/statuses)."""
    return text if len(text) <= 140 else text[:139] + "…"
