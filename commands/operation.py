"""What state is one asked-for change in, and what may happen to it next? Pure; impossible events are loud."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from commands.plan import Plan
from policy.facts import Deed, EmergencyRecord, Question
from policy.model import Person, Place


class OutOfOrder(Exception):
    """An event that cannot happen in this phase: a bug of ours, never somebody's mistake."""


class Phase(StrEnum):
    """The life of an operation; the last seven are its ends."""

    BLOCKED = "blocked"
    """Some rule says no for now."""
    WAITING = "waiting"
    """Only votes are missing."""
    RUNNING = "running"
    GOING_BACK = "going back"
    """Something went bad, or somebody aborted: traffic returns to where it was."""
    WATCHING = "watching"
    """It changes nothing and keeps nobody from changing: it waits for a time, or looks after what was released."""
    DONE = "done"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"
    """What became of the world could not be found out; a human has to look."""


ENDS = frozenset(
    {
        Phase.DONE,
        Phase.ROLLED_BACK,
        Phase.FAILED,
        Phase.REJECTED,
        Phase.CANCELLED,
        Phase.EXPIRED,
        Phase.UNCERTAIN,
    }
)


class Wish(StrEnum):
    """What people want of an operation that is under way; changing it takes a new fence and pre-empts the runner."""

    RUN = "run"
    PAUSE = "pause"
    ABORT = "abort"
    CANCEL = "cancel"
    PROCEED = "continue"
    """Somebody answers for the step under way: it goes on."""
    LEAVE = "leave"
    """It ends here: what is under way is settled, and its traffic stays as it stands."""
    YIELD = "yield"
    """A rollback takes over: settle what is under way and let go."""


class Step(StrEnum):
    """What one operation does, one after another."""

    BRANCH = "move the branch"
    RECORD = "record the deployment"
    DEPLOY = "deploy at 0 %"
    SMOKE = "smoke-test"
    SHIFT = "shift traffic"
    JUDGE = "judge health"
    VERIFY = "see that it answers again"
    """Of a rollback: recovery is declared only then."""
    FINISH = "write it down"


PART_OF = "part_of"
"""Key in what was seen by one of several: id of the whole."""
LEFT = "left"
"""Key in what was seen: what traffic somebody ended it with, and who did."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of one operation. `index` counts the traffic steps for `SHIFT` and `JUDGE`, else 0."""

    step: Step
    index: int = 0

    @property
    def key(self) -> str:
        return f"{self.step.name.lower()}:{self.index}"


