"""Are the branches that the change came by as they must be?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, NamedTuple

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import Branches, Changes, Evidence
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import BranchGate
from policy.glob import alike
from policy.model import Sha, Unknown, short
from policy.rules.reviews import CUT_SHORT

MOST = 1024
"""So many names are remembered for each gate, with whether they are called as they must be."""
SHOWN = 5
"""So many commits are named; of more, how many there are."""


def branches_in_order(name: str, gate: BranchGate) -> Judge:
    """Everything is true of them that the gate asks for; what could not be read is not known."""
    of_changes = {each: OF_CHANGES[each](gate) for each in gate.require if each in OF_CHANGES}
    of_branches = {each: OF_BRANCHES[each] for each in gate.require if each in OF_BRANCHES}
    looks = {each: _at_changes(troubles) for each, troubles in of_changes.items()}
    looks |= {each: _at_branches(*fact) for each, fact in of_branches.items()}
    all_good = _all_good(tuple(of_changes.values()), tuple(attrgetter(fact) for fact, _ in of_branches.values()))
    in_order = met(name, "{}", _InOrder(gate.require))

    def judge(case: Case) -> Finding:
        if all_good(case.facts.evidence):
            return in_order
        wrong: dict[str, tuple[str, ...]] = {}
        why = ""
        for requirement in gate.require:
            found = looks[requirement](case)
            if not found:
                continue
            if type(found) is Unknown:
                why = why or found.why
            else:
                wrong[requirement] = found
        if wrong:
            says = "; ".join(trouble for found in wrong.values() for trouble in found)
            return unmet(name, "{}", says, remedies=() if why else _remedies(wrong))
        return unknown(name, "{}", why)

    return judge


class _InOrder(NamedTuple):
    require: tuple[str, ...]

    def __str__(self) -> str:
        return f"seen on the branches: {wording.listed(word.replace('_', ' ') for word in self.require)}"


Troubles = Callable[[Changes], list[str]]
"""What is wrong with them, each a sentence."""
Look = Callable[[Case], tuple[str, ...] | Unknown]
"""What is wrong with one requirement; nothing: it is met."""


def _all_good(
    of_changes: tuple[Troubles, ...], of_branches: tuple[Callable[[Branches], object], ...]
) -> Callable[[Evidence], bool]:
    """What tells whether all is known, and nothing wrong: most often that is so, and then nothing else is made."""

    def all_good(evidence: Evidence) -> bool:
        if of_changes:
            changes = evidence.changes
            if type(changes) is Unknown or not changes.complete:
                return False
            for troubles in of_changes:
                if troubles(changes):
                    return False
        if of_branches:
            branches = evidence.branches
            if type(branches) is Unknown:
                return False
            for seen in of_branches:
                if seen(branches):
                    return False
        return True

    return all_good


def _at_branches(fact: str, says: Callable[[Any, Case], Iterator[str]]) -> Look:
    seen = attrgetter(fact)

    def look(case: Case) -> tuple[str, ...] | Unknown:
        branches = case.facts.evidence.branches
        if type(branches) is Unknown:
            return branches
        found = seen(branches)
        if type(found) is Unknown:
            return found
        return tuple(says(found, case)) if found else ()

    return look


def _at_changes(troubles: Callable[[Changes], list[str]]) -> Look:
    def look(case: Case) -> tuple[str, ...] | Unknown:
        changes = case.facts.evidence.changes
        if type(changes) is Unknown:
            return changes
        found = troubles(changes)
        if found or changes.complete:
            return tuple(found)
        return Unknown(CUT_SHORT)

    return look


def _source(case: Case) -> str:
    """The branch of the source, or that of the candidate, or the source itself."""
    changes = case.facts.evidence.changes
    built_from = "" if type(changes) is Unknown else changes.branch
    return _branch(case.question.source or "", case) or built_from or str(case.question.source)


def _target(case: Case) -> str:
    return _branch(case.question.target, case) or case.question.target


def _branch(environment: str, case: Case) -> str:
    """What it is deployed from; empty where the policy names no branch."""
    place = case.policy.environments.get(environment)
    return (place.branch if place else None) or ""


def _commits(shas: tuple[Sha, ...]) -> str:
    named = ", ".join(map(short, shas[:SHOWN]))
    more = f" and {len(shas) - SHOWN} more" if len(shas) > SHOWN else ""
    return f"{wording.Several(len(shas), 'commit')} ({named}{more})"


# Of the branches as their host holds them ---------------------------------------------------------------------------


def _protected(unprotected: Mapping[str, tuple[str, ...]], _: Case) -> Iterator[str]:
    for branch, lacks in unprotected.items():
        yield f"{branch} is not protected: {', '.join(lacks)}"


def _up_to_date(behind: tuple[Sha, ...], case: Case) -> Iterator[str]:
    branches = case.facts.evidence.branches
    strict = type(branches) is not Unknown and branches.strict is True
    which = "and its protection takes nothing that is" if strict else "that no promotion merged"
    yield f"{_source(case)} is behind {_target(case)} by {_commits(behind)} {which}"


def _no_merge_commits(merges: tuple[Sha, ...], case: Case) -> Iterator[str]:
    yield f"{_target(case)} holds merges that {_source(case)} lacks: {_commits(merges)}"


def _on_source(not_on_source: tuple[Sha, ...], case: Case) -> Iterator[str]:
    candidate = case.facts.candidate
    commit = None if type(candidate) is Unknown else candidate.commit
    if commit in not_on_source:
        yield f"{_source(case)} does not hold the candidate, {short(str(commit))}"
    others = tuple(sha for sha in not_on_source if sha != commit)
    if others:
        yield f"{_target(case)} holds {_commits(others)} that {_source(case)} lacks"


def _cherry_picks_only(not_picked: tuple[Sha, ...], _: Case) -> Iterator[str]:
    yield f"taken after the cut-off without a cherry-pick: {_commits(not_picked)}"


def _no_late_features(late: tuple[str, ...], _: Case) -> Iterator[str]:
    yield f"features taken after the cut-off: {wording.listed(late)}"


def _cut_from_production(others: tuple[Sha, ...], _: Case) -> Iterator[str]:
    yield f"it holds {_commits(others)} that production lacks and the fix does not need"


def _green(red: tuple[str, ...], case: Case) -> Iterator[str]:
    for check in red:
        yield f"{check} fails on the head of {_source(case)}"


# Of what is in the range --------------------------------------------------------------------------------------------


def _pull_requests_only(_: BranchGate) -> Troubles:
    return lambda changes: [
        f"{short(commit.sha)} came by no pull request" for commit in changes.commits if commit.pull_request is None
    ]


def _naming(gate: BranchGate) -> Troubles:
    called = lru_cache(maxsize=MOST)(partial(_called, gate.names))
    misnamed = _misnamed(called)

    def troubles(changes: Changes) -> list[str]:
        found = []
        if not changes.branch:
            found.append("it is not known which branch it was built from")
        elif not called(changes.branch):
            found.append(f"{changes.branch} is no name for a branch to promote from")
        return found + misnamed(changes)

    return troubles


def _misnamed(called: Callable[..., bool]) -> Troubles:
    return lambda changes: [
        f"#{each.number} came by a branch that is not called as it must be: {each.head}→{each.base}"
        for each in changes.pull_requests
        if not called(each.head, each.base)
    ]


def _called(patterns: tuple[str, ...], head: str, base: str = "") -> bool:
    """Whether the whole name is like one of them, or else the name and where it went."""
    names = (head, f"{head}→{base}") if base else (head,)
    return any(re.fullmatch(pattern, name) for pattern in patterns for name in names)


def _no_forbidden_targets(gate: BranchGate) -> Troubles:
    forbidden = alike(gate.forbid)
    return lambda changes: [
        f"#{each.number} went where it must not: {each.head}→{each.base}"
        for each in changes.pull_requests
        if forbidden(f"{each.head}→{each.base}")
    ]


def _merged_green(_: BranchGate) -> Troubles:
    return lambda changes: [
        f"#{each.number} was merged although {wording.listed(each.failed)} had not passed"
        for each in changes.pull_requests
        if each.failed
    ]


def _signed_commits(_: BranchGate) -> Troubles:
    def troubles(changes: Changes) -> list[str]:
        unsigned = tuple([commit.sha for commit in changes.commits if not commit.verified])
        return [f"no verified signature on {_commits(unsigned)}"] if unsigned else []

    return troubles


def of_the_range(gate: BranchGate, changes: Changes) -> tuple[str, ...]:
    """What is wrong with what came, whatever branch it is promoted from."""
    words = (word for word in gate.require if word in OF_CHANGES and word != "naming")
    return tuple(says for word in words for says in OF_CHANGES[word](gate)(changes))


def of_proposals(gate: BranchGate, changes: Changes) -> tuple[str, ...]:
    """What is wrong with how their branches are called and where they go."""
    found = _no_forbidden_targets(gate)(changes) if gate.forbid else []
    return (*found, *(_misnamed(partial(_called, gate.names))(changes) if gate.names else ()))


OF_BRANCHES: Mapping[str, tuple[str, Callable[[Any, Case], Iterator[str]]]] = {
    "protected": ("unprotected", _protected),
    "up_to_date": ("behind", _up_to_date),
    "no_merge_commits": ("merge_commits", _no_merge_commits),
    "on_source": ("not_on_source", _on_source),
    "cherry_picks_only": ("not_picked", _cherry_picks_only),
    "no_late_features": ("late_features", _no_late_features),
    "cut_from_production": ("not_from_production", _cut_from_production),
    "green": ("red", _green),
}
"""Requirement → the fact that must be empty, and what is said of it where it is not."""
OF_CHANGES: Mapping[str, Callable[[BranchGate], Troubles]] = {
    "pull_requests_only": _pull_requests_only,
    "naming": _naming,
    "no_forbidden_targets": _no_forbidden_targets,
    "merged_green": _merged_green,
    "signed_commits": _signed_commits,
}
"""Every requirement of the gate is in one of these."""

# What can be mended without another candidate -----------------------------------------------------------------------

MENDED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "protected": ("the branches are protected as the policy wants", {"unprotected": {}}),
    "green": ("the head of the source is green again", {"red": ()}),
}
"""Requirement → what somebody does about it, and what is seen of the branches then."""


def _remedies(wrong: Mapping[str, tuple[str, ...]]) -> tuple[Remedy, ...]:
    """How to mend all of it; nothing where only other commits, and so another candidate, would help."""
    if not wrong.keys() <= MENDED.keys():
        return ()

    def mended(facts: Facts) -> Facts:
        if type(facts.evidence.branches) is Unknown:
            return facts
        seen: dict[str, Any] = {}
        for requirement in wrong:
            seen |= MENDED[requirement][1]
        return done.seen(branches=replace(facts.evidence.branches, **seen))(facts)

    says = wording.listed(MENDED[requirement][0] for requirement in wrong)
    return (Remedy(RemedyKind.EVIDENCE, says, applied=mended),)
