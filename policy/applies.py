"""Does a gate apply to this change? It does unless it says when, and nothing of that is true of the change."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from policy import wording
from policy.case import Case
from policy.evidence import Changes
from policy.finding import Finding, not_applicable, unknown
from policy.gates import Gate, When
from policy.glob import first_like, like
from policy.kept import kept
from policy.model import Unknown

SEVERITY = "severity"
INCIDENT = "incident"


def applies(name: str, gate: Gate, case: Case) -> Finding | None:
    """None: it does, and its rule judges. Else that it does not, or that nobody knows: then it may, and blocks."""
    if gate.applies_to and case.question.change not in gate.applies_to:
        return not_applicable(name, "only changes of the type {} need it", wording.All(gate.applies_to, "or"))
    return None if gate.when is None else _where(name, gate.when, case)


def _where(name: str, when: When, case: Case) -> Finding | None:
    changes, doubt = case.facts.evidence.changes, ""
    if when.severities:
        fields = case.facts.fields
        severity = fields.get(SEVERITY, "").strip().casefold()
        if severity in _folded(when.severities):
            return None
        if not severity and fields.get(INCIDENT, "").strip():
            doubt = "how severe the incident is was not said"
    if when.labels or when.files or when.branches:
        if isinstance(changes, Unknown):
            doubt = changes.why
        elif _true_of(changes, when):
            return None
        else:
            doubt = doubt or _unseen(when, changes)
    elif not when.severities:
        return None
    if doubt:
        return unknown(name, "whether it applies is not known: {}", doubt)
    return not_applicable(name, "it applies to changes with {}", _Sought(when))


@kept
def _true_of(changes: Changes, when: When) -> bool:
    if when.labels:
        wanted = _folded(when.labels)
        for pull_request in changes.pull_requests:
            if pull_request.labels and not wanted.isdisjoint(_folded(pull_request.labels)):
                return True
    return first_like(changes.files, when.files) is not None or like(changes.branch, when.branches)


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
