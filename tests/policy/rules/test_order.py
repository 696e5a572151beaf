"""Order: the very digest was there before, and got far enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policy.evidence import Reached
from policy.facts import Facts
from tests.policy.good import HOUR, NEW, NOW, OLD, SECOND, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

VERIFIED = gate("order", environment="stage")
DEPLOYED = gate("order", environment="stage", state="deployed")


def reached(*there: tuple[Any, str], age: timedelta = HOUR, environment: str = "stage") -> Facts:
    return seeing(reached={environment: tuple(Reached(digest, state, NOW - age) for digest, state in there)})


@pytest.mark.requirement("S2-05", "S4-096", "S4-104")
@pytest.mark.parametrize(
    ("facts", "verified", "deployed"),
    [
        (reached((NEW, "verified")), MET, MET),
        (reached((NEW, "deployed")), UNMET, MET),
        (reached((NEW, "deployed"), (NEW, "verified")), MET, MET),
        (reached((OLD, "verified"), (NEW, "verified")), MET, MET),
        (reached((OLD, "verified"), (NEW, "deployed")), UNMET, MET),
        (reached((OLD, "verified")), UNMET, UNMET),
        (reached(), UNMET, UNMET),
        (reached((NEW, "verified"), environment="dev"), UNKNOWN, UNKNOWN),
        (seeing(reached=GONE), UNKNOWN, UNKNOWN),
        (seeing(), UNKNOWN, UNKNOWN),
        (seeing(but(candidate=GONE), reached={"stage": (Reached(NEW, "verified", NOW),)}), UNKNOWN, UNKNOWN),
    ],
)
def test_how_far_the_digest_got(facts: Facts, verified: str, deployed: str) -> None:
    assert (judged(VERIFIED, facts).standing, judged(DEPLOYED, facts).standing) == (verified, deployed)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (reached((NEW, "verified")), "aaaaaaaaaaaa was verified in stage"),
        (reached((NEW, "deployed")), "aaaaaaaaaaaa was deployed in stage, and not verified"),
        (reached((OLD, "verified")), "aaaaaaaaaaaa was never in stage"),
        (reached(environment="dev"), "nobody looked what stage had"),
        (seeing(reached=GONE), "it does not answer"),
    ],
)
def test_what_is_said_of_it(facts: Facts, reason: str) -> None:
    assert judged(VERIFIED, facts).reason == reason


def test_going_there_helps() -> None:
    assert [r.says for r in judged(VERIFIED, reached((OLD, "verified"))).remedies] == [
        "aaaaaaaaaaaa is verified in stage"
    ]
    assert [r.says for r in judged(DEPLOYED, reached()).remedies] == ["aaaaaaaaaaaa is deployed in stage"]


@pytest.mark.parametrize(("age", "standing"), [(timedelta(days=7) - SECOND, MET), (timedelta(days=7), UNMET)])
def test_what_was_verified_a_week_ago_is_stale(age: timedelta, standing: str) -> None:
    weekly = gate("order", environment="stage", max_age="P7D")
    finding = judged(weekly, reached((NEW, "verified"), age=age))
    assert finding.standing == standing
    if standing == UNMET:
        assert finding.reason == "that aaaaaaaaaaaa was verified in stage is 168 h old, and counts for 168 h"
