"""Is a window open, and when does that change? It asks what a clock on the wall in its zone shows.

Open is closed at the start and open at the end. A wall time that does not exist (the hour that is skipped) stands for
the instant of the transition; one that exists twice counts both times.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from policy import wording
from policy.document import Interval, MonthEnd, Weekday, Weekly, Window, WindowRule

HORIZON = timedelta(days=400)
"""So far is looked for the next change."""

_DAY = 24 * 60
_SHORTEST = timedelta(microseconds=1)
_WEEKDAYS = tuple(Weekday)

Minutes = tuple[tuple[int, int], ...]
"""Spans of one local day in minutes since its midnight, half-open, in order, not touching."""

_WHOLE: Minutes = ((0, _DAY),)


def is_open(window: Window, policy_zone: ZoneInfo, at: datetime) -> bool:
    """Whether the window is open at that instant."""
    return _compiled(window, policy_zone).open_at(at)


def next_change(window: Window, policy_zone: ZoneInfo, at: datetime, horizon: timedelta = HORIZON) -> datetime | None:
    """The first instant after `at` at which the window opens or closes, UTC; None: not before `at` + horizon."""
    return _compiled(window, policy_zone).change_after(at, horizon)


# Wall time ----------------------------------------------------------------------------------------------------------


def _instants(wall: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """The instants at which a clock on the wall passes `wall`, in order, UTC, with the transition they lie around.

    One for an ordinary time; the transition for one that is skipped; first copy, transition, second copy for one that
    exists twice.
    """
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early == late:
        return (early,)
    if early > late:
        return (_transition(late, early, zone),)
    return (early, _transition(early, late, zone), late)


def _transition(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The instant in (before, after] from which the zone has the offset that it has at `after`, whole seconds."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def _first_from(wall: datetime, zone: tzinfo) -> datetime:
    """The first instant at which the clock shows `wall` or later."""
    return _instants(wall, zone)[0]


def _last_before(wall: datetime, zone: tzinfo) -> datetime:
    """The end of the last instants at which the clock shows less than `wall`."""
    passed = _instants(wall, zone)
    shown_before = (passed[-1] - _SHORTEST).astimezone(zone).replace(tzinfo=None)
    return passed[-1] if shown_before < wall else passed[0]


# One window, made ready ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Hours:
    """Which minutes of each weekday, whatever the date."""

    by_weekday: tuple[Minutes, ...]

    @classmethod
    def of(cls, rules: tuple[WindowRule, ...]) -> _Hours:
        spans: list[list[tuple[int, int]]] = [[] for _ in _WEEKDAYS]
        for rule in rules:
            if rule.weekly is not None:
                _add(rule.weekly, spans)
        return cls(tuple(_merged(day) for day in spans))


def _add(weekly: Weekly, spans: list[list[tuple[int, int]]]) -> None:
    start, end = _minutes(weekly.start), _minutes(weekly.end)
    for day in weekly.days:
        index = _WEEKDAYS.index(day)
        if start < end:
            spans[index].append((start, end))
        else:
            spans[index].append((start, _DAY))
            spans[(index + 1) % 7].append((0, end))


def _minutes(wall: str) -> int:
    hours, minutes = wall.split(":")
    return int(hours) * 60 + int(minutes)


def _merged(spans: list[tuple[int, int]]) -> Minutes:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if start == end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _less(spans: Minutes, denied: Minutes) -> Minutes:
    """What of `spans` is not in `denied`."""
    edges = sorted({0, _DAY, *(edge for span in (*spans, *denied) for edge in span)})
    return _merged([(a, b) for a, b in pairwise(edges) if _within(spans, a) and not _within(denied, a)])


def _within(spans: Minutes, minute: int) -> bool:
    return any(start <= minute < end for start, end in spans)


@dataclass(frozen=True, slots=True)
class _Days:
    """Which whole local days."""

    dates: frozenset[date]
    turns: tuple[MonthEnd, ...]

    @classmethod
    def of(cls, rules: tuple[WindowRule, ...]) -> _Days:
        dates = frozenset(day for rule in rules if rule.dates for day in rule.dates.days)
        return cls(dates, tuple(rule.month_end for rule in rules if rule.month_end))

    def has(self, day: date) -> bool:
        if day in self.dates:
            return True
        return any(day.day in _turn_of_month(turn, day.year, day.month) for turn in self.turns)


@lru_cache(maxsize=4096)
def _turn_of_month(turn: MonthEnd, year: int, month: int) -> frozenset[int]:
    """The days of that month that lie at its turn."""
    first = date(year, month, 1)
    length = ((first.replace(day=28) + timedelta(days=4)).replace(day=1) - first).days if month < 12 else 31
    days = [first.replace(day=number) for number in range(1, length + 1)]
    found = {day.day for day in days if day.day > length - turn.last_days or day.day <= turn.first_days}
    business = [day.day for day in days if day.weekday() < 5 and day not in turn.holidays]
    if turn.last_business_days:
        opens = business[-turn.last_business_days] if len(business) >= turn.last_business_days else 1
        found |= set(range(opens, length + 1))
    if turn.first_business_days:
        few = len(business) < turn.first_business_days
        found |= set(range(1, (length if few else business[turn.first_business_days - 1]) + 1))
    return frozenset(found)


Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A window with everything worked out that does not depend on the instant."""

    zone: ZoneInfo
    allowed_days: _Days
    denied_days: _Days
    hours: tuple[Minutes, ...]
    """By weekday: open by the weekly rules."""
    undenied: tuple[Minutes, ...]
    """By weekday: not closed by them, for days and spans that are open in themselves."""
    open_spans: tuple[Span, ...]
    closed_spans: tuple[Span, ...]
    edges: tuple[datetime, ...] = field(default=())
    """Of all those spans, in order."""

    def open_at(self, at: datetime) -> bool:
        for start, end in self.closed_spans:
            if start <= at < end:
                return False
        local = at.astimezone(self.zone)
        inside = any(start <= at < end for start, end in self.open_spans)
        return _within(self._open_minutes(local.date(), inside=inside), local.hour * 60 + local.minute)

    def _open_minutes(self, day: date, *, inside: bool) -> Minutes:
        """Which minutes of that local day are open, inside a one-off span or outside, but for one-off closures."""
        if self.denied_days.has(day):
            return ()
        if inside or self.allowed_days.has(day):
            return self.undenied[day.weekday()]
        return self.hours[day.weekday()]

    def change_after(self, at: datetime, horizon: timedelta) -> datetime | None:
        at = at.astimezone(UTC)
        limit, was = at + horizon, self.open_at(at)
        for instant in self._where_it_may_change(at, limit):
            if instant > limit:
                return None
            if instant > at and self.open_at(instant) is not was:
                return instant
        return None

    def _where_it_may_change(self, at: datetime, limit: datetime) -> Iterator[datetime]:
        """Every instant after `at` at which the answer may flip, in order, to a day beyond the limit at least."""
        waiting = list(self.edges[bisect_right(self.edges, at) :])
        for wall in self._breaks(at, limit):
            instants = _instants(wall, self.zone)
            waiting.extend(instants)
            waiting.sort()
            # Second copies of a repeated hour come after first ones of later wall times; first ones are in order.
            while waiting[0] < instants[0]:
                yield waiting.pop(0)
        yield from sorted(waiting)

    def _breaks(self, at: datetime, limit: datetime) -> Iterator[datetime]:
        """The wall times, in order, at which the pattern of the days changes."""
        # From the day before: where midnight falls into a repeated hour, its evening comes again.
        day = at.astimezone(self.zone).date() - timedelta(days=1)
        last = limit.astimezone(self.zone).date() + timedelta(days=2)
        before: tuple[Minutes, Minutes] = ((), ())
        while day <= last:
            plain = self._open_minutes(day, inside=False)
            special = self._open_minutes(day, inside=True) if self.open_spans else plain
            if (plain, special) != before or not _flat(plain) or not _flat(special):
                midnight = datetime.combine(day, time())
                for minute in sorted({0, *(edge for span in (*plain, *special) for edge in span if edge < _DAY)}):
                    yield midnight + timedelta(minutes=minute)
            before = (plain, special)
            day += timedelta(days=1)


