"""A number from monitoring: exact at the bound, and no answer is no pass."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policy.evidence import Measured
from policy.facts import Facts
from policy.finding import RemedyKind
from tests.policy.good import NOW, SECOND
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

P99 = gate("signal", signal="latency_p99", op="<", value=200, unit="ms", over="PT15M", max_age="PT10M")
ERRORS = gate("signal", signal="error_rate", op="<=", value=1, unit="%")


def measured(signal: str, value: float, age: timedelta = SECOND) -> Facts:
    return seeing(signals={signal: Measured(value, NOW - age)})


@pytest.mark.parametrize(
    ("value", "standing", "reason"),
    [
        (240, UNMET, "latency_p99 over 15 min 240 ms ≥ 200 ms"),
        (200, UNMET, "latency_p99 over 15 min 200 ms ≥ 200 ms"),
        (199.9, MET, "latency_p99 over 15 min 199.9 ms < 200 ms"),
    ],
)
def test_p99_must_be_below_200_ms(value: float, standing: str, reason: str) -> None:
    finding = judged(P99, measured("latency_p99", value))
    assert (finding.standing, finding.reason) == (standing, reason)


@pytest.mark.parametrize(("value", "standing"), [(0.3, MET), (1.0, MET), (1.01, UNMET)])
def test_an_error_rate_of_one_per_cent_is_the_most(value: float, standing: str) -> None:
    assert judged(ERRORS, measured("error_rate", value)).standing == standing


@pytest.mark.requirement("S3-20")
def test_without_numbers_nothing_is_passed() -> None:
    """Item 7 of the checklist: monitoring has data of the last ten minutes, or it is not verified."""
    finding = judged(P99, measured("error_rate", 0))
    assert (finding.standing, finding.reason) == (UNKNOWN, "monitoring has no latency_p99")
    (remedy,) = finding.remedies
    assert (remedy.kind, remedy.says) == (RemedyKind.EVIDENCE, "monitoring measures latency_p99 over 15 min < 200 ms")
    assert judged(P99, measured("latency_p99", 100, timedelta(minutes=10) - SECOND)).standing == MET
    stale = judged(P99, measured("latency_p99", 100, timedelta(minutes=10)))
    assert (stale.standing, stale.reason) == (UNMET, "latency_p99 is 10 min old, and counts for 10 min")


@pytest.mark.parametrize(
    ("facts", "reason"), [(seeing(signals=GONE), "it does not answer"), (seeing(), "nobody looked")]
)
def test_monitoring_that_does_not_answer_blocks(facts: Facts, reason: str) -> None:
    finding = judged(P99, facts)
    assert (finding.standing, finding.reason, finding.remedies) == (UNKNOWN, reason, ())
