"""How do we put instants, spans and lists of names into a sentence?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple


def instant(at: datetime, zone: tzinfo) -> str:
    """`Tue 24 Nov 2026 13:00 CET`; with seconds only where there are some."""
    local = at.astimezone(zone)
    clock = f"{local.hour:02}:{local.minute:02}"
    if local.second:
        clock = f"{clock}:{local.second:02}"
    day = f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}"
    return f"{day} {clock} {local.tzname()}"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def lasting(time: timedelta) -> str:
    """`23 h 59 min`, whole units rounded down, the smaller ones only where they say something."""
    seconds = max(0, int(time.total_seconds()))
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = [f"{hours} h"] if hours else []
    if minutes:
        parts.append(f"{minutes} min")
    if rest and not hours:
        parts.append(f"{rest} s")
    return " ".join(parts) or "0 s"


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; `nobody` where there is none."""
    words = list(names)
    if len(words) < 2:
        return words[0] if words else "nobody"
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def short(identity: str) -> str:
    """The first twelve hex digits of a digest, the first seven of a commit or hash: for people to read."""
    first = identity[:7]
    return identity[7:19] if first == "sha256:" else first


def role(name: str) -> str:
    """A role's name as people say it: `release manager`."""
    return name.replace("_", " ")


# Values that become words only when they are read -------------------------------------------------------------------


class At(NamedTuple):
    """An instant in somebody's zone."""

    at: datetime
    zone: tzinfo

    def __str__(self) -> str:
        return instant(self.at, self.zone)


class For(NamedTuple):
    """A span of time."""

    time: timedelta

    def __str__(self) -> str:
        return lasting(self.time)


class All(NamedTuple):
    """Several names."""

    names: tuple[object, ...]
    last: str = "and"

    def __str__(self) -> str:
        return listed(map(str, self.names), self.last)


class Roles(NamedTuple):
    """Several roles."""

    names: tuple[str, ...]
    last: str = "or"

    def __str__(self) -> str:
        return listed(map(role, self.names), self.last)


class Several(NamedTuple):
    """So many of something: `1 commit`, `3 commits`."""

    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.number} {self.what}{'' if self.number == 1 else 's'}"
