"""What was asked, what is known of it and what was decided, in one: all that can be told of it and kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from commands.gather import Gathered
from commands.ports import Entry
from policy.case import Case
from policy.decide import decide
from policy.document import ActivePolicy
from policy.facts import EMERGENCY, Facts, Question
from policy.finding import Decision


@dataclass(frozen=True, slots=True)
class Decided:
    """One question, decided at one instant."""

    case: Case
    decision: Decision

    @property
    def question(self) -> Question:
        return self.case.question

    @property
    def facts(self) -> Facts:
        return self.case.facts

    def kept_in(self, entry: Entry) -> Entry:
        """The entry, with all that this was decided on: so it can be decided again, years later."""
        return replace(entry, decision=self.decision, question=self.question, facts=self.facts)


@dataclass(frozen=True, slots=True)
class Judged(Decided):
    """The same, of something that changes what runs."""

    gathered: Gathered
    otherwise: Decision | None = None
    """Of an emergency: the decision on the same as an ordinary change, so that people see what waiting would mean."""


def decided(question: Question, facts: Facts, active: ActivePolicy, at: datetime) -> Decided:
    return Decided(Case(question, facts, active.policy, at), decide(question, facts, active, at))


def judge(question: Question, gathered: Gathered, active: ActivePolicy, at: datetime) -> Judged:
    """The decision on what was gathered."""
    facts = gathered.facts
    found = decided(question, facts, active, at)
    otherwise = None
    if question.change == EMERGENCY:
        otherwise = decide(replace(question, change=""), replace(facts, emergency=None), active, at)
    return Judged(found.case, found.decision, gathered, otherwise)
