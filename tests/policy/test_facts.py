"""When a freeze and an exception are in force, at their boundaries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.policy.good import HOUR, NEW, NOW
from tests.policy.people import TICK, exception, freeze

STARTS, ENDS, LAPSES = NOW - HOUR, NOW + 2 * HOUR, NOW + HOUR


@pytest.mark.parametrize(
    ("changes", "over_at"),
    [
        ({}, ENDS),
        ({"lapses_at": LAPSES}, ENDS),
        ({"approved": False, "lapses_at": LAPSES}, LAPSES),
        ({"approved": False, "lapses_at": ENDS + HOUR}, ENDS),
        ({"approved": False}, ENDS),
    ],
)
def test_a_freeze_is_over_at_its_end_or_when_nobody_agreed_to_it_in_time(
    changes: dict[str, Any], over_at: datetime
) -> None:
    record = freeze(**changes)
    assert record.over_at == over_at
    waits_for_ever = not record.approved and record.lapses_at is None
    assert record.holds(STARTS) is not waits_for_ever
    assert not record.holds(STARTS - TICK)
    assert record.holds(over_at - TICK) is not waits_for_ever
    assert not record.holds(over_at)


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"granted_at": None}, False),
        ({"granted_at": NOW}, True),
        ({"granted_at": NOW + TICK}, False),
        ({"starts_at": NOW}, True),
        ({"starts_at": NOW + TICK}, False),
        ({"ends_at": NOW + TICK}, True),
        ({"ends_at": NOW}, False),
        ({"ends_at": None}, True),
        ({"revoked_at": NOW + TICK}, True),
        ({"revoked_at": NOW}, False),
        ({"uses": 2, "used": ("op_1",)}, True),
        ({"uses": 2, "used": ("op_1", "op_2")}, False),
        ({"uses": None, "used": ("op_1", "op_2")}, True),
        ({"digest": NEW}, True),
    ],
)
def test_an_exception_is_in_force_from_its_grant_and_start_until_its_end_revocation_or_last_use(
    changes: dict[str, Any], holds: bool
) -> None:
    assert exception(**changes).holds(NOW) is holds
