"""Does a gate apply to this change? It does unless it says when, and nothing of that is true of the change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from policy import wording
from policy.case import Case
from policy.evidence import Changes
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


def _always(_case: Case) -> None:
    return None


def _where(name: str, when: When) -> Applies:
    severities, by_change, true_of = _folded(when.severities), _by_change(when), _true_of(when)
    elsewhere = not_applicable(name, "it applies to changes with {}", _Sought(when))

    def applies(case: Case) -> Finding | None:
        changes, doubt = case.facts.evidence.changes, ""
        if severities:
            fields = case.facts.fields
            severity = fields.get(SEVERITY, "").strip().casefold()
            if severity in severities:
                return None
            if not severity and fields.get(INCIDENT, "").strip():
                doubt = "how severe the incident is was not said"
        if by_change:
            if isinstance(changes, Unknown):
                doubt = changes.why
            elif true_of(changes):
                return None
            else:
                doubt = doubt or _unseen(when, changes)
        elif not severities:
            return None
        return unknown(name, "whether it applies is not known: {}", doubt) if doubt else elsewhere

    return applies


def _true_of(when: When) -> Callable[[Changes], bool]:
    labels, file_like, branch_like = _folded(when.labels), alike(when.files), alike(when.branches)

    def true_of(changes: Changes) -> bool:
        if labels:
            for pull_request in changes.pull_requests:
                if pull_request.labels and not labels.isdisjoint(_folded(pull_request.labels)):
                    return True
        for file in changes.files:
            if file_like(file):
                return True
        return branch_like(changes.branch) is not None

    return true_of


def _by_change(when: When) -> bool:
    return bool(when.labels or when.files or when.branches)


def _unseen(when: When, changes: Changes) -> str:
    """What might still be true, because it cannot be seen; empty: nothing."""
    if not changes.complete and (when.labels or when.files):
        return "the list of changes was cut short"
    return "nobody knows which branch it was built from" if when.branches and not changes.branch else ""


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


@lru_cache(maxsize=4096)
def _folded(words: Iterable[str]) -> frozenset[str]:
    """Labels and severities are the same in capitals; a gate must not be missed for one."""
    return frozenset(word.casefold() for word in words)
