"""Checks, at their boundaries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policy.facts import Candidate, Check, CheckState
from policy.finding import RemedyKind, Standing
from tests.policy.good import NEW, NOW, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged

FAILED, PASSED, PENDING = CheckState.FAILED, CheckState.PASSED, CheckState.PENDING
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


def ran(**states: CheckState | Check) -> dict[str, Check]:
    """`backend_tests=FAILED`; an underline is a dash."""
    checks = {name.replace("_", "-"): state for name, state in states.items()}
    return {name: state if isinstance(state, Check) else Check(name, state) for name, state in checks.items()}


STATIC = {"names": ["ruff", "mypy"], "optional": ["lint"]}
SECURITY = {"names": ["sast"], "excused": {"dast": "no-dast"}}


@pytest.mark.requirement(
    "S0-11",
    "S0-12",
    "S0-13",
    "S0-14",
    "S2-09",
    "S3-05",
    "S3-08",
    "S3-09",
    "S3-10",
    "S3-28",
    "S3-29",
    "S4-093",
    "S4-097",
    "S4-170",
)
@pytest.mark.parametrize(
    ("asked", "checks", "standing", "reason"),
    [
        (
            {"names": ["backend-tests"]},
            ran(backend_tests=Check("backend-tests", FAILED, saw="failure")),
            UNMET,
            "backend-tests failed (failure) on 9f1c2ab",
        ),
        ({"names": ["frontend-build"]}, ran(), UNKNOWN, "frontend-build has no result on 9f1c2ab"),
        (STATIC, ran(ruff=PASSED, mypy=PASSED), MET, "ruff passed, mypy passed and lint is not configured on 9f1c2ab"),
        (STATIC, ran(ruff=PASSED, mypy=PASSED, lint=PASSED), MET, "ruff passed and mypy passed on 9f1c2ab"),
        (
            STATIC,
            ran(ruff=PASSED, mypy=PASSED, lint=Check("lint", FAILED, saw="2 errors")),
            UNMET,
            "ruff passed, mypy passed and lint failed (2 errors) on 9f1c2ab",
        ),
        (STATIC, ran(ruff=PASSED, mypy=FAILED), UNMET, "ruff passed and mypy failed on 9f1c2ab"),
        (STATIC, ran(ruff=PASSED), UNKNOWN, "ruff passed and mypy has no result on 9f1c2ab"),
        (
            {"names": ["docs", "backend", "frontend", "web"]},
            ran(docs=FAILED, backend=PASSED, frontend=PASSED, web=PASSED),
            UNMET,
            "docs failed, backend passed, frontend passed and web passed on 9f1c2ab",
        ),
        ({"names": ["e2e"]}, ran(e2e=Check("e2e", FAILED, saw="neutral")), UNMET, "e2e failed (neutral) on 9f1c2ab"),
        ({"names": ["e2e"]}, ran(e2e=Check("e2e", FAILED, saw="39 of 40")), UNMET, "e2e failed (39 of 40) on 9f1c2ab"),
        (
            {"names": ["integration"]},
            ran(integration=Check("integration", FAILED, saw="311 of 312")),
            UNMET,
            "integration failed (311 of 312) on 9f1c2ab",
        ),
        (
            {"names": ["build (api)", "build (web)", "build (worker)"]},
            {name: Check(name, PASSED) for name in ("build (api)", "build (web)")},
            UNKNOWN,
            "build (api) passed, build (web) passed and build (worker) has no result on 9f1c2ab",
        ),
        ({"names": ["architecture"]}, ran(architecture=FAILED), UNMET, "architecture failed on 9f1c2ab"),
        ({"names": ["lockfile"]}, ran(lockfile=FAILED), UNMET, "lockfile failed on 9f1c2ab"),
        ({"names": ["unit-test"]}, ran(unit_test=PENDING), UNMET, "unit-test has not finished on 9f1c2ab"),
        ({"names": ["sast"]}, ran(), UNKNOWN, "sast has no result on 9f1c2ab"),
        ({"names": ["sast"]}, GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_each_must_have_passed(asked: dict[str, Any], checks: Any, standing: Standing, reason: str) -> None:
    finding = judged(gate("checks", **asked), but(checks=checks))
    assert (finding.standing, finding.reason) == (standing, reason)


@pytest.mark.requirement("S4-013")
def test_checks_that_cannot_be_read_block() -> None:
    assert judged(gate("checks", names=["build"]), but(candidate=GONE)).standing is UNKNOWN
    unbuilt = judged(gate("checks", names=["build"]), but(candidate=Candidate(NEW, GONE)))
    assert (unbuilt.standing, unbuilt.reason) == (UNKNOWN, "checks belong to a commit: it does not answer")


@pytest.mark.requirement("S4-098")
@pytest.mark.parametrize(
    ("checks", "said", "standing", "reason"),
    [
        (ran(sast=PASSED), {}, UNMET, "sast passed and dast has no result, and nobody said why on 9f1c2ab"),
        (ran(sast=PASSED), {"no-dast": ""}, UNMET, None),
        (ran(sast=PASSED), {"no-dast": "no network"}, MET, "sast passed and dast is not configured on 9f1c2ab"),
        (ran(sast=PASSED, dast=PASSED), {}, MET, "sast passed on 9f1c2ab"),
        (ran(sast=PASSED, dast=FAILED), {"no-dast": "no network"}, UNMET, "sast passed and dast failed on 9f1c2ab"),
        (ran(), {}, UNMET, "sast has no result and dast has no result, and nobody said why on 9f1c2ab"),
    ],
)
def test_what_may_be_lacking_needs_a_reason(
    checks: dict[str, Check], said: dict[str, str], standing: Standing, reason: str | None
) -> None:
    finding = judged(gate("checks", **SECURITY), but(checks=checks, fields=said))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


def test_a_reason_helps_where_only_that_is_missing() -> None:
    finding = judged(gate("checks", **SECURITY), but(checks=ran(sast=PASSED)))
    assert [(remedy.kind, remedy.says) for remedy in finding.remedies] == [
        (RemedyKind.EVIDENCE, "dast passes on 9f1c2ab"),
        (RemedyKind.SAY, "say why dast does not apply (no-dast:)"),
    ]
    both = judged(gate("checks", **SECURITY), but(checks=ran()))
    assert [remedy.says for remedy in both.remedies] == ["sast and dast pass on 9f1c2ab"]


@pytest.mark.requirement("S4-109", "S4-110")
@pytest.mark.parametrize(
    ("attempt", "ticket", "standing", "reason"),
    [
        (1, "", MET, None),
        (2, "", MET, "integration-test passed on 9f1c2ab"),
        (
            3,
            "",
            UNMET,
            "integration-test passed on attempt 3, more than 2, and no ticket says why on 9f1c2ab",
        ),
        (4, "", UNMET, None),
        (4, "PAY-77", MET, None),
    ],
)
def test_green_after_many_attempts_is_chance_until_a_ticket_says_why(
    attempt: int, ticket: str, standing: Standing, reason: str | None
) -> None:
    check = Check("integration-test", PASSED, attempt=attempt, ticket=ticket)
    finding = judged(
        gate("checks", names=["integration-test"], max_attempts=2), but(checks=ran(integration_test=check))
    )
    assert finding.standing is standing
    assert reason is None or finding.reason == reason
    if standing is UNMET:
        assert [r.says for r in finding.remedies] == ["a ticket says what makes integration-test run again"]


def test_how_often_it_ran_is_nobodys_business_where_the_policy_does_not_ask() -> None:
    checks = ran(build=Check("build", PASSED, attempt=9))
    assert judged(gate("checks", names=["build"]), but(checks=checks)).standing is MET


@pytest.mark.parametrize(("attempt", "standing"), [(1, MET), (2, UNMET)])
def test_where_once_is_all_that_may_be_the_second_time_is_chance(attempt: int, standing: Standing) -> None:
    checks = ran(build=Check("build", PASSED, attempt=attempt))
    assert judged(gate("checks", names=["build"], max_attempts=1), but(checks=checks)).standing is standing


@pytest.mark.requirement("S3-54")
@pytest.mark.parametrize(
    ("at", "standing", "reason"),
    [
        (NOW - 7 * DAY + TICK, MET, "scan passed on 9f1c2ab"),
        (NOW - 7 * DAY, UNMET, "scan is 168 h old, and counts for 168 h on 9f1c2ab"),
        (NOW - 9 * DAY, UNMET, "scan is 216 h old, and counts for 168 h on 9f1c2ab"),
        (None, UNMET, "scan does not say when it was made, and counts for 168 h on 9f1c2ab"),
    ],
)
def test_an_old_result_is_stale(at: Any, standing: Standing, reason: str) -> None:
    checks = ran(scan=Check("scan", PASSED, at=at))
    finding = judged(gate("checks", names=["scan"], max_age="P7D"), but(checks=checks))
    assert (finding.standing, finding.reason) == (standing, reason)


def test_a_failure_after_many_attempts_is_a_failure() -> None:
    failed = ran(build=Check("build", FAILED, attempt=3))
    (remedy,) = judged(gate("checks", names=["build"], max_attempts=2), but(checks=failed)).remedies
    assert remedy.says == "build passes on 9f1c2ab"


def test_what_is_lacking_of_several_is_mended_by_one_remedy() -> None:
    checks = ran(build=FAILED, lint=Check("lint", PASSED, attempt=4), unit=PASSED)
    finding = judged(gate("checks", names=["build", "lint", "unit", "scan"], max_attempts=2), but(checks=checks))
    assert [remedy.says for remedy in finding.remedies] == [
        "build and scan pass on 9f1c2ab; a ticket says what makes lint run again"
    ]
    assert finding.standing is UNMET


def test_only_what_really_is_lacking_is_said_to_be() -> None:
    wanted = gate("checks", names=["ruff"], optional=["lint", "docs"])
    finding = judged(wanted, but(checks=ran(ruff=PASSED, lint=PASSED)))
    assert (finding.standing, finding.reason) == (MET, "ruff passed and docs is not configured on 9f1c2ab")
