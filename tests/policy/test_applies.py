"""Whether a gate applies: by the change's type, by labels, files, severity and branch; and what nobody knows may be true."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.applies import applying
from policy.case import case
from policy.evidence import Changes, PullRequest
from policy.facts import Facts
from policy.finding import Finding
from policy.gates import AnyGate
from tests.policy.good import NOW, POLICY, PROMOTION, but
from tests.policy.rules.judging import GONE, NA, UNKNOWN, gate, seeing


def whether(wanted: AnyGate, facts: Facts, change: str = "") -> Finding | None:
    return applying(wanted, "the-gate")(case(replace(PROMOTION, change=change), facts, POLICY, NOW))


def signoff(**says: Any) -> AnyGate:
    return gate("signoff", role="tech_lead", **says)


def changed(*files: str, labels: tuple[str, ...] = (), branch: str = "main", complete: bool = True) -> Facts:
    pull_requests = (PullRequest(30, "Other"), PullRequest(31, "This", frozenset(labels)))
    return seeing(changes=Changes((), pull_requests, files, branch, complete))


def stands(wanted: AnyGate, facts: Facts, change: str = "") -> str | None:
    """`None`: it applies."""
    finding = whether(wanted, facts, change)
    return None if finding is None else finding.standing


@pytest.mark.parametrize(("change", "standing"), [("hotfix", None), ("", NA), ("feature", NA), ("emergency", NA)])
def test_a_gate_for_some_types_of_change(change: str, standing: str | None) -> None:
    assert stands(signoff(applies_to=["hotfix"]), seeing(), change) == standing


def test_a_gate_that_says_nothing_always_applies() -> None:
    assert whether(signoff(), seeing(changes=GONE)) is None


SECURITY = {"labels": ["auth", "data"], "files": ["auth/**", "**/migrations/**"]}


@pytest.mark.parametrize(
    ("when", "facts", "standing"),
    [
        ({"labels": ["new-feature"]}, changed(labels=("new-feature",)), None),
        ({"labels": ["new-feature"]}, changed(labels=("New-Feature", "x")), None),
        ({"labels": ["new-feature"]}, changed(labels=("new-features",)), NA),
        ({"labels": ["new-feature"]}, changed("new-feature"), NA),
        (SECURITY, changed("auth/session.py"), None),
        (SECURITY, changed("db/migrations/0042_add_col.sql"), None),
        (SECURITY, changed("migrations/0042_add_col.sql"), None),
        (SECURITY, changed("README.md", labels=("data",)), None),
        (SECURITY, changed("README.md", "oauth/session.py", labels=("ui",)), NA),
        ({"files": ["web/**"]}, changed("web/app.tsx"), None),
        ({"files": ["infra/**", "terraform/**"]}, changed("infra/run.tf"), None),
        ({"files": ["infra/**", "terraform/**"]}, changed("docs/infra/run.tf"), NA),
        ({"branches": ["release/*"]}, changed(branch="release/1.4"), None),
        ({"branches": ["release/*"]}, changed(branch="main"), NA),
        ({"branches": ["release/*"], "labels": ["x"]}, changed(branch="release/1.4"), None),
    ],
)
def test_what_is_true_of_the_change(when: dict[str, Any], facts: Facts, standing: str | None) -> None:
    assert stands(signoff(when=when), facts) == standing


@pytest.mark.parametrize(
    ("when", "facts", "reason"),
    [
        (SECURITY, seeing(changes=GONE), "it does not answer"),
        (SECURITY, seeing(), "nobody looked"),
        (SECURITY, changed("README.md", complete=False), "the list of changes was cut short"),
        ({"branches": ["release/*"]}, changed(branch=""), "nobody knows which branch it was built from"),
    ],
)
def test_what_is_not_known_may_be_true_and_blocks(when: dict[str, Any], facts: Facts, reason: str) -> None:
    finding = whether(signoff(when=when), facts)
    assert finding is not None
    assert (finding.standing, finding.reason) == (UNKNOWN, f"whether it applies is not known: {reason}")


def test_a_list_that_was_cut_short_is_enough_where_it_shows_that_it_applies() -> None:
    assert stands(signoff(when=SECURITY), changed("auth/session.py", complete=False)) is None
    assert stands(signoff(when={"branches": ["release/*"]}), changed(branch="main", complete=False)) == NA


SEVERE = {"severities": ["sev1"]}


@pytest.mark.parametrize(
    ("when", "fields", "standing"),
    [
        (SEVERE, {"severity": "sev1"}, None),
        (SEVERE, {"severity": " SEV1 "}, None),
        (SEVERE, {"severity": "sev2", "incident": "INC-1"}, NA),
        (SEVERE, {}, NA),
        (SEVERE, {"incident": "INC-1"}, UNKNOWN),
        ({**SEVERE, "labels": ["x"]}, {"severity": "sev1"}, None),
        ({**SEVERE, "labels": ["x"]}, {"severity": "sev2"}, UNKNOWN),
    ],
)
def test_how_severe_the_incident_is(when: dict[str, Any], fields: dict[str, str], standing: str | None) -> None:
    """An incident whose severity nobody said may be severe; without an incident there is nothing to be severe."""
    assert stands(signoff(when=when), seeing(but(fields=fields))) == standing


@pytest.mark.parametrize(
    ("when", "facts", "standing"),
    [
        ({"labels": ["auth"]}, changed(complete=False), UNKNOWN),
        ({"files": ["auth/**"]}, changed("README.md", complete=False), UNKNOWN),
        ({"labels": ["auth"]}, changed(branch=""), NA),
        ({"files": ["auth/**"]}, changed("README.md", branch=""), NA),
        ({}, changed("README.md"), None),
    ],
)
def test_only_what_was_asked_for_can_be_missing(when: dict[str, Any], facts: Facts, standing: str | None) -> None:
    """A gate that asks for nothing is not left out for that."""
    assert stands(signoff(when=when), facts) == standing


def test_an_incident_is_looked_at_only_where_its_severity_is_asked_for() -> None:
    incident = replace(changed("README.md"), fields={"incident": "INC-1"})
    assert stands(signoff(when={"labels": ["auth"]}), incident) == NA
    finding = whether(signoff(when={**SEVERE, "labels": ["auth"]}), incident)
    assert finding is not None
    assert finding.reason == "whether it applies is not known: how severe the incident is was not said"


def test_of_two_doubts_the_one_that_nobody_can_end_by_a_word_is_named() -> None:
    finding = whether(
        signoff(when={**SEVERE, "labels": ["auth"]}), seeing(but(fields={"incident": "INC-1"}), changes=GONE)
    )
    assert finding is not None
    assert finding.reason == "whether it applies is not known: it does not answer"


def test_where_something_of_it_is_true_it_applies_whatever_else_is_not_known() -> None:
    incident = replace(changed(labels=("auth",)), fields={"incident": "INC-1"})
    assert stands(signoff(when={**SEVERE, "labels": ["auth"]}), incident) is None


def test_it_says_what_it_looked_for() -> None:
    finding = whether(signoff(when=SECURITY), changed("README.md"))
    assert finding is not None
    assert (
        finding.reason
        == "it applies to changes with the label auth or data, or a file like auth/** or **/migrations/**"
    )
    finding = whether(signoff(applies_to=["hotfix"]), seeing())
    assert finding is not None
    assert finding.reason == "only changes of the type hotfix need it"


def test_both_must_hold_where_both_are_said() -> None:
    wanted = signoff(applies_to=["hotfix"], when={"files": ["auth/**"]})
    assert stands(wanted, changed("auth/session.py"), "hotfix") is None
    assert stands(wanted, changed("auth/session.py")) == NA
    assert stands(wanted, changed("README.md"), "hotfix") == NA
