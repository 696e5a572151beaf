"""Ids that repeat where the deed is repeated, and the hashes that votes on records bind to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from commands.record import (
    emergency_id,
    exception_id,
    freeze_id,
    hash_of,
    hold_id,
    operation_id,
    operation_under,
)
from policy.facts import ExceptionRecord, Freeze
from policy.model import Digest
from tests.policy.good import HOUR, MAYA, NOW, OMAR

EXCEPTION = ExceptionRecord(
    id="X-1",
    kind="early",
    waives=frozenset({"soak", "window"}),
    environment="prod",
    service="checkout",
    digest=None,
    asked_by=MAYA,
    asked_at=NOW,
    starts_at=NOW,
    ends_at=NOW + HOUR,
    fields={"reason": "the fix cannot wait", "risk": "low"},
)
FREEZE = Freeze("F-1", "prod", None, NOW, NOW + HOUR, "audit", "omar", "all is written down", approved=False)
LATER: dict[str, Any] = {
    "used": ("op_1",),
    "granted_by": (OMAR,),
    "granted_at": NOW,
    "revoked_at": NOW,
    "plan": "f" * 64,
    "approved": True,
    "lapses_at": NOW + HOUR,
}
"""What becomes of a record without anybody asking for something else."""
OTHER: dict[str, Any] = {
    "waives": frozenset({"soak"}),
    "digest": Digest("sha256:" + "a" * 64),
    "asked_by": OMAR,
    "asked_at": NOW + HOUR,
    "starts_at": NOW - HOUR,
    "ends_at": NOW + 2 * HOUR,
    "fields": {"reason": "another"},
    "uses": 1,
}


@pytest.mark.parametrize("record", [EXCEPTION, FREEZE], ids=["exception", "freeze"])
def test_votes_bind_to_all_that_is_asked_for_and_to_nothing_that_comes_of_it(record: ExceptionRecord | Freeze) -> None:
    for field in fields(record):
        changed = LATER[field.name] if field.name in LATER else OTHER.get(field.name, "another")
        same = hash_of(replace(record, **{field.name: changed})) == hash_of(record)
        assert same is (field.name in LATER), field.name


def test_the_order_of_rules_and_of_fields_makes_no_difference() -> None:
    turned = replace(EXCEPTION, fields=dict(sorted(EXCEPTION.fields.items(), reverse=True)))
    assert hash_of(turned) == hash_of(EXCEPTION)


def test_an_emergency_leads_to_the_operation_that_was_asked_for_with_it() -> None:
    assert operation_id("r1") == operation_under(emergency_id("r1"))
    assert operation_id("r2") != operation_under(emergency_id("r1"))


@pytest.mark.parametrize("named", [operation_id, freeze_id, exception_id, emergency_id, hold_id])
def test_a_hundred_thousand_deeds_all_have_ids_of_their_own(named: Callable[[str], str]) -> None:
    assert len({named(f"c{number}") for number in range(100_000)}) == 100_000
