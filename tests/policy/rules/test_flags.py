"""Feature flags: each with its owner, its ticket, and a day on which it goes."""

from __future__ import annotations

import pytest

from policy.evidence import Flag
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

FLAGS = gate("flags")
WHOLE = Flag("checkout_v2", owner="payments", removal="2027-01-31", ticket="PAY-7")


@pytest.mark.requirement("S4-219")
@pytest.mark.parametrize(
    ("flags", "standing", "reason"),
    [
        ((), MET, "0 flags, each with owner, ticket and removal date"),
        ((WHOLE,), MET, "1 flags, each with owner, ticket and removal date"),
        ((WHOLE, Flag("tax_fix", "", "2027-01-31", "PAY-8")), UNMET, "tax_fix has no owner"),
        ((Flag("tax_fix", "payments", "", "PAY-8"), WHOLE), UNMET, "tax_fix has no removal date"),
        ((Flag("tax_fix", "payments", "2027-01-31"),), UNMET, "tax_fix has no ticket"),
        (
            (Flag("a"), Flag("b", ticket="T-1")),
            UNMET,
            "a has no owner, ticket or removal date and b has no owner or removal date",
        ),
    ],
)
def test_a_flag_that_nobody_will_take_away_is_named(flags: tuple[Flag, ...], standing: str, reason: str) -> None:
    finding = judged(FLAGS, seeing(flags=flags))
    assert (finding.standing, finding.reason) == (standing, reason)
    assert len(finding.remedies) == (standing == UNMET)


def test_flags_that_cannot_be_read_block() -> None:
    assert judged(FLAGS, seeing(flags=GONE)).standing == UNKNOWN
    assert judged(FLAGS, seeing()).reason == "nobody looked"
