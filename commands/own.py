"""How many of the requests that a revision answered did we send ourselves? Those prove nothing about others.

Google's request metrics name no sender, so nobody can leave our probes out there: they are counted here and taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from commands.ports import Probed, Requests

PROBED = "probed"
"""Key in what was seen: `[at, answers, of which 500 and above]`, oldest first."""
ROWS_MAX = 100
"""More are put together from the oldest on, so that what is watched for days does not grow."""


def noted(seen: Mapping[str, Any], at: datetime, asked: Iterable[Probed]) -> dict[str, Any]:
    """What was seen, with these answers."""
    answers = [status for found in asked for status in found.saw if status]
    rows = [list(row) for row in seen.get(PROBED, [])]
    if answers:
        rows.append([at.isoformat(), len(answers), sum(status >= 500 for status in answers)])
    if len(rows) > ROWS_MAX:
        (first, *counts), (_, *more), *rest = rows
        rows = [[first, *(one + other for one, other in zip(counts, more, strict=True))], *rest]
    return {**seen, PROBED: rows} if rows else dict(seen)


def without(requests: Requests, seen: Mapping[str, Any], since: datetime, until: datetime) -> Requests:
    """Those of others in [since, until)."""
    rows = [row for row in seen.get(PROBED, []) if since <= datetime.fromisoformat(row[0]) < until]
    total, errors = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return Requests(max(0, requests.total - total), max(0, requests.errors - errors), requests.p99_ms)
