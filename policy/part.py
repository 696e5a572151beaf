"""What may a value in a policy file look like? The words, times and numbers that every part of the file is made of."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from policy.duration import span


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
    message = 'write a quoted wall-clock time like "09:00"; "24:00" ends a day'
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


Span = Annotated[timedelta, BeforeValidator(span)]
Day = Annotated[date, BeforeValidator(_day)]
LocalTime = Annotated[str, BeforeValidator(_local)]
Zone = Annotated[str, AfterValidator(_zone)]
Wall = Annotated[str, BeforeValidator(_wall)]
WallStart = Annotated[Wall, AfterValidator(_no_end)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,30}$")]
"""A word before a colon in a command: `release-notes`."""
Text = Annotated[str, Field(min_length=1)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Percent = Annotated[int, Field(ge=0, le=100)]


class Part(BaseModel):
    """A part of the file: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)
