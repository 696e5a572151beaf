"""What is owed after the fact, by when, and who may settle it?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from policy import wording
from policy.document import Duty, Policy
from policy.facts import ExceptionRecord, Obligation
from policy.model import Human, Person, Place
from policy.seating import not_ours

SATURDAY = 5


def due_at(duty: Duty, at: datetime, policy: Policy) -> datetime:
    """By when it is due if it begins at `at`: so long after, or at that hour of a later business day, UTC.

    Business days are Monday to Friday but for every day of the policy's calendars. The first that counts is the day
    after; with none to wait for it is due on the same day, or on the next business day where that is no such day or its
    hour has passed.
    """
    if duty.within is not None:
        return at + duty.within
    zone = policy.zone()
    holidays = frozenset(day for calendar in policy.calendars.values() for day in calendar.days)
    hours, minutes = map(int, duty.by.split(":"))

    def works(day: date) -> bool:
        return day.weekday() < SATURDAY and day not in holidays

    def hour_of(day: date) -> datetime:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        return (midnight + timedelta(hours=hours, minutes=minutes)).astimezone(UTC)

    day, left = at.astimezone(zone).date(), duty.business_days or 0
    while left or not works(day) or hour_of(day) <= at:
        day += timedelta(days=1)
        left -= 1 if left and works(day) else 0
    return hour_of(day)


def of_exception(record: ExceptionRecord, policy: Policy) -> tuple[Obligation, ...]:
    """What becomes owed once it is granted; whoever asked for it or granted it took part."""
    kind = policy.exceptions.get(record.kind)
    if kind is None or record.granted_at is None:
        return ()
    where = record.service, record.environment
    return _owed(kind.owes, record.id, where, record.granted_at, (record.asked_by, *record.granted_by), policy)


def of_emergency(
    id: str, place: Place, began_at: datetime, takers: Iterable[Person], policy: Policy
) -> tuple[Obligation, ...]:
    """What becomes owed once a change begins under that emergency."""
    duties = () if policy.emergency is None else policy.emergency.owes
    return _owed(duties, id, (place.service, place.environment), began_at, takers, policy)


def to_complete(
    id: str, missing: Iterable[str], place: Place, began_at: datetime, policy: Policy
) -> tuple[Obligation, ...]:
    """What is still to be said for an emergency that was opened in a hurry, due with the first that it owes."""
    rules, unsaid = policy.emergency, tuple(missing)
    if rules is None or not unsaid:
        return ()
    says = f"the record of {id} was completed with {wording.listed(unsaid)}"
    duty = rules.owes[0].model_copy(update={"kind": "record", "says": says})
    where = place.service, place.environment
    (owed,) = _owed((duty,), f"{id} record", where, began_at, (), policy)  # whoever took part can do it as well
    return (replace(owed, about=id),)


def of_rollback(
    id: str, place: Place, began_at: datetime, takers: Iterable[Person], policy: Policy
) -> tuple[Obligation, ...]:
    """What becomes owed once that rollback begins, by itself or because somebody asked."""
    return _owed(policy.rollback.owes, id, (place.service, place.environment), began_at, takers, policy)


def of_hotfix(about: str, place: Place, what: str, began_at: datetime, policy: Policy) -> Obligation | None:
    """What becomes owed for one branch that must get what production serves; None: hotfixes owe nothing any more.

    `what`: which commits go where, `5c1d23456789 into main`.
    """
    if policy.hotfix is None:
        return None
    duty = policy.hotfix.owes
    duties = (duty.model_copy(update={"says": f"{duty.says}: {what}"}),)
    (owed,) = _owed(duties, f"{about} {what}", (place.service, place.environment), began_at, (), policy)
    return replace(owed, about=about)


def _owed(
    duties: Iterable[Duty],
    about: str,
    where: tuple[str | None, str],
    began_at: datetime,
    takers: Iterable[Person],
    policy: Policy,
) -> tuple[Obligation, ...]:
    """The same each time it is worked out, ids too; `where` is service and environment."""
    service, environment = where
    took_part = frozenset[Human](person.human for person in takers if person.human is not None)
    return tuple(
        Obligation(
            id=f"O-{hashlib.sha256(f'{about} {number} {duty.kind}'.encode()).hexdigest()[:10]}",
            kind=duty.kind,
            about=about,
            service=service,
            environment=environment,
            owner=duty.owner,
            due_at=due_at(duty, began_at, policy),
            says=duty.says,
            takers=took_part if duty.by_others else frozenset(),
            blocks=duty.blocks,
        )
        for number, duty in enumerate(duties)
    )


def overdue(obligation: Obligation, at: datetime) -> bool:
    """Whether its last instant has come and nobody settled it."""
    return at >= obligation.due_at and (obligation.settled_at is None or at < obligation.settled_at)


def why_not(obligation: Obligation, person: Person) -> str:
    """Why that person cannot settle it, after their name; empty: they can."""
    nobody = not_ours(person)
    if nobody or person.human is None:
        return nobody or "is linked to nobody that the policy knows"
    if person.human in obligation.takers:
        return "took part, so cannot settle it"
    if obligation.owner in person.roles or obligation.owner == person.human:
        return ""
    return f"is no {wording.role(obligation.owner)}"
