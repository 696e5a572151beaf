"""Workflows that ran for the candidate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policy.evidence import CheckState, WorkflowRun
from policy.finding import Standing
from policy.model import Unknown
from tests.policy.good import NOW, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

FAILED, PASSED, PENDING = CheckState.FAILED, CheckState.PASSED, CheckState.PENDING
HOURS_24 = timedelta(hours=24)
TICK = timedelta(microseconds=1)


def run(workflow: str, state: CheckState = PASSED, **more: Any) -> dict[str, WorkflowRun]:
    return {workflow: WorkflowRun(workflow, state, **more)}


PROMOTION_GATE = {"workflow": "promotion-gate.yml", "inputs": {"MODE": "staging"}, "max_age": "PT24H"}


@pytest.mark.requirement("S0-15", "S0-17", "S1-16", "S1-17", "S2-13", "S3-15", "S4-201", "S4-202")
@pytest.mark.parametrize(
    ("asked", "runs", "standing", "reason"),
    [
        (
            {"workflow": "stage-deploy.yml"},
            run("stage-deploy.yml", FAILED, saw="failure"),
            UNMET,
            "stage-deploy.yml failed (failure) for 9f1c2ab",
        ),
        ({"workflow": "stage-smoke.yml"}, {}, UNKNOWN, "stage-smoke.yml has no result for 9f1c2ab"),
        (
            {"workflow": "integration-stage.yml"},
            run("integration-stage.yml", FAILED, url="https://github.test/acme/checkout/actions/runs/77"),
            UNMET,
            "integration-stage.yml failed for 9f1c2ab: https://github.test/acme/checkout/actions/runs/77",
        ),
        ({"workflow": "staging-tests.yml"}, run("staging-tests.yml"), MET, "staging-tests.yml succeeded for 9f1c2ab"),
        (
            {"workflow": "regression.yml"},
            run("regression.yml", PENDING, saw="queued"),
            UNMET,
            "regression.yml has not finished (queued) for 9f1c2ab",
        ),
        (
            PROMOTION_GATE,
            run("promotion-gate.yml", at=NOW, inputs={"MODE": "staging", "sha": "b2"}),
            MET,
            "promotion-gate.yml succeeded for 9f1c2ab",
        ),
        (
            PROMOTION_GATE,
            run("promotion-gate.yml", at=NOW, inputs={"MODE": "prod"}),
            UNMET,
            "promotion-gate.yml ran without MODE=staging for 9f1c2ab",
        ),
        (PROMOTION_GATE, run("promotion-gate.yml", at=NOW), UNMET, None),
        (PROMOTION_GATE, run("other.yml", at=NOW), UNKNOWN, "promotion-gate.yml has no result for 9f1c2ab"),
        (PROMOTION_GATE, GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_its_newest_run_for_the_candidate_succeeded(
    asked: dict[str, Any], runs: Any, standing: Standing, reason: str | None
) -> None:
    finding = judged(gate("workflow", **asked), seeing(workflows=runs))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


@pytest.mark.parametrize(
    ("at", "standing"),
    [(NOW - HOURS_24 + TICK, MET), (NOW - HOURS_24, UNMET), (NOW - HOURS_24 - TICK, UNMET), (None, UNMET)],
)
def test_an_old_run_is_stale(at: Any, standing: Standing) -> None:
    runs = run("promotion-gate.yml", at=at, inputs={"MODE": "staging"})
    assert judged(gate("workflow", **PROMOTION_GATE), seeing(workflows=runs)).standing is standing


def test_what_would_help_names_the_inputs() -> None:
    finding = judged(gate("workflow", **PROMOTION_GATE), seeing(workflows={}))
    assert [r.says for r in finding.remedies] == ["promotion-gate.yml succeeds for 9f1c2ab with MODE=staging"]


def test_without_a_candidate_nothing_ran_for_it() -> None:
    facts = seeing(but(candidate=Unknown("nothing is served")), workflows=run("staging-tests.yml"))
    assert judged(gate("workflow", workflow="staging-tests.yml"), facts).standing is UNKNOWN
