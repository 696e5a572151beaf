"""Do the pull requests say what their template asks for?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from policy import done, wording
from policy.case import Case
from policy.evidence import PullRequest
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import PullRequestGate
from policy.model import Unknown
from policy.rules.reviews import CUT_SHORT

SOMETHING = "something"


def pull_requests_say(name: str, gate: PullRequestGate, case: Case) -> Finding:
    """Every one that is looked at has its sections filled, and title and labels as they must be."""
    evidence = case.facts.evidence
    looked_at: tuple[PullRequest, ...] = ()
    whole = True
    if gate.of == "promotion":
        if isinstance(evidence.promotion, Unknown):
            return unknown(name, "{}", evidence.promotion.why)
        looked_at = (evidence.promotion,) if evidence.promotion else ()
    elif isinstance(evidence.changes, Unknown):
        return unknown(name, "{}", evidence.changes.why)
    else:
        looked_at, whole = evidence.changes.pull_requests, evidence.changes.complete
    if gate.labelled:
        looked_at = tuple(each for each in looked_at if not each.labels.isdisjoint(gate.labelled))
    troubles = [f"#{each.number} {says}" for each in looked_at for says in _troubles(each, gate)]
    if troubles:
        return unmet(name, "{}", "; ".join(troubles), remedies=_remedies(gate, looked_at) if whole else ())
    if not whole:
        return unknown(name, CUT_SHORT)
    if gate.of == "promotion" and evidence.promotion is None:
        says = "no pull request leads from {} to {}"
        return unmet(name, says, case.question.source, case.question.target, remedies=_remedies(gate, ()))
    return met(name, "{} looked at, and nothing lacks", wording.Several(len(looked_at), "pull request"))


def _troubles(pull_request: PullRequest, gate: PullRequestGate) -> Iterator[str]:
    """What is wrong with it, each after its number."""
    missing = [field for field in gate.fields if not pull_request.fields.get(field)]
    if missing:
        yield f"does not say {wording.listed(map(_spoken, missing), 'or')}"
    for field, pattern in gate.matches.items():
        if not _like(pattern, pull_request.fields.get(field, "")):
            yield f"says no {_spoken(field)} like {pattern}"
    if gate.titled is not None and not _like(gate.titled, pull_request.title):
        yield f"has no title like {gate.titled}"
    if gate.one_of and len(borne := pull_request.labels.intersection(gate.one_of)) != 1:
        has = wording.listed(sorted(borne)) if borne else "none"
        yield f"has {has} of the labels {', '.join(gate.one_of)}, not one"


@lru_cache(maxsize=4096)
def _like(pattern: str, text: str) -> bool:
    """Whether something in the text is like the pattern."""
    return re.search(pattern, text) is not None


def _spoken(field: str) -> str:
    return field.replace("_", " ")


def _remedies(gate: PullRequestGate, looked_at: tuple[PullRequest, ...]) -> tuple[Remedy, ...]:
    """To write what is missing, after the merge too; nothing where it must look like a pattern that we cannot spell."""
    wrong = {each.number for each in looked_at if any(_troubles(each, gate))}
    patterns = (*gate.matches.values(), *([gate.titled] if gate.titled else []))
    if patterns and (not looked_at or any(_off_pattern(each, gate) for each in looked_at)):
        return ()

    def written(each: PullRequest) -> PullRequest:
        said = {field: each.fields.get(field) or SOMETHING for field in gate.fields}
        labels = each.labels.difference(gate.one_of).union(gate.one_of[:1])
        return replace(each, fields=MappingProxyType({**each.fields, **said}), labels=labels)

    def said(facts: Facts) -> Facts:
        if gate.of == "promotion":
            promotion = facts.evidence.promotion
            opened = PullRequest(0, "the promotion") if promotion is None else promotion
            return facts if isinstance(opened, Unknown) else done.seen(promotion=written(opened))(facts)
        if isinstance(facts.evidence.changes, Unknown):
            return facts
        mended = tuple(written(e) if e.number in wrong else e for e in facts.evidence.changes.pull_requests)
        return done.seen(changes=replace(facts.evidence.changes, pull_requests=mended))(facts)

    asked = [*map(_spoken, gate.fields), *([f"one of {', '.join(gate.one_of)}"] if gate.one_of else [])]
    who = wording.listed(f"#{number}" for number in sorted(wrong)) if wrong else "the pull request of this promotion"
    return (Remedy(RemedyKind.EVIDENCE, f"write in {who}: {wording.listed(asked)}", applied=said),)


def _off_pattern(pull_request: PullRequest, gate: PullRequestGate) -> bool:
    return any(_troubles(pull_request, gate.model_copy(update={"fields": (), "one_of": ()})))
