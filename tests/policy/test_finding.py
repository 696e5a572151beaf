"""When is advice the same, what do findings ask of people, and when is a decision a yes?"""

from __future__ import annotations

from typing import Any

import pytest

from policy.finding import Decision, Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet
from tests.policy.good import NOW

LINT = Remedy(RemedyKind.EVIDENCE, "lint passes", ("maya",), applied=lambda facts: facts)
MET, OPEN = met("lint", "it passed"), unmet("lint", "it failed")
ALONE = unmet("approvals", "somebody must agree", waits_for_people=True)


def test_advice_is_the_same_where_it_says_the_same_however_it_is_tried() -> None:
    other = LINT._replace(applied=lambda _: None)  # type: ignore[arg-type, return-value] # nobody tries it
    assert other == LINT
    assert not other != LINT  # noqa: SIM202 (it is a question of its own)
    assert len({LINT, other}) == 1


@pytest.mark.parametrize("change", [{"kind": RemedyKind.SAY}, {"words": "lint fails"}, {"who": ("omar",)}, {"at": NOW}])
def test_it_is_another_where_it_says_another_thing(change: dict[str, Any]) -> None:
    assert LINT._replace(**change) != LINT


def test_advice_is_no_row_of_words() -> None:
    assert tuple(LINT) != LINT


def test_only_what_is_not_met_may_wait_for_people() -> None:
    findings = (met("lint", "yes"), unmet("lint", "no"), unknown("lint", "?"), not_applicable("lint", "never"))
    assert not any(finding.waits_for_people for finding in findings)


@pytest.mark.parametrize(
    ("findings", "allowed", "waits"),
    [
        ((), False, False),
        ((MET,), True, False),
        ((MET, ALONE), False, True),
        ((MET, ALONE, OPEN), False, False),
        ((OPEN,), False, False),
    ],
)
def test_silence_is_not_consent_and_what_else_is_missing_waits_for_more_than_people(
    findings: tuple[Finding, ...], allowed: bool, waits: bool
) -> None:
    decision = Decision(findings, NOW, "f" * 64)
    assert (decision.allowed, decision.waits_for_people_only) == (allowed, waits)
