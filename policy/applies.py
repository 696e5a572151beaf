"""Does a gate apply to this change? It does unless it says when, and nothing of that is true of the change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from policy import wording
from policy.case import Case, Judge
from policy.finding import Finding, not_applicable, unknown
from policy.gates import Gate, When
from policy.glob import alike
from policy.kept import kept
from policy.model import Unknown

SEVERITY = "severity"
INCIDENT = "incident"


Applies = Callable[[Case], Finding | None]
"""None: the gate does, and its rule judges. Else that it does not, or that nobody knows: then it may, and blocks."""


@kept
def applying(gate: Gate, name: str) -> Applies:
    """Whether the gate so called applies to a case; for the same gate the same work, so it is done once for a case."""
    types, where = gate.applies_to, _always if gate.when is None else _where(name, gate.when)
    if not types:
        return where

    def applies(case: Case) -> Finding | None:
        if case.question.change not in types:
            return not_applicable(name, "only changes of the type {} need it", wording.All(types, "or"))
        return where(case)

    return applies


def where_it_applies(applies: Applies, judge: Judge) -> Judge:
    """What a rule finds where its gate applies; else what is found of that."""

    def judged(case: Case) -> Finding:
        finding = applies(case)
        return judge(case) if finding is None else finding

    return judged


def at_most_once(applies: Applies) -> Applies:
    """The same, worked out once for a case where others ask for it too."""
    return lambda case: case.once(applies)


def _always(_case: Case) -> None:
    return None


def _where(name: str, when: When) -> Applies:
    elsewhere = not_applicable(name, "it applies to changes with {}", _Sought(when))
    by_change = _by_change(when) if when.labels or when.files or when.branches else None
    by_severity = _by_severity(when) if when.severities else None
    if by_change is None and by_severity is None:
        return _always

    def applies(case: Case) -> Finding | None:
        doubt = by_severity(case) if by_severity is not None else ""
        if by_change is not None and doubt is not None:
            unseen = by_change(case)
            if unseen is None or not doubt or type(case.facts.evidence.changes) is Unknown:
                doubt = unseen
        if doubt is None:
            return None
        return unknown(name, "whether it applies is not known: {}", doubt) if doubt else elsewhere

    return applies


Doubt = Callable[[Case], str | None]
"""None: something of it is true. Else why nobody knows, or nothing where nothing of it is."""


def _by_severity(when: When) -> Doubt:
    severities = _folded(when.severities)

    def doubt(case: Case) -> str | None:
        fields = case.facts.fields
        severity = fields.get(SEVERITY, "").strip().casefold()
        if severity in severities:
            return None
        return "" if severity or not fields.get(INCIDENT, "").strip() else "how severe the incident is was not said"

    return doubt


def _by_change(when: When) -> Doubt:
    labels, files, branches = _folded(when.labels), when.files, when.branches
    file_like, branch_like = alike(files), alike(branches)

    def doubt(case: Case) -> str | None:
        changes = case.facts.evidence.changes
        if type(changes) is Unknown:
            return changes.why
        if labels:
            for pull_request in changes.pull_requests:
                for label in pull_request.labels:
                    if label.casefold() in labels:
                        return None
        if files:
            for file in changes.files:
                if file_like(file):
                    return None
        if branches and branch_like(changes.branch):
            return None
        if not changes.complete and (labels or files):
            return "the list of changes was cut short"
        return "nobody knows which branch it was built from" if branches and not changes.branch else ""

    return doubt


class _Sought(NamedTuple):
    """What was looked for: `the label auth or data, or a file like auth/**`."""

    when: When

    def __str__(self) -> str:
        kinds = (
            ("the label", self.when.labels),
            ("a file like", self.when.files),
            ("an incident of severity", self.when.severities),
            ("a branch like", self.when.branches),
        )
        return ", or ".join(f"{kind} {wording.listed(words, 'or')}" for kind, words in kinds if words)


def _folded(words: Iterable[str]) -> frozenset[str]:
    """Labels and severities are the same in capitals; a gate must not be missed for one."""
    return frozenset(word.casefold() for word in words)
