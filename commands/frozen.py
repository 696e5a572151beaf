"""How do we say what is frozen, by people and by the calendar, and what is held?"""

from __future__ import annotations

from datetime import datetime, timedelta

from commands import tell
from commands.explain import texts
from commands.record import hash_of
from commands.reply import Bold, Code, Line, Mark, Reply, Text, When
from policy import freezes
from policy.document import CalendarFreeze, Policy
from policy.facts import Freeze, Hold
from policy.freezes import EVER, FOREVER, Recurring
from policy.model import Place, short
from policy.wording import listed

COMING = timedelta(days=90)
"""So far ahead freezes by the calendar are listed."""


def target_of(freeze: Freeze) -> dict[str, str]:
    """What an entry about it is about."""
    target = {"environment": freeze.environment, "freeze": freeze.id}
    return {**target, **({"service": freeze.service} if freeze.service else {})}


def scope(freeze: Freeze) -> str:
    return f"{freeze.service} in {freeze.environment}" if freeze.service else freeze.environment


def described(freeze: Freeze) -> tuple[Line, ...]:
    lines = [
        Line(
            Mark.NOTE,
            texts((Bold(freeze.id),), " from ", (When(freeze.starts_at),), " until ", (When(freeze.ends_at),)),
        )
    ]
    if freeze.exit_criteria:
        lines.append(Line(Mark.NOTE, f"It can end when {freeze.exit_criteria}"))
    lines += [Line(Mark.NOTE, f"{tell.name(key)}: {value}") for key, value in freeze.fields.items()]
    if not freeze.approved:
        lines.append(Line(Mark.NOTE, unapproved(freeze)))
    return tuple(lines)


def unapproved(freeze: Freeze) -> Text:
    """What it is worth until somebody agrees."""
    if freeze.lapses_at is None:
        return "It does not hold before somebody has agreed to it."
    return ("Nobody has agreed to it yet; without that it is over ", When(freeze.lapses_at))


def held(hold: Hold) -> Text:
    return texts(
        (Bold(hold.id),),
        f" {hold.place.service} {short(hold.digest)} stays out of {hold.place.environment}: {hold.reason}",
    )


def by_calendar(policy: Policy, now: datetime) -> tuple[Line, ...]:
    """Freezes by the calendar that hold now or come next, soonest first, a line for each environment of each."""
    found: dict[tuple[str, str], tuple[Freeze, CalendarFreeze]] = {}
    for place in (Place(service, name) for service in policy.services for name in policy.environments):
        for each in freezes.recurring(policy, place):
            freeze = _next(each, place.environment, now)
            if freeze is not None and freeze.starts_at < now + COMING:
                found[freeze.id, place.environment] = (freeze, each.says)
    ordered = sorted(found.values(), key=lambda one: (one[0].starts_at, one[0].id, one[0].environment))
    return tuple(
        Line(Mark.NO if freeze.starts_at <= now else Mark.NOTE, _recurring(freeze, says.services))
        for freeze, says in ordered
    )


def _next(recurring: Recurring, environment: str, now: datetime) -> Freeze | None:
    """The one that holds now, or the next."""
    holding = recurring.as_of(environment, now)
    if holding is not None:
        return holding
    begins = recurring.schedule.next_change(now)
    return None if begins is None else recurring.as_of(environment, begins)


def _recurring(freeze: Freeze, services: tuple[str, ...] | None) -> Text:
    until: Text = " for good" if freeze.ends_at == FOREVER else (" until ", When(freeze.ends_at))
    where = f"{listed(services)} in {freeze.environment}" if services else freeze.environment
    begins: Text = "" if freeze.starts_at == EVER else (" from ", When(freeze.starts_at))
    return texts((Bold(freeze.id),), f" {where}", begins, until, f": {freeze.reason}")


def title(freeze: Freeze) -> str:
    return f"the freeze {freeze.id} of {scope(freeze)}"


def state(freeze: Freeze, now: datetime) -> str:
    """A sentence that makes sense alone, without the full stop."""
    if freeze.over_at <= now:
        return f"{title(freeze)} is over"
    return f"{title(freeze)} is approved" if freeze.approved else f"{title(freeze)} waits for approval"


def card(freeze: Freeze, now: datetime) -> Reply:
    """What somebody is asked to agree to, letter by letter, with the hash that votes bind to."""
    says = state(freeze, now)
    over = freeze.over_at <= now
    return Reply(
        f"❄ {says[:1].upper()}{says[1:]}.",
        fields=(
            ("Asked by", freeze.owner),
            ("Where", scope(freeze)),
            ("From", (When(freeze.starts_at),)),
            ("Until", (When(freeze.ends_at),)),
            ("Reason", freeze.reason),
            *([("It can end when", freeze.exit_criteria)] if freeze.exit_criteria else []),
            *((tell.name(key), value) for key, value in freeze.fields.items()),
            *([("Hash", (Code(hash_of(freeze)[:12]),))] if not over else []),
        ),
        lines=(Line(Mark.NOTE, unapproved(freeze)),) if not (freeze.approved or over) else (),
        footer=f"{freeze.id}{'' if over else f' · promotions are blocked, rollbacks are not · freeze end {freeze.id}'}",
    )
