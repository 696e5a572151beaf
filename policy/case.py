"""What is before the rules? One question with the facts, the policy and the instant: all that a rule may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from policy.document import ChangeType, Path, Policy
from policy.facts import Facts, Question
from policy.finding import Finding, unknown
from policy.gates import AnyGate
from policy.kept import kept
from policy.model import Human
from policy.required import required

Result = TypeVar("Result")


class _Said(NamedTuple):
    """What a policy says of a question, whatever the facts."""

    path: Path | None
    """The path that is asked about; None: there is none, or the deed has none."""
    change: ChangeType | None
    """What the policy says of the change's type; None: an ordinary change, or an emergency."""
    gates: Mapping[str, AnyGate]
    """The gates of this path and this type, by name, in the order people read them."""
    zone: ZoneInfo
    """The policy's."""
    worked: dict[Callable[[Policy, Question], Any], Any]
    """What else was worked out from these two alone."""


@kept
def _said(policy: Policy, question: Question) -> _Said:
    path = policy.path(question.service, question.source or "", question.target)
    change = policy.change_types.get(question.change)
    return _Said(path, change, required(policy, question).gates, policy.zone(), {})


_NOT_YET: Final[Any] = object()


def _judged_by_nobody(rule: str) -> Finding:
    return unknown(rule, "nothing here judges {}", rule)


class Case:
    """One question at one instant. Nothing about it changes; what was worked out for one rule is there for the next."""

    __slots__ = (
        "_done",
        "_worked",
        "at",
        "barred",
        "change",
        "facts",
        "finding",
        "gates",
        "path",
        "policy",
        "question",
        "zone",
    )

    def __init__(
        self, question: Question, facts: Facts, policy: Policy, at: datetime, barred: frozenset[Human] = frozenset()
    ) -> None:
        self.question = question
        self.facts = facts
        self.policy = policy
        self.at = at
        """Aware UTC."""
        self.barred = barred
        """Whose votes are left out because it rests on an exception that they granted (`exceptions.doubted`)."""
        self.path, self.change, self.gates, self.zone, self._worked = _said(policy, question)
        self._done: dict[Callable[[Case], Any], Any] = {}
        self.finding: Callable[[str], Finding] = _judged_by_nobody
        """What another rule of the same rulebook finds here, waivers and all; unknown where there is none so called."""

    def once(self, work: Callable[[Case], Result]) -> Result:
        """What `work(case)` gives, worked out at most once for this case: `case.once(counted)`."""
        result: Result = self._done.get(work, _NOT_YET)
        if result is _NOT_YET:
            result = self._done[work] = work(self)
        return result

    def beforehand(self, work: Callable[[Policy, Question], Result]) -> Result:
        """What `work(policy, question)` gives, worked out at most once for all cases of this question."""
        try:
            return self._worked[work]  # type: ignore[no-any-return]
        except KeyError:
            result = self._worked[work] = work(self.policy, self.question)
            return result

    def on(self, facts: Facts) -> Case:
        """The same question at the same instant, on other facts."""
        return Case(self.question, facts, self.policy, self.at, self.barred)

    def judged_by(self, judge: Callable[[str], Finding]) -> None:
        """Whoever decides the case lends the judgement of its other rules."""
        self.finding = judge

    def judged(self) -> None:
        """No rule asks any more, so it does not hold whoever decided it."""
        self.finding = _judged_by_nobody


Judge = Callable[[Case], Finding]
"""What a rule finds in a case."""


def case(question: Question, facts: Facts, policy: Policy, at: datetime) -> Case:
    """The case, with what the policy says of it looked up."""
    return Case(question, facts, policy, at)
