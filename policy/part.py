"""What may a value in a policy file look like? The words, times and numbers that every part of the file is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from policy.duration import SPELLING, span


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(name: str) -> str:
    if name not in _zones():
        message = f"{name!r} is no IANA time zone; write one like Europe/Berlin"
        raise ValueError(message)
    return name


def _wall(text: object) -> object:
    if isinstance(text, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text):
        return text
    near = f'; did you mean "0{text}"?' if isinstance(text, str) and re.fullmatch(r"\d:[0-5]\d", text) else ""
    message = f'write a quoted wall-clock time like "09:00"; "24:00" ends a day{near}'
    raise ValueError(message)


def _day(text: object) -> object:
    """The local day that `2026-12-24` spells; a number is no day."""
    if isinstance(text, date) and not isinstance(text, datetime):
        return text
    if isinstance(text, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    message = "write a day like 2026-12-24, one that is in the calendar"
    raise ValueError(message)


def _local(text: object) -> object:
    if isinstance(text, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}[T ]([01]\d|2[0-3]):[0-5]\d", text):
        try:
            datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return text
    message = "write a local date and time like 2026-12-19T17:00, without an offset"
    raise ValueError(message)


def _effective(text: object) -> object:
    if isinstance(text, str):
        for way in (_day, _local):
            try:
                way(text)
            except ValueError:
                continue
            return text.replace(" ", "T")
    message = "write a day like 2026-04-01, or a local date and time like 2026-04-01T09:00"
    raise ValueError(message)


def _arrow(text: object) -> object:
    found = re.fullmatch(r"\s*(\S+?)\s*(?:→|->)\s*(\S+)\s*", text) if isinstance(text, str) else None
    if found is None:
        message = "write a path like stage→prod (or stage->prod)"
        raise ValueError(message)
    return "→".join(found.groups())


def _no_end(text: str) -> str:
    if text == "24:00":
        message = '"24:00" ends a day; start the next one with "00:00"'
        raise ValueError(message)
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        message = f"this is no regular expression: {error}"
        raise ValueError(message) from error
    return text


@dataclass(frozen=True, slots=True)
class To:
    """Marks a word that names something that stands elsewhere in the file; there it must be found."""

    what: str
    """What it names, in the words of a complaint: `no window 'nights'`."""


def _lasting(time: timedelta) -> timedelta:
    if not time:
        message = "write a time span that is longer than nothing"
        raise ValueError(message)
    return time


def _looks(pattern: str) -> WithJsonSchema:
    """What editors are told; whether it really is one, only the validator knows."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


Span = Annotated[timedelta, BeforeValidator(span), _looks(rf"^{SPELLING}$")]
Lasting = Annotated[Span, AfterValidator(_lasting)]
Day = Annotated[date, BeforeValidator(_day), _looks(r"^\d{4}-\d{2}-\d{2}$")]
LocalTime = Annotated[str, BeforeValidator(_local), _looks(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}$")]
Effective = Annotated[str, BeforeValidator(_effective), _looks(r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2})?$")]
"""A local day, from its midnight on, or a local date and time."""
Zone = Annotated[str, AfterValidator(_zone)]
Wall = Annotated[str, BeforeValidator(_wall), _looks(r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
WallStart = Annotated[Wall, AfterValidator(_no_end)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,30}$")]
"""A word before a colon in a command: `release-notes`."""
Text = Annotated[str, Field(min_length=1)]
Address = Annotated[str, Field(pattern=r"^https://\S+$")]
Pattern = Annotated[str, AfterValidator(_pattern)]
Percent = Annotated[int, Field(ge=0, le=100)]

Channel = Annotated[str, Field(pattern=r"^[CG][A-Z0-9]+$")]
"""A Slack channel's id."""

RoleName = Annotated[Name, To("role")]
EnvironmentName = Annotated[Name, To("environment")]
ServiceName = Annotated[Name, To("service")]
WindowName = Annotated[Name, To("window")]
CalendarName = Annotated[Name, To("calendar")]
GateName = Annotated[Name, To("gate")]
RuleName = Annotated[Name, To("rule")]
"""A gate, or a built-in rule that may be waived."""
ProbesName = Annotated[Name, To("set of probes")]
ChecklistName = Annotated[Name, To("checklist")]
ChangeName = Annotated[Name, To("change type")]
"""`emergency` too, where the policy knows emergencies."""
PathName = Annotated[str, BeforeValidator(_arrow), To("path"), _looks("(→|->)")]
"""`stage→prod`."""


class Part(BaseModel):
    """A part of the file: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)
