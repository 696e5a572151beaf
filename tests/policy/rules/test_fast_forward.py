"""Can the target be moved to the candidate?"""

from __future__ import annotations

from typing import Any

import pytest

from policy.document import Policy
from policy.evidence import Ahead
from policy.finding import Standing
from tests.policy.good import DOCUMENT
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

TO_RELEASE = Policy.model_validate(
    {
        **DOCUMENT,
        "environments": {**DOCUMENT["environments"], "prod": {"rank": 2, "production": True, "branch": "release"}},
    }
)


@pytest.mark.requirement("S1-03", "S1-04")
@pytest.mark.parametrize(
    ("lies", "standing", "reason"),
    [
        (Ahead(3, 0), MET, "9f1c2ab is 3 commits ahead of release and lacks none"),
        (Ahead(0, 0), MET, None),
        (
            Ahead(3, 1),
            UNMET,
            "not a fast-forward: release has 1 commit that 9f1c2ab lacks; promote a commit that holds them",
        ),
        (Ahead(0, 1), UNMET, None),
        (Ahead(1, 2), UNMET, None),
        (GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_no_commit_of_the_target_may_be_lost(lies: Any, standing: Standing, reason: str | None) -> None:
    finding = judged(gate("fast_forward"), seeing(ahead=lies), policy=TO_RELEASE)
    assert finding.standing is standing
    assert reason is None or finding.reason == reason
    assert not finding.remedies


def test_where_no_branch_is_named_the_environment_stands_for_it() -> None:
    assert (
        judged(gate("fast_forward"), seeing(ahead=Ahead(1, 0))).reason
        == "9f1c2ab is 1 commit ahead of prod and lacks none"
    )
