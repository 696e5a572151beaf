"""Is a number that was reported for the candidate's commit good enough?"""

from __future__ import annotations

from policy import done
from policy.age import says_stale, stale
from policy.case import Case
from policy.comparison import Compared, holds, nearest, wanted
from policy.evidence import Measured
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import NumberGate
from policy.model import Unknown, short


def number(name: str, gate: NumberGate, case: Case) -> Finding:
    """The very number that was reported compares with its bound as it must; one that nobody reported is not known."""
    candidate, numbers = case.facts.candidate, case.facts.evidence.numbers
    if isinstance(candidate, Unknown):
        return unknown(name, "{}", candidate.why)
    if isinstance(candidate.commit, Unknown):
        return unknown(name, "numbers belong to a commit: {}", candidate.commit.why)
    if isinstance(numbers, Unknown):
        return unknown(name, "{}", numbers.why)
    reported = numbers.get(gate.report)
    if reported is None:
        commit = short(candidate.commit)
        return unknown(name, "nobody reported {} for {}", gate.report, commit, remedies=_report(gate, commit, case))
    if stale(reported.at, gate, case):
        remedies = _report(gate, short(candidate.commit), case)
        return unmet(name, "{} {}", gate.report, says_stale(reported.at, gate, case), remedies=remedies)
    if holds(gate, reported.value):
        return met(name, "{}", Compared(gate, reported.value))
    remedies = _report(gate, short(candidate.commit), case)
    return unmet(name, "{}", Compared(gate, reported.value), remedies=remedies)


def _report(gate: NumberGate, commit: str, case: Case) -> tuple[Remedy, ...]:
    applied = done.seen_of("numbers", gate.report, Measured(nearest(gate), case.at))
    return (Remedy(RemedyKind.EVIDENCE, f"a report for {commit} says {wanted(gate)}", applied=applied),)
