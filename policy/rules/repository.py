"""Does the repository have what it must, and does the change touch only what it may?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import Changes, Repository
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import RepositoryGate
from policy.glob import alike
from policy.model import Unknown
from policy.rules.reviews import CUT_SHORT


def repository_in_order(name: str, gate: RepositoryGate) -> Judge:
    """Its files are there, its paths have owners, and the change touches what it must and nothing that it must not."""
    of_it, of_changes = bool(gate.files or gate.owned), bool(gate.touched or gate.untouched)
    touches, in_order = _touches(gate), met(name, "the repository is as it must be")

    def judge(case: Case) -> Finding:
        evidence = case.facts.evidence
        lacking: list[str] = []
        touched: list[str] = []
        why = ""
        if of_it:
            repository = evidence.repository
            if type(repository) is Unknown:
                why = repository.why
            elif repository.missing or repository.unowned:
                lacking = list(_lacks(gate, repository))
        if of_changes:
            changes = evidence.changes
            if type(changes) is Unknown:
                why = why or changes.why
            else:
                touched = touches(changes)
                why = why or ("" if changes.complete else CUT_SHORT)
        if lacking or touched:
            remedies = _remedies(gate, lacking) if not touched and not why else ()
            return unmet(name, "{}", "; ".join((*lacking, *touched)), remedies=remedies)
        return unknown(name, "{}", why) if why else in_order

    return judge


def _lacks(gate: RepositoryGate, repository: Repository) -> Iterator[str]:
    for file in gate.files:
        if file in repository.missing:
            yield f"{file} is missing"
    for path in gate.owned:
        if path in repository.unowned:
            yield f"nobody owns {path}"


def _touches(gate: RepositoryGate) -> Callable[[Changes], list[str]]:
    """What a change touches that it must not, or does not although it must."""
    untouched = [alike((pattern,)) for pattern in gate.untouched]
    touched = [(pattern, alike((pattern,))) for pattern in gate.touched]

    def touches(changes: Changes) -> list[str]:
        files, found = changes.files, []
        for is_like in untouched:
            for file in files:
                if is_like(file):
                    found.append(f"the change touches {file}")
                    break
        for pattern, is_like in touched if changes.complete else ():
            for file in files:
                if is_like(file):
                    break
            else:
                found.append(f"the change touches nothing like {pattern}")
        return found

    return touches


def _remedies(gate: RepositoryGate, lacking: list[str]) -> tuple[Remedy, ...]:
    """What is kept on the default branch can be mended for this very candidate; what the change touches cannot."""

    def mended(facts: Facts) -> Facts:
        known = facts.evidence.repository
        if type(known) is Unknown:
            return facts
        missing = tuple(file for file in known.missing if file not in gate.files)
        unowned = tuple(path for path in known.unowned if path not in gate.owned)
        return done.seen(repository=replace(known, missing=missing, unowned=unowned))(facts)

    return (Remedy(RemedyKind.EVIDENCE, f"mend on the default branch: {wording.listed(lacking)}", applied=mended),)
