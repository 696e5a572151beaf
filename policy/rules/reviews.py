"""Was every change in the range reviewed by others than its authors?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import Changes, PullRequest
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import ReviewsGate
from policy.model import Unknown, short

CUT_SHORT = "the list of changes was cut short, so it is not known what else there is"


def everything_reviewed(name: str, gate: ReviewsGate) -> Judge:
    """Each pull request has its approvals, no commit came by none, and the list is whole."""
    at_least, codeowners, approvals = gate.at_least, gate.codeowners, wording.Several(gate.at_least, "approval")
    says_reviewed = "{}, each with {} or more"
    reviewed = cache(lambda number: met(name, says_reviewed, wording.Several(number, "pull request"), approvals))

    def judge(case: Case) -> Finding:
        changes = case.facts.evidence.changes
        if type(changes) is Unknown:
            return unknown(name, "{}", changes.why)
        bare = [commit for commit in changes.commits if commit.pull_request is None]
        lacking = [
            each
            for each in changes.pull_requests
            if len(each.approved_by - each.authors) < at_least or (codeowners and each.owners_missing)
        ]
        if bare or lacking:
            says = [f"{short(commit.sha)} came by no pull request, so nobody reviewed it" for commit in bare]
            says += [trouble for each in lacking for trouble in _troubles(each, gate)]
            return unmet(name, "{}", "; ".join(says), remedies=() if bare else _remedies(changes, lacking, gate))
        if not changes.complete:
            return unknown(name, CUT_SHORT)
        return reviewed(len(changes.pull_requests))

    return judge


def _troubles(pull_request: PullRequest, gate: ReviewsGate) -> Iterator[str]:
    given = len(pull_request.approved_by - pull_request.authors)
    if given < gate.at_least:
        yield f"#{pull_request.number} has {given} of {gate.at_least} approvals"
    if gate.codeowners and pull_request.owners_missing:
        yield f"no owner of {wording.listed(pull_request.owners_missing)} approved #{pull_request.number}"


def _remedies(changes: Changes, lacking: list[PullRequest], gate: ReviewsGate) -> tuple[Remedy, ...]:
    if not changes.complete:
        return ()
    numbers = {each.number for each in lacking}
    others = frozenset(f"reviewer {count}" for count in range(1, gate.at_least + 1))

    def reviewed(facts: Facts) -> Facts:
        if type(facts.evidence.changes) is Unknown:
            return facts
        mended = tuple(
            replace(each, approved_by=each.approved_by | others, owners_missing=()) if each.number in numbers else each
            for each in facts.evidence.changes.pull_requests
        )
        return done.seen(changes=replace(facts.evidence.changes, pull_requests=mended))(facts)

    named = wording.listed(f"#{number}" for number in sorted(numbers))
    owners = ", an owner of each path among them" if any(each.owners_missing for each in lacking) else ""
    says = f"others than its authors approve {named}{owners}"
    return (Remedy(RemedyKind.EVIDENCE, says, applied=reviewed),)
