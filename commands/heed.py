"""What do people want of an operation that is under way, and what is done about it?"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from commands import health, tell
from commands.consider import who_wanted
from commands.hand import AT_ONCE, IMPATIENT, LOOK, PAUSED, POLL, Hand, same, traffic
from commands.operation import LEFT, Effect, Moment, Operation, Phase, Step, Wish
from commands.ports import Entry, Recorded, World, Writes

WATCH = timedelta(seconds=5)
"""Between two looks at the numbers of what is paused."""


async def heed(hand: Hand, wish: Wish) -> Writes | None:
    """What is written because of a wish, or None where the step goes on as it would."""
    operation = hand.operation
    if wish is Wish.PAUSE:
        if operation.effect is not None:
            return None  # what was begun is seen through; then it is held
        return await _hold_still(hand)
    if wish is Wish.PROCEED:
        return await _let_on(hand)
    settled: tuple[Entry, ...] = ()
    if operation.effect is not None:
        settling = await _what_became(hand, operation.effect)
        if settling is None:
            return Writes(operation=operation, due=POLL)
        settled = (settling,)
        operation = hand.operation = replace(operation, seen=hand.doubting(settling))
    if wish is Wish.YIELD and await _has_traffic(hand):
        ended = operation.ended(Phase.CANCELLED, "A rollback took over.")
        return hand.over(ended, settled)
    if wish is Wish.LEAVE and await _has_traffic(hand):
        return await _leave(hand, settled)
    if wish is Wish.YIELD:  # nothing to take back: whoever rolls back has nothing to do, so this one clears up
        return hand.turn_back("A rollback took over.", bad=False, entries=settled)
    if wish is Wish.LEAVE:
        why = f"{await who_wanted(operation, hand.world, frozenset({Wish.LEAVE.value}))} ended it."
        return hand.turn_back(why, bad=False, entries=settled)
    why = f"{await who_wanted(operation, hand.world)} aborted it."
    return hand.turn_back(why, bad=False, entries=settled)


async def _leave(hand: Hand, settled: tuple[Entry, ...]) -> Writes:
    """It goes on to its end, and its traffic stays as it is read once no write of ours can change it any more."""
    operation = replace(hand.operation, effect=None)
    running, late = await hand.world.runs.running(hand.site), operation.seen.get("watch")
    if not running.settled or (late is not None and hand.now < datetime.fromisoformat(late)):
        return Writes(entries=settled, operation=operation, due=LOOK)
    said = await _newest(operation, hand.world, Wish.LEAVE)
    by = "Somebody" if said is None else said.actor_name
    shares: dict[str, int] = {}
    for line in running.serving:
        if line.percent:
            shares[line.revision] = shares.get(line.revision, 0) + line.percent
    note = f"{by} left its traffic as it stands: {tell.standing(shares.items())}."
    seen = {**operation.seen, LEFT: {"shares": shares, "by": by}}
    ending = replace(operation.at(Moment(Step.FINISH), hand.now), wish=Wish.RUN, seen=seen, note=note)
    observed = hand.observed("left", traffic(running))
    return Writes(entries=(*settled, observed), operation=ending, messages=(hand.root(ending),), due=AT_ONCE)


async def _let_on(hand: Hand) -> Writes:
    """Somebody answers for the step under way; it goes on once its time is over and nothing else is in the way."""
    operation, doubt = hand.operation, tell.asked(hand.operation)
    answer = await _answer(operation, hand.world)
    answered = "" if answer is None else str(answer.detail.get("question", ""))
    if doubt is None or (answered and answered != doubt.id):  # what they were asked is over; this nobody has answered
        going = replace(operation, wish=Wish.RUN)
        return Writes(operation=going, messages=(hand.root(going),), due=AT_ONCE)
    says = f"{hand.percent()} %: {'Somebody' if answer is None else answer.actor_name} let it go on"
    seen = {key: value for key, value in operation.seen.items() if key != tell.ASKED}
    if doubt.about == tell.HELD:
        seen[tell.HELD] = {**seen[tell.HELD], "ask_at": (hand.now + health.held_at_most(hand)).isoformat()}
    else:
        seen[health.let_on(hand, doubt.about)] = says
    going = replace(operation, wish=Wish.RUN, seen=seen, note="")
    return Writes(operation=going, messages=(hand.root(going),), due=AT_ONCE)


async def _answer(operation: Operation, world: World) -> Recorded | None:
    """The newest word that let it go on; the ledger knows which question it answers."""
    return await _newest(operation, world, Wish.PROCEED)


async def _newest(operation: Operation, world: World, word: str) -> Recorded | None:
    for row in await world.store.history(operation.question.service, 50):
        if row.operation == operation.id and row.kind == "operation" and row.what == word:
            return row
    return None


async def _hold_still(hand: Hand) -> Writes:
    """Held where it is. What serves is watched all the same, and goes back if it turns out bad."""
    operation = hand.operation
    watched = operation.moment.step is Step.JUDGE
    if watched:
        found = await health.numbers(hand)
        bad = None if isinstance(found, str) else health.what_is_wrong(hand, found)
        if bad is not None and not isinstance(found, str):
            return hand.turn_back(bad, bad=True, entries=(hand.observed("unhealthy", health.measured(found)),))
        fired = await health.fired(hand, asks=False)
        if fired is not None:
            return fired
        operation = hand.operation
    begun = PAUSED not in operation.seen
    since = await _paused_since(hand) if begun else hand.now
    held = replace(operation, seen={PAUSED: since.isoformat(), **operation.seen})
    told = (hand.root(held),) if begun else ()
    return Writes(operation=held, messages=told, due=WATCH if watched else None)


async def _paused_since(hand: Hand) -> datetime:
    """When somebody paused it, or its present step began after that: nobody may have looked at it for long."""
    said = await _newest(hand.operation, hand.world, Wish.PAUSE)
    since = hand.now if said is None else min(said.at, hand.now)
    return max(since, hand.operation.since or since)


def resumed(hand: Hand) -> Operation:
    """As it was, less the time that it was paused."""
    operation = hand.operation
    paused = hand.now - datetime.fromisoformat(operation.seen[PAUSED])
    seen = {key: value for key, value in operation.seen.items() if key != PAUSED}
    if asks := seen.get(tell.ASKED):
        seen[tell.ASKED] = {**asks, "at": (datetime.fromisoformat(asks["at"]) + paused).isoformat()}
    return replace(operation, seen=seen, since=operation.since + paused if operation.since else None)


async def _has_traffic(hand: Hand) -> bool:
    """True where the candidate serves, or may come to: then a rollback is not kept waiting."""
    running = await hand.world.runs.running(hand.site)
    return any(share.revision == hand.plan.revision and share.percent for share in (*running.serving, *running.wanted))


async def _what_became(hand: Hand, effect: Effect) -> Entry | None:
    """The outcome of an effect that is not waited for any longer; None while the platform is still at it."""
    if effect.key.endswith(("branch:0", "record:0", "finish:0")):  # GitHub was told, or was not
        return hand.outcome(effect, "unknown", {})
    running = await hand.world.runs.running(hand.site)
    ours = running.operation == hand.operation.id and same(running.wanted, hand.shares())
    if not running.settled and hand.now - (effect.sent_at or hand.now) < IMPATIENT:
        return None
    if running.settled and ours:
        return hand.outcome(effect, "confirmed", traffic(running))
    # A call cut off a moment ago may still arrive: only a look after its deadline could say that it did not.
    return hand.outcome(effect, "unknown", traffic(running))
