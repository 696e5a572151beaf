"""Which days are holidays? A file of them that people review and pin; it is written once, and never worked out anew.

A package knows the rules of many countries and exchanges, and gets some of them wrong or late: so its days are looked
at by somebody, put right with what is added and removed, and pinned by their hash in the policy.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from bot.complaints import judged
from commands.errors import Rejected
from policy.part import Day, Part, Text
from policy.timetable import Unreadable

if TYPE_CHECKING:
    from holidays import HolidayBase

BEGINS = "calendar: DE-BE"
YEARS_MAX = 50


class HolidayFile(Part):
    """The days of one calendar."""

    calendar: Text = Field(description="Which: `DE-BE`, `US-NY`, `NYSE`")
    made: Text = Field(description="What it was made by, for which years, and what was added and removed")
    days: dict[Day, Text] = Field(min_length=1, description="Local days and what they are called")


def days_in(path: Path, sha256: str) -> Mapping[str, str]:
    """The days in that file, which is the one with that hash. Raises `Unreadable`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable("file", f"{path.name} cannot be read: {error.strerror or 'no reason was given'}") from error
    truly = hashlib.sha256(data).hexdigest()
    if truly != sha256:
        says = f"{path.name} is not that file: its SHA-256 is {truly}; look at what is in it, and write that"
        raise Unreadable("sha256", says)
    file, complaints, _ = judged(data, HolidayFile, BEGINS)
    if file is None:
        raise Unreadable("file", f"{path.name}, {complaints[0]}")
    return {day.isoformat(): name for day, name in file.days.items()}


def write(
    calendar: str, years: range, out: Path, *, add: Mapping[date, str] | None = None, remove: Collection[date] = ()
) -> str:
    """The file is written; its SHA-256, to be pinned in the policy. Raises `Rejected`.

    `calendar`: `DE`, `DE-BE`, or an exchange, `NYSE`. What is asked for twice is written twice the same.
    """
    data = text(calendar, years, add=add or {}, remove=remove).encode()
    try:
        out.write_bytes(data)
    except OSError as error:
        raise Rejected(f"{out} cannot be written: {error.strerror}.") from error
    return hashlib.sha256(data).hexdigest()


def text(calendar: str, years: range, *, add: Mapping[date, str], remove: Collection[date]) -> str:
    """What would be in the file: the days of those years in order, with what is added and without what is removed."""
    if not 1 <= len(years) <= YEARS_MAX:
        raise Rejected(f"Write one to {YEARS_MAX} years, like 2026-2028.")
    known = {day: str(name) for day, name in _calendar(calendar, years).items() if day.year in years}
    for day in sorted({*add, *remove}):
        if day.year not in years:
            raise Rejected(f"{day} is in none of the years {_spelled(years)}.")
    if absent := sorted(set(remove) - set(known)):
        raise Rejected(f"{absent[0]} is no holiday of {calendar}; there is nothing to remove.")
    if twice := sorted(set(add) & (set(known) - set(remove))):
        raise Rejected(f"{twice[0]} is a holiday of {calendar} already: {known[twice[0]]}.")
    days = {**{day: name for day, name in known.items() if day not in remove}, **add}
    if not days:
        raise Rejected(f"{calendar} has no holidays in {_spelled(years)}.")
    made = f"holidays {version('holidays')}, {_spelled(years)}"
    made += "".join(f"; added {day}" for day in sorted(add)) + "".join(f"; removed {day}" for day in sorted(remove))
    lines = [f"calendar: {calendar}", f"made: {_quoted(made)}", "days:"]
    lines += [f"  {day.isoformat()}: {_quoted(name)}" for day, name in sorted(days.items())]
    return "\n".join(lines) + "\n"


def _calendar(name: str, years: range) -> HolidayBase:
    import holidays

    countries, exchanges = holidays.list_supported_countries(), holidays.list_supported_financial()
    country, _, part = name.partition("-")
    if name in exchanges:
        return holidays.financial_holidays(name, years=years, language=_english(holidays.financial_holidays(name)))
    if country in countries and (not part or part in countries[country]):
        found = holidays.country_holidays(country, subdiv=part or None)
        return holidays.country_holidays(country, subdiv=part or None, years=years, language=_english(found))
    names = [*countries, *exchanges, *(f"{country.upper()}-{each}" for each in countries.get(country.upper(), ()))]
    near = difflib.get_close_matches(name.upper(), names, 3)
    hint = f"did you mean {', '.join(near)}?" if near else "write one like DE, DE-BE, US-NY or NYSE."
    raise Rejected(f"There is no calendar {name!r}; {hint}")


def _english(calendar: HolidayBase) -> str | None:
    """Whatever the language of this machine, the names are the same: English ones, or else the calendar's own."""
    spoken = sorted(each for each in calendar.supported_languages if each.startswith("en"))
    return spoken[-1] if spoken else calendar.default_language


def _spelled(years: range) -> str:
    return str(years[0]) if len(years) == 1 else f"{years[0]}–{years[-1]}"


def _quoted(words: str) -> str:
    """As YAML reads it back: in quotes, unless it is plain for sure."""
    plain = re.fullmatch(r"[^\W\d_](?:[\w '’().,&;/–-]*[\w)])?", words) is not None
    return words if plain and words not in {"true", "false", "null"} else json.dumps(words, ensure_ascii=False)
