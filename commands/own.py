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
"""Of more, the two that are closest for their age become one: what is watched for days does not grow, and since when
most of them were is still known, be it a minute ago or a day."""


def noted(seen: Mapping[str, Any], at: datetime, asked: Iterable[Probed]) -> dict[str, Any]:
    """What was seen, with these answers."""
    answers = [status for found in asked for status in found.saw if status]
    rows = [list(row) for row in seen.get(PROBED, [])]
    if answers:
        rows.append([at.isoformat(), len(answers), sum(status >= 500 for status in answers)])
    if len(rows) > ROWS_MAX:
        ages = [(at - datetime.fromisoformat(row[0])).total_seconds() for row in rows]
        closest = min(range(ROWS_MAX), key=lambda each: (ages[each] - ages[each + 1]) / max(ages[each], 1))
        (first, *counts), (_, *more) = rows[closest : closest + 2]
        rows[closest : closest + 2] = [[first, *(one + other for one, other in zip(counts, more, strict=True))]]
    return {**seen, PROBED: rows} if rows else dict(seen)


def without(requests: Requests, seen: Mapping[str, Any], since: datetime, until: datetime) -> Requests:
    """Those of others in [since, until)."""
    rows = [row for row in seen.get(PROBED, []) if since <= datetime.fromisoformat(row[0]) < until]
    total, errors = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return Requests(max(0, requests.total - total), max(0, requests.errors - errors), requests.p99_ms)
