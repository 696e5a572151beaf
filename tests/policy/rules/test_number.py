"""A number that was reported: exact at the bound, of this commit, fresh enough."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from policy.evidence import Measured
from policy.facts import Candidate, Facts
from policy.finding import RemedyKind
from policy.model import Unknown
from tests.policy.good import HOUR, NEW, NOW, SECOND, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

COVERAGE = gate("number", report="coverage", op=">=", value=90)
LIGHTHOUSE = gate("number", report="lighthouse", op=">=", value=90, unit="points")


def reported(value: float, report: str = "coverage", at: Any = NOW - HOUR) -> Facts:
    return seeing(numbers={report: Measured(value, at), "another": Measured(1, NOW)})


@pytest.mark.requirement("S3-06")
@pytest.mark.parametrize(
    ("value", "standing", "reason"),
    [
        (89.99, UNMET, "coverage 89.99 < 90"),
        (90.0, MET, "coverage 90 ≥ 90"),
        (90.01, MET, "coverage 90.01 ≥ 90"),
        (math.nextafter(90, 0), UNMET, "coverage 89.99999999999999 < 90"),
        (math.nan, UNMET, "coverage is no number"),
        (math.inf, UNMET, "coverage is no number"),
    ],
)
def test_coverage_of_at_least_90_is_90_and_not_a_hair_less(value: float, standing: str, reason: str) -> None:
    finding = judged(COVERAGE, reported(value))
    assert (finding.standing, finding.reason) == (standing, reason)


@pytest.mark.requirement("S3-31")
@pytest.mark.parametrize(("value", "standing"), [(89, UNMET), (90, MET)])
def test_a_lighthouse_score_of_89_blocks_and_90_passes(value: float, standing: str) -> None:
    finding = judged(LIGHTHOUSE, reported(value, "lighthouse"))
    assert finding.standing == standing
    assert f"lighthouse {value} points" in finding.reason


@pytest.mark.parametrize(
    ("op", "below", "equal", "above"),
    [("<", MET, UNMET, UNMET), ("<=", MET, MET, UNMET), (">", UNMET, UNMET, MET), (">=", UNMET, MET, MET)],
)
def test_each_way_of_comparing_just_below_at_and_just_above(op: str, below: str, equal: str, above: str) -> None:
    bounded = gate("number", report="coverage", op=op, value=0.5)
    values = (math.nextafter(0.5, 0), 0.5, math.nextafter(0.5, 1))
    assert [judged(bounded, reported(value)).standing for value in values] == [below, equal, above]


def test_a_bundle_of_512_kb_is_too_large_and_the_unit_is_said() -> None:
    bundle = gate("number", report="bundle_initial", op="<", value=500, unit="KB")
    assert judged(bundle, reported(512, "bundle_initial")).reason == "bundle_initial 512 KB ≥ 500 KB"
    assert judged(bundle, reported(500, "bundle_initial")).standing == UNMET
    assert judged(bundle, reported(499.9, "bundle_initial")).standing == MET


def test_what_nobody_reported_is_not_passed_and_a_report_would_help() -> None:
    finding = judged(COVERAGE, seeing(numbers={"another": Measured(100, NOW)}))
    assert (finding.standing, finding.reason) == (UNKNOWN, "nobody reported coverage for 9f1c2ab")
    (remedy,) = finding.remedies
    assert (remedy.kind, remedy.says) == (RemedyKind.EVIDENCE, "a report for 9f1c2ab says coverage ≥ 90")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (seeing(numbers=GONE), "it does not answer"),
        (seeing(), "nobody looked"),
        (seeing(but(candidate=GONE), numbers={"coverage": Measured(100, NOW)}), "it does not answer"),
        (
            seeing(but(candidate=Candidate(NEW, Unknown("no label"))), numbers={"coverage": Measured(100, NOW)}),
            "numbers belong to a commit: no label",
        ),
    ],
)
def test_what_is_not_known_blocks_and_says_why(facts: Facts, reason: str) -> None:
    finding = judged(COVERAGE, facts)
    assert (finding.standing, finding.reason) == (UNKNOWN, reason)


@pytest.mark.requirement("S3-54")
@pytest.mark.parametrize(
    ("age", "standing", "reason"),
    [
        (timedelta(days=7) - SECOND, MET, "coverage 95 ≥ 90"),
        (timedelta(days=7), UNMET, "coverage is 168 h old, and counts for 168 h"),
        (timedelta(days=9), UNMET, "coverage is 216 h old, and counts for 168 h"),
    ],
)
def test_a_good_number_that_is_too_old_is_stale_and_blocks(age: timedelta, standing: str, reason: str) -> None:
    weekly = gate("number", report="coverage", op=">=", value=90, max_age="P7D")
    finding = judged(weekly, reported(95, at=NOW - age))
    assert (finding.standing, finding.reason) == (standing, reason)
