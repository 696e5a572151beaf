"""When is something open? Windows and calendars as a policy file writes them; `policy/windows.py` asks the clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from policy.part import CalendarName, Day, LocalTime, Part, Wall, WallStart, Zone


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Weekly(Part):
    """A wall-clock span on certain days.

    `days` name the day it starts on. `end` before `start` crosses midnight; `end` the same as `start` is 24 hours.
    """

    days: tuple[Weekday, ...] = Field(min_length=1, description="The days it starts on: mon … sun")
    start: WallStart = Field(description='Quoted wall-clock time, `"09:00"`')
    end: Wall = Field(description='Not included any more; before `start` crosses midnight; `"24:00"` ends a day')


class Interval(Part):
    """One span of local time: from the first instant at which the clock shows `start`, to the last before `end`."""

    start: LocalTime = Field(description="Local date and time, `2026-12-19T17:00`")
    end: LocalTime = Field(description="Not included any more")
    name: str = Field(default="", description="What people will read")

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if datetime.fromisoformat(self.end) <= datetime.fromisoformat(self.start):
            message = "it ends before it starts"
            raise ValueError(message)
        return self


class MonthEnd(Part):
    """Days around the turn of a month: so many calendar days, or so many business days and what lies between them.

    Business days are Monday to Friday, less the holidays.
    """

    last_days: int = Field(default=0, ge=0, le=31, description="The last N calendar days of the month")
    first_days: int = Field(default=0, ge=0, le=31, description="The first N calendar days")
    last_business_days: int = Field(default=0, ge=0, le=20, description="From the N-th last business day on")
    first_business_days: int = Field(default=0, ge=0, le=20, description="Up to and including the N-th business day")
    holidays: tuple[Day, ...] = Field(default=(), description="Days that are no business days")
    calendar: CalendarName | None = Field(
        default=None, description="A calendar under `calendars`: no business days either"
    )
    name: str = Field(default="", description="What people will read")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.last_days or self.first_days or self.last_business_days or self.first_business_days):
            message = "it names no day: give last_days, first_days, last_business_days or first_business_days"
            raise ValueError(message)
        return self


_BESIDE = re.compile(r"(?!.*(?:^|/)\.\.(?:/|$))[\w.][\w./-]*")
"""A way down from a folder, never up."""


def _misplaced(key: str, says: str) -> PydanticCustomError:
    return PydanticCustomError("misplaced", "{key}: {says}", {"key": key, "says": says})


class Unreadable(Exception):
    """The file of a calendar is not there, or not the one that is meant."""

    def __init__(self, key: str, says: str) -> None:
        super().__init__(says)
        self.key = key
        """Of `Calendar`: where the mistake is."""


class Calendar(Part):
    """Holidays, written out and reviewed; never worked out at the time of a decision."""

    file: str | None = Field(default=None, description="Where they stand, beside this file: `holidays/DE-BE.yaml`")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Of that file's bytes, so that this file names them"
    )
    days: dict[Day, str] = Field(default={}, description="Local days and what they are called; or else `file`")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, said: object, info: ValidationInfo) -> object:
        """With the days of its file, where whoever reads the policy said how to read one.

        `context["calendar"](file, sha256)` answers with its days, or raises `Unreadable`.
        """
        if not isinstance(said, dict) or "file" not in said:
            return said
        file, sha256 = said["file"], said.get("sha256")
        if "days" in said:
            raise _misplaced("days", "the days stand in its file; give either file and sha256, or days")
        if not isinstance(file, str) or not _BESIDE.fullmatch(file):
            raise _misplaced("file", f"write the name of a file beside the policy or below, not {file!r}")
        if not isinstance(sha256, str):
            raise _misplaced("sha256", "is missing; whoever reviews the file writes its SHA-256 here")
        read = (info.context or {}).get("calendar")
        if read is None:
            raise _misplaced("file", "cannot be looked at here; only the days that stand in the policy itself can")
        try:
            return {**said, "days": read(file, sha256)}
        except Unreadable as error:
            raise _misplaced(error.key, str(error)) from error

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.file is None and self.sha256 is not None:
            raise _misplaced("sha256", "is of a file; name it under file")
        if not self.days:
            message = "it has no days; give days, or file and sha256"
            raise ValueError(message)
        return self

    def dates(self, name: str) -> Dates:
        """All of its days as one rule with that name."""
        days = tuple(sorted(self.days))
        return Dates(days=days, called=tuple(self.days[day] for day in days), name=name)


class Dates(Part):
    """Whole local days."""

    days: tuple[Day, ...] = Field(min_length=1, description="Local days, `2026-12-24`")
    called: tuple[str, ...] = Field(default=(), description="What each of them is called, in the order of `days`")
    name: str = Field(default="", description="What people will read")

    @model_validator(mode="after")
    def _each_called(self) -> Self:
        if self.called and len(self.called) != len(self.days):
            message = "called: write one name for each of the days, or none"
            raise ValueError(message)
        return self

    def calls(self, day: date) -> str:
        """What that day is called; the rule's own name where it has none, or is none of its days."""
        if day not in self.days or not self.called:
            return self.name
        return self.called[self.days.index(day)] or self.name


class WindowRule(Part):
    """Exactly one way of naming instants."""

    weekly: Weekly | None = Field(default=None, description="The same hours each week")
    interval: Interval | None = Field(default=None, description="One span of local time")
    dates: Dates | None = Field(default=None, description="Whole days: holidays")
    month_end: MonthEnd | None = Field(default=None, description="Days around the turn of each month")
    holidays: CalendarName | None = Field(default=None, description="Every day of a calendar under `calendars`")

    @model_validator(mode="after")
    def _one(self) -> Self:
        ways = (self.weekly, self.interval, self.dates, self.month_end, self.holidays)
        if sum(part is not None for part in ways) != 1:
            message = "a window rule is exactly one of weekly, interval, dates, month_end, holidays"
            raise ValueError(message)
        return self


class Window(Part):
    """When something is open: inside an allow rule (or any time, if there is none) and outside every deny rule."""

    timezone: Zone | None = Field(default=None, description="IANA zone of its wall clock; default: the policy's")
    allow: Annotated[tuple[WindowRule, ...], Field(min_length=1)] | None = Field(
        default=None, description="Open inside any of these; left out: always, but for `deny`"
    )
    deny: tuple[WindowRule, ...] = Field(default=(), description="Closed inside any of these, whatever `allow` says")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.allow is None and not self.deny:
            message = "a window without allow and deny is always open; leave it out"
            raise ValueError(message)
        return self


def with_calendars(window: Window, calendars: Mapping[str, Calendar]) -> Window:
    """The same window with every calendar that it points to written out: what is left can be asked of a clock alone."""

    def written_out(rule: WindowRule) -> WindowRule:
        if rule.holidays is not None:
            return WindowRule(dates=calendars[rule.holidays].dates(f"holidays ({rule.holidays})"))
        turn = rule.month_end
        if turn is not None and turn.calendar is not None:
            days = {*turn.holidays, *calendars[turn.calendar].days}
            return WindowRule(month_end=turn.model_copy(update={"holidays": tuple(sorted(days)), "calendar": None}))
        return rule

    return Window(
        timezone=window.timezone,
        allow=None if window.allow is None else tuple(written_out(rule) for rule in window.allow),
        deny=tuple(written_out(rule) for rule in window.deny),
    )