def _flat(minutes: Minutes) -> bool:
    """Whether a whole day is the same."""
    return minutes in ((), _WHOLE)


@lru_cache(maxsize=512)
def _compiled(window: Window, policy_zone: ZoneInfo) -> _Compiled:
    zone = ZoneInfo(window.timezone) if window.timezone else policy_zone
    always = window.allow is None
    allow, deny = window.allow or (), window.deny
    denied = _Hours.of(deny).by_weekday
    allowed = tuple(_WHOLE for _ in _WEEKDAYS) if always else _Hours.of(allow).by_weekday
    open_spans, closed_spans = _spans(allow, zone), _spans(deny, zone)
    return _Compiled(
        zone=zone,
        allowed_days=_Days.of(allow),
        denied_days=_Days.of(deny),
        hours=tuple(_less(a, d) for a, d in zip(allowed, denied, strict=True)),
        undenied=tuple(_less(_WHOLE, d) for d in denied),
        open_spans=open_spans,
        closed_spans=closed_spans,
        edges=tuple(sorted({edge for span in (*open_spans, *closed_spans) for edge in span})),
    )


def _spans(rules: tuple[WindowRule, ...], zone: ZoneInfo) -> tuple[Span, ...]:
    found = []
    for rule in rules:
        if rule.interval is not None:
            start, end = (datetime.fromisoformat(text) for text in (rule.interval.start, rule.interval.end))
            found.append((_first_from(start, zone), _last_before(end, zone)))
    return tuple(found)


