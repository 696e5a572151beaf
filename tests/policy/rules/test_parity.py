"""Parity: the same services, keys and sizes in two environments, but for what was approved."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import Facts
from policy.finding import Standing
from tests.policy.good import DOCUMENT, NOW, PROMOTION, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

SHAPE = {
    "services": "api web",
    "api.env_keys": "LOG_LEVEL PORT",
    "api.memory": "512Mi",
    "api.min_instances": "1",
    "web.env_keys": "PORT",
    "web.memory": "256Mi",
    "web.min_instances": "0",
}
COMPARED = ["services", "env_keys", "memory", "min_instances"]


def parity(approved: tuple[str, ...] = (), compared: list[str] = COMPARED) -> Any:
    return gate("parity", left="stage", right="prod", shape=compared, approved=approved)


def shapes(stage: dict[str, Any] | None = None, prod: dict[str, Any] | None = None) -> Facts:
    """The same shape on both sides, but for this; None takes a value away."""
    sides = {"stage": {**SHAPE, **(stage or {})}, "prod": {**SHAPE, **(prod or {})}}
    return seeing(
        shapes={
            environment: MappingProxyType({key: value for key, value in side.items() if value is not None})
            for environment, side in sides.items()
        }
    )


@pytest.mark.requirement("S0-18")
@pytest.mark.parametrize(
    ("facts", "standing", "reason"),
    [
        (shapes(), MET, "stage and prod have the same services, env_keys, memory and min_instances"),
        (
            shapes(prod={"api.env_keys": "LOG_LEVEL PORT SENTRY_DSN"}),
            UNMET,
            "stage and prod differ: api env key SENTRY_DSN only in prod",
        ),
        (
            shapes(stage={"api.env_keys": "A B PORT"}, prod={"api.env_keys": "C PORT"}),
            UNMET,
            "stage and prod differ: api env keys A and B only in stage and api env key C only in prod",
        ),
        (shapes(stage={"api.env_keys": "PORT LOG_LEVEL"}), MET, None),
        (shapes(prod={"api.memory": "1Gi"}), UNMET, "stage and prod differ: api memory 512Mi≠1Gi"),
        (shapes(stage={"api.memory": None}), UNMET, "stage and prod differ: api memory none≠512Mi"),
        (shapes(prod={"api.memory": None}), UNMET, "stage and prod differ: api memory 512Mi≠none"),
        (shapes(stage={"web.env_keys": None}), UNMET, "stage and prod differ: web env key PORT only in prod"),
        (
            shapes(prod={"api.env_keys": None}),
            UNMET,
            "stage and prod differ: api env keys LOG_LEVEL and PORT only in stage",
        ),
        (
            shapes(stage={"services": "api", **{key: None for key in SHAPE if key.startswith("web.")}}),
            UNMET,
            "stage and prod differ: service web only in prod",
        ),
        (shapes(stage={"api.cpu": "1"}, prod={"api.cpu": "2"}), MET, None),
    ],
)
def test_what_differs_is_named_with_its_side(facts: Facts, standing: str, reason: str | None) -> None:
    finding = judged(parity(), facts)
    assert finding.standing == standing
    assert reason is None or finding.reason == reason


@pytest.mark.requirement("S0-18")
@pytest.mark.parametrize(
    ("approved", "standing"),
    [
        ("api.env_keys.SENTRY_DSN", MET),
        ("api.env_keys", MET),
        ("*.env_keys.SENTRY_DSN", MET),
        ("web.env_keys.SENTRY_DSN", UNMET),
        ("api.env_keys.SENTRY", UNMET),
        ("api.memory", UNMET),
    ],
)
def test_an_approved_difference_is_none(approved: str, standing: str) -> None:
    differs = shapes(prod={"api.env_keys": "LOG_LEVEL PORT SENTRY_DSN"})
    assert judged(parity((approved,)), differs).standing == standing


@pytest.mark.requirement("S4-134")
def test_where_it_only_should_be_the_same_a_difference_is_shown_and_blocks_nothing() -> None:
    path = {**DOCUMENT["paths"][1], "requires": ["parity"]}
    should = {"kind": "parity", "mode": "warn", "left": "stage", "right": "prod", "shape": ["services"]}
    document = {**DOCUMENT, "gates": {"parity": should}, "paths": [path]}
    active = ActivePolicy(policy=Policy.model_validate(document), hash="f" * 64)
    fewer = but(evidence=shapes(stage={"services": "api"}).evidence)
    decision = decide(PROMOTION, fewer, active, NOW)
    assert decision.allowed
    (warning,) = [finding for finding in decision.findings if finding.standing is Standing.WARNING]
    assert warning.reason == "stage and prod differ: service web only in prod"


def test_approving_one_difference_approves_no_other() -> None:
    differs = shapes(prod={"api.min_instances": "3", "api.memory": "1Gi"})
    assert judged(parity(("api.min_instances",)), differs).reason == "stage and prod differ: api memory 512Mi≠1Gi"


def test_where_services_are_not_compared_what_one_of_them_lacks_is_named() -> None:
    lacking = shapes(stage={"services": "api", "web.memory": None})
    assert judged(parity(compared=["memory"]), lacking).reason == "stage and prod differ: web memory none≠256Mi"


@pytest.mark.parametrize(
    ("wanted", "facts", "reason"),
    [
        (parity(), seeing(shapes=GONE), "it does not answer"),
        (parity(), seeing(), "nobody looked"),
        (parity(), seeing(shapes={"prod": SHAPE}), "the shape of stage is not known"),
        (parity(), seeing(shapes={"stage": SHAPE}), "the shape of prod is not known"),
        (parity(compared=["memory", "cpu"]), shapes(), "of neither stage nor prod is known: cpu"),
    ],
)
def test_what_nobody_looked_at_is_not_the_same(wanted: Any, facts: Facts, reason: str) -> None:
    finding = judged(wanted, facts)
    assert (finding.standing, finding.reason) == (UNKNOWN, reason)
