"""How is what guards a branch relaxed for a time, and put back exactly? For each exception that relaxes, one operation.

What stood before is in our books before anything is changed, so whoever goes on after a crash knows what to put back.
Each step looks, changes at most one guard, and looks again in the next. A guard that stands neither as it was nor as we
set it was changed by somebody else: that is never overwritten, and people are asked until it is right.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from commands import owed, remind, unasked, waived
from commands.deployment import ARRIVES, SOON
from commands.errors import LostLease, OutcomeUnknown, Rejected, ReleaseBotError, Unavailable
from commands.explain import texts
from commands.hand import AT_ONCE, TRIES
from commands.notes import escaped
from commands.operation import Effect, Operation, Phase
from commands.ports import Entry, EntryPhase, Guard, Lease, Message, World, Writes
from commands.record import BOT
from commands.reply import Line, Mark, Reply, Text, When
from policy.agreement import Relaxes
from policy.document import Policy
from policy.exceptions import objections, relaxation
from policy.facts import Deed, ExceptionRecord, Obligation
from policy.model import Place
from policy.wording import listed

LOOK = timedelta(seconds=30)
"""Between two looks while it is relaxed, and at what people are asked about."""
ALARM = timedelta(minutes=5)
"""Between two times that people are asked to put it right."""
PATIENT = timedelta(minutes=1)
"""So long it may take to put it back before people hear that it takes long."""
LONGEST = timedelta(minutes=1)
"""Between two attempts at most."""
SETTLES = timedelta(seconds=30)
"""After it was put back: a write of ours that was cut off would have arrived by then."""
OWED_WITHIN = timedelta(hours=1)

ABOUT = "relaxes"
"""Key in what was seen: repository, branch, what is relaxed, until which pull request, and who answers for it."""
BEFORE = "before"
"""The same: what was there, by guard; from then on it has to be put back."""
SET = "set"
"""The same: how we set it."""
VERSIONS = "versions"
"""The same: number of each guard's newest version before we changed it."""
RELAXED = "relaxed_at"
RESTORED = "restored_at"
ALARMED = "alarmed_at"
WHY = "why"
"""The same: why it is put back."""
TOLD = "remarked"
"""The same: what the pull request was told of."""
UNTOLD = "untold"
"""The same: where it could not be written down, and why."""
BRANCH, RUNBOOK, PROPOSAL = "a branch for the runbook", "the runbook", "the runbook's pull request"
OWED = "owed"
"""The same: id of what somebody owes because of it."""


def begins(record: ExceptionRecord, policy: Policy, channel: str, now: datetime) -> tuple[Operation, timedelta] | None:
    """What relaxes from its beginning on and puts back; None: that exception waives rules."""
    wanted, service = relaxation(record), policy.services.get(record.service or "")
    kind = policy.exceptions.get(record.kind)
    if wanted is None or service is None or kind is None or record.ends_at is None:
        return None
    about = {
        "repository": service.repository,
        "branch": wanted.branch,
        "what": list(wanted.what),
        "pull": wanted.pull,
        "owner": kind.approvals[0].roles[0],
        "runbook": None if kind.runbook is None else [kind.runbook.file, kind.runbook.branch],
    }
    place = Place(record.service or "", record.environment)
    begun = unasked.begin(Deed.RELAX, record.id, place, channel, now, record.ends_at)
    return replace(begun, phase=Phase.RUNNING, seen={ABOUT: about}), max(AT_ONCE, record.starts_at - now)


def runs_as(exception: str) -> str:
    """The operation that relaxes because of that exception."""
    return unasked.runs_as(Deed.RELAX, exception)


def repository(operation: Operation) -> str:
    """Whose branch it relaxes."""
    return str(operation.seen[ABOUT]["repository"])


def line(operation: Operation) -> Line:
    """For `status`."""
    about = operation.seen[ABOUT]
    what = f"{listed(about['what'])} of {about['branch']} of {about['repository']}"
    until = (" until ", When(operation.expires_at), f" ({operation.question.change})")
    if ALARMED in operation.seen:
        return Line(Mark.NO, f"{what}: relaxed, and not to be put back by me ({operation.question.change})")
    if RESTORED in operation.seen or RELAXED not in operation.seen:
        return Line(Mark.NOTE, f"{what}: being {'put back' if BEFORE in operation.seen else 'relaxed'}")
    return Line(Mark.WARNING, texts(f"{what}: relaxed", until))


