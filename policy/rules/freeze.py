"""Is it frozen?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from policy import wording
from policy.case import Case
from policy.document import Policy
from policy.facts import Facts, Freeze, Question
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet
from policy.model import Unknown

NO_FREEZE = "no-freeze"


def no_freeze(case: Case) -> Finding:
    """No freeze covers this service in this environment at this instant; at its end a freeze is over."""
    question, facts, policy, at = case.question, case.facts, case.policy, case.at
    if isinstance(facts.freezes, Unknown):
        return unknown(NO_FREEZE, facts.freezes.why)
    covering = in_scope(facts.freezes, question)
    active = [freeze for freeze in covering if freeze.starts_at <= at < freeze.ends_at]
    if not active:
        return met(NO_FREEZE, f"nothing freezes {question.place}")
    zone = policy.zone()
    over = _thaws(covering, at)
    thaw = Remedy(RemedyKind.WAIT, f"wait until {wording.instant(over, zone)}", at=over)
    able = _who_may(facts, policy.may.freeze)
    by = f" ({wording.listed(able, 'or')} may)" if able else ""
    lifts = [Remedy(RemedyKind.LIFT, f"end the freeze {freeze.id}{by}", able) for freeze in active]
    reason = "; ".join(_says(freeze, question, policy) for freeze in active)
    return unmet(NO_FREEZE, reason, remedies=(thaw, *lifts))


def in_scope(freezes: Iterable[Freeze], question: Question) -> list[Freeze]:
    """Those that cover the question's place at some time, by start."""
    mine = (f for f in freezes if f.environment == question.target and f.service in {None, question.service})
    return sorted(mine, key=lambda freeze: (freeze.starts_at, freeze.ends_at, freeze.id))


def _thaws(freezes: list[Freeze], at: datetime) -> datetime:
    """The first instant from `at` on that none of them covers; they come by start."""
    for freeze in freezes:
        if freeze.starts_at <= at < freeze.ends_at:
            at = freeze.ends_at
    return at


def _says(freeze: Freeze, question: Question, policy: Policy) -> str:
    where = f"{freeze.service} in {question.target}" if freeze.service else question.target
    until = wording.instant(freeze.ends_at, policy.zone())
    ends = f", or {freeze.exit_criteria}" if freeze.exit_criteria else ""
    return f"{freeze.owner} froze {where} until {until}{ends}: {freeze.reason} ({freeze.id})"


def _who_may(facts: Facts, roles: tuple[str, ...]) -> tuple[str, ...]:
    people = {} if isinstance(facts.people, Unknown) else facts.people
    return tuple(sorted(human for human, person in people.items() if person.active and person.roles & set(roles)))


def rollback_waits_for_no_freeze(_case: Case) -> Finding:
    return not_applicable(NO_FREEZE, "a rollback does not wait for freezes")