@dataclass(frozen=True, slots=True)
class Effect:
    """A change of the world under way: written down before it starts, struck out when its outcome is known."""

    key: str
    """Names the effect within its operation: `shift:1`. The same key is never done twice."""
    handle: str = ""
    """What to ask after, once the write was sent; empty: perhaps never sent."""
    sent_at: datetime | None = None
    attempts: int = 0
    fence: int = 0
    """Number of the claim that was about to send it, so that a newer one knows that its write may be on the way; 0: it
    was not sent for sure."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One asked-for change with a life."""

    id: str
    question: Question
    asked_by: Person
    asked_at: datetime
    expires_at: datetime
    channel: str
    plan: Plan | None
    """None: it could not even be planned; the findings say why."""
    phase: Phase = Phase.BLOCKED
    moment: Moment = field(default_factory=lambda: Moment(Step.RECORD))
    wish: Wish = Wish.RUN
    began_at: datetime | None = None
    since: datetime | None = None
    """When the present moment began: for a shift's watch, when traffic arrived."""
    effect: Effect | None = None
    version: str = ""
    """The digest or commit that was asked for by name; empty: whatever the source environment serves."""
    reason: str = ""
    """Why it was asked for, in the asker's words."""
    fields: dict[str, str] = field(default_factory=dict)
    """What else was said for it: `summary`, `ticket`, `risk`."""
    confirmed: frozenset[str] = frozenset()
    """What whoever asked stated with it."""
    emergency: EmergencyRecord | None = None
    """With the change type `emergency`: its record. Good for this operation only."""
    note: str = ""
    """Why it stands where it stands, one sentence."""
    seen: dict[str, Any] = field(default_factory=dict)
    """What was measured so far, by moment key: plain JSON values."""
    fence: int = 0
    """Number of the newest claim; 0: never claimed."""
    wake: int = 0
    """Counts signals, so that none is lost between reading and committing."""
    attempts: int = 0

    @property
    def place(self) -> Place:
        return self.question.place

    @property
    def over(self) -> bool:
        return self.phase in ENDS

    @property
    def is_a_set(self) -> bool:
        """Whether it is several promotions as one candidate; each of them is an operation of its own."""
        return self.plan is not None and bool(self.plan.parts)

    @property
    def of_a_set(self) -> bool:
        """Whether it is promoted as part of a set, by what was agreed to for all of it."""
        return self.question.deed is Deed.PROMOTE and PART_OF in self.seen

    @property
    def moving(self) -> bool:
        """True while it may be changing the world."""
        return self.phase in {Phase.RUNNING, Phase.GOING_BACK}

    @property
    def has_place(self) -> bool:
        """True while nobody else may change its place: a branch that goes back, after traffic did, keeps nobody out."""
        return self.moving and self.question.deed is not Deed.REWIND

    @property
    def left(self) -> dict[str, int] | None:
        """The traffic that somebody ended it with, whole per cent by revision; None: nobody did."""
        found = self.seen.get(LEFT)
        return None if found is None else dict(found["shares"])

    def begun(self, at: datetime, first: Moment) -> Operation:
        """It is allowed, and starts."""
        if self.phase not in {Phase.WAITING, Phase.BLOCKED}:
            message = f"begun while {self.phase}"
            raise OutOfOrder(message)
        return replace(self, phase=Phase.RUNNING, moment=first, began_at=at, since=at, note="")

    def at(self, moment: Moment, since: datetime) -> Operation:
        """It goes on to another moment."""
        if not self.moving:
            message = f"moved to {moment.key} while {self.phase}"
            raise OutOfOrder(message)
        return replace(self, moment=moment, since=since, effect=None, attempts=0)

    def asked_again(self, note: str) -> Operation:
        """What it was decided on has changed, and nothing has moved yet: it is decided again."""
        if self.phase is not Phase.RUNNING or self.moment.step is not Step.BRANCH:
            message = f"asked again at {self.moment.key} while {self.phase}"
            raise OutOfOrder(message)
        return replace(self, phase=Phase.BLOCKED, began_at=None, since=None, effect=None, attempts=0, note=note)

    def doing(self, effect: Effect) -> Operation:
        """It is about to change the world: traffic only while it moves, a pull request also while it waits."""
        waits = self.phase in {Phase.BLOCKED, Phase.WAITING}
        if not (self.moving or waits) or (self.effect is not None and self.effect.key != effect.key):
            message = f"doing {effect.key} while {self.phase} with {self.effect}"
            raise OutOfOrder(message)
        return replace(self, effect=effect)

    def turned_back(self, why: str, at: datetime) -> Operation:
        """It went bad or was aborted: the way back begins."""
        if self.phase is not Phase.RUNNING:
            message = f"turned back while {self.phase}"
            raise OutOfOrder(message)
        return replace(
            self, phase=Phase.GOING_BACK, moment=Moment(Step.SHIFT), since=at, note=why, effect=None, attempts=0
        )

    def ended(self, phase: Phase, note: str) -> Operation:
        """It is over; nothing follows."""
        if self.over or phase not in ENDS:
            message = f"ended as {phase} while {self.phase}"
            raise OutOfOrder(message)
        return replace(self, phase=phase, note=note, effect=None)


def road(plan: Plan) -> tuple[Moment, ...]:
    """The steps of this plan, in order: a branch moves before traffic does, and goes back after it."""
    branch = () if plan.branch is None else (Moment(Step.BRANCH),)
    if plan.deed == Deed.REWIND:
        return branch
    if plan.deed == Deed.ROLLBACK:
        verify = (Moment(Step.VERIFY),) if plan.recovered else ()
        again = (Moment(Step.DEPLOY),) if plan.image else ()
        return (*again, Moment(Step.SHIFT), *verify, Moment(Step.RECORD), *branch, Moment(Step.FINISH))
    traffic = [Moment(step, index) for index in range(len(plan.steps)) for step in (Step.SHIFT, Step.JUDGE)]
    return (*branch, Moment(Step.RECORD), Moment(Step.DEPLOY), Moment(Step.SMOKE), *traffic, Moment(Step.FINISH))
