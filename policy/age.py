"""Is a piece of evidence too old to go by?"""

from __future__ import annotations

from datetime import datetime

from policy import wording
from policy.case import Case
from policy.gates import DatedGate


def stale(seen_at: datetime | None, gate: DatedGate, case: Case) -> bool:
    """Whether the gate asks for an age, and evidence of that instant has reached it, or has no instant."""
    return gate.max_age is not None and (seen_at is None or case.at - seen_at >= gate.max_age)


def says_stale(seen_at: datetime | None, gate: DatedGate, case: Case) -> str:
    """`is 216 h old, and counts for 168 h`, after the name of what is stale."""
    if gate.max_age is None:
        return "is not too old"
    limit = wording.lasting(gate.max_age)
    if seen_at is None:
        return f"does not say when it was made, and counts for {limit}"
    return f"is {wording.lasting(case.at - seen_at)} old, and counts for {limit}"
