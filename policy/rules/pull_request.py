"""Do the pull requests say what their template asks for?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache
from types import MappingProxyType

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import PullRequest
from policy.facts import Facts
from policy.finding import Finding, Remedy, RemedyKind, met, unknown, unmet
from policy.gates import PullRequestGate
from policy.model import Unknown
from policy.rules.reviews import CUT_SHORT

SOMETHING = "something"
MOST = 1024
"""So many texts are remembered for each pattern, with whether they are like it."""


def pull_requests_say(name: str, gate: PullRequestGate) -> Judge:
    """Every one that is looked at has its sections filled, and title and labels as they must be."""
    of_promotion, labelled, lacks = gate.of == "promotion", gate.labelled, _lacks(gate)

    says_whole = "{} looked at, and nothing lacks"
    nothing_lacks = cache(lambda number: met(name, says_whole, wording.Several(number, "pull request")))

    def judge(case: Case) -> Finding:
        evidence = case.facts.evidence
        looked_at: tuple[PullRequest, ...] = ()
        whole = True
        if of_promotion:
            promotion = evidence.promotion
            if type(promotion) is Unknown:
                return unknown(name, "{}", promotion.why)
            if promotion is not None:
                looked_at = (promotion,)
        else:
            changes = evidence.changes
            if type(changes) is Unknown:
                return unknown(name, "{}", changes.why)
            looked_at, whole = changes.pull_requests, changes.complete
        if labelled:
            looked_at = tuple([each for each in looked_at if not each.labels.isdisjoint(labelled)])
        troubles = [f"#{each.number} {says}" for each in looked_at for says in lacks(each)]
        if troubles:
            return unmet(name, "{}", "; ".join(troubles), remedies=_remedies(gate, looked_at) if whole else ())
        if not whole:
            return unknown(name, CUT_SHORT)
        if of_promotion and evidence.promotion is None:
            says = "no pull request leads from {} to {}"
            return unmet(name, says, case.question.source, case.question.target, remedies=_remedies(gate, ()))
        return nothing_lacks(len(looked_at))

    return judge


def _lacks(gate: PullRequestGate) -> Callable[[PullRequest], list[str]]:
    """What is wrong with a pull request, each after its number."""
    fields, titled, one_of = gate.fields, _like(gate.titled) if gate.titled else None, frozenset(gate.one_of)
    matches = tuple((field, pattern, _like(pattern)) for field, pattern in gate.matches.items())

    def lacks(pull_request: PullRequest) -> list[str]:
        said, found = pull_request.fields, []
        if not all(map(said.get, fields)):
            missing = [field for field in fields if not said.get(field)]
            found.append(f"does not say {wording.listed(map(_spoken, missing), 'or')}")
        for field, pattern, like in matches:
            if not like(said.get(field, "")):
                found.append(f"says no {_spoken(field)} like {pattern}")
        if titled is not None and not titled(pull_request.title):
            found.append(f"has no title like {gate.titled}")
        if one_of and len(borne := pull_request.labels & one_of) != 1:
            has = wording.listed(sorted(borne)) if borne else "none"
            found.append(f"has {has} of the labels {', '.join(gate.one_of)}, not one")
        return found

    return lacks


def _like(pattern: str) -> Callable[[str], object]:
    """What tells whether something in a text is like the pattern."""
    return lru_cache(maxsize=MOST)(re.compile(pattern).search)


def _spoken(field: str) -> str:
    return field.replace("_", " ")


def _remedies(gate: PullRequestGate, looked_at: tuple[PullRequest, ...]) -> tuple[Remedy, ...]:
    """To write what is missing, after the merge too; nothing where it must look like a pattern that we cannot spell."""
    lacks = _lacks(gate)
    wrong = {each.number for each in looked_at if lacks(each)}
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
            return facts if type(opened) is Unknown else done.seen(promotion=written(opened))(facts)
        if type(facts.evidence.changes) is Unknown:
            return facts
        mended = tuple(written(e) if e.number in wrong else e for e in facts.evidence.changes.pull_requests)
        return done.seen(changes=replace(facts.evidence.changes, pull_requests=mended))(facts)

    asked = [*map(_spoken, gate.fields), *([f"one of {', '.join(gate.one_of)}"] if gate.one_of else [])]
    who = wording.listed(f"#{number}" for number in sorted(wrong)) if wrong else "the pull request of this promotion"
    return (Remedy(RemedyKind.EVIDENCE, f"write in {who}: {wording.listed(asked)}", applied=said),)


def _off_pattern(pull_request: PullRequest, gate: PullRequestGate) -> bool:
    return bool(_lacks(gate.model_copy(update={"fields": (), "one_of": ()}))(pull_request))
