"""How long is `PT10M`? Spans of time as people write them in files and commands."""

from __future__ import annotations

import re
from datetime import timedelta

_SPAN = re.compile(r"P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def span(text: object) -> timedelta:
    """The time span that `PT10M`, `P1D` or `PT1H30M` spells; months and years have no fixed length: ValueError."""
    if isinstance(text, timedelta):
        return text
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None or not any(found.groups()):
        message = "write a time span like PT10M, PT24H or P1D"
        raise ValueError(message)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
