"""What freezes a place at an instant: what people declared, and what comes round by the calendar?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from policy import windows, wording
from policy.case import Case
from policy.document import CalendarFreeze, Policy
from policy.facts import Facts, Freeze, Question
from policy.kept import kept
from policy.model import Place, Unknown
from policy.seating import not_ours
from policy.windows import Schedule

TRIES = 1000
"""So many freezes that follow upon each other are looked at; more than any calendar has in its horizon."""

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a freeze ends of which no end is known."""

EVER = datetime(1, 1, 1, tzinfo=UTC)
"""When a freeze began of which no beginning is known."""

_BACK = tuple(timedelta(days=2**power) for power in range(10))
"""So far is looked for its beginning, further each time."""


class Recurring(NamedTuple):
    """A freeze by the calendar, made ready to be asked."""

    says: CalendarFreeze
    schedule: Schedule

    def as_of(self, environment: str, at: datetime) -> Freeze | None:
        """The freeze that it is at that instant, named and dated: `month-end-2026-03`; None: it does not hold."""
        if not self.schedule.is_open(at):
            return None
        starts_at = self._began(at)
        return Freeze(
            id=f"{self.says.name}-{self._dated(starts_at)}",
            environment=environment,
            service=None,
            starts_at=starts_at,
            ends_at=self.schedule.next_change(at) or FOREVER,
            reason=self.says.reason,
            owner="",
        )

    def _began(self, at: datetime) -> datetime:
        """When the spell began that `at` is in; `EVER` where nothing is known to have changed before."""
        for back in _BACK:
            began = self.schedule.next_change(at - back, back)
            while began is not None:
                later = self.schedule.next_change(began, at - began)
                if later is None:
                    return began
                began = later
        return EVER

    def _dated(self, starts_at: datetime) -> str:
        if starts_at == EVER:
            return "always"
        monthly = all(rule.month_end is not None for rule in self.says.when)
        return starts_at.astimezone(self.schedule.zone).strftime("%Y-%m" if monthly else "%Y-%m-%d")


@kept
def recurring(policy: Policy, place: Place) -> tuple[Recurring, ...]:
    """Those that ever hold there, in the order of the policy."""
    return tuple(
        Recurring(freeze, windows.schedule(policy.calendar_freeze(index), policy.zone()))
        for index, freeze in enumerate(policy.freezes.calendar)
        if place.environment in freeze.environments and (freeze.services is None or place.service in freeze.services)
    )


def _recurring(policy: Policy, question: Question) -> tuple[Recurring, ...]:
    return recurring(policy, question.place)


def in_scope(freezes: Iterable[Freeze], question: Question) -> list[Freeze]:
    """Those that people declared for the question's place at some time, by start."""
    here, mine = question.target, question.service
    found = [one for one in freezes if one.environment == here and (one.service is None or one.service == mine)]
    return sorted(found, key=lambda freeze: (freeze.starts_at, freeze.ends_at, freeze.id)) if len(found) > 1 else found


def holding(case: Case) -> tuple[Freeze, ...] | Unknown:
    """All that hold at the case's instant, people's first; Unknown where it is not known what people declared."""
    return case.once(_holding)


def _holding(case: Case) -> tuple[Freeze, ...] | Unknown:
    declared = case.facts.freezes
    if type(declared) is Unknown:
        return declared
    return _holding_at(case, declared, case.at)


def _holding_at(case: Case, declared: tuple[Freeze, ...], at: datetime) -> tuple[Freeze, ...]:
    question = case.question
    found = [freeze for freeze in declared if freeze.holds(at)]
    if found:
        found = in_scope(found, question)
    for each in case.beforehand(_recurring):
        freeze = each.as_of(question.target, at)
        if freeze is not None:
            found.append(freeze)
    return tuple(found)


def by_the_calendar(freeze: Freeze) -> bool:
    """Whether nobody declared it, so nobody can end it."""
    return not freeze.owner


def thaws(case: Case, besides: Iterable[Freeze] = ()) -> datetime | None:
    """The first instant from the case's on at which none holds but these; None: no such is known."""
    let_by = {freeze.id for freeze in besides}
    declared = () if type(case.facts.freezes) is Unknown else case.facts.freezes
    at, now = case.at, holding(case)
    active = _holding_at(case, declared, at) if type(now) is Unknown else now
    for _ in range(TRIES):
        ends = [freeze.over_at for freeze in active if freeze.id not in let_by]
        if not ends:
            return at
        at = max(ends)
        if at == FOREVER:
            return None
        active = _holding_at(case, declared, at)
    return None


def unsaid(freeze: Freeze, policy: Policy) -> tuple[str, ...]:
    """What must still be said of it before it can come into force, in the order of the policy; blank says nothing."""
    said = {**freeze.fields, "reason": freeze.reason}
    if freeze.exit_criteria.strip():
        said["exit"] = freeze.exit_criteria
    return tuple(field for field in ("reason", *policy.freezes.fields) if not said.get(field, "").strip())


def who_may_end(facts: Facts, policy: Policy) -> tuple[str, ...]:
    """By name, as far as is known; never a bot, a guest or somebody who left."""
    people = {} if type(facts.people) is Unknown else facts.people
    roles = policy.may.freeze
    able = [human for human, person in people.items() if not person.roles.isdisjoint(roles) and not not_ours(person)]
    return tuple(sorted(able))


class Says(NamedTuple):
    """A freeze in words: whose, where, until when, why, and its id."""

    freeze: Freeze
    question: Question
    zone: tzinfo

    def __str__(self) -> str:
        freeze, target = self.freeze, self.question.target
        where = f"{freeze.service} in {target}" if freeze.service else target
        until = "for good" if freeze.over_at == FOREVER else f"until {wording.instant(freeze.over_at, self.zone)}"
        if by_the_calendar(freeze):
            return f"{freeze.id} freezes {where} {until}: {freeze.reason}"
        ends = f", or {freeze.exit_criteria}" if freeze.exit_criteria else ""
        waits = "" if freeze.approved else "; nobody agreed to it yet"
        return f"{freeze.owner} froze {where} {until}{ends}: {freeze.reason} ({freeze.id}{waits})"
