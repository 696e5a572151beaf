"""Open findings of scanners: every scanner answered, few enough of each severity, by name."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from policy.facts import Facts
from policy.finding import Finding
from tests.policy.good import NOW, SECOND
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

NO_HIGH = gate("alerts", sources=["dependabot", "snyk"], at_most={"critical": 0, "high": 0})
NO_CRITICAL = gate("alerts", sources=["dependabot", "snyk"], at_most={"critical": 0}, max_age="PT24H")


def found(dependabot: dict[str, Any], snyk: dict[str, Any] | None, at: datetime | None = NOW) -> Facts:
    alerts = {"dependabot": dependabot, "code_scanning": {"critical": ("not asked for",)}}
    return seeing(alerts=alerts if snyk is None else {**alerts, "snyk": snyk}, alerts_at=at)


def seen(finding: Finding) -> tuple[str, str]:
    return finding.standing, finding.reason


@pytest.mark.requirement("S3-07")
@pytest.mark.parametrize(
    ("facts", "standing", "reason"),
    [
        (found({"high": ("GHSA-7hfw",)}, {}), UNMET, "1 high open, 0 allowed: GHSA-7hfw"),
        (
            found({"high": ("GHSA-7hfw", "GHSA-2pqr")}, {"critical": ("SNYK-1",)}),
            UNMET,
            "1 critical open, 0 allowed: SNYK-1 and 2 high open, 0 allowed: GHSA-7hfw and GHSA-2pqr",
        ),
        (found({"medium": ("GHSA-xyz",), "high": ()}, {}), MET, "0 critical and 0 high open in dependabot and snyk"),
        (found({}, {}), MET, "0 critical and 0 high open in dependabot and snyk"),
    ],
)
def test_no_critical_and_no_high_finding_is_open(facts: Facts, standing: str, reason: str) -> None:
    assert seen(judged(NO_HIGH, facts)) == (standing, reason)


def test_closing_what_is_too_much_helps() -> None:
    one = judged(NO_HIGH, found({"high": ("GHSA-7hfw",)}, {"medium": ("SNYK-2",)}))
    assert [remedy.says for remedy in one.remedies] == ["GHSA-7hfw is closed"]
    two = judged(NO_HIGH, found({"high": ("GHSA-7hfw",)}, {"critical": ("SNYK-1",)}))
    assert [remedy.says for remedy in two.remedies] == ["SNYK-1 and GHSA-7hfw are closed"]


@pytest.mark.requirement("S3-17", "S4-100")
@pytest.mark.parametrize(
    ("facts", "standing"),
    [
        (found({"critical": ("GHSA-7hfw",)}, {}), UNMET),
        (found({}, {"critical": ("SNYK-1",)}), UNMET),
        (found({"high": ("GHSA-7hfw",)}, {}), MET),
        (found({}, {}), MET),
    ],
)
def test_one_critical_finding_blocks_whichever_scanner_found_it(facts: Facts, standing: str) -> None:
    assert judged(NO_CRITICAL, facts).standing == standing


@pytest.mark.parametrize(("number", "standing"), [(2, MET), (3, MET), (4, UNMET)])
def test_as_many_as_may_be_open_are_not_too_many(number: int, standing: str) -> None:
    three = gate("alerts", sources=["dependabot"], at_most={"high": 3})
    finding = judged(three, found({"high": tuple(f"GHSA-{each}" for each in range(number))}, None))
    assert finding.standing == standing
    assert finding.reason.startswith(f"{number} high open")


@pytest.mark.parametrize(("number", "last"), [(8, "GHSA-7"), (9, "1 more"), (11, "3 more")])
def test_of_many_the_first_eight_are_named(number: int, last: str) -> None:
    named = tuple(f"GHSA-{each}" for each in range(number))
    reason = judged(NO_HIGH, found({"high": named}, {})).reason
    assert reason.endswith(f", GHSA-6 and {last}" if number == 8 else f", GHSA-7 and {last}")


def test_what_two_scanners_know_is_one_finding() -> None:
    one = gate("alerts", sources=["dependabot", "snyk"], at_most={"high": 1})
    assert judged(one, found({"high": ("CVE-1",)}, {"high": ("CVE-1",)})).reason == "1 high open in dependabot and snyk"
    assert judged(one, found({"high": ("CVE-1",)}, {"high": ("CVE-2",)})).standing == UNMET


def test_a_scanner_that_did_not_answer_is_named_and_blocks() -> None:
    finding = judged(NO_HIGH, found({}, None))
    assert seen(finding) == (UNKNOWN, "no answer from snyk")
    (remedy,) = finding.remedies
    assert remedy.says == "snyk answers, and no more are open than may be"
    both = judged(NO_HIGH, seeing(alerts={}, alerts_at=NOW))
    assert both.reason == "no answer from dependabot and snyk"
    assert [remedy.says for remedy in both.remedies] == ["dependabot and snyk answer, and no more are open than may be"]
    assert seen(judged(NO_HIGH, seeing(alerts=GONE))) == (UNKNOWN, "it does not answer")
    assert seen(judged(NO_HIGH, seeing())) == (UNKNOWN, "nobody looked")


@pytest.mark.parametrize(
    ("at", "standing", "reason"),
    [
        (NOW - timedelta(hours=24) + SECOND, MET, "0 critical open in dependabot and snyk"),
        (NOW - timedelta(hours=24), UNMET, "the list of alerts is 24 h old, and counts for 24 h"),
        (None, UNMET, "the list of alerts does not say when it was made, and counts for 24 h"),
    ],
)
def test_a_list_that_is_a_day_old_is_stale(at: datetime | None, standing: str, reason: str) -> None:
    assert seen(judged(NO_CRITICAL, found({}, {}, at))) == (standing, reason)


def test_a_stale_list_is_mended_only_by_one_that_knows_of_nothing_too_much() -> None:
    (remedy,) = judged(NO_CRITICAL, found({"critical": ("GHSA-7hfw",)}, {}, None)).remedies
    assert remedy.says == "alerts are listed again, and no more are open than may be"


@pytest.mark.parametrize(
    ("number", "names"), [(8, "G0, G1, G2, G3, G4, G5, G6 and G7"), (11, "G0, G1, G2, G3, G4, G5, G6, G7 and 3 more")]
)
def test_of_many_findings_the_first_eight_are_named(number: int, names: str) -> None:
    finding = judged(NO_HIGH, found({"high": tuple(f"G{each}" for each in range(number))}, {}))
    assert finding.reason == f"{number} high open, 0 allowed: {names}"
