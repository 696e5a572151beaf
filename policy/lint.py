"""What in this policy is no mistake, and yet somebody should look at it? Each thing with its place and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum, auto
from itertools import combinations
from typing import NamedTuple
from zoneinfo import ZoneInfo

from policy import windows, wording
from policy.document import CalendarFreeze, ExceptionKind, Model, Path, Policy, Slot, Weekday, WindowRule
from policy.facts import EMERGENCY, Deed, Question
from policy.fits import pointers
from policy.freezes import recurring
from policy.gates import ChecklistGate, Gate, NumberGate, SignoffGate
from policy.model import Place
from policy.required import required
from policy.terms import Seat, seats

Where = tuple[str | int, ...]

CALENDAR_ENDS = timedelta(days=90)
"""A calendar that ends within this needs its next years."""
TRANSITIONS = timedelta(days=5 * 366)
"""So far ahead are clock changes looked at."""
_WEEKDAYS = tuple(Weekday)
USUAL = {"commits": "conventional", "tickets": "[A-Z]+-[0-9]+"}
"""What a team need not explain."""


class Weight(Enum):
    """How much it matters."""

    WARNING = auto()
    """Somebody should mend it, or decide that it is right."""
    NOTE = auto()
    """Somebody should know it."""


class Lint(NamedTuple):
    """One thing to look at."""

    name: str
    """What sort of thing: `no-opening`."""
    where: Where
    says: str
    """What is so, and what to do, without a full stop."""
    weight: Weight = Weight.WARNING


def lints(policy: Policy, at: datetime) -> Iterator[Lint]:
    """All of them, as things are at that instant."""
    yield from _no_opening(policy, at)
    yield from _clock_changes(policy, at)
    yield from _calendars_end(policy, at)
    yield from _freezes_overlap(policy, at)
    yield from _nobody_left(policy)
    yield from _never_used(policy)
    yield from _unguarded(policy)
    yield from _logs(policy)
    yield from _unexplained(policy)
    yield from _assumed(policy)
    yield from _unenforced(policy, at)


def _questions(policy: Policy, path: Path) -> Iterator[Question]:
    """What may be asked along that path."""
    types = [name for name, change in policy.change_types.items() if not change.paths or path.name in change.paths]
    emergency = [EMERGENCY] if policy.emergency is not None else []
    for service in policy.services:
        if path.serves(service):
            for change in ("", *types, *emergency):
                if path.types is None or change in path.types:
                    yield Question(Deed.PROMOTE, service, path.target, path.source, change)


# Windows, freezes, calendars ------------------------------------------------------------------------------------------


def _no_opening(policy: Policy, at: datetime) -> Iterator[Lint]:
    for index, path in enumerate(policy.paths):
        name = path.gates.window
        if name is not None and not _opens([windows.named(policy, name)], [], at):
            says = f"{name} does not open in the next {windows.HORIZON.days} days; nothing can be promoted along it"
            yield Lint("no-opening", ("paths", index, "gates", "window"), says)
            continue
        stuck = [word for word in policy.services if path.serves(word) and not _opens(*_times(policy, path, word), at)]
        if stuck:
            left = wording.listed(stuck)
            says = f"window and calendar freezes leave {left} no opening in the next {windows.HORIZON.days} days"
            yield Lint("no-opening", ("paths", index), says)


Schedules = list[windows.Schedule]


def _times(policy: Policy, path: Path, service: str) -> tuple[Schedules, Schedules]:
    """The window that must be open, if there is one, and the freezes that must not hold."""
    name = path.gates.window
    freezes = [freeze.schedule for freeze in recurring(policy, Place(service, path.target))]
    return ([] if name is None else [windows.named(policy, name)]), freezes


def _opens(inside: Schedules, outside: Schedules, at: datetime) -> datetime | None:
    """The first instant from `at` on, within the horizon, that lies inside all of the ones and none of the others."""
    instant, limit = at, at + windows.HORIZON
    while instant <= limit:
        wrong = [each for each in inside if not each.is_open(instant)]
        wrong += [each for each in outside if each.is_open(instant)]
        if not wrong:
            return instant
        changes = [each.next_change(instant) for each in wrong]
        known = [change for change in changes if change is not None]
        if len(known) < len(changes):
            return None
        instant = max(known)
    return None


def _clock_changes(policy: Policy, at: datetime) -> Iterator[Lint]:
    for where, rule, zone in _rules(policy):
        for place, walls in _endpoints(rule):
            for wall in walls(at.astimezone(zone).date()):
                early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
                if early != late:
                    yield Lint("clock-change", (*where, *place), _shows(wall, zone, twice=early < late))
                    break


def _shows(wall: datetime, zone: ZoneInfo, *, twice: bool) -> str:
    when = f"on {wall:%Y-%m-%d} clocks in {zone.key}"
    if twice:
        return f"{when} show {wall:%H:%M} twice, and both count; choose a time outside the change"
    return f"{when} skip {wall:%H:%M}, so it counts from the jump; choose a time outside the change"


def _rules(policy: Policy) -> Iterator[tuple[Where, WindowRule, ZoneInfo]]:
    """Every rule of a window or calendar freeze, with its zone."""
    for name, window in policy.windows.items():
        for key, rules in (("allow", window.allow or ()), ("deny", window.deny)):
            for index, rule in enumerate(rules):
                yield ("windows", name, key, index), rule, policy.zone(window)
    for number, freeze in enumerate(policy.freezes.calendar):
        zone = ZoneInfo(freeze.timezone or policy.timezone)
        for index, rule in enumerate(freeze.when):
            yield ("freezes", "calendar", number, "when", index), rule, zone


_Walls = Callable[[date], Iterator[datetime]]
"""The wall-clock times from a day on, as far ahead as clock changes are looked at."""


def _endpoints(rule: WindowRule) -> Iterator[tuple[Where, _Walls]]:
    """Where a rule says a wall-clock time, and when that comes round."""
    if rule.weekly is not None:
        weekly, days = rule.weekly, {_WEEKDAYS.index(day) for day in rule.weekly.days}
        yield ("weekly", "start"), _on(time.fromisoformat(weekly.start), days)
        end = "00:00" if weekly.end == "24:00" else weekly.end
        crosses = end <= weekly.start
        yield ("weekly", "end"), _on(time.fromisoformat(end), {(day + crosses) % 7 for day in days})
    if rule.interval is not None:
        for key in ("start", "end"):
            yield ("interval", key), _once(datetime.fromisoformat(getattr(rule.interval, key)))


def _on(clock: time, weekdays: set[int]) -> _Walls:
    def walls(since: date) -> Iterator[datetime]:
        for number in range(TRANSITIONS.days):
            day = since + timedelta(days=number)
            if day.weekday() in weekdays:
                yield datetime.combine(day, clock)

    return walls


def _once(wall: datetime) -> _Walls:
    return lambda since: iter((wall,) if since <= wall.date() else ())


def _calendars_end(policy: Policy, at: datetime) -> Iterator[Lint]:
    for name, calendar in policy.calendars.items():
        last = max(calendar.days)
        if last < (at + CALENDAR_ENDS).astimezone(policy.zone()).date():
            says = (
                f"its last day is {last}; write the next years (`release-bot policy holidays`) and have them reviewed"
            )
            yield Lint("calendar-ends", ("calendars", name), says)


def _freezes_overlap(policy: Policy, at: datetime) -> Iterator[Lint]:
    made = [
        (freeze, windows.schedule(policy.calendar_freeze(index), policy.zone()))
        for index, freeze in enumerate(policy.freezes.calendar)
    ]
    for (one, its), (other, theirs) in combinations(made, 2):
        both = _opens([its, theirs], [], at) if _share_a_place(one, other) else None
        if both is not None:
            when = wording.instant(both, policy.zone())
            says = f"holds together with {one.name}, on {when} for the first time; one of them can go, or end earlier"
            yield Lint("freezes-overlap", ("freezes", "calendar", policy.freezes.calendar.index(other)), says)


def _share_a_place(one: CalendarFreeze, other: CalendarFreeze) -> bool:
    services = one.services is None or other.services is None or set(one.services) & set(other.services)
    return bool(services and set(one.environments) & set(other.environments))


# People -------------------------------------------------------------------------------------------------------------


def _nobody_left(policy: Policy) -> Iterator[Lint]:
    """Where people who may ask find too few others who may agree, among those whom the file lists."""
    said = set()
    for index, path in enumerate(policy.paths):
        for question in _questions(policy, path):
            where, slots, ask = _asks(policy, path, index, question)
            signoffs = _signoffs(policy, question)
            wanted = (*seats(slots), *(Seat((role,), name) for name, role in signoffs))
            says = _too_few(policy, wanted, ask)
            if says is not None and (where, says) not in said:
                said.add((where, says))
                yield Lint("quorum", where, says)
    for name, kind in policy.exceptions.items():
        says = _too_few(policy, seats(kind.approvals), kind.asked_by or policy.may.exception)
        if says is not None:
            yield Lint("quorum", ("exceptions", name, "approvals"), says)
    for where, goes_back in (
        (("rollback",), policy.rollback),
        *((("paths", index, "rollback"), path.rollback) for index, path in enumerate(policy.paths)),
    ):
        says = None if goes_back is None else _too_few(policy, seats(goes_back.approvals), policy.may.rollback)
        if says is not None:
            yield Lint("quorum", (*where, "approvals"), says)
    says = _too_few(policy, seats(policy.freezes.approvals), policy.may.freeze)
    if says is not None:
        yield Lint("quorum", ("freezes", "approvals"), says)


def _asks(
    policy: Policy, path: Path, index: int, question: Question
) -> tuple[Where, tuple[Slot, ...], tuple[str, ...]]:
    """Where it stands who must agree to that change, who that is, and which roles may ask for it."""
    emergency = policy.emergency
    if emergency is not None and question.change == EMERGENCY:
        return (EMERGENCY, "approvals"), emergency.approvals, policy.may.emergency
    change = policy.change_types.get(question.change)
    if change is not None and change.approvals:
        slots = change.approvals if change.instead else (*path.approvals, *change.approvals)
        return ("change_types", question.change, "approvals"), slots, policy.may.promote
    return ("paths", index, "approvals"), path.approvals, policy.may.promote


def _signoffs(policy: Policy, question: Question) -> list[tuple[str, str]]:
    asked = required(policy, question)
    return [
        (n, gate.role) for n, gate in asked.gates.items() if isinstance(gate, SignoffGate) and n not in asked.spared
    ]


def _too_few(policy: Policy, wanted: tuple[Seat, ...], ask: Iterable[str]) -> str | None:
    """Who, asking, leaves a seat that nobody listed can fill; None: nobody does, or groups may hold more people."""
    members = {role: frozenset(held.members) for role, held in policy.roles.items()}
    open_ended = {role for role, held in members.items() if any(member not in policy.people for member in held)}
    listed = [seat for seat in wanted if not open_ended & set(seat.roles)]
    if not listed:
        return None
    able = [frozenset[str]().union(*(members[role] for role in seat.roles)) for seat in listed]
    missing = len(listed) - _filled(able)
    people = f"{len(listed)} different people" if len(listed) > 1 else "somebody"
    needed = f"{people} must agree ({wording.listed(dict.fromkeys(seat.called for seat in listed))})"
    if missing:
        return f"{needed}, and the file lists too few: {missing} more must hold these roles"
    askers = sorted(frozenset[str]().union(*(members[role] for role in ask)) & policy.people.keys())
    stuck = [asker for asker in askers if _filled([each - {asker} for each in able]) < len(listed)]
    if not stuck:
        return None
    says = f"where {wording.listed(stuck, 'or')} asks, too few others are left; give these roles to more people"
    return f"{needed}; {says}"


def _filled(able: list[frozenset[str]]) -> int:
    """So many seats can be filled, each by somebody else. A maximum matching: people move up where that helps."""
    sitting: dict[str, int] = {}

    def seated(seat: int, tried: set[str]) -> bool:
        for person in sorted(able[seat] - tried):
            tried.add(person)
            if person not in sitting or seated(sitting[person], tried):
                sitting[person] = seat
                return True
        return False

    return sum(seated(seat, set()) for seat in range(len(able)))


# What does nothing --------------------------------------------------------------------------------------------------


def _never_used(policy: Policy) -> Iterator[Lint]:
    pointed = {(what, word) for _, word, what in pointers(policy)}
    judged = {
        name for path in policy.paths for question in _questions(policy, path) for name in _judging(policy, question)
    }
    for what, key, names in (
        ("role", "roles", policy.roles),
        ("window", "windows", policy.windows),
        ("calendar", "calendars", policy.calendars),
        ("set of probes", "probes", policy.probes),
        ("checklist", "checklists", policy.checklists),
    ):
        for name in names:
            if (what, name) not in pointed:
                yield Lint(
                    "never-used", (key, name), f"nothing uses this {what}; take it out, or name it where it belongs"
                )
    for name in policy.gates:
        if name not in judged:
            says = "no change along any path must meet this gate; require it, or take it out"
            yield Lint("never-used", ("gates", name), says)
    for name, change in policy.change_types.items():
        if not any(question.change == name for path in policy.paths for question in _questions(policy, path)):
            on = f" ({', '.join(change.paths)})" if change.paths else ""
            yield Lint(
                "never-used", ("change_types", name), f"no path{on} admits this type; name it under the path's types"
            )
    yield from _nowhere_to_go(policy)
    yield from _never_ticked(policy)
    for name, kind in policy.exceptions.items():
        yield from _waives_nothing(name, kind, judged)


def _judging(policy: Policy, question: Question) -> Iterator[str]:
    """The gates that changes of this kind must meet somewhere."""
    asked = required(policy, question)
    for name, gate in asked.gates.items():
        if name not in asked.spared and (not gate.applies_to or question.change in gate.applies_to):
            yield name


def _nowhere_to_go(policy: Policy) -> Iterator[Lint]:
    for name in policy.environments:
        if not any(name in {path.source, path.target} for path in policy.paths):
            yield Lint("never-used", ("environments", name), "no path leads here or away from here; give it one")
    for name, service in policy.services.items():
        ends = [{path.source, path.target} for path in policy.paths if path.serves(name)]
        if not any(each <= service.cloud_run.keys() for each in ends):
            says = "no path leads from one of its environments to another; it can never be promoted"
            yield Lint("never-used", ("services", name), says)


def _never_ticked(policy: Policy) -> Iterator[Lint]:
    """Items of checklists that wait for a gate which nobody judges where the list is asked for."""
    found: dict[Where, Lint] = {}
    for path in policy.paths:
        for question in _questions(policy, path):
            gates: Mapping[str, Gate] = required(policy, question).gates
            for name in [gate.checklist for gate in gates.values() if isinstance(gate, ChecklistGate)]:
                for index, item in enumerate(policy.checklists[name]):
                    if item.gate is not None and item.gate not in gates:
                        where = ("checklists", name, index, "gate")
                        says = f"{path.name} does not require {item.gate}, so nothing ticks this there; require it too"
                        found.setdefault(where, Lint("never-ticked", where, says))
    yield from found.values()


def _waives_nothing(name: str, kind: ExceptionKind, judged: set[str]) -> Iterator[Lint]:
    for index, rule in enumerate(kind.waives):
        if rule not in judged and rule not in {"window", "no-freeze"}:
            says = f"no path must meet {rule}, so there is nothing to waive; take it out"
            yield Lint("never-used", ("exceptions", name, "waives", index), says)


# What lacks a word --------------------------------------------------------------------------------------------------


def _unguarded(policy: Policy) -> Iterator[Lint]:
    for index, path in enumerate(policy.paths):
        here: Where = ("paths", index)
        ordinary = [
            Question(Deed.PROMOTE, word, path.target, path.source) for word in policy.services if path.serves(word)
        ]
        if policy.environments[path.target].production and not any(required(policy, q).gates for q in ordinary):
            says = "nothing is asked of what goes to production but that somebody agrees; require checks at least"
            yield Lint("no-gate", here, says)
        health = path.rollout.health
        if health.max_error_percent >= 100 and health.max_p99 is None:
            says = "no number of errors takes it back; give max_error_percent or max_p99"
            yield Lint("no-bounds", (*here, "rollout", "health"), says)


def _logs(policy: Policy) -> Iterator[Lint]:
    """Logs on branches that a line in them would make into something else than was tested."""
    for index, path in enumerate(policy.paths):
        ends = [path.target] if path.model is not Model.BRANCH_MERGE else [path.source, path.target]
        for name in ends:
            if path.log is not None and policy.environments[name].branch == path.log.branch:
                says = f"each line in it would move {name}'s own branch past what was tested; keep it on another branch"
                yield Lint("log-on-release", ("paths", index, "log", "branch"), says)


def _unexplained(policy: Policy) -> Iterator[Lint]:
    for name, gate in policy.gates.items():
        if isinstance(gate, NumberGate) and not gate.rationale.strip():
            says = f"nobody wrote why {gate.report} must be {gate.op} {gate.value:g}{gate.unit}; add rationale"
            yield Lint("no-rationale", ("gates", name), f"{says}{_in(gate.source)}")
    for name, usual in USUAL.items():
        settled = policy.conventions.get(name)  # type: ignore[call-overload] # one of its own names
        if settled is not None and settled.uses != usual and not settled.record:
            says = f"{name} are not as usual ({usual}); name the record that says why and how they can be traced"
            yield Lint("no-record", ("conventions", name), f"{says}{_in(settled.source)}")
    if policy.document and "releases" not in policy.conventions:
        says = "nobody wrote whether releases leave on demand or by train; add conventions.releases"
        yield Lint("no-record", ("document",), says)


def _in(source: str) -> str:
    return f" ({source})" if source else ""


def _assumed(policy: Policy) -> Iterator[Lint]:
    for place, says in policy.assumed.items():
        yield Lint("assumed", ("assumed", place), f"{says}; somebody assumed it, the team must confirm it", Weight.NOTE)


def _unenforced(policy: Policy, at: datetime) -> Iterator[Lint]:
    today = at.astimezone(policy.zone()).date()
    for index, each in enumerate(policy.unenforced):
        where = ("unenforced", index)
        says = f"nothing here enforces {each.rule!r}{_in(each.source)}: {each.why}; instead: {each.instead}"
        yield Lint("unenforced", where, says, Weight.NOTE)
        if each.every is None or (each.verified is not None and today - each.verified <= each.every):
            continue
        seen = "never" if each.verified is None else f"{(today - each.verified).days} days ago"
        says = (
            f"{each.rule!r} was last verified {seen}, and must be every {each.every.days} days; look, and write the day"
        )
        yield Lint("verify-again", where, says)
