"""What is before the rules? One question with the facts, the policy and the instant: all that a rule may look at."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from policy.document import ChangeType, Path, Policy
from policy.facts import Facts, Question


class Case(NamedTuple):
    """One question at one instant."""

    question: Question
    facts: Facts
    policy: Policy
    at: datetime
    """Aware UTC."""
    path: Path | None = None
    """The path that is asked about; None: there is none, or the deed has none."""
    change: ChangeType | None = None
    """What the policy says of the change's type; None: an ordinary change, or an emergency."""


def case(question: Question, facts: Facts, policy: Policy, at: datetime) -> Case:
    """The case, with what the policy says of it looked up."""
    path = policy.path(question.service, question.source or "", question.target)
    return Case(question, facts, policy, at, path, policy.change_types.get(question.change))
