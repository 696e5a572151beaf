"""Is a number that was reported for the candidate's commit good enough?"""

from __future__ import annotations

from policy import done
from policy.age import says_stale, stale
from policy.case import Case, Judge
from policy.comparison import Compared, holds, nearest, wanted
from policy.evidence import Measured
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import NumberGate
from policy.model import Sha, Unknown, short


def number(name: str, gate: NumberGate) -> Judge:
    """The very number that was reported compares with its bound as it must; one that nobody reported is not known."""
    report, dated = gate.report, gate.max_age is not None

    def judge(case: Case) -> Finding:
        facts = case.facts
        candidate, numbers = facts.candidate, facts.evidence.numbers
        if type(candidate) is Unknown:
            return unknown(name, "{}", candidate.why)
        commit = candidate.commit
        if type(commit) is Unknown:
            return unknown(name, "numbers belong to a commit: {}", commit.why)
        if type(numbers) is Unknown:
            return unknown(name, "{}", numbers.why)
        reported = numbers.get(report)
        if reported is None:
            remedies = _report(gate, commit, case)
            return unknown(name, "nobody reported {} for {}", report, short(commit), remedies=remedies)
        if dated and stale(reported.at, gate, case):
            says = says_stale(reported.at, gate, case)
            return unmet(name, "{} {}", report, says, remedies=_report(gate, commit, case))
        if holds(gate, reported.value):
            return met(name, "{}", Compared(gate, reported.value))
        return unmet(name, "{}", Compared(gate, reported.value), remedies=_report(gate, commit, case))

    return judge


def _report(gate: NumberGate, commit: Sha, case: Case) -> tuple[Remedy, ...]:
    applied = done.seen_of("numbers", gate.report, Measured(nearest(gate), case.at))
    return (Remedy(RemedyKind.EVIDENCE, f"a report for {short(commit)} says {wanted(gate)}", applied=applied),)
