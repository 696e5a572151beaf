"""Something to go back to: verified, ready, and its image still there."""

from __future__ import annotations

from typing import Any

import pytest

from policy.evidence import WayBack
from policy.model import Unknown
from tests.policy.good import OLD
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

READY = gate("rollback_ready")
NO_TARGET = "no rollback target for checkout:"


@pytest.mark.requirement("S2-27", "S4-106")
@pytest.mark.parametrize(
    ("way_back", "standing", "reason"),
    [
        (WayBack("api-00041", OLD, retrievable=True), MET, "api-00041 is ready to go back to"),
        (None, UNMET, f"{NO_TARGET} nothing verified is left"),
        (WayBack("api-00041", OLD, ready=False, retrievable=True), UNMET, f"{NO_TARGET} api-00041 is not ready"),
        (WayBack("api-00041", OLD, ready=False), UNMET, f"{NO_TARGET} api-00041 is not ready"),
        (WayBack("api-00041", OLD, retrievable=False), UNMET, f"{NO_TARGET} the image of api-00041 is gone"),
        (
            WayBack("api-00041", OLD, retrievable=Unknown("the registry does not answer")),
            UNKNOWN,
            "whether api-00041 could still be started is not known: the registry does not answer",
        ),
        (WayBack("api-00041", OLD), UNKNOWN, "whether api-00041 could still be started is not known: nobody looked"),
        (GONE, UNKNOWN, "it does not answer"),
    ],
)
def test_a_way_back_is_one_that_can_be_gone(way_back: Any, standing: str, reason: str) -> None:
    finding = judged(READY, seeing(way_back=way_back))
    assert (finding.standing, finding.reason) == (standing, reason)


def test_what_can_be_mended_is_said_and_where_nothing_is_left_nothing_helps() -> None:
    gone = judged(READY, seeing(way_back=WayBack("api-00041", OLD, retrievable=False)))
    assert [remedy.says for remedy in gone.remedies] == ["the image of api-00041 can be had again"]
    assert judged(READY, seeing(way_back=None)).remedies == ()
    assert judged(READY, seeing()).standing == UNKNOWN
