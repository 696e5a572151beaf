"""What a branch would go back to: a commit that was verified where it stands now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.case import case
from policy.facts import KnownGood
from policy.model import Sha
from policy.rules.known_good import known_good_commit
from tests.policy.good import ALL_GOOD, NOW, OLD, POLICY, PROMOTION
from tests.policy.rules.judging import GONE, MET, UNKNOWN

VERIFIED = KnownGood("checkout-r-1", OLD, NOW, "release op_1", Sha("c1" * 20))


@pytest.mark.parametrize(
    ("target", "standing", "reason"),
    [
        (VERIFIED, MET, "c1c1c1c was verified on Tue 24 Nov 2026 10:00 CET (release op_1)"),
        (replace(VERIFIED, commit=None), UNKNOWN, "which commit was verified is not recorded"),
        (GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_a_branch_goes_back_to_what_was_verified(target: Any, standing: str, reason: str) -> None:
    finding = known_good_commit(case(PROMOTION, replace(ALL_GOOD, rollback_to=target), POLICY, NOW))
    assert (finding.standing, finding.reason) == (standing, reason)
