"""One operation in one pair of hands, for one step: what is known of it, and what is written about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from commands import database, tell
from commands.operation import LEFT, Effect, Moment, Operation, Phase, Step, Wish, road
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Lease, Message, Running, Share, Site, World, Writes
from commands.record import hold_id
from commands.reply import Mark
from policy.facts import Deed, Hold, KnownGood
from policy.model import Sha

GREEN = "green"
"""The tag under which a new revision is smoke-tested."""
AT_ONCE = timedelta(0)
POLL = timedelta(milliseconds=300)
LATE = timedelta(seconds=30)
"""So long a write that was cut off or got no answer may still arrive: its deadline, and queues on the way."""
LOOK = timedelta(seconds=1)
"""Between two looks for such a write."""
SHIFT_WITHIN = timedelta(minutes=2)
"""A traffic change that takes longer is stuck; the ones recorded took about 5 s (notes on Cloud Run, 2.3)."""
ANSWERS_WITHIN = timedelta(seconds=20)
"""So long a fresh address may give no answer at all before that counts as a failure."""
IMPATIENT = timedelta(seconds=5)
"""The way back waits no longer than this for another change of the service to settle; then it writes over it."""
STRANGE = 3
"""Looks in a row that must show traffic moved by somebody else: one alone may be an old answer."""
WHILE_ASKED = timedelta(seconds=60)
"""Between two looks at what people are asked about."""
PAUSED = "paused_at"
"""Key in what was seen: since when it has been paused."""
MOVED = "moved_branch"
"""Key in what was seen: the branch may have moved, whether or not we know."""
WROTE = "fence"
"""Key in what was seen: the fence that our newest write carried."""
TOLD = frozenset({Step.BRANCH, Step.RECORD, Step.FINISH})
"""Steps that change no traffic: GitHub is told."""
TRIES = 6
"""Attempts at a record in GitHub, or at a write that others keep overtaking, before a person is told."""


class Hand:
    """One operation in one pair of hands, for one step."""

    def __init__(self, operation: Operation, plan: Plan, lease: Lease, world: World) -> None:
        self.operation = operation
        self.plan = plan
        self.lease = lease
        self.world = world
        self.site = Site(plan.site)
        self.now = world.clock.now()

    def wanted(self) -> tuple[datetime, str]:
        """Since when a rollback may be carried out, and what made it so: `agreed to`, `asked for`."""
        agreed = self.operation.seen.get(tell.AGREED)
        return (datetime.fromisoformat(agreed), "agreed to") if agreed else (self.operation.asked_at, "asked for")

    @property
    def commit(self) -> Sha | None:
        """What is shipped: where its branch moved, the commit that the branch stands at since."""
        landed = self.operation.seen.get("branch:0", {}).get("commit")
        return Sha(landed) if landed else self.plan.commit

    @property
    def takes_branch_back(self) -> bool:
        """True on the way back, while its branch has moved, or may have, and nothing was done about that."""
        seen = self.operation.seen
        here = seen.get("branch:0", {})
        moved = MOVED in seen or ("commit" in here and not here.get("held"))
        return moved and "back:branch:0" not in seen

    def percent(self) -> int:
        return self.plan.steps[self.operation.moment.index].percent

    def shares(self) -> tuple[Share, ...]:
        """The traffic list that the present step wants; lines of others are the adapter's to keep."""
        plan, operation = self.plan, self.operation
        if operation.phase is Phase.GOING_BACK:
            return self.back_to()
        if plan.deed == Deed.ROLLBACK and operation.moment.step is not Step.DEPLOY:
            return (Share(plan.revision, 100),)
        percent = 0 if operation.moment.step is Step.DEPLOY else self.percent()
        if plan.split and not percent:  # what somebody left stays as it is until traffic moves
            mine = dict(plan.split).get(plan.revision, 0)
            others = (share for share in self.back_to() if share.revision != plan.revision)
            return (*others, Share(plan.revision, mine, GREEN))
        old = (Share(plan.from_revision, 100 - percent),) if percent < 100 else ()
        return (*old, Share(plan.revision, percent, GREEN))

    def back_to(self) -> tuple[Share, ...]:
        """What served when it began."""
        plan = self.plan
        return tuple(Share(name, percent) for name, percent in plan.split) or (Share(plan.from_revision, 100),)

    @property
    def urgent(self) -> bool:
        """True on the way back: it waits for nobody else, and what it writes stands."""
        return self.operation.phase is Phase.GOING_BACK or self.plan.deed == Deed.ROLLBACK

    def left_tagged(self, running: Running) -> bool:
        """True where traffic goes back and the candidate can still be reached under our tag."""
        going_back = self.operation.phase is Phase.GOING_BACK
        lines = (*running.serving, *running.wanted)
        return going_back and any(line.tag == GREEN and line.revision == self.plan.revision for line in lines)

    def once_more(self, key: str) -> Writes | None:
        """What is written so that it is looked at again, as one answer may be old; None: it was, often enough."""
        looks = self.operation.seen.get(key, 0) + 1
        if looks >= STRANGE:
            return None
        return Writes(operation=replace(self.operation, seen={**self.operation.seen, key: looks}), due=LOOK)

    def stray(self, running: Running) -> bool:
        """True where what was written last is a write of ours that came late: its fence is older than our newest."""
        return running.operation == self.operation.id and running.fence < self.operation.seen.get(WROTE, 0)

    def again(self, index: int) -> Writes | None:
        """Traffic is made once more what that step wants; None: that was tried often enough."""
        times = self.operation.seen.get("again", 0) + 1
        if times > TRIES:
            return None
        seen = {**self.operation.seen, "again": times}
        moved = self.operation.at(Moment(Step.SHIFT, index), self.now)
        return Writes(operation=replace(moved, seen=seen), due=AT_ONCE)

    def before(self) -> tuple[Share, ...]:
        """What serves, without tags, when the present step of a promotion is about to write."""
        moment = self.operation.moment
        percent = self.plan.steps[moment.index - 1].percent if moment.step is Step.SHIFT and moment.index else 0
        if not percent:
            return self.back_to()
        return (Share(self.plan.from_revision, 100 - percent), Share(self.plan.revision, percent))

    def theirs(self, running: Running) -> Writes:
        """Somebody else moved its traffic: one answer may be old, several mean that it is theirs now."""
        once_more = self.once_more(self._strange())
        if once_more is not None:
            return once_more
        serving = ", ".join(f"{line.percent} % {line.revision}" for line in running.serving if line.percent)
        note = f"Somebody else moved its traffic ({serving}), so it is theirs now. Look at {self.plan.site}."
        settled = () if self.operation.effect is None else (self.outcome(self.operation.effect, "unknown", {}),)
        moved = self.observed("moved", traffic(running))
        return self.over(self.operation.ended(Phase.UNCERTAIN, note), (*settled, moved))

    def familiar(self) -> dict[str, Any]:
        """What was seen, without any look at traffic that somebody else moved."""
        return {name: value for name, value in self.operation.seen.items() if name != self._strange()}

    def _strange(self) -> str:
        return f"strange:{self.operation.moment.key}"

    def doubting(self, settled: Entry | None = None) -> dict[str, Any]:
        """What was seen; with it, until when a late write has to be expected, where the present one may be late."""
        operation, effect = self.operation, self.operation.effect
        sent_well = effect is not None and effect.handle and not effect.attempts
        certain = sent_well and (settled is None or settled.what == "confirmed")
        if effect is None or certain or operation.moment.step in TOLD:
            return operation.seen
        return {**operation.seen, "watch": (self.now + LATE).isoformat()}

    def effect(self) -> Effect:
        if self.operation.effect is None:
            message = f"an outcome of {self.operation.moment.key} without an intent"
            raise AssertionError(message)
        return self.operation.effect

    def key(self) -> str:
        back = "back:" if self.operation.phase is Phase.GOING_BACK else ""
        again = self.operation.seen.get("again") if self.operation.moment.step is Step.SHIFT else None
        return f"{back}{self.operation.moment.key}{f':{again}' if again else ''}"

    def intend(self, kind: str, detail: Mapping[str, Any]) -> Writes:
        effect = Effect(self.key(), sent_at=self.now, fence=self.lease.fence)
        intent = Entry.of(self.operation, kind, EntryPhase.INTENT, "about to", effect.key, detail=detail)
        return Writes(entries=(intent,), operation=self.operation.doing(effect), due=AT_ONCE)

    def outcome(self, effect: Effect, what: str, detail: Mapping[str, Any]) -> Entry:
        kind = (
            "deployment"
            if effect.key.endswith(("record:0", "finish:0"))
            else "branch"
            if "branch:" in effect.key or effect.key.startswith("propose:")
            else "deploy"
            if "deploy" in effect.key
            else "traffic"
        )
        return Entry.of(self.operation, kind, EntryPhase.OUTCOME, what, effect.key, detail=detail)

    def observed(self, what: str, detail: Mapping[str, Any]) -> Entry:
        return Entry.of(self.operation, "operation", EntryPhase.OBSERVATION, what, self.key(), detail=detail)

    def root(self, operation: Operation) -> Message:
        return Message(operation.channel, tell.root(operation), operation=operation.id, slot="root")

    def next(self, seen: dict[str, Any], entries: tuple[Entry, ...] = ()) -> Writes:
        """On to the next step; this one is told in the thread."""
        operation, key = self.operation, self.key()
        again = operation.seen.get("again") and operation.moment.step is Step.SHIFT
        if operation.phase is Phase.GOING_BACK and operation.moment.step is Step.SHIFT and self.takes_branch_back:
            following = Moment(Step.BRANCH)
        elif operation.phase is Phase.GOING_BACK or (again and self.plan.deed == Deed.ROLLBACK):
            following = Moment(Step.FINISH)
        else:
            steps = road(self.plan)
            following = steps[steps.index(operation.moment) + 1]
        moved = replace(operation.at(following, self.now), seen={**operation.seen, key: seen})
        told = Message(operation.channel, tell.step(moved, key), operation=operation.id, slot=f"step:{key}")
        return Writes(entries=entries, messages=(told, self.root(moved)), operation=moved, due=AT_ONCE)

    def turn_back(self, why: str, *, bad: bool, entries: tuple[Entry, ...] = ()) -> Writes:
        """The way back begins. `bad`: it is the candidate's fault, so it stays out until somebody lifts the hold.

        Where what served before works no more with the database as it is now, people are asked instead.
        """
        operation = self.operation
        by_itself = operation.wish not in database.WANTED_BACK
        if by_itself and database.asks_people(operation, self.world.policies.current().policy):
            return self._asks_people(why, entries)
        held: tuple[Hold, ...] = ()
        seen = {key: value for key, value in operation.seen.items() if key != LEFT}
        seen[f"{self.key()}!"] = {"mark": Mark.NO.value, "says": why}
        if bad:
            hold, entry = self.holds(why)
            held, entries = (hold,), (*entries, entry)
            seen["hold"] = hold.id
        turned = replace(operation.turned_back(why, self.now), seen=seen)
        entries = (*entries, Entry.of(operation, "operation", EntryPhase.RECORD, "turned back", private={"says": why}))
        told = Message(operation.channel, tell.step(turned, f"{self.key()}!"), operation=operation.id, slot="turned")
        return Writes(entries=entries, messages=(told, self.root(turned)), operation=turned, due=AT_ONCE, holds=held)

    def holds(self, why: str) -> tuple[Hold, Entry]:
        """The candidate stays out until somebody lifts the hold."""
        hold = Hold(hold_id(self.operation.id), self.operation.place, self.plan.digest, self.now, why)
        says = {"says": why}
        return hold, Entry.of(self.operation, "hold", EntryPhase.RECORD, "held", also={"hold": hold.id}, private=says)

    def _asks_people(self, why: str, entries: tuple[Entry, ...]) -> Writes:
        """It is held where it is until somebody says what becomes of it; each thing that went wrong is told once."""
        operation, key = self.operation, self.key()
        seen = {PAUSED: self.now.isoformat(), **operation.seen, tell.FORWARD: key}
        if operation.effect is not None:  # what is tried again is another effect
            seen["again"] = operation.seen.get("again", 0) + 1
        held = replace(operation, wish=Wish.PAUSE, seen=seen, note=why, effect=None)
        if operation.seen.get(tell.FORWARD) == key and operation.wish is Wish.PAUSE:
            return Writes(operation=held, entries=entries if operation.effect is not None else (), due=WHILE_ASKED)
        about = {"database": self.plan.database}
        asked = Entry.of(operation, "operation", EntryPhase.RECORD, "asks people", also=about, private={"says": why})
        told = Message(
            operation.channel, tell.only_forward(held), operation=operation.id, slot=f"forward:{self.now.isoformat()}"
        )
        return Writes(entries=(*entries, asked), messages=(told, self.root(held)), operation=held, due=WHILE_ASKED)

    def over(
        self, operation: Operation, entries: tuple[Entry, ...], good: tuple[tuple[Any, KnownGood], ...] = ()
    ) -> Writes:
        """The end, in our books and in the thread."""
        holds: tuple[Hold, ...] = ()
        left = operation.phase is Phase.DONE or operation.moment.step is Step.VERIFY
        if left and self.plan.deed == Deed.ROLLBACK:  # and the next rollback does not go back to it
            why = operation.reason or f"{operation.asked_by.name} rolled back from it"
            hold = Hold(hold_id(operation.id), operation.place, self.plan.from_digest, self.now, why)
            holds = (hold,)
            operation = replace(operation, seen={**operation.seen, "hold": hold.id})
            about = {"hold": hold.id, "digest": self.plan.from_digest}
            entries = (*entries, Entry.of(operation, "hold", EntryPhase.RECORD, "held", also=about))
        ended = Entry.of(operation, "operation", EntryPhase.RECORD, operation.phase.value)
        told = Message(operation.channel, tell.ended(operation, self.now), operation=operation.id, slot="ended")
        policy = self.world.policies.current().policy
        informed = policy.informed(self.plan.service, self.plan.target)
        if self.plan.deed == Deed.ROLLBACK and not policy.rollback.informs_first:
            informed = tuple(dict.fromkeys((*informed, *policy.rollback.informs)))
        elsewhere = (Message(channel, tell.result(operation)) for channel in informed if channel != operation.channel)
        return Writes(
            entries=(*entries, ended),
            messages=(told, self.root(operation), *elsewhere),
            operation=operation,
            leaves=operation.place,
            holds=holds,
            good=good,
        )


def same(lines: Sequence[Share], wanted: Sequence[Share]) -> bool:
    """True where both send the same share of traffic to the same revisions, and the tags we asked for are there."""

    def shares(of: Sequence[Share]) -> dict[str, int]:
        found: dict[str, int] = {}
        for share in of:
            found[share.revision] = found.get(share.revision, 0) + share.percent
        return {revision: percent for revision, percent in found.items() if percent}

    tags = {(share.revision, share.tag) for share in lines if share.tag}
    return shares(lines) == shares(wanted) and all((s.revision, s.tag) in tags for s in wanted if s.tag)


def traffic(running: Running) -> dict[str, Any]:
    return {"serving": [{"revision": s.revision, "percent": s.percent} for s in running.serving if s.percent]}