# In words -----------------------------------------------------------------------------------------------------------


@cache
def says(window: Window, policy_zone: ZoneInfo) -> str:
    """`Mon–Thu 09:00–17:00 and Fri 09:00–13:00, but not month-end close (Europe/Berlin)`."""
    zone = window.timezone or policy_zone.key
    opens = "always" if window.allow is None else wording.listed(_rule_says(rule) for rule in window.allow)
    closes = f", but not {wording.listed((_rule_says(rule) for rule in window.deny), 'or')}" if window.deny else ""
    return f"{opens}{closes} ({zone})"


def _rule_says(rule: WindowRule) -> str:
    match rule:
        case WindowRule(weekly=Weekly() as weekly):
            return f"{_days_say(weekly.days)} {weekly.start}–{weekly.end}"
        case WindowRule(interval=Interval() as interval):
            span = f"{interval.start.replace('T', ' ')} to {interval.end.replace('T', ' ')}"
            return f"{interval.name}, {span}" if interval.name else span
        case WindowRule(month_end=MonthEnd() as turn):
            return turn.name or _turn_says(turn)
        case WindowRule(dates=dates) if dates is not None:
            return dates.name or ", ".join(day.isoformat() for day in dates.days)
    return "nothing"


def _days_say(days: tuple[Weekday, ...]) -> str:
    """`Mon–Thu`, or `Mon, Wed` where they do not follow each other."""
    indexes = sorted(_WEEKDAYS.index(day) for day in set(days))
    names = [_WEEKDAYS[index].capitalize() for index in indexes]
    if len(names) > 2 and indexes[-1] - indexes[0] == len(indexes) - 1:
        return f"{names[0]}–{names[-1]}"
    return ", ".join(names)


def _turn_says(turn: MonthEnd) -> str:
    parts = [
        (turn.last_days, "the last {} days of a month"),
        (turn.first_days, "the first {} days of a month"),
        (turn.last_business_days, "the last {} business days of a month"),
        (turn.first_business_days, "the first {} business days of a month"),
    ]
    return wording.listed(text.format(count) for count, text in parts if count)
