"""What pull requests say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from policy.evidence import Changes, PullRequest
from policy.finding import Standing
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing


def pull_request(number: int, title: str = "feat: x", labels: tuple[str, ...] = (), **fields: str) -> PullRequest:
    return PullRequest(number, title, frozenset(labels), fields)


def of(*pull_requests: PullRequest, complete: bool = True) -> dict[str, Any]:
    return {"changes": Changes(pull_requests=pull_requests, complete=complete)}


PROMOTION_SAYS = {"of": "promotion", "fields": ["release_notes", "rollback_plan"]}


@pytest.mark.requirement("S0-19", "S0-20")
@pytest.mark.parametrize(
    ("promotion", "standing", "reason"),
    [
        (pull_request(52, release_notes="fixes", rollback_plan="api→api-00041-abc"), MET, None),
        (pull_request(52, release_notes="", rollback_plan="x"), UNMET, "#52 does not say release notes"),
        (pull_request(52), UNMET, "#52 does not say release notes or rollback plan"),
        (None, UNMET, "no pull request leads from stage to prod"),
        (GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_the_one_that_promotes_says_what_is_asked(promotion: Any, standing: Standing, reason: str | None) -> None:
    finding = judged(gate("pull_request", **PROMOTION_SAYS), seeing(promotion=promotion))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


TICKET = {"matches": {"ticket": "[A-Z]+-[0-9]+"}}
TYPES = {"matches": {"change_type": "^(feature|fix|refactor|infra|security)$"}}
TESTED = {"matches": {"security_testing": r"^(performed|N/A\W+\w)"}}
CONVENTIONAL = {"titled": r"^(feat|fix|chore|refactor|docs|test|perf|build|ci|revert)(\(.+\))?!?: .+"}
RISK = {"one_of": ["risk:low", "risk:medium", "risk:high"]}
BACKPORT = {"labelled": ["backport"], "fields": ["original_pr", "rationale"]}


@pytest.mark.requirement(
    "S4-017", "S4-054", "S4-057", "S4-058", "S4-061", "S4-062", "S4-064", "S4-195", "S4-203", "S4-263"
)
@pytest.mark.parametrize(
    ("asked", "seen", "standing", "reason"),
    [
        (TICKET, of(pull_request(12, ticket="see PAY-9")), MET, "1 pull request looked at, and nothing lacks"),
        (TICKET, of(pull_request(12, ticket="none")), UNMET, "#12 says no ticket like [A-Z]+-[0-9]+"),
        (
            TICKET,
            of(pull_request(12), pull_request(13, ticket="PAY-9")),
            UNMET,
            "#12 says no ticket like [A-Z]+-[0-9]+",
        ),
        ({"fields": ["rollback_plan"]}, of(pull_request(16)), UNMET, "#16 does not say rollback plan"),
        (
            {"fields": ["summary", "security_and_compliance"]},
            of(pull_request(16, summary="x")),
            UNMET,
            "#16 does not say security and compliance",
        ),
        (TYPES, of(pull_request(17, change_type="misc")), UNMET, None),
        (TYPES, of(pull_request(17, change_type="infra")), MET, None),
        (TESTED, of(pull_request(18, security_testing="N/A")), UNMET, None),
        (TESTED, of(pull_request(18, security_testing="N/A: no network")), MET, None),
        (TESTED, of(pull_request(18, security_testing="performed, run 17")), MET, None),
        (CONVENTIONAL, of(pull_request(19, "update stuff")), UNMET, None),
        (CONVENTIONAL, of(pull_request(19, "feat(api)!: drop v1")), MET, None),
        (RISK, of(pull_request(131)), UNMET, "#131 has none of the labels risk:low, risk:medium, risk:high, not one"),
        (RISK, of(pull_request(131, labels=("risk:high", "ui"))), MET, None),
        (
            RISK,
            of(pull_request(131, labels=("risk:high", "risk:low"))),
            UNMET,
            "#131 has risk:high and risk:low of the labels risk:low, risk:medium, risk:high, not one",
        ),
        (BACKPORT, of(pull_request(121, labels=("backport",), rationale="x")), UNMET, "#121 does not say original pr"),
        (BACKPORT, of(pull_request(122)), MET, "0 pull requests looked at, and nothing lacks"),
        ({"fields": ["risk"]}, of(), MET, None),
        ({"fields": ["risk"]}, of(pull_request(1, risk="low"), complete=False), UNKNOWN, None),
        ({"fields": ["risk"]}, of(pull_request(1), complete=False), UNMET, "#1 does not say risk"),
        ({"fields": ["risk"]}, {"changes": GONE}, UNKNOWN, "it does not answer"),
    ],
)
def test_each_in_the_range_says_what_is_asked(
    asked: dict[str, Any], seen: dict[str, Any], standing: Standing, reason: str | None
) -> None:
    finding = judged(gate("pull_request", **asked), seeing(**seen))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


def test_what_is_missing_can_be_written_after_the_merge() -> None:
    seen = of(pull_request(16), pull_request(17, risk="low", labels=("risk:low",)), pull_request(18))
    (remedy,) = judged(gate("pull_request", fields=["risk"], **RISK), seeing(**seen)).remedies
    assert remedy.says == "write in #16 and #18: risk and one of risk:low, risk:medium, risk:high"
    (remedy,) = judged(gate("pull_request", **PROMOTION_SAYS), seeing(promotion=None)).remedies
    assert remedy.says == "write in the pull request of this promotion: release notes and rollback plan"


def test_what_must_look_like_a_pattern_is_not_made_up() -> None:
    asked = gate("pull_request", fields=["risk"], **TICKET)
    assert not judged(asked, seeing(**of(pull_request(12, risk="low")))).remedies
    assert judged(asked, seeing(**of(pull_request(12, ticket="PAY-9")))).remedies
    assert not judged(asked, seeing(**of(pull_request(12, ticket="PAY-9"), complete=False))).remedies


def test_what_is_said_already_stays_when_the_rest_is_written() -> None:
    asked = gate("pull_request", fields=["ticket", "rollback_plan"], **TICKET)
    assert len(judged(asked, seeing(**of(pull_request(12, ticket="PAY-9")))).remedies) == 1


def test_one_that_nobody_opened_is_not_made_up_where_it_must_look_like_a_pattern() -> None:
    none = seeing(promotion=None)
    assert not judged(gate("pull_request", of="promotion", titled="^release"), none).remedies
    assert judged(gate("pull_request", **PROMOTION_SAYS), none).remedies


def test_a_gate_that_asks_for_nothing_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="asks for nothing"):
        gate("pull_request")
