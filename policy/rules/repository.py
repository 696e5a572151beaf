"""Does the repository have what it must, and does the change touch only what it may?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policy import done, wording
from policy.case import Case
from policy.evidence import Changes, Repository
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import RepositoryGate
from policy.glob import first_like
from policy.model import Unknown
from policy.rules.reviews import CUT_SHORT


def repository_in_order(name: str, gate: RepositoryGate, case: Case) -> Finding:
    """Its files are there, its paths have owners, and the change touches what it must and nothing that it must not."""
    repository, changes = case.facts.evidence.repository, case.facts.evidence.changes
    kept: list[str] = []
    touched: list[str] = []
    why = ""
    if gate.files or gate.owned:
        if isinstance(repository, Unknown):
            why = repository.why
        else:
            kept = list(_lacks(gate, repository))
    if gate.touched or gate.untouched:
        if isinstance(changes, Unknown):
            why = why or changes.why
        else:
            touched = list(_touches(gate, changes))
            why = why or ("" if changes.complete else CUT_SHORT)
    if kept or touched:
        remedies = _remedies(gate, kept) if not touched and not why else ()
        return unmet(name, "{}", "; ".join((*kept, *touched)), remedies=remedies)
    return unknown(name, "{}", why) if why else met(name, "the repository is as it must be")


def _lacks(gate: RepositoryGate, repository: Repository) -> Iterator[str]:
    for file in gate.files:
        if file in repository.missing:
            yield f"{file} is missing"
    for path in gate.owned:
        if path in repository.unowned:
            yield f"nobody owns {path}"


def _touches(gate: RepositoryGate, changes: Changes) -> Iterator[str]:
    for pattern in gate.untouched:
        if (file := first_like(changes.files, (pattern,))) is not None:
            yield f"the change touches {file}"
    for pattern in gate.touched:
        if changes.complete and first_like(changes.files, (pattern,)) is None:
            yield f"the change touches nothing like {pattern}"


def _remedies(gate: RepositoryGate, lacking: list[str]) -> tuple[Remedy, ...]:
    """What is kept on the default branch can be mended for this very candidate; what the change touches cannot."""

    def mended(facts: Facts) -> Facts:
        known = facts.evidence.repository
        if isinstance(known, Unknown):
            return facts
        missing = tuple(file for file in known.missing if file not in gate.files)
        unowned = tuple(path for path in known.unowned if path not in gate.owned)
        return done.seen(repository=replace(known, missing=missing, unowned=unowned))(facts)

    return (Remedy(RemedyKind.EVIDENCE, f"mend on the default branch: {wording.listed(lacking)}", applied=mended),)