def canonical(state: Mapping[str, Any] | None) -> str:
    """The same text for what means the same: no list in it is in any order."""

    def sorted_(value: object) -> object:
        if isinstance(value, Mapping):
            return {name: sorted_(one) for name, one in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return sorted((sorted_(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
        return value

    return json.dumps(sorted_(state), sort_keys=True, separators=(",", ":"))


async def look(operation: Operation, lease: Lease, world: World) -> Writes:
    """One step of it."""
    record = await world.store.exception(operation.question.change)
    if record is None:
        return Writes(operation=operation.ended(Phase.FAILED, "Its exception is not in our books."))
    relaxing = _Relaxing(operation, record, lease, world)
    if BEFORE not in operation.seen:
        return await relaxing.begin()
    if RESTORED in operation.seen:
        return await relaxing.settle()
    if operation.phase is Phase.GOING_BACK:
        return await relaxing.restore()
    return await (relaxing.stay() if RELAXED in operation.seen else relaxing.relax())


class _Relaxing:
    """One operation in one pair of hands, for one step."""

    def __init__(self, operation: Operation, record: ExceptionRecord, lease: Lease, world: World) -> None:
        self.operation, self.record, self.lease, self.world = operation, record, lease, world
        self.now = world.clock.now()
        about = operation.seen[ABOUT]
        self.repository, self.branch, self.pull = str(about["repository"]), str(about["branch"]), about["pull"]
        self.what = tuple(Relaxes(word) for word in about["what"])
        self.owner = str(about["owner"])
        self.name = f"{self.branch} of {self.repository}"
        self.place = Place(self.repository, "")
        """Nobody else relaxes it, or another branch of it, meanwhile: a ruleset may guard several."""
        self.answered = False
        """Whether somebody answers for how it stands: what was owed because of it is settled."""

    # Step by step ---------------------------------------------------------------------------------------------------

    async def begin(self) -> Writes:
        """What stands there is in our books, or why nothing is changed."""
        if (over := await self._over()) is not None:
            return self._ended(Phase.CANCELLED, f"Nothing was relaxed: {over}.")
        if self.record.starts_at > self.now:
            return Writes(operation=self.operation, due=self.record.starts_at - self.now)
        if await self.world.store.holder(self.place):  # what is to be put back there comes first
            return Writes(operation=self.operation, due=LOOK)
        protections = self.world.protections
        try:
            guards = await protections.guards(self.repository, self.branch)
            wanted = protections.relaxed(guards, self.what)
            if self.pull is not None:
                pull = await protections.pull(self.repository, self.pull)
                if pull.base != self.branch or not pull.open:
                    what = f"goes to {pull.base}, not to {self.branch}" if pull.open else "is not open any more"
                    why = f"Nothing was relaxed: pull request {self.pull} {what}."
                    return self._ended(Phase.FAILED, why, loud=True)
            versions = {guard.name: await protections.newest(self.repository, guard) for guard in wanted}
        except Rejected as error:
            return self._ended(Phase.FAILED, f"Nothing was relaxed: {error}", loud=True)
        names = {guard.name for guard in wanted}
        before = [guard for guard in guards if guard.name in names]
        seen = {
            **self.operation.seen,
            BEFORE: [[guard.name, guard.says, guard.state] for guard in before],
            SET: [[guard.name, guard.says, guard.state] for guard in wanted],
            VERSIONS: versions,
        }
        kept = json.dumps([guard.state for guard in before], sort_keys=True)
        self.operation = replace(self.operation, seen=seen, since=self.now, began_at=self.now)
        intent = self._intend("relax", {"guards": sorted(names), "what": [one.value for one in self.what]})
        entry = replace(intent.entries[0], private={"before": kept})
        return replace(intent, entries=(entry,), takes=self.place)

    async def relax(self) -> Writes:
        """All of it stands as it is to stand for this time; or it goes back."""
        if (over := await self._over()) is not None:
            return self._turn_back(over)
        live = await self._again()
        theirs, left = self._theirs(live), self._left(live, SET)
        if theirs and not self._perhaps_sent() and len(theirs) + len(left) == len(live):
            entries = (self._outcome("not happened"),)
            why = f"Nothing was relaxed: somebody else just changed {listed(guard.says for guard in theirs)}."
            nothing = self._ended(Phase.FAILED, why, loud=True)
            return replace(nothing, entries=(*entries, *nothing.entries))
        if theirs:
            return self._turn_back(f"somebody else changed {listed(guard.says for guard in theirs)}")
        if left:
            return await self._put(left[0], self._kept(SET)[left[0].name])
        seen = {**self.operation.seen, RELAXED: self.now.isoformat()}
        relaxed = replace(self.operation, seen=seen, effect=None)
        what = listed(sorted(one.value for one in self.what))
        says: Text = texts(f"{Mark.WARNING.value} {self.name} is relaxed ({what}) until ", self._until(), ".")
        changed = f" Changed: {listed(guard.says for guard in live)}."
        return Writes(
            entries=(self._outcome("confirmed"),),
            messages=self._told(Reply(texts(says, changed)), "relaxed"),
            operation=relaxed,
            due=AT_ONCE,
        )

    async def stay(self) -> Writes:
        """It is relaxed; nothing happens until it is over, somebody else changes it, or puts it back."""
        if (over := await self._over()) is not None:
            return self._turn_back(over)
        if self.pull is not None and "relaxed" not in self.operation.seen.get(TOLD, ()):
            return await self._tell("relaxed")
        live = await self._again()
        if self._theirs(live):
            return self._turn_back(f"somebody else changed {listed(guard.says for guard in self._theirs(live))}")
        if self._left(live, SET) and self._twice("put back"):
            return self._turn_back("somebody put back what was relaxed")
        soon = min(LOOK, max(AT_ONCE, self.operation.expires_at - self.now))
        return Writes(operation=self.operation, due=soon)

    async def restore(self) -> Writes:
        """All of it stands as it did; until then people hear of what is in the way."""
        self.answered = OWED in self.operation.seen and await self._owed() is None
        try:
            live = await self._again()
        except (Rejected, Unavailable) as error:
            return self._alarm(str(error), patient=not isinstance(error, Rejected))
        left = self._left(live, BEFORE)
        if left:
            return await self._put(left[0], self._kept(BEFORE)[left[0].name])
        theirs = self._theirs(live)
        if theirs:
            names = listed(guard.says for guard in theirs)
            return self._alarm(f"somebody else changed {names}, and I overwrite nobody's change")
        overwritten = await self._overwritten(live)
        seen = {key: value for key, value in self.operation.seen.items() if key != ALARMED}
        restored = replace(self.operation, seen={**seen, RESTORED: self.now.isoformat()}, effect=None)
        says = f"{Mark.YES.value} {self.name} is guarded again exactly as it was: {self.operation.seen[WHY]}."
        if overwritten:
            says += f" {Mark.WARNING.value} Somebody else changed it in the same moment, and that was overwritten: "
            says += f"look at {listed(overwritten)}, and say on GitHub what of it shall stay."
        entries = (self._outcome("confirmed", {"overwritten": list(overwritten)} if overwritten else {}),)
        loud = bool(overwritten) or ALARMED in self.operation.seen
        settled = await self._settled()
        return Writes(
            entries=(*entries, *settled.entries),
            messages=(*self._told(Reply(says), "restored", loud=loud), *self._card()),
            operation=restored,
            obligations=settled.obligations,
            exceptions=(self._closed(),) if self.record.revoked_at is None else (),
            due=AT_ONCE,
        )

    async def settle(self) -> Writes:
        """It is over once it is written down, and nothing that was on its way can have relaxed it again."""
        wait = datetime.fromisoformat(self.operation.seen[RESTORED]) + SETTLES - self.now
        try:
            live = await self._again()
        except Rejected as error:
            return Writes(operation=self.operation, due=wait) if wait > AT_ONCE else self._unseen(error)
        if self._left(live, BEFORE):  # what somebody else changes from now on is theirs
            seen = {key: value for key, value in self.operation.seen.items() if key != RESTORED}
            settled = () if self.operation.effect is None else (self._outcome("unknown"),)
            self.operation = replace(self.operation, seen=seen, effect=None, since=self.now)
            intent = self._intend("restore", {"again": True})
            return replace(intent, entries=(*settled, *intent.entries))
        told = self.operation.seen.get(TOLD, ())
        for what in self._to_tell():
            if what not in told:
                return await self._tell(what)
        if wait > AT_ONCE:
            return Writes(operation=self.operation, due=wait)
        untold = self.operation.seen.get(UNTOLD, ())
        return self._ended(Phase.DONE, f"Not written down: {'; '.join(untold)}." if untold else "")

    def _to_tell(self) -> tuple[str, ...]:
        """Where it is written down that it is over, one after the other."""
        if RELAXED not in self.operation.seen:
            return ()
        pull = () if self.pull is None else ("restored",)
        return (*pull, *((BRANCH, RUNBOOK, PROPOSAL) if self.operation.seen[ABOUT].get("runbook") else ()))

    # What is so -----------------------------------------------------------------------------------------------------

    async def _over(self) -> str | None:
        """Why it is to be as it was; None: it may stay relaxed."""
        record = self.record
        if record.revoked_at is not None and record.revoked_at <= self.now:
            return f"{record.id} was revoked"
        if record.granted_at is None or (record.ends_at is not None and record.ends_at <= self.now):
            return f"the time of {record.id} is over"
        if no := self._not_allowed_now():
            return no
        if self.pull is None or RELAXED not in self.operation.seen:
            return None
        pull = await self._pull_stands()
        return None if pull is None else f"pull request {self.pull} was {pull}"

    def _not_allowed_now(self) -> str:
        """Why nobody could grant it as the policy is now; empty: somebody could."""
        policy = self.world.policies.current().policy
        service = policy.services.get(self.record.service or "")
        if service is None or service.repository != self.repository:
            return f"the policy does not have {self.record.service} in {self.repository} any more"
        return next((f"the policy allows it no more: {no}" for no in objections(self.record, policy)), "")

    async def _pull_stands(self) -> str | None:
        try:
            pull = await self.world.protections.pull(self.repository, self.pull or 0)
        except (Unavailable, Rejected):  # the clock ends it in any case
            return None
        return None if pull.open else "merged" if pull.merged else "closed"

    def _kept(self, key: str) -> dict[str, Guard]:
        return {name: Guard(name, says, state) for name, says, state in self.operation.seen[key]}

    async def _again(self) -> tuple[Guard, ...]:
        guards = tuple(self._kept(BEFORE).values())
        return await self.world.protections.again(self.repository, self.branch, guards)

    def _theirs(self, live: Sequence[Guard]) -> list[Guard]:
        """Those that stand neither as they did nor as we set them."""
        before, ours = self._kept(BEFORE), self._kept(SET)
        return [
            guard
            for guard in live
            if canonical(guard.state) not in {canonical(before[guard.name].state), canonical(ours[guard.name].state)}
        ]

    def _left(self, live: Sequence[Guard], key: str) -> list[Guard]:
        """Those that we may bring to what stands under that key, and that are not there."""
        wanted, theirs = self._kept(key), self._theirs(live)
        return [
            guard
            for guard in live
            if guard not in theirs and canonical(guard.state) != canonical(wanted[guard.name].state)
        ]

    async def _overwritten(self, live: Sequence[Guard]) -> tuple[str, ...]:
        """Versions by somebody else that one of our writes hid: GitHub takes a ruleset without a condition."""
        before, ours = self._kept(BEFORE), self._kept(SET)
        found = []
        for guard in live:
            number = int(self.operation.seen[VERSIONS].get(guard.name, 0))
            known = {canonical(before[guard.name].state), canonical(ours[guard.name].state)}
            try:
                later = await self.world.protections.since(self.repository, guard, number) if number else ()
            except (Unavailable, Rejected):  # it is as it was; that is what counts
                continue
            found += [one.says for one in later if canonical(one.state) not in known]
        return tuple(found)

    def _perhaps_sent(self) -> bool:
        """Whether anything of ours may be there, or on its way."""
        effect = self.operation.effect
        return effect is None or bool(effect.fence or effect.attempts or effect.sent_at)

    def _twice(self, key: str) -> bool:
        """True where it looked so before, too: one answer may be old."""
        looks = self.operation.seen.get(key, 0) + 1
        self.operation = replace(self.operation, seen={**self.operation.seen, key: looks})
        return bool(looks > 1)

    # Changing -------------------------------------------------------------------------------------------------------

    def _intend(self, key: str, detail: Mapping[str, Any]) -> Writes:
        number = self.operation.seen.get("effects", 0) + 1
        effect = Effect(f"{key}:{number}", sent_at=None)
        entry = self._entry(EntryPhase.INTENT, "about to", effect.key, detail)
        seen = {**self.operation.seen, "effects": number}
        return Writes(entries=(entry,), operation=replace(self.operation, seen=seen, effect=effect), due=AT_ONCE)

    def _turn_back(self, why: str) -> Writes:
        settled = () if self.operation.effect is None else (self._outcome("unknown"),)
        seen = {**self.operation.seen, WHY: why}
        turned = replace(self.operation, phase=Phase.GOING_BACK, seen=seen, effect=None, since=self.now)
        self.operation = turned
        intent = self._intend("restore", {"why": why})
        return replace(intent, entries=(*settled, *intent.entries))

    def _claimed(self) -> Writes | None:
        """What is written before anything may be sent; None: it may be now, and only by us.

        What whoever had this before sent may still be on its way: first that has arrived or been lost.
        """
        effect = self.operation.effect
        if effect is None:
            return self._intend("restore" if self.operation.phase is Phase.GOING_BACK else "relax", {})
        if effect.fence == self.lease.fence:
            return None
        sent_at = self.now if effect.fence else effect.sent_at
        waits = AT_ONCE if sent_at is None else sent_at + ARRIVES - self.now
        mine = replace(effect, fence=0 if waits > AT_ONCE else self.lease.fence, sent_at=sent_at)
        return Writes(operation=replace(self.operation, effect=mine), due=max(AT_ONCE, waits))

    async def _put(self, live: Guard, wanted: Guard) -> Writes:
        """That one guard was asked to stand so; the next step looks whether it does."""
        if (before := self._claimed()) is not None:
            return before
        try:
            await self.world.protections.put(self.repository, live, wanted, self.lease)
        except (OutcomeUnknown, Rejected, Unavailable) as error:
            return self._tried(error)
        return Writes(operation=self.operation, due=AT_ONCE)

    def _tried(self, error: ReleaseBotError) -> Writes:
        """It is tried again before long; on the way in only so often, on the way back until it is done."""
        if isinstance(error, LostLease):
            raise error
        effect, sent = self.operation.effect, isinstance(error, OutcomeUnknown)
        if effect is None:
            raise error
        tries = effect.attempts + 1
        again = replace(effect, fence=0, attempts=tries, sent_at=self.world.clock.now() if sent else None)
        self.operation = replace(self.operation, effect=again)
        pause = ARRIVES if sent else min(LONGEST, SOON * 2 ** min(tries, 12))
        if self.operation.phase is Phase.GOING_BACK:
            return replace(self._alarm(str(error), patient=not isinstance(error, Rejected)), due=pause)
        if isinstance(error, Rejected) or tries >= TRIES:
            return self._turn_back(f"it could not be relaxed: {error}".rstrip("."))
        return Writes(operation=self.operation, due=pause)

    async def _tell(self, what: str) -> Writes:
        """It is written down there; that is tried a few times at most, as nothing hangs on it."""
        effect = self.operation.effect
        if effect is None:
            return self._intend(f"tell {what}", {"pull": self.pull} if self.pull is not None else {})
        if (before := self._claimed()) is not None:
            return before
        done, seen = "confirmed", self.operation.seen
        try:
            await self._told_there(what)
        except (OutcomeUnknown, Unavailable, Rejected) as error:
            tries, sent = effect.attempts + 1, isinstance(error, OutcomeUnknown)
            if tries < TRIES and not isinstance(error, Rejected):
                again = replace(effect, fence=0, attempts=tries, sent_at=self.world.clock.now() if sent else None)
                due = ARRIVES if sent else SOON * 2**tries
                return Writes(operation=replace(self.operation, effect=again), due=due)
            done = "unknown" if sent else "not happened"
            seen = {**seen, UNTOLD: [*seen.get(UNTOLD, ()), f"{what}: {error}".rstrip(".")]}
        entry = self._outcome(done)
        seen = {**seen, TOLD: [*seen.get(TOLD, ()), what]}
        return Writes(entries=(entry,), operation=replace(self.operation, seen=seen, effect=None), due=AT_ONCE)

    async def _told_there(self, what: str) -> None:
        """On the pull request, or in the runbook: a branch of our own, an entry on it, a pull request."""
        mark, world = f"release-bot {self.operation.id} {what}", self.world
        if what in {"relaxed", "restored"}:
            await world.protections.remark(self.repository, self.pull or 0, mark, self._for_pull(), self.lease)
            return
        file, branch = self.operation.seen[ABOUT]["runbook"]
        own, title = f"release-bot/{self.record.id}", f"Write {self.record.id} down in the runbook"
        if what == BRANCH:
            at = await world.code.head(self.repository, branch)
            if at is None:
                raise Rejected(f"{self.repository} has no branch {branch}.")
            await world.branches.begin(self.repository, own, at)
        elif what == RUNBOOK:
            text = f"\n{self._for_pull()}\n<!-- {mark} -->\n"
            await world.branches.append(self.repository, own, file, text=text, mark=mark, title=title)
        else:
            await world.branches.propose(self.repository, source=own, target=branch, title=title, body=self._for_pull())

    # What people hear -----------------------------------------------------------------------------------------------

    def _alarm(self, why: str, *, patient: bool = False) -> Writes:
        """People are asked to put it right, at once and every five minutes; somebody owes it until it is.

        Once somebody answers for how it stands, that ends it, unless only GitHub keeps us from putting it back.
        """
        if self.answered:
            return Writes(operation=self.operation, due=LOOK) if patient else self._left_as_it_is()
        last, since = self.operation.seen.get(ALARMED), self.operation.since or self.now
        early = patient and last is None and self.now - since < PATIENT
        if early or (last is not None and self.now - datetime.fromisoformat(last) < ALARM):
            return Writes(operation=self.operation, due=LOOK if not early else ARRIVES)
        obligation = self._obligation()
        first = OWED not in self.operation.seen
        seen = {**self.operation.seen, ALARMED: self.now.isoformat(), OWED: obligation.id}
        says = f"{Mark.NO.value} {self.name} is not guarded as it was before {self.record.id}: {why.rstrip('.')}."
        ask = " Put it right on GitHub, and I see it; or settle what is owed, and it stays as it stands."
        buttons = (owed.done(obligation),)
        entry = self._entry(EntryPhase.OBSERVATION, "not restored", "", {}, private={"says": why})
        owes = (obligation,) if first else ()
        starts = remind.follows(Writes(obligations=owes), self.operation.channel, self.now)
        return Writes(
            entries=(entry, *((owed.entry(obligation),) if first else ())),
            messages=self._told(Reply(says + ask, buttons=buttons), f"alarm {self.now.isoformat()}", loud=True),
            operation=replace(self.operation, seen=seen),
            obligations=owes,
            starts=starts,
            due=LOOK,
        )

    def _obligation(self) -> Obligation:
        record = self.record
        return Obligation(
            id=f"O-{hashlib.sha256(f'{record.id} restore'.encode()).hexdigest()[:10]}",
            kind="restore",
            about=record.id,
            service=record.service,
            environment=record.environment,
            owner=self.owner,
            due_at=self.now + OWED_WITHIN,
            says=f"what guards {self.name} is as it was before",
            takers=frozenset({record.asked_by.human} if record.asked_by.human else ()),
        )

    async def _owed(self) -> Obligation | None:
        """What somebody owes because of it, unless it is settled."""
        owes = {one.id: one for one in await self.world.store.obligations()}
        return owes.get(str(self.operation.seen.get(OWED)))

    async def _settled(self) -> Writes:
        """What was owed is owed no more, as it is done."""
        found = await self._owed() if OWED in self.operation.seen else None
        if found is None:
            return Writes()
        entry = Entry("obligation", EntryPhase.RECORD, "settled", BOT, target=owed.target_of(found))
        return Writes(entries=(entry,), obligations=(replace(found, settled_at=self.now),))

    def _left_as_it_is(self) -> Writes:
        """Somebody settled what was owed: they answer for how it stands."""
        return self._uncertain(f"What guards {self.name} stays as it stands, as somebody answered for it.")

    def _unseen(self, error: Rejected) -> Writes:
        """It stood as it did, and that is all that anybody can find out."""
        return self._uncertain(f"{self.name} was guarded again, and cannot be looked at once more: {error}")

    def _uncertain(self, note: str) -> Writes:
        settled = () if self.operation.effect is None else (self._outcome("unknown"),)
        over = self._ended(Phase.UNCERTAIN, note, loud=True)
        return replace(over, entries=(*settled, *over.entries))

    def _ended(self, phase: Phase, note: str, *, loud: bool = False) -> Writes:
        ended = self.operation.ended(phase, note)
        entry = self._entry(EntryPhase.RECORD, phase.value, "", {}, private={"says": note} if note else {})
        messages = self._told(Reply(f"{Mark.NOTE.value} {note}"), "ended", loud=loud) if note else ()
        closes = phase is not Phase.DONE and self.record.revoked_at is None
        records = (self._closed(),) if closes else ()
        card = self._card() if closes else ()
        return Writes(
            entries=(entry,), messages=(*messages, *card), operation=ended, leaves=self.place, exceptions=records
        )

    def _closed(self) -> ExceptionRecord:
        """Nothing is relaxed by it any more."""
        return replace(self.record, revoked_at=self.now)

    def _card(self) -> tuple[Message, ...]:
        policy = self.world.policies.current().policy
        card = waived.card(self._closed() if self.record.revoked_at is None else self.record, policy, self.now)
        return (Message(self.operation.channel, card, operation=self.record.id, slot="root"),)

    def _told(self, reply: Reply, slot: str, *, loud: bool = False) -> tuple[Message, ...]:
        """In the thread of the exception; `loud`: in the channel itself, too."""
        channel = self.operation.channel
        told = Message(channel, reply, operation=self.record.id, slot=slot)
        return (told, Message(channel, reply)) if loud else (told,)

    def _until(self) -> Text:
        ends: Text = (When(self.operation.expires_at),)
        return (
            ends if self.pull is None else texts(f"pull request {self.pull} is merged or closed, at most until ", ends)
        )

    def _for_pull(self) -> str:
        """For whoever reads the pull request or the runbook. What people said is escaped, and no account is named."""
        seen, record, ends_at = self.operation.seen, self.record, self.operation.expires_at.isoformat()
        what = ", ".join(one.value for one in self.what)
        by = ", ".join(escaped(one.name) for one in record.granted_by)
        lines = [
            f"**{escaped(self.branch)} is relaxed for a time** ({record.id})",
            f"- relaxed: {what}",
            f"- asked by {escaped(record.asked_by.name)}, granted by {by or '-'}",
            f"- from {seen[RELAXED]}, until this is merged or closed, at most until {ends_at}",
        ]
        if RESTORED in seen:
            lines[0] = f"**{escaped(self.branch)} is guarded again exactly as it was** ({record.id})"
            lines[-1] = f"- from {seen[RELAXED]} until {seen[RESTORED]}: {escaped(seen[WHY])}"
        reason = escaped(record.fields.get("reason", "")[:500])
        lines += [f"- reason: {reason}"] if reason else []
        return "\n".join(lines)

    # What is recorded -----------------------------------------------------------------------------------------------

    def _entry(
        self,
        phase: EntryPhase,
        what: str,
        effect: str,
        detail: Mapping[str, Any],
        private: Mapping[str, str] | None = None,
    ) -> Entry:
        target = {**waived.target_of(self.record), "repository": self.repository, "branch": self.branch}
        return Entry(
            "protection", phase, what, BOT, self.operation.id, effect, target, detail=detail, private=private or {}
        )

    def _outcome(self, what: str, detail: Mapping[str, Any] | None = None) -> Entry:
        effect = self.operation.effect
        return self._entry(EntryPhase.OUTCOME, what, effect.key if effect is not None else "", detail or {})
