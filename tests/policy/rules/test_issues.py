"""Open issues."""

from __future__ import annotations

from typing import Any

import pytest

from policy.evidence import Issue
from policy.finding import Standing
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing


def issue(number: int, *labels: str) -> Issue:
    return Issue(number, "it breaks", frozenset(labels))


@pytest.mark.requirement("S3-23", "S4-204")
@pytest.mark.parametrize(
    ("at_most", "issues", "standing", "reason"),
    [
        (0, (), MET, "0 open issues labelled blocking or release-blocker, and 0 may be"),
        (
            0,
            (issue(88, "blocking"),),
            UNMET,
            "1 open issue labelled blocking or release-blocker, and 0 may be: #88 it breaks",
        ),
        (0, (issue(88, "ui"),), MET, None),
        (0, (issue(88, "ui", "release-blocker"),), UNMET, None),
        (1, (issue(88, "blocking"),), MET, "1 open issue labelled blocking or release-blocker, and 1 may be"),
        (1, (issue(88, "blocking"), issue(89, "blocking")), UNMET, None),
        (0, GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_no_more_than_may_are_open(at_most: int, issues: Any, standing: Standing, reason: str | None) -> None:
    asked = gate("issues", labels=["blocking", "release-blocker"], at_most=at_most)
    finding = judged(asked, seeing(issues=issues))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason


def test_so_many_must_be_closed() -> None:
    three = tuple(issue(number, "blocking") for number in (1, 2, 3))
    says = [judged(gate("issues", labels=["blocking"], at_most=n), seeing(issues=three)).remedies for n in (0, 1)]
    assert [[remedy.says for remedy in remedies] for remedies in says] == [
        ["close #1, #2 and #3"],
        ["close 2 of #1, #2 and #3"],
    ]


def test_closing_what_is_in_the_way_leaves_the_others() -> None:
    facts = seeing(issues=(issue(1, "blocking"), issue(2, "ui")))
    (remedy,) = judged(gate("issues", labels=["blocking"]), facts).remedies
    assert remedy.applied is not None
    assert remedy.applied(facts).evidence.issues == (issue(2, "ui"),)
