"""How is an allowed operation carried out? The only place where production changes, one small step at a time.

Each step looks at the world, does at most one thing, and says what comes next; waiting is a value. What it is about to
change is committed before it starts (the intent), what became of it after the world was asked (the outcome). So a
process may die anywhere: the next one finds the intent, looks, and goes on without doing it twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from commands import tell
from commands.consider import consider, who_wanted
from commands.errors import Conflict, LostLease, OutcomeUnknown, Rejected, ReleaseBotError, Unavailable
from commands.operation import Effect, Moment, Operation, Phase, Step, Wish, road
from commands.plan import Plan
from commands.ports import Entry, EntryPhase, Lease, Message, Requests, Revision, Running, Share, Site, World, Writes
from commands.record import BOT, hold_id, target_of
from commands.reply import Mark
from policy.facts import Deed, Hold, KnownGood
from policy.model import short

GREEN = "green"
"""The tag under which a new revision is smoke-tested."""
AT_ONCE = timedelta(0)
POLL = timedelta(milliseconds=300)
SHIFT_WITHIN = timedelta(minutes=2)
"""A traffic change that takes longer is stuck; the ones recorded took about 5 s (notes on Cloud Run, 2.3)."""
ANSWERS_WITHIN = timedelta(seconds=20)
"""So long a fresh address may give no answer at all before that counts as a failure."""
LATE = timedelta(seconds=30)
"""So long a write that was cut off or got no answer may still arrive: its deadline, and queues on the way."""
LOOK = timedelta(seconds=1)
"""Between two looks for such a write."""
IMPATIENT = timedelta(seconds=5)
"""The way back waits no longer than this for another change of the service to settle; then it writes over it."""
WATCH = timedelta(seconds=5)
"""Between two looks at the numbers of what is paused."""
STRANGE = 3
"""Looks in a row that must show traffic moved by somebody else: one alone may be an old answer."""
PAUSED = "paused_at"
"""Key in what was seen: since when it has been paused."""
TRIES = 6
"""Attempts at a record in GitHub, or at a write that others keep overtaking, before a person is told."""


async def advance(operation: Operation, lease: Lease, world: World) -> Writes:
    """What one step of it writes; the world was changed by at most one call, under a committed intent."""
    if operation.phase in {Phase.BLOCKED, Phase.WAITING}:
        return await consider(operation, world)
    if operation.plan is None:
        return Writes(operation=operation.ended(Phase.FAILED, "It was begun without a plan."), leaves=operation.place)
    return await Hand(operation, operation.plan, lease, world).step()


class Hand:
    """One operation in one pair of hands, for one step."""

    def __init__(self, operation: Operation, plan: Plan, lease: Lease, world: World) -> None:
        self.operation = operation
        self.plan = plan
        self.lease = lease
        self.world = world
        self.site = Site(plan.site)
        self.now = world.clock.now()

    async def step(self) -> Writes:
        if self.operation.wish is Wish.RUN and PAUSED in self.operation.seen:
            self.operation = self._resumed()
        operation = self.operation
        if operation.phase is Phase.RUNNING and operation.wish is not Wish.RUN:
            heeded = await self._heed(operation.wish)
            if heeded is not None:
                return heeded
        match operation.moment.step:
            case Step.RECORD:
                return await self._record()
            case Step.DEPLOY:
                return await self._deploy()
            case Step.SMOKE:
                return await self._smoke()
            case Step.SHIFT if operation.phase is Phase.GOING_BACK:
                return await self._go_back()
            case Step.SHIFT:
                return await self._shift()
            case Step.JUDGE:
                return await self._judge()
            case Step.FINISH:
                return await self._finish()

    # What people want meanwhile -------------------------------------------------------------------------------------

    async def _heed(self, wish: Wish) -> Writes | None:
        """What is written because of a wish, or None where the step goes on as it would."""
        operation = self.operation
        if wish is Wish.PAUSE:
            if operation.effect is not None:
                return None  # what was begun is seen through; then it is held
            return await self._hold_still()
        settled: tuple[Entry, ...] = ()
        if operation.effect is not None:
            settling = await self._what_became(operation.effect)
            if settling is None:
                return Writes(operation=operation, due=POLL)
            settled = (settling,)
            operation = self.operation = replace(operation, seen=self._doubting(settling))
        if wish is Wish.YIELD and await self._has_traffic():
            ended = operation.ended(Phase.CANCELLED, "A rollback took over.")
            return self._over(ended, settled)
        if wish is Wish.YIELD:  # nothing to take back: whoever rolls back has nothing to do, so this one clears up
            return self._turn_back("A rollback took over.", bad=False, entries=settled)
        why = f"{await who_wanted(operation, self.world)} aborted it."
        return self._turn_back(why, bad=False, entries=settled)

    async def _hold_still(self) -> Writes:
        """Held where it is. What serves is watched all the same, and goes back if it turns out bad."""
        operation = self.operation
        watched = operation.moment.step is Step.JUDGE
        if watched:
            found = await self._numbers()
            bad = None if isinstance(found, str) else self._bad(found)
            if bad is not None and not isinstance(found, str):
                return self._turn_back(bad, bad=True, entries=(self._observed("unhealthy", _measured(found)),))
        begun = PAUSED not in operation.seen
        held = replace(operation, seen={PAUSED: self.now.isoformat(), **operation.seen})
        told = (self._root(held),) if begun else ()
        return Writes(operation=held, messages=told, due=WATCH if watched else None)

    def _resumed(self) -> Operation:
        """As it was, less the time that it was paused."""
        operation = self.operation
        paused = self.now - datetime.fromisoformat(operation.seen[PAUSED])
        seen = {key: value for key, value in operation.seen.items() if key != PAUSED}
        return replace(operation, seen=seen, since=operation.since + paused if operation.since else None)

    async def _has_traffic(self) -> bool:
        """True where the candidate serves, or may come to: then a rollback is not kept waiting."""
        running = await self.world.runs.running(self.site)
        return any(
            share.revision == self.plan.revision and share.percent for share in (*running.serving, *running.wanted)
        )

    async def _what_became(self, effect: Effect) -> Entry | None:
        """The outcome of an effect that is not waited for any longer; None while the platform is still at it."""
        if effect.key.endswith("record:0"):
            return self._outcome(effect, "unknown", {})
        running = await self.world.runs.running(self.site)
        ours = running.operation == self.operation.id and _same(running.wanted, self._shares())
        if not running.settled and self.now - (effect.sent_at or self.now) < IMPATIENT:
            return None
        if running.settled and ours:
            return self._outcome(effect, "confirmed", _traffic(running))
        # A call cut off a moment ago may still arrive: only a look after its deadline could say that it did not.
        return self._outcome(effect, "unknown", _traffic(running))

    # The steps ------------------------------------------------------------------------------------------------------

    async def _record(self) -> Writes:
        """GitHub knows of the deployment."""
        plan = self.plan
        if plan.commit is None:
            return self._next({"mark": Mark.NOTE.value, "says": "not recorded in GitHub: its commit is not known"})
        effect = self.operation.effect
        if effect is None:
            return self._intend("deployment", {"environment": plan.target, "commit": plan.commit})
        try:
            id = await self._deployment()
            await self.world.code.record_status(
                plan.repository,
                id,
                state="in_progress",
                description=_cut(f"{plan.deed} by Release Bot, {self.operation.id}"),
            )
        except ReleaseBotError as error:
            if isinstance(error, LostLease) or self.operation.attempts < TRIES:
                raise
            settled = (self._outcome(effect, "unknown", {}),)
            if plan.deed == Deed.ROLLBACK:
                return self._next({"mark": Mark.NO.value, "says": f"not recorded in GitHub: {error}"}, settled)
            return self._turn_back(f"GitHub could not be told: {error}", bad=False, entries=settled)
        said = {"mark": Mark.YES.value, "says": f"recorded as GitHub deployment {id}", "deployment": id}
        return self._next(said, (self._outcome(effect, "confirmed", {"deployment": id}),))

    async def _deployment(self) -> int:
        plan = self.plan
        if plan.commit is None:
            raise Rejected("its commit is not known")
        return await self.world.code.record_deployment(
            plan.repository,
            commit=plan.commit,
            environment=plan.target,
            production=plan.production,
            operation=self.operation.id,
            payload={
                "operation": self.operation.id,
                "digest": plan.digest,
                "revision": plan.revision,
                "from": plan.source or "",
                "to": plan.target,
                "plan": plan.hash,
                **({"emergency": plan.emergency} if plan.emergency else {}),
            },
            description=_cut(f"{plan.deed} {plan.service} {short(plan.digest)} to {plan.target}"),
        )

    async def _deploy(self) -> Writes:
        """The new revision exists, ready, with a tagged address and none of the traffic."""
        made = await self._make_so(timedelta(seconds=self.plan.deploy_within_seconds), creates=True)
        if isinstance(made, Writes):
            return made
        revision = await self.world.runs.revision(self.site, self.plan.revision)
        effect = self._effect()
        if revision is None or revision.ready is None:
            within = timedelta(seconds=self.plan.deploy_within_seconds)
            return self._still(effect, within, f"{self.plan.revision} is neither ready nor refused")
        detail = {**_traffic(made), "revision": revision.name, "digest": revision.digest}
        outcome = self._outcome(effect, "confirmed", detail)
        if revision.digest != self.plan.digest:
            why = f"{revision.name} runs {short(revision.digest)}, not {short(self.plan.digest)}"
            return self._turn_back(why, bad=False, entries=(outcome,))
        if not revision.ready:
            return self._does_not_come_up(revision, outcome)
        return self._next({"mark": Mark.YES.value, "says": f"{revision.name} is deployed at 0 %"}, (outcome,))

    def _does_not_come_up(self, revision: Revision, outcome: Entry) -> Writes:
        why = f"{revision.name} does not come up: {revision.trouble or 'no reason given'}"
        return self._turn_back(why, bad=True, entries=(outcome,))

    async def _smoke(self) -> Writes:
        """The tagged address answers as it should."""
        running = await self.world.runs.running(self.site)
        address = next((s.address for s in running.serving if s.revision == self.plan.revision and s.address), "")
        waited = self.now - (self.operation.since or self.now)
        if not address:
            if waited < ANSWERS_WITHIN:
                return Writes(operation=self.operation, due=POLL)
            return self._turn_back("Its tagged address never appeared, so it could not be tested.", bad=False)
        told = []
        for probe in self.plan.smoke:
            found = await self.world.probes.probe(address, probe)
            saw = ", ".join(str(status) if status else "no answer" for status in dict.fromkeys(found.saw))
            if not found.ok:
                if 0 in found.saw and waited < ANSWERS_WITHIN:
                    return Writes(operation=self.operation, due=timedelta(seconds=1))
                expected = " or ".join(str(status) for status in probe.expect)
                why = f"Smoke test failed: {probe.method} {probe.path} gave {saw}, expected {expected}"
                return self._turn_back(why, bad=True, entries=(self._observed("smoke", {"says": why}),))
            told.append(f"{probe.method} {probe.path} {saw} ×{len(found.saw)}")
        says = f"smoke test passed: {'; '.join(told)}" if told else "no smoke test is asked for"
        return self._next({"mark": Mark.YES.value, "says": says}, (self._observed("smoke", {"says": says}),))

    async def _shift(self) -> Writes:
        """So much of the traffic goes where it should, read back."""
        made = await self._make_so(SHIFT_WITHIN, creates=False)
        if isinstance(made, Writes):
            return made
        outcome = self._outcome(self._effect(), "confirmed", _traffic(made))
        percent = self._percent()
        if self.plan.deed == Deed.ROLLBACK:
            took = self.now - self.operation.asked_at
            name = f"{self.plan.revision} ({short(self.plan.digest)})"
            says = f"{name} serves 100 % again, {tell.span(took)} after it was asked for"
            return self._next(
                {"mark": Mark.YES.value, "says": says},
                (outcome, self._observed("recovered", {"seconds": round(took.total_seconds())})),
            )
        return self._next({"mark": Mark.YES.value, "says": f"{self.plan.revision} serves {percent} %"}, (outcome,))

    async def _judge(self) -> Writes:
        """The new revision has answered enough real requests, and well."""
        bounds = self.plan.health
        if bounds is None:
            return self._next({"mark": Mark.NOTE.value, "says": "no bounds to judge by"})
        moved = await self._moved_by_others()
        if moved is not None:
            return moved
        operation = self.operation
        hold = timedelta(seconds=self.plan.steps[operation.moment.index].hold_seconds)
        every = timedelta(seconds=max(1.0, bounds.resolution_seconds))
        waited = self.now - (operation.since or self.now)
        found = await self._numbers()
        if isinstance(found, str):
            why_not = found
        else:
            measured, bad = _measured(found), self._bad(found)
            if bad is not None:
                return self._turn_back(bad, bad=True, entries=(self._observed("unhealthy", measured),))
            if found.total >= bounds.min_requests and waited >= hold:
                says = f"{self._percent()} %: {self._well(found)}"
                return self._next(
                    {"mark": Mark.YES.value, "says": says, **measured}, (self._observed("healthy", measured),)
                )
            why_not = f"only {found.total} of {bounds.min_requests} requests"
        if waited >= hold + timedelta(seconds=bounds.give_up_seconds):
            why = f"Not judged within {tell.span(waited)} at {self._percent()} %: {why_not}. Unknown is not healthy."
            return self._turn_back(why, bad=False, entries=(self._observed("inconclusive", {"says": why}),))
        return Writes(operation=operation, due=every if waited >= hold else min(every, hold - waited))

    async def _numbers(self) -> Requests | str:
        """What the candidate answered since traffic reached it, as far as that can be known; or why it cannot."""
        bounds, since = self.plan.health, self.operation.since or self.now
        if bounds is None:
            return "there are no bounds to judge by"
        resolution = timedelta(seconds=bounds.resolution_seconds)
        until = self.now - timedelta(seconds=bounds.delay_seconds)
        if until - since < resolution:
            return "its numbers are not in yet"
        try:
            return await self.world.metrics.requests(self.site, self.plan.revision, since, until, resolution)
        except Unavailable as error:
            return f"its numbers cannot be had: {str(error).rstrip('.')}"

    async def _moved_by_others(self) -> Writes | None:
        """What is written where traffic is not where this step put it; None: it is."""
        running = await self.world.runs.running(self.site)
        key = f"strange:{self.operation.moment.index}"
        if not running.settled or _same(running.serving, self._shares()):
            seen = {name: value for name, value in self.operation.seen.items() if name != key}
            self.operation = replace(self.operation, seen=seen)
            return None
        again = self._once_more(key)
        if again is not None:
            return again
        serving = ", ".join(f"{line.percent} % {line.revision}" for line in running.serving if line.percent)
        note = f"Somebody else moved its traffic ({serving}), so it is theirs now. Look at {self.plan.site}."
        return self._over(self.operation.ended(Phase.UNCERTAIN, note), (self._observed("moved", _traffic(running)),))

    def _once_more(self, key: str) -> Writes | None:
        """What is written so that it is looked at again, as one answer may be old; None: it was, often enough."""
        looks = self.operation.seen.get(key, 0) + 1
        if looks >= STRANGE:
            return None
        return Writes(operation=replace(self.operation, seen={**self.operation.seen, key: looks}), due=LOOK)

    def _bad(self, seen: Requests) -> str | None:
        """What is wrong with these numbers, if anything is and they are enough to say so."""
        bounds = self.plan.health
        if bounds is None or seen.total < bounds.min_requests:
            return None
        if seen.error_percent > bounds.max_error_percent:
            return (
                f"{seen.errors} of {seen.total} requests failed at {self._percent()} % of traffic: "
                f"{seen.error_percent:.1f} %, allowed {bounds.max_error_percent:g} %"
            )
        if bounds.max_p99_ms is not None and seen.p99_ms is not None and seen.p99_ms > bounds.max_p99_ms:
            return f"p99 is {seen.p99_ms:.0f} ms at {self._percent()} % of traffic, allowed {bounds.max_p99_ms:.0f} ms"
        return None

    def _well(self, seen: Requests) -> str:
        p99 = "" if seen.p99_ms is None else f", p99 {seen.p99_ms:.0f} ms"
        return f"healthy over {seen.total} requests, {seen.error_percent:.1f} % failed{p99}"

    async def _go_back(self) -> Writes:
        """Everything serves what served before."""
        running = await self.world.runs.running(self.site)
        clean = running.settled and running.whole == self.plan.from_revision and _same(running.serving, self._shares())
        if self.operation.effect is None and clean and not self._left_tagged(running):
            return self._next({"mark": Mark.YES.value, "says": f"no traffic had moved from {self.plan.from_revision}"})
        made = await self._make_so(SHIFT_WITHIN, creates=False)
        if isinstance(made, Writes):
            return made
        says = f"{self.plan.from_revision} ({short(self.plan.from_digest)}) serves 100 % again"
        return self._next(
            {"mark": Mark.YES.value, "says": says}, (self._outcome(self._effect(), "confirmed", _traffic(made)),)
        )

    def _left_tagged(self, running: Running) -> bool:
        """True where traffic goes back and the candidate can still be reached under our tag."""
        going_back = self.operation.phase is Phase.GOING_BACK
        lines = (*running.serving, *running.wanted)
        return going_back and any(line.tag == GREEN and line.revision == self.plan.revision for line in lines)

    async def _finish(self) -> Writes:
        """GitHub knows how it ended, and so do our books."""
        if self.operation.effect is None:
            before = await self._not_yet()
            if before is not None:
                return before
        operation, plan = self.operation, self.plan
        went_back = operation.phase is Phase.GOING_BACK
        recorded = operation.seen.get("record:0", {}).get("deployment")
        settled: tuple[Entry, ...] = ()
        trouble = ""
        if isinstance(recorded, int):
            if operation.effect is None:
                return self._intend(
                    "deployment", {"environment": plan.target, "state": "failure" if went_back else "success"}
                )
            try:
                await self._conclude(recorded, went_back=went_back)
                settled = (self._outcome(operation.effect, "confirmed", {"deployment": recorded}),)
            except (Unavailable, OutcomeUnknown, Rejected) as error:
                if operation.attempts < TRIES:
                    raise
                trouble = f" GitHub could not be told how it ended: {error}"
                settled = (self._outcome(operation.effect, "unknown", {}),)
        if went_back:
            moved = any(key.startswith("shift:") for key in operation.seen)
            return self._over(
                operation.ended(Phase.ROLLED_BACK if moved else Phase.FAILED, operation.note + trouble), settled
            )
        good = KnownGood(plan.revision, plan.digest, self.now, f"release {operation.id}", plan.commit)
        done = operation.ended(Phase.DONE, trouble.strip())
        if plan.deed == Deed.ROLLBACK:
            return self._over(done, settled)
        return self._over(done, settled, good=((operation.place, good),))

    async def _not_yet(self) -> Writes | None:
        """What is written before the end may be told, since traffic is not where it was put, or may not stay there.

        A write that was cut off, ours or that of whom we took over from, can arrive after ours. None: the end is near.
        """
        operation, plan = self.operation, self.plan
        back = operation.phase is Phase.GOING_BACK or plan.deed == Deed.ROLLBACK
        until = await self._watched_until()
        if back and until is None:
            return None
        running = await self.world.runs.running(self.site)
        wanted = self._shares() if back else (Share(plan.revision, plan.steps[-1].percent, GREEN),)
        if running.settled and _same(running.serving, wanted) and not self._left_tagged(running):
            return None if until is None else Writes(operation=operation, due=LOOK)
        if back:
            again = {**operation.seen, "again": operation.seen.get("again", 0) + 1}
            return Writes(operation=replace(operation.at(Moment(Step.SHIFT), self.now), seen=again), due=AT_ONCE)
        if not running.settled and self.now - (operation.since or self.now) < SHIFT_WITHIN:
            return Writes(operation=operation, due=POLL)
        once_more = self._once_more("strange:finish")
        if once_more is not None:
            return once_more
        note = f"Somebody else moved its traffic. Look at {plan.site}: {plan.revision} had 100 % and was well."
        return self._over(operation.ended(Phase.UNCERTAIN, note), ())

    async def _watched_until(self) -> datetime | None:
        """Until when a late write has to be expected; None: none, or not any more."""
        doubts = [self.operation.seen.get("watch")]
        if after := self.operation.seen.get("after"):
            other = await self.world.store.operation(str(after))
            doubts.append(other.seen.get("watch") if other is not None else None)
        until = max((datetime.fromisoformat(doubt) for doubt in doubts if doubt), default=None)
        return until if until is not None and self.now < until <= self.now + LATE else None

    def _doubting(self, settled: Entry | None = None) -> dict[str, Any]:
        """What was seen; with it, until when a late write has to be expected, where the present one may be late."""
        operation, effect = self.operation, self.operation.effect
        sent_well = effect is not None and effect.handle and not effect.attempts
        certain = sent_well and (settled is None or settled.what == "confirmed")
        if effect is None or certain or operation.moment.step in {Step.RECORD, Step.FINISH}:
            return operation.seen
        return {**operation.seen, "watch": (self.now + LATE).isoformat()}

    async def _conclude(self, deployment: int, *, went_back: bool) -> None:
        code, plan = self.world.code, self.plan
        if plan.deed == Deed.ROLLBACK:
            for other in await code.deployments(plan.repository, plan.target):
                if other.operation and other.operation != self.operation.id and other.state in {"in_progress", ""}:
                    await code.record_status(
                        plan.repository, other.id, state="failure", description="A rollback took over."
                    )
        state, says = ("failure", self.operation.note) if went_back else ("success", f"{plan.revision} serves 100 %")
        await code.record_status(plan.repository, deployment, state=state, description=_cut(says))

    # Writing traffic ------------------------------------------------------------------------------------------------

    def _percent(self) -> int:
        return self.plan.steps[self.operation.moment.index].percent

    def _shares(self) -> tuple[Share, ...]:
        """The traffic list that the present step wants; lines of others are the adapter's to keep."""
        plan, operation = self.plan, self.operation
        if operation.phase is Phase.GOING_BACK:
            return (Share(plan.from_revision, 100),)
        if plan.deed == Deed.ROLLBACK:
            return (Share(plan.revision, 100),)
        percent = 0 if operation.moment.step is Step.DEPLOY else self._percent()
        old = (Share(plan.from_revision, 100 - percent),) if percent < 100 else ()
        return (*old, Share(plan.revision, percent, GREEN))

    async def _make_so(self, within: timedelta, *, creates: bool) -> Writes | Running:
        """What is read back once the traffic is as the step wants it; until then, what to write meanwhile."""
        operation, shares, runs = self.operation, self._shares(), self.world.runs
        effect = operation.effect
        if effect is None:
            detail = {"shares": [{"revision": share.revision, "percent": share.percent} for share in shares]}
            return self._intend("deploy" if creates else "traffic", detail)
        running = await runs.running(self.site)
        if running.fence > self.lease.fence:
            raise LostLease("a newer claim has written to this service")
        ours = running.operation == operation.id and _same(running.wanted, shares) and not self._left_tagged(running)
        if not effect.handle and not ours:
            urgent = operation.phase is Phase.GOING_BACK or self.plan.deed == Deed.ROLLBACK
            waited = self.now - (effect.sent_at or self.now)
            if not running.settled and not (urgent and waited >= IMPATIENT):
                return self._still(effect, within, "another change of this service is not finished")
            return await self._send(effect, running, shares, creates=creates)
        ended = await runs.settled(effect.handle) if effect.handle else None
        if effect.handle and ended is None:
            return self._still(effect, within, "the platform is still at it")
        running = await runs.running(self.site)
        if running.settled and _same(running.serving, shares):
            return running
        if ended is not None and not ended.ok:
            made = await runs.revision(self.site, self.plan.revision) if creates else None
            if made is not None and made.ready is False:
                return self._does_not_come_up(made, self._outcome(effect, "not happened", _traffic(running)))
            return self._turn_back_or_ask(effect, f"The platform refused: {ended.trouble or 'no reason given'}")
        return self._still(effect, within, "traffic is not yet where it should be")

    async def _send(self, effect: Effect, running: Running, shares: Sequence[Share], *, creates: bool) -> Writes:
        plan, runs = self.plan, self.world.runs
        try:
            if creates and await runs.revision(self.site, plan.revision) is None:
                handle = await runs.deploy(
                    self.site,
                    seen=running,
                    image=plan.image,
                    revision=plan.revision,
                    container=plan.container,
                    shares=shares,
                    commit=plan.commit,
                    lease=self.lease,
                )
            else:
                handle = await runs.shift(self.site, seen=running, shares=shares, lease=self.lease)
        except OutcomeUnknown:
            doubtful = replace(effect, attempts=effect.attempts + 1)
            operation = replace(self.operation, effect=doubtful, seen=self._doubting())
            return Writes(operation=operation, due=timedelta(seconds=1))
        except Conflict as error:
            if effect.attempts < TRIES:
                again = replace(effect, attempts=effect.attempts + 1)
                return Writes(operation=replace(self.operation, effect=again), due=POLL)
            return self._turn_back_or_ask(effect, str(error))
        except Rejected as error:
            return self._turn_back_or_ask(effect, str(error))
        sent = replace(effect, handle=handle, sent_at=self.now)
        return Writes(operation=replace(self.operation, effect=sent), due=POLL)

    def _still(self, effect: Effect, within: timedelta, why: str) -> Writes:
        since = effect.sent_at or self.operation.since or self.now
        if self.now - since < within:
            return Writes(operation=self.operation, due=POLL)
        return self._turn_back_or_ask(effect, f"Not done within {tell.span(within)}: {why}")

    def _turn_back_or_ask(self, effect: Effect, why: str) -> Writes:
        """Forwards fails: go back. Backwards fails: only a person can help, and is told so."""
        outcome = self._outcome(effect, "unknown", {"says": why})
        if self.operation.phase is Phase.RUNNING and self.plan.deed != Deed.ROLLBACK:
            return self._turn_back(why, bad=False, entries=(outcome,))
        wanted = self.plan.revision if self.plan.deed == Deed.ROLLBACK else self.plan.from_revision
        note = f"{why} Look at {self.plan.site}: it should serve {wanted}."
        return self._over(self.operation.ended(Phase.UNCERTAIN, note), (outcome,))

    # What is written ------------------------------------------------------------------------------------------------

    def _effect(self) -> Effect:
        if self.operation.effect is None:
            message = f"an outcome of {self.operation.moment.key} without an intent"
            raise AssertionError(message)
        return self.operation.effect

    def _key(self) -> str:
        back = "back:" if self.operation.phase is Phase.GOING_BACK else ""
        again = self.operation.seen.get("again") if self.operation.moment.step is Step.SHIFT else None
        return f"{back}{self.operation.moment.key}{f':{again}' if again else ''}"

    def _intend(self, kind: str, detail: Mapping[str, Any]) -> Writes:
        effect = Effect(self._key(), sent_at=self.now)
        intent = Entry(
            kind,
            EntryPhase.INTENT,
            "about to",
            BOT,
            self.operation.id,
            effect.key,
            target_of(self.operation),
            detail=detail,
        )
        return Writes(entries=(intent,), operation=self.operation.doing(effect), due=AT_ONCE)

    def _outcome(self, effect: Effect, what: str, detail: Mapping[str, Any]) -> Entry:
        kind = (
            "deployment"
            if effect.key.endswith(("record:0", "finish:0"))
            else "deploy"
            if "deploy" in effect.key
            else "traffic"
        )
        return Entry(
            kind, EntryPhase.OUTCOME, what, BOT, self.operation.id, effect.key, target_of(self.operation), detail=detail
        )

    def _observed(self, what: str, detail: Mapping[str, Any]) -> Entry:
        return Entry(
            "operation",
            EntryPhase.OBSERVATION,
            what,
            BOT,
            self.operation.id,
            self._key(),
            target_of(self.operation),
            detail=detail,
        )

    def _root(self, operation: Operation) -> Message:
        return Message(operation.channel, tell.root(operation), operation=operation.id, slot="root")

    def _next(self, seen: dict[str, Any], entries: tuple[Entry, ...] = ()) -> Writes:
        """On to the next step; this one is told in the thread."""
        operation, key = self.operation, self._key()
        if operation.phase is Phase.GOING_BACK or (operation.seen.get("again") and operation.moment.step is Step.SHIFT):
            following = Moment(Step.FINISH)
        else:
            steps = road(self.plan)
            following = steps[steps.index(operation.moment) + 1]
        moved = replace(operation.at(following, self.now), seen={**operation.seen, key: seen})
        told = Message(operation.channel, tell.step(moved, key), operation=operation.id, slot=f"step:{key}")
        return Writes(entries=entries, messages=(told, self._root(moved)), operation=moved, due=AT_ONCE)

    def _turn_back(self, why: str, *, bad: bool, entries: tuple[Entry, ...] = ()) -> Writes:
        """The way back begins. `bad`: it is the candidate's fault, so it stays out until somebody lifts the hold."""
        operation = self.operation
        held: tuple[Hold, ...] = ()
        seen = dict(operation.seen)
        seen[f"{self._key()}!"] = {"mark": Mark.NO.value, "says": why}
        if bad:
            hold = Hold(hold_id(operation.id), operation.place, self.plan.digest, self.now, why)
            held = (hold,)
            seen["hold"] = hold.id
            entries = (
                *entries,
                Entry(
                    "hold",
                    EntryPhase.RECORD,
                    "held",
                    BOT,
                    operation.id,
                    "",
                    {**target_of(operation), "hold": hold.id},
                    private={"says": why},
                ),
            )
        turned = replace(operation.turned_back(why, self.now), seen=seen)
        entries = (
            *entries,
            Entry(
                "operation",
                EntryPhase.RECORD,
                "turned back",
                BOT,
                operation.id,
                "",
                target_of(operation),
                private={"says": why},
            ),
        )
        told = Message(operation.channel, tell.step(turned, f"{self._key()}!"), operation=operation.id, slot="turned")
        return Writes(entries=entries, messages=(told, self._root(turned)), operation=turned, due=AT_ONCE, holds=held)

    def _over(
        self, operation: Operation, entries: tuple[Entry, ...], good: tuple[tuple[Any, KnownGood], ...] = ()
    ) -> Writes:
        """The end, in our books and in the thread."""
        holds: tuple[Hold, ...] = ()
        if operation.phase is Phase.DONE and self.plan.deed == Deed.ROLLBACK:
            why = operation.reason or f"{operation.asked_by.name} rolled back from it"
            hold = Hold(hold_id(operation.id), operation.place, self.plan.from_digest, self.now, why)
            holds = (hold,)
            operation = replace(operation, seen={**operation.seen, "hold": hold.id})
            target = {**target_of(operation), "hold": hold.id, "digest": self.plan.from_digest}
            entries = (*entries, Entry("hold", EntryPhase.RECORD, "held", BOT, operation.id, "", target))
        ended = Entry(
            "operation", EntryPhase.RECORD, operation.phase.value, BOT, operation.id, "", target_of(operation)
        )
        told = Message(operation.channel, tell.ended(operation, self.now), operation=operation.id, slot="ended")
        informed = self.world.policies.current().policy.informed(self.plan.service, self.plan.target)
        elsewhere = (Message(channel, tell.result(operation)) for channel in informed if channel != operation.channel)
        return Writes(
            entries=(*entries, ended),
            messages=(told, self._root(operation), *elsewhere),
            operation=operation,
            leaves=operation.place,
            holds=holds,
            good=good,
        )


def _measured(seen: Requests) -> dict[str, Any]:
    return {"requests": seen.total, "errors": seen.errors, "error_percent": f"{seen.error_percent:.2f}"}


def _same(lines: Sequence[Share], wanted: Sequence[Share]) -> bool:
    """True where both send the same share of traffic to the same revisions, and the tags we asked for are there."""

    def shares(of: Sequence[Share]) -> dict[str, int]:
        found: dict[str, int] = {}
        for share in of:
            found[share.revision] = found.get(share.revision, 0) + share.percent
        return {revision: percent for revision, percent in found.items() if percent}

    tags = {(share.revision, share.tag) for share in lines if share.tag}
    return shares(lines) == shares(wanted) and all((s.revision, s.tag) in tags for s in wanted if s.tag)


def _traffic(running: Running) -> dict[str, Any]:
    return {"serving": [{"revision": s.revision, "percent": s.percent} for s in running.serving if s.percent]}


def _cut(text: str) -> str:
    """GitHub's limit on a description (https://docs.github.com/rest/deployments/statuses)."""
    return text if len(text) <= 140 else text[:139] + "…"
