"""The gate over configuration: every environment was looked at, nothing is wrong, and no value is told."""

from __future__ import annotations

from typing import Any

import pytest

from policy.facts import Facts
from policy.gates import Waivable
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

BOTH = gate("settings", environments=["stage", "prod"])
CLEAN: dict[str, Any] = {"stage": {}, "prod": {}}


@pytest.mark.parametrize(
    ("facts", "standing", "reason"),
    [
        (seeing(settings=CLEAN), MET, "nothing is wrong in stage and prod"),
        (seeing(settings={"stage": {"web": ()}, "prod": {}}), MET, "nothing is wrong in stage and prod"),
        (seeing(settings={**CLEAN, "dev": {"api": ("DEBUG: must be 0",)}}), MET, "nothing is wrong in stage and prod"),
        (
            seeing(settings={"stage": {"web": ("PUBLIC_URL: names a host that is forbidden here",)}, "prod": {}}),
            UNMET,
            "stage web.PUBLIC_URL: names a host that is forbidden here",
        ),
        (
            seeing(settings={"stage": {}, "prod": {"api": ("APP_ENV: must be production", "B: is wrong")}}),
            UNMET,
            "prod api.APP_ENV: must be production and prod api.B: is wrong",
        ),
        (seeing(settings={"stage": {}}), UNKNOWN, "prod was not looked at"),
        (
            seeing(settings={"stage": {"api": ("B: is wrong",)}}),
            UNMET,
            "stage api.B: is wrong and prod was not looked at",
        ),
        (seeing(settings=GONE), UNKNOWN, "it does not answer"),
        (seeing(), UNKNOWN, "nobody looked"),
    ],
)
def test_every_service_of_both_environments(facts: Facts, standing: str, reason: str) -> None:
    finding = judged(BOTH, facts)
    assert (finding.standing, finding.reason) == (standing, reason)


def test_what_must_be_put_right_is_said_key_by_key() -> None:
    found = seeing(settings={"stage": {"api": ("A: is wrong", "A: is the same secret in prod", "B: is wrong")}})
    assert [remedy.says for remedy in judged(BOTH, found).remedies] == [
        "stage api.A and stage api.B put right and prod looked at, with nothing wrong"
    ]
    unseen = judged(BOTH, seeing(settings={"stage": {}}))
    assert [remedy.says for remedy in unseen.remedies] == ["prod looked at, with nothing wrong"]


def test_no_exception_waives_it() -> None:
    assert BOTH.waivable is Waivable.NEVER
