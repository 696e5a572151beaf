"""Do open issues stand in the way?"""

from __future__ import annotations

from functools import cache

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import Issue
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import IssuesGate
from policy.model import Unknown


def few_open_issues(name: str, gate: IssuesGate) -> Judge:
    """No more of them are open than the gate allows."""
    labels, at_most, labelled = gate.labels, gate.at_most, wording.All(gate.labels, "or")
    says = "{} labelled {}, and {} may be"
    few = cache(lambda number: met(name, says, wording.Several(number, "open issue"), labelled, at_most))

    def judge(case: Case) -> Finding:
        issues = case.facts.evidence.issues
        if type(issues) is Unknown:
            return unknown(name, "{}", issues.why)
        open_ones = [issue for issue in issues if not issue.labels.isdisjoint(labels)] if issues else []
        return few(len(open_ones)) if len(open_ones) <= at_most else _too_many(name, gate, open_ones)

    return judge


def _too_many(name: str, gate: IssuesGate, open_ones: list[Issue]) -> Finding:
    number, labelled = wording.Several(len(open_ones), "open issue"), wording.All(gate.labels, "or")
    to_close = frozenset(issue.number for issue in open_ones[gate.at_most :])

    def closed(facts: Facts) -> Facts:
        known = () if type(facts.evidence.issues) is Unknown else facts.evidence.issues
        return done.seen(issues=tuple(issue for issue in known if issue.number not in to_close))(facts)

    numbers = [f"#{issue.number}" for issue in open_ones]
    which = wording.listed(numbers) if not gate.at_most else f"{len(to_close)} of {wording.listed(numbers)}"
    named = wording.listed(f"#{issue.number} {issue.title}" for issue in open_ones)
    remedy = Remedy(RemedyKind.EVIDENCE, f"close {which}", applied=closed)
    return unmet(name, "{} labelled {}, and {} may be: {}", number, labelled, gate.at_most, named, remedies=(remedy,))
