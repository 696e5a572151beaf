"""The plan's hash: the same plan, the same hash; any difference, another."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from commands.plan import Plan, PlannedHealth, PlannedProbe, PlannedStep
from policy.model import Digest, Sha

PLAN = Plan(
    deed="promote",
    service="checkout",
    target="prod",
    digest=Digest("sha256:" + "a" * 64),
    revision="checkout-r-aaaaaaaaaaaa",
    from_digest=Digest("sha256:" + "b" * 64),
    from_revision="checkout-r-bbbbbbbbbbbb",
    repository="acme/checkout",
    policy_hash="f" * 64,
    site="acme-prod/europe-west1/checkout",
    production=True,
    container="app",
    source="stage",
    image="registry/acme/checkout@sha256:" + "a" * 64,
    commit=Sha("c" * 40),
    from_commit=Sha("d" * 40),
    steps=(PlannedStep(10, 60), PlannedStep(100, 120)),
    smoke=(PlannedProbe("GET", "/healthz", (200, 204), 3, 5.0),),
    health=PlannedHealth(1.0, 500.0, 100, 1800, 210.0, 60.0),
)
OTHER: dict[str, Any] = {
    "steps": (PlannedStep(10, 61), PlannedStep(100, 120)),
    "smoke": (PlannedProbe("GET", "/healthz", (200,), 3, 5.0),),
    "health": PlannedHealth(1.5, 500.0, 100, 1800, 210.0, 60.0),
    "production": False,
    "deploy_within_seconds": 601,
}


@pytest.mark.requirement("D-01")
@pytest.mark.parametrize("name", [field.name for field in fields(Plan)])
def test_a_difference_in_any_field_makes_another_plan(name: str) -> None:
    other = replace(PLAN, **{name: OTHER.get(name, f"{getattr(PLAN, name)}x")})
    assert other.hash != PLAN.hash


@pytest.mark.parametrize("part", ["steps", "smoke", "health"])
def test_a_difference_in_any_part_of_a_part_makes_another_plan(part: str) -> None:
    whole = getattr(PLAN, part)
    one = whole[0] if isinstance(whole, tuple) else whole
    for field in fields(one):
        was = getattr(one, field.name)
        changed = replace(one, **{field.name: (*was, 418) if isinstance(was, tuple) else f"{was}0x"})
        parts: dict[str, Any] = {part: (changed, *whole[1:]) if isinstance(whole, tuple) else changed}
        other = replace(PLAN, **parts)
        assert other.hash != PLAN.hash, field.name


def test_a_plan_keeps_the_hash_that_people_agreed_to_before_sets_were_known() -> None:
    before = TypeAdapter(Plan).dump_python(PLAN)
    del before["manifest"], before["parts"]
    read = TypeAdapter(Plan).validate_python(before)
    assert read.hash == "d1c61d30d6566a96b3b4198afefd284c40a25e344d91a0a8e93e14e4d01c6b69"


def test_it_comes_back_from_json_as_it_was() -> None:
    stored = TypeAdapter(Plan)  # as the store keeps it within its operation
    back = stored.validate_json(stored.dump_json(PLAN))
    assert (back, back.hash) == (PLAN, PLAN.hash)
    bare = replace(PLAN, health=None, smoke=(), steps=(), commit=None)
    assert stored.validate_json(stored.dump_json(bare)) == bare


def test_the_bytes_are_canonical() -> None:
    text = PLAN.to_bytes().decode()
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert ": " not in text
    assert replace(PLAN).to_bytes() == PLAN.to_bytes()
