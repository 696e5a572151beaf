"""What may happen in production under this policy that the one before did not let happen?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from policy import windows, wording
from policy.document import Agreement, Path, Policy, Separation, Slot, Stance, Trigger
from policy.facts import Deed, Question
from policy.gates import AnyGate, Mode, Waivable
from policy.lint import Lint, Where
from policy.required import required
from policy.terms import seats

LOOSER: Mapping[type[Enum], Sequence[Enum]] = {
    Mode: (Mode.BLOCK, Mode.ACKNOWLEDGE, Mode.WARN),
    Waivable: (Waivable.NEVER, Waivable.EMERGENCY, Waivable.EXCEPTION),
    Stance: (Stance.OUT, Stance.NOT_ALONE, Stance.MAY_AGREE),
}
"""From the strictest to the loosest."""

WORDS_ONLY = frozenset({"kind", "source", "title", "rationale", "unit"})
"""Nothing is judged by these."""
LESS_IS_STRICTER = frozenset(
    {
        *("allows", "approved", "at_most", "branch.names", "builders", "created_by", "excused", "image.names"),
        *("max_age", "max_attempts", "one_of", "optional", "patches", "signed_by"),
    }
)
"""Of a gate: the longer, larger or more of it, the looser. Of everything else: the stricter."""
NONE_IS_LOOSEST = frozenset({"created_by", "max_age", "max_attempts", "signed_by"})
"""Left out, they ask for nothing."""
NARROWS = frozenset({"applies_to", "labelled", "only_if", "when"})
"""With them a gate is for some changes only."""


def loosened(old: Policy, new: Policy, at: datetime) -> Iterator[Lint]:
    """Each thing that is asked no more, or of fewer; nothing where the new one asks as much as the old."""
    for index, path in enumerate(new.paths):
        if new.environments[path.target].production:
            yield from _path(old, new, index, path, at)
    for name, environment in old.environments.items():
        if environment.production and name in new.environments and not new.environments[name].production:
            yield _loose(("environments", name), f"{name} is production no more")
    yield from _change_types(old, new)
    yield from _exceptions(old, new)
    yield from _emergency(old, new)
    yield from _freezes(old, new, at)
    yield from _granted(("rollback",), old.rollback, new.rollback)
    yield from _owed(("rollback",), old.rollback.owes, new.rollback.owes)
    yield from _backwards(old, new)
    if old.rollback.emergency_outside_window and not new.rollback.emergency_outside_window:
        here: Where = ("rollback", "emergency_outside_window")
        yield _loose(here, "a rollback outside the window opens no emergency record any more")
    yield from _hotfixes(old, new)
    yield from _sets(old, new)
    yield from _people(old, new)
    yield from _settings(old, new)


def _loose(where: Where, says: str) -> Lint:
    return Lint("loosened", where, says)


# Paths to production --------------------------------------------------------------------------------------------------


def _path(old: Policy, new: Policy, index: int, path: Path, at: datetime) -> Iterator[Lint]:
    here: Where = ("paths", index)
    services = [service for service in new.services if path.serves(service)]
    before = {
        service: old.path(service, path.source, path.target) if service in old.services else None
        for service in services
    }
    ways = [service for service in services if before[service] is None]
    if ways:
        yield _loose(here, f"{path.name} is a new way into production for {wording.listed(ways)}")
    for earlier in old.paths:
        service = next((service for service in services if before[service] is earlier), None)
        if service is None:
            continue
        yield from _gates(old, new, here, Question(Deed.PROMOTE, service, path.target, path.source))
        yield from _window(old, new, here, earlier, path, at)
        yield from _agreement((*here, "approvals"), earlier.approvals, path.approvals)
        yield from _more(here, earlier, path, {"approval_lasts": "a vote counts", "request_lasts": "a request lasts"})
        if earlier.reason and not path.reason:
            yield _loose(here, "whoever agrees need not say why any more")
        separations = (earlier.separation or old.separation, path.separation or new.separation)
        if earlier.rollback or path.rollback:
            goes_back = earlier.rollback or old.rollback, path.rollback or new.rollback
            yield from _granted((*here, "rollback") if path.rollback else ("rollback",), *goes_back)
        yield from _separation((*here, "separation") if path.separation else ("separation",), *separations)
        yield from _rollout(here, earlier, path)


def _gates(old: Policy, new: Policy, here: Where, question: Question) -> Iterator[Lint]:
    before, after = required(old, question).gates, required(new, question).gates
    for name, gate in before.items():
        if name not in after:
            yield _loose((*here, "requires"), f"{name} need not be met any more")
        elif gate != after[name]:
            where = ("gates", name) if name in new.gates else (*here, "gates")
            for says in weaker(gate, after[name]):
                yield _loose(where, f"{name}: {says}")


def weaker(old: AnyGate, new: AnyGate) -> Iterator[str]:
    """How a gate asks for less than it did, or for something else."""
    if old.kind != new.kind:
        yield f"is of the kind {new.kind} now, and was {old.kind}; look whether it asks as much"
        return
    for name in type(old).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if before == after or name in WORDS_ONLY:
            continue
        if type(before) in LOOSER:
            ranks = LOOSER[type(before)]
            if ranks.index(after) > ranks.index(before):
                yield f"{name} is {after.value} now, and was {before.value}"
        elif name == "value":
            higher = getattr(new, "op", "") in {">", ">="}
            if (after < before) if higher else (after > before):
                yield f"{after:g} is enough now, and {before:g} was needed"
        elif name in NARROWS:
            if not before or (after and not _covers(after, before)):
                yield f"{name} leaves out changes that had to meet it"
        elif _looser(name, before, after, less=not LESS_IS_STRICTER.isdisjoint({name, f"{old.kind}.{name}"})):
            yield f"{name} is {_shown(after)} now, and was {_shown(before)}"


def _looser(name: str, before: Any, after: Any, *, less: bool) -> bool:  # noqa: ANN401 (a value of any field)
    """Whether less is asked; of what has no order, that it is another. `less`: the less of it, the stricter."""
    if name in NONE_IS_LOOSEST and (not before or not after):
        return not after
    if before is None or after is None:
        return after is None
    if isinstance(before, bool | int | float | timedelta):
        return bool(after > before if less else after < before)
    if isinstance(before, dict):
        return _looser_each(before, after, less=less)
    if isinstance(before, tuple):
        return not set(after) <= set(before) if less else not set(before) <= set(after)
    return True


def _looser_each(before: Mapping[str, Any], after: Mapping[str, Any], *, less: bool) -> bool:
    """Of limits by name: one that is gone, or larger; of demands, one that is gone or another."""
    if not less:
        return any(after.get(key) != value for key, value in before.items())
    if all(isinstance(value, int) for value in (*before.values(), *after.values())):
        return any(key not in after or after[key] > value for key, value in before.items())
    return not after.items() <= before.items()


def _covers(wide: Any, narrow: Any) -> bool:  # noqa: ANN401 (change types, labels, fields or a condition)
    """Whether whatever the narrow one is for, the wide one is for as well."""
    if isinstance(wide, tuple):
        return set(narrow) <= set(wide)
    if isinstance(wide, dict):
        return all(key in narrow and set(narrow[key]) <= set(words) for key, words in wide.items())
    return all(set(getattr(narrow, key)) <= set(getattr(wide, key)) for key in type(wide).model_fields)


def _shown(value: object) -> str:
    if isinstance(value, timedelta):
        return wording.lasting(value)
    if isinstance(value, tuple):
        return wording.listed(map(str, value)) if value else "empty"
    return "left out" if value is None else str(value)


def _window(old: Policy, new: Policy, here: Where, before: Path, after: Path, at: datetime) -> Iterator[Lint]:
    if before.gates.window is None:
        return
    if after.gates.window is None:
        yield _loose((*here, "gates"), f"it waits for no window any more, and waited for {before.gates.window}")
        return
    was, now = windows.named(old, before.gates.window), windows.named(new, after.gates.window)
    instant = first_only(now, was, at)
    if instant is not None:
        says = f"open on {wording.instant(instant, new.zone())}, when it was closed before"
        yield _loose(("windows", after.gates.window), says)


def first_only(one: windows.Schedule, other: windows.Schedule, at: datetime) -> datetime | None:
    """The first instant from `at` on, within the horizon, at which the one is open and the other is not."""
    instant, limit = at, at + windows.HORIZON
    while instant <= limit:
        if one.is_open(instant) and not other.is_open(instant):
            return instant
        changes = [schedule.next_change(instant) for schedule in (one, other)]
        known = [change for change in changes if change is not None]
        if not known:
            return None
        instant = min(known)
    return None


def _agreement(where: Where, before: Iterable[Slot], after: Iterable[Slot]) -> Iterator[Lint]:
    was, now = [set(seat.roles) for seat in seats(before)], [set(seat.roles) for seat in seats(after)]
    if len(now) < len(was):
        yield _loose(where, f"{len(now)} must agree now, and {len(was)} had to")
        return
    left = list(now)
    for roles in sorted(was, key=len):
        as_strict = next((each for each in sorted(left, key=len, reverse=True) if each <= roles), None)
        if as_strict is None:
            names = wording.listed(map(wording.role, sorted(roles)), "or")
            yield _loose(where, f"no {names} need agree any more where one had to")
        else:
            left.remove(as_strict)


def _more(where: Where, before: Any, after: Any, named: Mapping[str, str]) -> Iterator[Lint]:  # noqa: ANN401 (parts of one kind)
    for key, what in named.items():
        was, now = getattr(before, key), getattr(after, key)
        if was is not None and (now is None or now > was):
            shown = "for good" if now is None else f"for {wording.lasting(now)}"
            yield _loose((*where, key), f"{what} {shown} now, and {wording.lasting(was)} before")


def _separation(where: Where, before: Separation, after: Separation) -> Iterator[Lint]:
    ranks = LOOSER[Stance]
    for key in ("authors", "reviewers"):
        was, now = getattr(before, key), getattr(after, key)
        if ranks.index(now) > ranks.index(was):
            yield _loose((*where, key), f"{key} are {now.value} now, and were {was.value}")
    if (before.unknown_authors, after.unknown_authors) == ("block", "ignore"):
        yield _loose((*where, "unknown_authors"), "commits by nobody knows whom do not block any more")


def _rollout(here: Where, before: Path, after: Path) -> Iterator[Lint]:
    was, now = before.rollout, after.rollout
    place = (*here, "rollout")
    if now.health.max_error_percent > was.health.max_error_percent:
        says = f"{now.health.max_error_percent:g} % of errors are let pass, and {was.health.max_error_percent:g} % were"
        yield _loose((*place, "health", "max_error_percent"), says)
    if was.health.max_p99 is not None and (now.health.max_p99 is None or now.health.max_p99 > was.health.max_p99):
        yield _loose((*place, "health", "max_p99"), "slower answers are let pass than before")
    if now.health.min_requests < was.health.min_requests:
        says = f"{now.health.min_requests} requests prove it well, and {was.health.min_requests} were needed"
        yield _loose((*place, "health", "min_requests"), says)
    if now.steps[0].percent > was.steps[0].percent:
        says = f"it begins with {now.steps[0].percent} % of the traffic, and began with {was.steps[0].percent} %"
        yield _loose((*place, "steps"), says)
    for name, trigger in was.triggers.items():
        if name not in now.triggers:
            yield _loose((*place, "triggers"), f"{name} takes nothing back any more")
        elif _fires_later(trigger, now.triggers[name]):
            yield _loose((*place, "triggers", name), "it fires later than it did, or only asks")
    if was.watch is not None and (now.watch is None or now.watch < was.watch):
        yield _loose((*place, "watch"), "what was released is watched for a shorter time")
    if (was.inconclusive, now.inconclusive) == ("back", "ask"):
        yield _loose((*place, "inconclusive"), "somebody may let through what proves nothing, and it was taken back")
    gone = [probe.path for probe in was.smoke if probe not in now.smoke]
    if gone:
        yield _loose((*place, "smoke"), f"{wording.listed(gone)} need not answer any more as it had to")


def _fires_later(before: Trigger, after: Trigger) -> bool:
    """Whether something would have made it take a release back that does not any more, or not so soon."""
    never = timedelta(0)
    later = (
        (after.above or 0) > (before.above or 0),
        (after.lasts or never) > (before.lasts or never),
        after.in_a_row > before.in_a_row,
        after.every > before.every,
        after.min_requests > before.min_requests,
        after.during not in {before.during, "both"},
        (before.then, after.then) == ("back", "ask"),
        after.signal != before.signal,
    )
    return any(later)


# Ways around ----------------------------------------------------------------------------------------------------------


def _change_types(old: Policy, new: Policy) -> Iterator[Lint]:
    for name, change in new.change_types.items():
        here: Where = ("change_types", name)
        before = old.change_types.get(name)
        if before is None:
            spared = [*change.waives, *(key for key in ("window", "freeze") if getattr(change, key) == "any")]
            if spared or change.instead:
                says = f"a new type that need not meet {wording.listed(spared)}" if spared else "a new type"
                own = ", with approvals of its own instead of the path's" if change.instead else ""
                yield _loose(here, says + own)
            continue
        for key in ("window", "freeze"):
            if (getattr(before, key), getattr(change, key)) == ("path", "any"):
                yield _loose((*here, key), f"it waits for no {key} any more")
        yield from _gained((*here, "waives"), before.waives, change.waives, "{} need not be met by it any more")
        yield from _gained((*here, "adds"), change.adds, before.adds, "{} need not be met by it any more")
        yield from _gained((*here, "fields"), change.fields, before.fields, "{} need not be said for it any more")
        if change.instead and not before.instead:
            yield _loose((*here, "instead"), "its own approvals take the place of the path's")
        elif change.instead == before.instead:
            yield from _agreement((*here, "approvals"), before.approvals, change.approvals)


def _gained(where: Where, before: Iterable[str], after: Iterable[str], says: str) -> Iterator[Lint]:
    known = set(before)
    gained = [word for word in after if word not in known]
    if gained:
        yield _loose(where, says.format(wording.listed(gained)))


def _exceptions(old: Policy, new: Policy) -> Iterator[Lint]:
    for name, kind in new.exceptions.items():
        here: Where = ("exceptions", name)
        before = old.exceptions.get(name)
        if before is None:
            what = "waive" if kind.waives else "relax"
            words = wording.listed(kind.waives or [one.value for one in kind.relaxes])
            yield _loose(here, f"a new kind of exception, which may {what} {words}")
            continue
        yield from _gained((*here, "waives"), before.waives, kind.waives, "it may waive {} now")
        yield from _gained((*here, "relaxes"), before.relaxes, kind.relaxes, "it may relax {} now")
        if before.runbook is not None and kind.runbook is None:
            yield _loose((*here, "runbook"), "it is written down in no runbook any more")
        if before.asked_by and not kind.asked_by:
            yield _loose((*here, "asked_by"), "whoever may ask for exceptions may ask for it now")
        elif before.asked_by:
            yield from _gained((*here, "asked_by"), before.asked_by, kind.asked_by, "{} may ask for it now")
        yield from _granted(here, before, kind)
        yield from _more(here, before, kind, {"longest": "it may last"})
        if kind.emergency and not before.emergency:
            yield _loose((*here, "emergency"), "it may waive what only an emergency might")
        if before.uses is not None and (kind.uses is None or kind.uses > before.uses):
            yield _loose((*here, "uses"), "more promotions may rest on one")
        yield from _gained((*here, "fields"), kind.fields, before.fields, "{} need not be said for it any more")
        if before.reasons and not kind.reasons:
            yield _loose((*here, "reasons"), "any reason will do now")
        elif before.reasons:
            yield from _gained((*here, "reasons"), before.reasons, kind.reasons, "{} is a reason for it now")
        yield from _owed(here, before.owes, kind.owes)


def _granted(here: Where, before: Agreement, after: Agreement) -> Iterator[Lint]:
    yield from _agreement((*here, "approvals"), before.approvals, after.approvals)
    yield from _more(here, before, after, {"approval_lasts": "a vote counts"})
    if before.reason and not after.reason:
        yield _loose(here, "whoever agrees need not say why any more")


def _owed(here: Where, before: Iterable[Any], after: Iterable[Any]) -> Iterator[Lint]:
    kept = {duty.kind for duty in after}
    yield from _gained((*here, "owes"), kept, (duty.kind for duty in before), "{} is owed afterwards no more")


def _emergency(old: Policy, new: Policy) -> Iterator[Lint]:
    here: Where = ("emergency",)
    before, after = old.emergency, new.emergency
    if after is None:
        return
    if before is None:
        yield _loose(here, f"there are emergencies now; they waive {wording.listed(after.waives)}")
        return
    yield from _gained((*here, "waives"), before.waives, after.waives, "it waives {} now")
    yield from _granted(here, before, after)
    yield from _more(here, before, after, {"lasts": "it may begin"})
    yield from _gained((*here, "fields"), after.fields, before.fields, "{} need not be said for it any more")
    yield from _owed(here, before.owes, after.owes)


def _freezes(old: Policy, new: Policy, at: datetime) -> Iterator[Lint]:
    now = {freeze.name: (number, freeze) for number, freeze in enumerate(new.freezes.calendar)}
    for number, before in enumerate(old.freezes.calendar):
        if before.name not in now:
            yield _loose(("freezes", "calendar"), f"{before.name} freezes nothing any more")
            continue
        index, after = now[before.name]
        here: Where = ("freezes", "calendar", index)
        production = [name for name, place in new.environments.items() if place.production]
        frozen = [name for name in before.environments if name in production]
        yield from _gained((*here, "environments"), after.environments, frozen, "{} is not frozen any more")
        if after.services is not None:
            before_all = before.services if before.services is not None else tuple(new.services)
            yield from _gained((*here, "services"), after.services, before_all, "{} is not frozen any more")
        was = windows.schedule(old.calendar_freeze(number), old.zone())
        instant = first_only(was, windows.schedule(new.calendar_freeze(index), new.zone()), at)
        if instant is not None:
            yield _loose(here, f"it does not hold on {wording.instant(instant, new.zone())}, when it held before")
    if new.freezes.override and not old.freezes.override:
        yield _loose(("freezes", "override"), "something can be let through a freeze now")
    elif new.freezes.override:
        yield from _agreement(("freezes", "override"), old.freezes.override, new.freezes.override)


def _backwards(old: Policy, new: Policy) -> Iterator[Lint]:
    before, after = old.rollback.database, new.rollback.database
    here: Where = ("rollback", "database")
    for declared, way in after.declares.items():
        was = before.declares.get(declared, way)
        if _WAYS.index(way) > _WAYS.index(was):
            yield _loose((*here, "declares"), f"{declared} is {way} now, and was {was}")
    yield from _gained((*here, "override"), before.override, after.override, "{} may go back over it now")


def _hotfixes(old: Policy, new: Policy) -> Iterator[Lint]:
    before, after = old.hotfix, new.hotfix
    if before is None:
        return
    if after is None:
        yield _loose(("hotfix",), "hotfixes are brought nowhere any more, and may be lost")
        return
    for key, gone in (("ports_to", (after.ports_to, before.ports_to)), ("closed", (before.closed, after.closed))):
        yield from _gained(("hotfix", key), *gone, "{} gets no hotfixes any more")
    if before.owes.blocks and not after.owes.blocks:
        yield _loose(("hotfix", "owes", "blocks"), "a hotfix that is overdue somewhere blocks nothing any more")


def _sets(old: Policy, new: Policy) -> Iterator[Lint]:
    before, after = old.manifest.owner_role, new.manifest.owner_role
    if before is not None and after != before:
        who = "whoever may promote" if after is None else wording.role(after)
        yield _loose(("manifest", "owner_role"), f"{who} may promote a set now")


_WAYS = ("forward", "rollout", "back")
"""From the strictest to the loosest."""


def _people(old: Policy, new: Policy) -> Iterator[Lint]:
    for deed, roles in new.may:
        if deed != "rollback":  # nobody is harmed by more people who may go back
            yield from _gained(("may", deed), getattr(old.may, deed), roles, "{} may ask for it now")
    for name, role in new.roles.items():
        if name in old.roles:
            yield from _gained(("roles", name, "members"), old.roles[name].members, role.members, "{} holds it now")


def _settings(old: Policy, new: Policy) -> Iterator[Lint]:
    for name, environment in new.environments.items():
        before = old.environments.get(name)
        if before is None:
            continue
        here: Where = ("environments", name)
        yield from _gained((*here, "demands"), environment.demands, before.demands, "{} is not demanded any more")
        if before.settings is not None and before.settings != environment.settings:
            yield _loose((*here, "settings"), "other settings are demanded of its services; look whether as many are")
