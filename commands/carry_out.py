"""How is an allowed operation carried out? The only place where production changes, one small step at a time.

Each step looks at the world, does at most one thing, and says what comes next; waiting is a value. What it is about to
change is committed before it starts (the intent), what became of it after the world was asked (the outcome). So a
process may die anywhere: the next one finds the intent, looks, and goes on without doing it twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from commands import (
    branch,
    database,
    deployment,
    ending,
    family,
    health,
    heed,
    hotfix,
    probing,
    publish,
    relax,
    release_log,
    remind,
    rewind,
    switched,
    tell,
    together,
)
from commands.consider import consider
from commands.errors import Conflict, LostLease, OutcomeUnknown, Rejected, Unavailable
from commands.hand import AT_ONCE, IMPATIENT, LOOK, PAUSED, POLL, SHIFT_WITHIN, TRIES, WROTE, Hand, same, traffic
from commands.operation import Effect, Operation, Phase, Step, Wish
from commands.ports import Entry, Lease, Revision, Running, Share, World, Writes
from commands.reply import Mark
from commands.separated import still_separate
from commands.watch import watch
from policy.facts import Deed
from policy.model import short

IN_VAIN = 30
"""Looks in a row that may come to nothing: 20 minutes by the waits between them. Refused once more, a person has to."""


async def advance(operation: Operation, lease: Lease, world: World) -> Writes:
    """What one step of it writes; the world was changed by at most one call, under a committed intent."""
    writes = family.waking(operation, await _advance(operation, lease, world))
    return release_log.following(operation, writes, world.policies.current().policy, world.clock.now())


async def _advance(operation: Operation, lease: Lease, world: World) -> Writes:
    waits = operation.phase in {Phase.BLOCKED, Phase.WAITING}
    wanted = operation.wish not in database.WANTED_BACK  # what was paused and is decided again is wanted, too
    if waits and wanted and operation.effect is None and probing.is_about_to_send(operation):
        return await probing.send(operation, world)
    if operation.is_a_set:
        return await together.advance(operation, world)
    if waits:
        if operation.effect is not None and operation.plan is not None and wanted:
            return await branch.propose(Hand(operation, operation.plan, lease, world))
        writes = await consider(operation, world)
        starts = remind.follows(writes, operation.channel, world.clock.now())
        return replace(writes, starts=(*writes.starts, *starts)) if starts else writes
    asked_by_nobody = await _follows(operation, lease, world)
    if asked_by_nobody is not None:
        return asked_by_nobody
    if family.FAMILY in operation.seen:
        return await family.look(operation, world)
    if switched.SWITCHED in operation.seen:
        return await switched.look(operation, world)
    if operation.plan is None:
        return Writes(operation=operation.ended(Phase.FAILED, "It was begun without a plan."), leaves=operation.place)
    if operation.question.deed is Deed.REWIND:
        return await rewind.move(Hand(operation, operation.plan, lease, world))
    if operation.phase is Phase.WATCHING:
        return await watch(operation, operation.plan, world)
    return await step(Hand(operation, operation.plan, lease, world))


async def _follows(operation: Operation, lease: Lease, world: World) -> Writes | None:
    """The same of what nobody asks for, but what follows from something; None: it is none of these."""
    match operation.question.deed:
        case Deed.REMIND:
            return await remind.remind(operation, world)
        case Deed.HOTFIX:
            writes = await hotfix.look(operation, world)
            starts = remind.follows(writes, operation.channel, world.clock.now())
            return replace(writes, starts=(*writes.starts, *starts)) if starts else writes
        case Deed.LOG:
            return await release_log.write(operation, lease.fence, world)
        case Deed.PUBLISH:
            return await publish.publish(operation, lease.fence, world)
        case Deed.RELAX:
            return await relax.look(operation, lease, world)
        case _:
            return None


async def step(hand: Hand) -> Writes:
    """The next one; or its end in doubt, where nobody lets it look any more: its place is not kept for ever."""
    try:
        return await _heeded(hand)
    except Rejected as error:
        if hand.operation.attempts < IN_VAIN:
            raise
        effect = hand.operation.effect
        settled = () if effect is None else (hand.outcome(effect, "unknown", {"says": str(error)}),)
        return hand.over(hand.operation.ended(Phase.UNCERTAIN, f"{error} Look at {hand.plan.site}."), settled)


async def _heeded(hand: Hand) -> Writes:
    """The same, as people want it by now."""
    if hand.operation.wish is Wish.RUN and PAUSED in hand.operation.seen:
        hand.operation = heed.resumed(hand)
    operation = hand.operation
    if operation.phase is Phase.RUNNING and operation.wish is not Wish.RUN:
        heeded = await heed.heed(hand, operation.wish)
        if heeded is not None:
            return heeded
    return await _taken(hand)


async def _taken(hand: Hand) -> Writes:
    """The same, whatever people want of it."""
    operation = hand.operation
    match operation.moment.step:
        case Step.BRANCH:
            return await branch.step(hand)
        case Step.RECORD:
            return await deployment.record(hand)
        case Step.DEPLOY:
            return await _deploy(hand)
        case Step.SMOKE:
            return await health.smoke(hand)
        case Step.SHIFT if operation.phase is Phase.GOING_BACK:
            return await _go_back(hand)
        case Step.SHIFT:
            return await _shift(hand)
        case Step.JUDGE:
            return await health.judge(hand)
        case Step.VERIFY:
            return await health.recovered(hand)
        case Step.FINISH:
            return await ending.finish(hand)


async def _deploy(hand: Hand) -> Writes:
    """The new revision exists, ready, with a tagged address and none of the traffic."""
    made = await _make_so(hand, timedelta(seconds=hand.plan.deploy_within_seconds), creates=True)
    if isinstance(made, Writes):
        return made
    revision = await hand.world.runs.revision(hand.site, hand.plan.revision)
    effect = hand.effect()
    if revision is None or revision.ready is None:
        within = timedelta(seconds=hand.plan.deploy_within_seconds)
        return _still(hand, effect, within, f"{hand.plan.revision} is neither ready nor refused")
    detail = {**traffic(made), "revision": revision.name, "digest": revision.digest}
    outcome = hand.outcome(effect, "confirmed", detail)
    if revision.digest != hand.plan.digest:
        why = f"{revision.name} runs {short(revision.digest)}, not {short(hand.plan.digest)}"
        return hand.turn_back(why, bad=False, entries=(outcome,))
    if not revision.ready:
        return _does_not_come_up(hand, revision, outcome)
    policy = hand.world.policies.current().policy
    try:
        wrong = await still_separate(hand.world, policy, hand.operation.place, revision.name)
    except (Unavailable, Rejected) as error:
        within = timedelta(seconds=hand.plan.deploy_within_seconds)
        return _still(hand, effect, within, f"whether it is configured as it must be cannot be told: {error}")
    if wrong is not None:
        return hand.turn_back(wrong, bad=False, entries=(outcome, hand.observed("not separate", {"says": wrong})))
    return hand.next({"mark": Mark.YES.value, "says": f"{revision.name} is deployed at 0 %"}, (outcome,))


def _does_not_come_up(hand: Hand, revision: Revision, outcome: Entry) -> Writes:
    why = f"{revision.name} does not come up: {revision.trouble or 'no reason given'}"
    return hand.turn_back(why, bad=True, entries=(outcome,))


async def _shift(hand: Hand) -> Writes:
    """So much of the traffic goes where it should, read back."""
    made = await _make_so(hand, SHIFT_WITHIN, creates=False)
    if isinstance(made, Writes):
        return made
    outcome = hand.outcome(hand.effect(), "confirmed", traffic(made))
    percent = hand.percent()
    if hand.plan.deed == Deed.ROLLBACK:
        since, wanted = hand.wanted()
        took, within = hand.now - since, timedelta(seconds=hand.plan.restore_within_seconds)
        name = f"{hand.plan.revision} ({short(hand.plan.digest)})"
        says = f"{name} serves 100 % again, {tell.span(took)} after it was {wanted}"
        late = bool(within) and took > within
        if late:
            says += f"; the policy allows {tell.span(within)}"
        measured = {"seconds": round(took.total_seconds()), "late": late}
        what = "restored" if hand.plan.recovered else "recovered"
        return hand.next({"mark": Mark.YES.value, "says": says}, (outcome, hand.observed(what, measured)))
    return hand.next({"mark": Mark.YES.value, "says": f"{hand.plan.revision} serves {percent} %"}, (outcome,))


async def _go_back(hand: Hand) -> Writes:
    """Everything serves what served before."""
    running = await hand.world.runs.running(hand.site)
    clean = running.settled and same(running.serving, hand.shares())
    if hand.operation.effect is None and clean and not hand.left_tagged(running):
        from_what = "what served" if hand.plan.split else hand.plan.from_revision
        return hand.next({"mark": Mark.YES.value, "says": f"no traffic had moved from {from_what}"})
    made = await _make_so(hand, SHIFT_WITHIN, creates=False)
    if isinstance(made, Writes):
        return made
    says = f"{hand.plan.from_revision} ({short(hand.plan.from_digest)}) serves 100 % again"
    if hand.plan.split:
        says = f"traffic stands again as it did: {tell.standing(hand.plan.split)}"
    return hand.next({"mark": Mark.YES.value, "says": says}, (hand.outcome(hand.effect(), "confirmed", traffic(made)),))


async def _make_so(hand: Hand, within: timedelta, *, creates: bool) -> Writes | Running:
    """What is read back once the traffic is as the step wants it; until then, what to write meanwhile."""
    operation, shares, runs = hand.operation, hand.shares(), hand.world.runs
    effect = operation.effect
    if effect is None:
        detail = {"shares": [{"revision": share.revision, "percent": share.percent} for share in shares]}
        return hand.intend("deploy" if creates else "traffic", detail)
    running = await runs.running(hand.site)
    if running.fence > hand.lease.fence:
        raise LostLease("a newer claim has written to this service")
    ours = running.operation == operation.id and same(running.wanted, shares) and not hand.left_tagged(running)
    if not effect.handle and not ours:
        waited = hand.now - (effect.sent_at or hand.now)
        if not running.settled and not (hand.urgent and waited >= IMPATIENT):
            unsent = replace(effect, fence=0 if effect.fence == hand.lease.fence else effect.fence)
            hand.operation = replace(operation, effect=unsent)
            return _still(hand, unsent, within, "another change of this service is not finished")
        if not hand.urgent and not hand.stray(running) and not same(running.serving, hand.before()):
            return hand.theirs(running)
        if effect.fence != hand.lease.fence:  # an older claim that wrote this down may have sent it before it died
            hand.operation = replace(operation, seen=hand.doubting() if effect.fence else operation.seen)
            return Writes(
                operation=replace(hand.operation, effect=replace(effect, fence=hand.lease.fence)), due=AT_ONCE
            )
        return await _send(hand, effect, running, shares, creates=creates)
    return await _read_back(hand, effect, within, creates=creates)


async def _read_back(hand: Hand, effect: Effect, within: timedelta, *, creates: bool) -> Writes | Running:
    """The same, of what was sent."""
    operation, shares, runs = hand.operation, hand.shares(), hand.world.runs
    ended = await runs.settled(effect.handle) if effect.handle else None
    if effect.handle and ended is None:
        return _still(hand, effect, within, "the platform is still at it")
    running = await runs.running(hand.site)
    if not running.settled:  # what is said of ours may come from the change after it
        return _still(hand, effect, within, "another change of this service is not finished")
    if same(running.serving, shares):
        return running
    ours = running.operation == operation.id and same(running.wanted, shares)
    # an older fence than we wrote is an old answer
    if not ours and not hand.urgent and running.fence >= operation.seen.get(WROTE, 0):
        return hand.theirs(running)
    if ended is not None and not ended.ok:
        made = await runs.revision(hand.site, hand.plan.revision) if creates else None
        if made is not None and made.ready is False:
            return _does_not_come_up(hand, made, hand.outcome(effect, "not happened", traffic(running)))
        return _turn_back_or_ask(hand, effect, f"The platform refused: {ended.trouble or 'no reason given'}")
    overtaken = hand.urgent and not same(running.wanted, shares)  # on the way back ours stands, whatever came after it
    waited = hand.now - (effect.sent_at or hand.now)
    said_done = hand.urgent and ended is not None and ended.ok  # and moved nothing: each look has a newer fence to try
    patience = LOOK * 2**effect.attempts if said_done else IMPATIENT
    if effect.attempts < TRIES and (overtaken or (ours and waited >= patience)):
        again = replace(effect, handle="", attempts=effect.attempts + 1)
        return await _send(hand, again, running, shares, creates=creates)
    return _still(hand, effect, within, "traffic is not yet where it should be")


async def _send(hand: Hand, effect: Effect, running: Running, shares: Sequence[Share], *, creates: bool) -> Writes:
    plan, runs = hand.plan, hand.world.runs
    try:
        if creates and await runs.revision(hand.site, plan.revision) is None:
            handle = await runs.deploy(
                hand.site,
                seen=running,
                image=plan.image,
                revision=plan.revision,
                container=plan.container,
                shares=shares,
                commit=hand.commit,
                lease=hand.lease,
            )
        else:
            handle = await runs.shift(hand.site, seen=running, shares=shares, lease=hand.lease)
    except OutcomeUnknown:
        doubtful = replace(effect, attempts=effect.attempts + 1)
        operation = replace(hand.operation, effect=doubtful, seen=hand.doubting())
        return Writes(operation=operation, due=timedelta(seconds=1))
    except Conflict as error:
        if effect.attempts < TRIES:
            again = replace(effect, attempts=effect.attempts + 1, fence=0)
            return Writes(operation=replace(hand.operation, effect=again), due=POLL)
        return _turn_back_or_ask(hand, effect, str(error))
    except Rejected as error:
        return _turn_back_or_ask(hand, effect, str(error))
    sent = replace(effect, handle=handle, sent_at=hand.now)
    seen = {**hand.operation.seen, WROTE: hand.lease.fence}
    return Writes(operation=replace(hand.operation, effect=sent, seen=seen), due=POLL)


def _still(hand: Hand, effect: Effect, within: timedelta, why: str) -> Writes:
    since = effect.sent_at or hand.operation.since or hand.now
    if hand.now - since < within:
        return Writes(operation=hand.operation, due=POLL)
    return _turn_back_or_ask(hand, effect, f"Not done within {tell.span(within)}: {why}")


def _turn_back_or_ask(hand: Hand, effect: Effect, why: str) -> Writes:
    """Forwards fails: go back. Backwards fails: only a person can help, and is told so."""
    outcome = hand.outcome(effect, "unknown", {"says": why})
    if hand.operation.phase is Phase.RUNNING and hand.plan.deed != Deed.ROLLBACK:
        return hand.turn_back(why, bad=False, entries=(outcome,))
    wanted = hand.plan.revision if hand.plan.deed == Deed.ROLLBACK else hand.plan.from_revision
    note = f"{why} Look at {hand.plan.site}: it should serve {wanted}."
    return hand.over(hand.operation.ended(Phase.UNCERTAIN, note), (outcome,))
