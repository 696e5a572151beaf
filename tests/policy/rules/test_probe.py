"""Probes: all of the set, against exactly the candidate, fresh enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policy.document import Policy
from policy.evidence import Probed
from policy.facts import Facts
from policy.finding import Finding
from tests.policy.good import DOCUMENT, NEW, NOW, OLD, SECOND, but
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

SMOKE = gate("probe", probes="smoke", environment="stage")
POLICY = Policy.model_validate(
    {**DOCUMENT, "probes": {"smoke": [{"path": path} for path in ("/health", "/db/health", "/auth/whoami")]}}
)


def found(facts: Facts, wanted: Any = SMOKE) -> Finding:
    return judged(wanted, facts, policy=POLICY)


def probed(*failed: str, total: int = 3, digest: Any = NEW, age: timedelta = SECOND) -> Facts:
    return seeing(
        probes={"smoke@stage": Probed(failed, total, NOW - age, digest), "smoke@prod": Probed((), 3, NOW, NEW)}
    )


@pytest.mark.requirement("S1-18", "S1-20")
@pytest.mark.parametrize(
    ("failed", "standing", "reason"),
    [
        ((), MET, "3 of 3 smoke probes passed in stage"),
        (("/db/health 503",), UNMET, "1 of 3 failed in stage: /db/health 503"),
        (("/api/chat: expected 415 got 200",), UNMET, "1 of 3 failed in stage: /api/chat: expected 415 got 200"),
        (("/health 500", "/auth/whoami 401"), UNMET, "2 of 3 failed in stage: /health 500 and /auth/whoami 401"),
    ],
)
def test_a_probe_that_failed_is_named(failed: tuple[str, ...], standing: str, reason: str) -> None:
    finding = found(probed(*failed))
    assert (finding.standing, finding.reason) == (standing, reason)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (probed(digest=OLD), "smoke ran in stage on bbbbbbbbbbbb, not on aaaaaaaaaaaa"),
        (probed("/health 500", digest=OLD), "smoke ran in stage on bbbbbbbbbbbb, not on aaaaaaaaaaaa"),
        (probed(digest=None), "smoke ran in stage on nobody knows what, not on aaaaaaaaaaaa"),
        (seeing(probes={"smoke@prod": Probed((), 3, NOW, NEW)}), "smoke did not run in stage on aaaaaaaaaaaa"),
        (probed(total=2), "only 2 of 3 smoke probes ran in stage"),
        (probed(total=0), "only 0 of 3 smoke probes ran in stage"),
        (seeing(probes=GONE), "it does not answer"),
        (seeing(), "nobody looked"),
        (seeing(but(candidate=GONE), probes={"smoke@stage": Probed((), 3, NOW, NEW)}), "it does not answer"),
    ],
)
def test_probes_that_ran_elsewhere_or_not_at_all_are_no_pass(facts: Facts, reason: str) -> None:
    finding = found(facts)
    assert (finding.standing, finding.reason) == (UNKNOWN, reason)


def test_where_they_never_ran_it_is_said_who_sends_them() -> None:
    (remedy,) = found(seeing(probes={})).remedies
    assert remedy.says == "smoke passes in stage on aaaaaaaaaaaa, sent once a request waits for it"


@pytest.mark.parametrize(("total", "standing"), [(0, UNKNOWN), (1, MET)])
def test_of_a_set_that_is_not_in_the_policy_at_least_one_ran(total: int, standing: str) -> None:
    assert judged(SMOKE, probed(total=total)).standing == standing


def test_where_they_must_run_once_more_it_is_said() -> None:
    for facts in (probed("/health 500"), probed(digest=OLD), probed(total=2)):
        assert [remedy.says for remedy in found(facts).remedies] == ["smoke passes in stage on aaaaaaaaaaaa"]


@pytest.mark.parametrize(
    ("age", "standing", "reason"),
    [
        (timedelta(hours=1) - SECOND, MET, "3 of 3 smoke probes passed in stage"),
        (timedelta(hours=1), UNMET, "smoke in stage is 1 h old, and counts for 1 h"),
    ],
)
def test_probes_of_an_hour_ago_are_stale(age: timedelta, standing: str, reason: str) -> None:
    hourly = gate("probe", probes="smoke", environment="stage", max_age="PT1H")
    finding = found(probed(age=age), hourly)
    assert (finding.standing, finding.reason) == (standing, reason)
