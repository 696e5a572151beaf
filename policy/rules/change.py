"""Does the policy know changes of this type, here, and was said what must be said of them?"""

from __future__ import annotations

from policy import done, wording
from policy.case import Case
from policy.document import Policy
from policy.facts import EMERGENCY, Question
from policy.finding import Finding, Remedy, RemedyKind, Standing, met, not_applicable, unknown, unmet

CHANGE_TYPE = "change-type"


def change_type(case: Case) -> Finding:
    """The path takes changes of this type, the type goes along this path, and none of its fields is empty."""
    taken, change = case.beforehand(_taken), case.change
    if taken.standing is not Standing.MET or change is None:
        return taken
    fields, asked = case.facts.fields, change.fields
    missing = tuple([field for field in asked if not fields.get(field, "").strip()]) if asked else ()
    if missing:
        asker = case.facts.asked_by.human
        says = f"say {wording.listed(f'{field}:' for field in missing)}"
        remedy = Remedy(RemedyKind.SAY, says, (asker,) if asker else (), applied=done.said(*missing))
        named = case.question.change
        return unmet(CHANGE_TYPE, "missing for {}: {}", named, wording.All(missing), remedies=(remedy,))
    return taken


def _taken(policy: Policy, question: Question) -> Finding:
    """Whether the path takes it, whatever was said of it."""
    path, named = policy.path(question.service, question.source or "", question.target), question.change
    change = policy.change_types.get(named)
    if path is None:
        return unknown(CHANGE_TYPE, "without a path it is not known which types of change it takes")
    if named and change is None and named != EMERGENCY:
        known = wording.All((*policy.change_types, *([EMERGENCY] if policy.emergency else [])), "or")
        return unmet(CHANGE_TYPE, "there is no change type {}; say type: with {}", named, known)
    if path.types is not None and named not in path.types:
        types = wording.All(path.types, "or")
        if not named:
            return unmet(CHANGE_TYPE, "{} takes only changes of a type; say type: with {}", path.name, types)
        return unmet(CHANGE_TYPE, "{} takes only changes of the type {}, not {}", path.name, types, named)
    if change is None:
        return not_applicable(CHANGE_TYPE, "it is {}", "an emergency" if named else "an ordinary change")
    if change.paths and path.name not in change.paths:
        return unmet(CHANGE_TYPE, "{} changes go only along {}", named, wording.All(change.paths, "or"))
    return met(CHANGE_TYPE, "{} is a type of change that {} takes", named, path.name)
