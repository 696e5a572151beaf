"""Is a window open, and when does that change? It asks what a clock on the wall in its zone shows.

Open is closed at the start and open at the end. A wall time that does not exist (the hour that is skipped) stands for
the instant of the transition; one that exists twice counts both times.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from policy import wording
from policy.document import Policy
from policy.kept import kept
from policy.timetable import Interval, MonthEnd, Weekday, Weekly, Window, WindowRule

HORIZON = timedelta(days=400)
"""So far is looked for the next change."""

SPELLS = 8
"""So many times in which nothing changes are remembered for each window."""

_DAY = 24 * 60
_SHORTEST = timedelta(microseconds=1)
_WEEKDAYS = tuple(Weekday)

_Stretch = tuple[int, int]
"""Minutes of one local day since its midnight, half-open."""
Minutes = tuple[_Stretch, ...]
"""Some of them, in order, not touching."""

_WHOLE: Minutes = ((0, _DAY),)


@kept
def named(policy: Policy, name: str) -> Schedule:
    """The window of that name, made ready once for as long as the policy is there."""
    return schedule(policy.window(name), policy.zone())


def schedule(window: Window, policy_zone: ZoneInfo) -> Schedule:
    """The window made ready to be asked; ValueError where its calendars are not written out (`with_calendars`)."""
    zone = ZoneInfo(window.timezone) if window.timezone else policy_zone
    always = window.allow is None
    allow, deny = window.allow or (), window.deny
    if any(rule.holidays or (rule.month_end and rule.month_end.calendar) for rule in (*allow, *deny)):
        message = "a calendar is not written out, so it is not known which days it closes"
        raise ValueError(message)
    denied = _by_weekday(deny)
    allowed = [_WHOLE for _ in _WEEKDAYS] if always else _by_weekday(allow)
    open_spans, closed_spans = _spans(allow, zone), _spans(deny, zone)
    return Schedule(
        zone=zone,
        allowed_days=_Days.of(allow),
        denied_days=_Days.of(deny),
        hours=tuple(_less(a, d) for a, d in zip(allowed, denied, strict=True)),
        undenied=tuple(_less(_WHOLE, d) for d in denied),
        open_spans=open_spans,
        closed_spans=closed_spans,
        edges=tuple(sorted({edge for span in (*open_spans, *closed_spans) for edge in span})),
    )


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


def _by_weekday(rules: tuple[WindowRule, ...]) -> list[list[_Stretch]]:
    """Which minutes of each weekday the weekly rules name, whatever the date: rule by rule."""
    spans: list[list[_Stretch]] = [[] for _ in _WEEKDAYS]
    for rule in rules:
        if rule.weekly is not None:
            _add(rule.weekly, spans)
    return spans


def _add(weekly: Weekly, spans: list[list[_Stretch]]) -> None:
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


def _less(spans: Sequence[_Stretch], denied: Sequence[_Stretch]) -> Minutes:
    """What of `spans` is not in `denied`, in whatever order those stand."""
    left: list[_Stretch] = []
    for start, end in pairwise(sorted({edge for span in (*spans, *denied) for edge in span})):
        if _within(spans, start) and not _within(denied, start):
            begin = left.pop()[0] if left and left[-1][1] == start else start
            left.append((begin, end))
    return tuple(left)


def _within(spans: Sequence[_Stretch], minute: int) -> bool:
    return any(start <= minute < end for start, end in spans)


class _Turn(NamedTuple):
    """Days at the turn of a month, and the days that are no business days."""

    rule: MonthEnd
    holidays: frozenset[date]

    def days(self, year: int, month: int) -> frozenset[int]:
        """Their numbers in that month."""
        rule, length = self.rule, monthrange(year, month)[1]
        days = [date(year, month, number) for number in range(1, length + 1)]
        found = {day.day for day in days if day.day > length - rule.last_days or day.day <= rule.first_days}
        business = [day.day for day in days if day.weekday() < 5 and day not in self.holidays]
        if rule.last_business_days:
            opens = business[-rule.last_business_days] if len(business) >= rule.last_business_days else 1
            found |= set(range(opens, length + 1))
        if rule.first_business_days:
            few = len(business) < rule.first_business_days
            found |= set(range(1, (length if few else business[rule.first_business_days - 1]) + 1))
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Days:
    """Which whole local days."""

    dates: frozenset[date]
    turns: tuple[_Turn, ...]
    months: dict[tuple[int, int], frozenset[int]] = field(default_factory=dict)
    """Of those that were asked for: the days at their turns."""

    @classmethod
    def of(cls, rules: tuple[WindowRule, ...]) -> _Days:
        dates = {day for rule in rules if rule.dates for day in rule.dates.days}
        turns = (_Turn(rule.month_end, frozenset(rule.month_end.holidays)) for rule in rules if rule.month_end)
        return cls(frozenset(dates), tuple(turns))

    def has(self, day: date) -> bool:
        if day in self.dates:
            return True
        if not self.turns:
            return False
        month = (day.year, day.month)
        if month not in self.months:
            self.months[month] = frozenset(number for turn in self.turns for number in turn.days(*month))
        return day.day in self.months[month]


Span = tuple[datetime, datetime]


class _Spell(NamedTuple):
    """A time in which nothing changes: from an instant that was asked about on."""

    since: datetime
    until: datetime
    is_open: bool
    changes: bool
    """Whether it ends there; else no end was found before."""


@dataclass(slots=True)
class Schedule:
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
    edges: tuple[datetime, ...]
    """Of all those spans, in order."""
    spells: tuple[_Spell, ...] = ()
    """Those found last: nearly every question is about now, or about the next opening."""

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at that instant."""
        for spell in self.spells:
            if spell.since <= at < spell.until:
                return spell.is_open
        return self._open_at(at)

    def next_change(self, at: datetime, horizon: timedelta = HORIZON) -> datetime | None:
        """The first instant after `at` at which it opens or closes, UTC; None: not before `at` + horizon."""
        return self.as_of(at, horizon)[1]

    def as_of(self, at: datetime, horizon: timedelta = HORIZON) -> tuple[bool, datetime | None]:
        """Both at once."""
        begin = at if at.tzinfo is UTC else at.astimezone(UTC)
        for spell in self.spells:
            if spell.since <= begin < spell.until:
                return spell.is_open, self._known(spell, begin + horizon)
        return self._found(begin, begin, begin + horizon, is_open=self._open_at(begin))

    def _known(self, spell: _Spell, limit: datetime) -> datetime | None:
        """The end of the spell, or a change beyond it, if that comes before the limit."""
        if spell.changes:
            return spell.until if spell.until <= limit else None
        if limit <= spell.until:
            return None
        return self._found(spell.since, spell.until, limit, is_open=spell.is_open)[1]

    def _found(
        self, since: datetime, begin: datetime, limit: datetime, *, is_open: bool
    ) -> tuple[bool, datetime | None]:
        """What comes of looking on from `begin`, until when nothing changes; it is remembered."""
        change = self._change_after(begin, limit, was_open=is_open)
        found = _Spell(since, limit if change is None else change, is_open, changes=change is not None)
        self.spells = (found, *[spell for spell in self.spells if spell.since != since][: SPELLS - 1])
        return is_open, change

    def _open_at(self, at: datetime) -> bool:
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

    def _change_after(self, at: datetime, limit: datetime, *, was_open: bool) -> datetime | None:
        for instant in self._where_it_may_change(at, limit):
            if instant > limit:
                return None
            if instant > at and self._open_at(instant) is not was_open:
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
        last = limit.astimezone(self.zone).date() + timedelta(days=1)
        before: tuple[Minutes, Minutes] = ((), ())
        while day <= last:
            plain = self._open_minutes(day, inside=False)
            special = self._open_minutes(day, inside=True) if self.open_spans else plain
            if (plain, special) != before or not _flat(plain) or not _flat(special):
                midnight = datetime.combine(day, time())
                for minute in sorted({0, *(edge for span in (*plain, *special) for edge in span)}):
                    yield midnight + timedelta(minutes=minute)
            before = (plain, special)
            day += timedelta(days=1)


def _flat(minutes: Minutes) -> bool:
    """Whether a whole day is the same."""
    return minutes in ((), _WHOLE)


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
