"""How patient and how gentle are we with GitHub?"""

from __future__ import annotations

from dataclasses import dataclass

READ_TRIES = 3
SLOTS = 10  # requests at once; GitHub allows 100, https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
PAGES_MAX = 10
"""Of a hundred each; an answer that is longer is refused, not cut."""


class StoodStill(Exception):
    """Too much time has passed since we looked at what a write rests on; it was not sent."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Spans in seconds. The defaults are for the real GitHub; a local one needs no gap."""

    write_gap: float = 1.0  # at least one second between writes, same page, "secondary rate limits"
    retry_pause: float = 0.5
    """Before the first repetition of a read; doubled each time."""
    longest_wait: float = 10.0
    """A read waits so long for a limit to pass; told to wait longer, it is `Unavailable`."""
    read_timeout: float = 10.0
    write_timeout: float = 20.0
