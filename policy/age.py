"""Is a piece of evidence too old to go by?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from policy import wording
from policy.case import Case
from policy.gates import DatedGate


def stale(seen_at: datetime | None, gate: DatedGate, case: Case) -> bool:
    """Whether the gate asks for an age, and evidence of that instant has reached it, or has no instant."""
    return gate.max_age is not None and (seen_at is None or case.at - seen_at >= gate.max_age)


class Stale(NamedTuple):
    """How old something is, for reading: `build is 216 h old and counts for 168 h`."""

    what: str
    seen_at: datetime | None
    at: datetime
    counts_for: timedelta | None

    def __str__(self) -> str:
        if self.counts_for is None:
            return self.what
        limit = wording.lasting(self.counts_for)
        if self.seen_at is None:
            return f"{self.what} does not say when it was made, and counts for {limit}"
        return f"{self.what} is {wording.lasting(self.at - self.seen_at)} old and counts for {limit}"


def says_stale(what: str, seen_at: datetime | None, gate: DatedGate, case: Case) -> Stale:
    return Stale(what, seen_at, case.at, gate.max_age)
