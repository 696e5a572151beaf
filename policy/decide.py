"""May it happen, all rules together? It never raises: what cannot be judged is unknown, and unknown blocks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from policy.document import ActivePolicy
from policy.explain import explain
from policy.facts import Facts, Question
from policy.finding import Decision
from policy.judge import judge
from policy.opening import opening
from policy.rulebook import Rule, Rulebook, rules_on

_made: Final = tuple.__new__


def decide(
    question: Question, facts: Facts, active: ActivePolicy, at: datetime, rules: Iterable[Rule] | None = None
) -> Decision:
    """All that the rules of this deed find at that instant, with advice that was tried, and what else there is to know.

    Nothing is left out and nothing raises; a deed without rules is not allowed.
    """
    book = rules_on(active.policy, question, facts) if rules is None else Rulebook(rules)
    judging = judge(book, question, facts, active.policy, at)
    findings = judging.findings()
    try:
        explained = explain(judging)
        judging.done()
    except Exception as error:  # noqa: BLE001 (whatever it is, the findings stand; the notes say what is missing)
        note = f"what would help could not be worked out ({type(error).__name__})"
        bare = tuple(finding._replace(remedies=()) for finding in findings)
        return Decision(bare, at, active.hash, notes=(note,))
    return Decision(
        explained.findings,
        at,
        active.hash,
        explained.earliest,
        explained.closes,
        explained.notes,
        explained.ways,
    )


def decide_again(
    question: Question, facts: Facts, active: ActivePolicy, at: datetime, rules: Iterable[Rule] | None = None
) -> Decision:
    """The same findings and the same opening, for a moment when nobody asks for advice: none was tried."""
    book = rules_on(active.policy, question, facts) if rules is None else Rulebook(rules)
    judging = judge(book, question, facts, active.policy, at)
    findings = judging.findings()
    try:
        earliest = opening(judging) if judging.blockers else None
    except Exception:  # noqa: BLE001 (whatever it is, the findings stand)
        earliest = None
    judging.done()
    return _made(Decision, (findings, at, active.hash, earliest, None, (), ()))
