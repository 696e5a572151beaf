"""Is anything owed that should have been done by now?"""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo
from typing import NamedTuple

from policy import duty, wording
from policy.case import Case
from policy.document import Policy
from policy.facts import EMERGENCY, Facts, Obligation, Question
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet
from policy.model import Unknown

NOTHING_OVERDUE = "nothing-overdue"


def nothing_overdue(case: Case) -> Finding:
    """Nothing that this service owes is overdue, or it does not block; it stops ordinary changes of production only."""
    free = case.beforehand(_free)
    if free is not None:
        return free
    owed = case.facts.obligations
    if type(owed) is Unknown:
        return unknown(NOTHING_OVERDUE, "{}", owed.why)
    if not owed:
        return _NOTHING_OWED
    service = case.question.service
    overdue = [one for one in owed if one.blocks and one.service in {None, service} and duty.overdue(one, case.at)]
    if not overdue:
        return met(NOTHING_OVERDUE, "nothing that {} owes is overdue", service)
    overdue.sort(key=lambda one: (one.due_at, one.id))
    says = "; ".join(["{}"] * len(overdue))
    return unmet(NOTHING_OVERDUE, says, *(_Owed(one, case.zone) for one in overdue), remedies=_settle(overdue, case))


_NOTHING_OWED = met(NOTHING_OVERDUE, "nothing is owed")


def _free(policy: Policy, question: Question) -> Finding | None:
    """Whatever is owed does not stop it; None: it may."""
    environment = policy.environments.get(question.target)
    if environment is None or not environment.production:
        return not_applicable(NOTHING_OVERDUE, "{} is no production", question.target)
    if question.change == EMERGENCY:
        return not_applicable(NOTHING_OVERDUE, "an emergency does not wait for what is owed")
    return None


class _Owed(NamedTuple):
    """What is owed, since when, by whom, and what for."""

    what: Obligation
    zone: tzinfo

    def __str__(self) -> str:
        one, due = self.what, wording.instant(self.what.due_at, self.zone)
        return f"{one.says} ({one.id}, from {one.about}) was due on {due} from {wording.role(one.owner)}"


def _settle(overdue: list[Obligation], case: Case) -> tuple[Remedy, ...]:
    """All of it is done, by those who may; nothing where somebody is wanted whom there is not."""
    people = {} if type(case.facts.people) is Unknown else case.facts.people
    able = [[human for human, person in people.items() if not duty.why_not(one, person)] for one in overdue]
    if people and not all(able):
        return ()
    ids = frozenset(one.id for one in overdue)

    def applied(facts: Facts) -> Facts:
        owed = () if type(facts.obligations) is Unknown else facts.obligations
        return replace(facts, obligations=tuple(one for one in owed if one.id not in ids))

    who = tuple(sorted({human for humans in able for human in humans}))
    by = f" ({wording.listed(who, 'or')} may)" if who else ""
    says = f"settle {wording.listed(one.id for one in overdue)}{by}"
    return (Remedy(RemedyKind.SETTLE, says, who, applied=applied),)
