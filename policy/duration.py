"""How long is `PT10M`? Spans of time as people write them in files and commands."""

from __future__ import annotations

import re
from datetime import timedelta

SPELLING = r"P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
_SPAN = re.compile(SPELLING)

_SPOKEN = re.compile(r"(\d+)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)")


def span(text: object) -> timedelta:
    """The time span that `PT10M`, `P1D` or `PT1H30M` spells; months and years have no fixed length: ValueError."""
    if isinstance(text, timedelta):
        return text
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None or not any(found.groups()):
        message = f"write a time span like PT10M, PT24H or P1D{_meant(text)}"
        raise ValueError(message)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _meant(text: object) -> str:
    """What somebody may have meant who wrote `24h`, as the end of a sentence."""
    found = _SPOKEN.fullmatch(text.lower()) if isinstance(text, str) else None
    if found is None:
        return ""
    number, unit = found[1], found[2][0].upper()
    return f"; did you mean {'P' if unit == 'D' else 'PT'}{number}{unit}?"
