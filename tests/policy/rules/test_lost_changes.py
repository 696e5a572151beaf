"""What would be lost."""

from __future__ import annotations

from typing import Any

import pytest

from policy.finding import Standing
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

BOTH = gate("lost_changes", look_for=["hotfix", "reverted_promotion"])
NONE: dict[str, tuple[str, ...]] = {"hotfix": (), "reverted_promotion": ()}


@pytest.mark.requirement("S4-182", "D-08")
@pytest.mark.parametrize(
    ("lost", "standing", "reason", "remedies"),
    [
        (NONE, MET, "nothing is lost that shipped before", []),
        (
            {**NONE, "hotfix": ("v1.4.3 (ABC-9)",)},
            UNMET,
            "the candidate lacks what was shipped as v1.4.3 (ABC-9); promote one that has it",
            [],
        ),
        (
            {**NONE, "reverted_promotion": ("file b from promotion 2",)},
            UNMET,
            "file b from promotion 2 would be missing, because an earlier promotion of it was reverted",
            ["revert the revert in prod first"],
        ),
        (
            {**NONE, "hotfix": ("v1.4.3 (ABC-9)",), "comes_by": ("#12 into main",)},
            UNMET,
            "the candidate lacks what was shipped as v1.4.3 (ABC-9); promote one that has it",
            ["merge #12 into main for the next candidate"],
        ),
        ({"hotfix": ("v1.4.3",), "reverted_promotion": ("b",)}, UNMET, None, []),
        ({"hotfix": ()}, UNKNOWN, "nobody looked for a lost reverted promotion", []),
        ({"hotfix": ("v1.4.3",)}, UNMET, None, []),
        ({"reverted_promotion": ("b",)}, UNMET, None, []),
        (GONE, UNKNOWN, "it does not answer", []),
    ],
)
def test_nothing_that_shipped_is_lost(lost: Any, standing: Standing, reason: str | None, remedies: list[str]) -> None:
    finding = judged(BOTH, seeing(lost=lost))
    assert finding.standing is standing
    assert reason is None or finding.reason == reason
    assert [remedy.says for remedy in finding.remedies] == remedies


def test_only_what_is_asked_for_is_looked_at() -> None:
    lost = seeing(lost={"hotfix": ("v1.4.3",), "reverted_promotion": ()})
    assert judged(gate("lost_changes", look_for=["reverted_promotion"]), lost).standing is MET
