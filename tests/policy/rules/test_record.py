"""What whoever asks must say first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import Vote
from policy.finding import Decision, RemedyKind, Standing
from tests.policy.good import DOCUMENT, NOW, OMAR, PROMOTION, but, vote
from tests.policy.rules.judging import MET, NA, UNMET, gate, judged

SUMMARY = gate("record", fields=["summary"])
RELEASE = gate("record", fields=["summary", "notes", "rollback-plan", "sbom-ref", "known-issues"])
FULL = {
    "summary": "taxes",
    "notes": "docs/releases/v1.4.2.md",
    "rollback-plan": "shift back",
    "sbom-ref": "s3://sbom",
    "known-issues": "none",
}
WHY_RISKY = gate("record", fields=["rationale"], only_if={"risk": ["high"]})


@pytest.mark.parametrize(
    ("fields", "standing"),
    [
        ({"summary": "taxes are right again"}, MET),
        ({"summary": "  x"}, MET),
        ({"summary": ""}, UNMET),
        ({"summary": " \t\n"}, UNMET),
        ({"title": "taxes"}, UNMET),
        ({}, UNMET),
    ],
)
def test_a_blank_summary_is_none(fields: dict[str, str], standing: str) -> None:
    assert judged(SUMMARY, but(fields=fields)).standing == standing


@pytest.mark.requirement("S3-24", "S4-254", "S4-270")
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, "summary, notes, rollback-plan, sbom-ref and known-issues said"),
        ({"sbom-ref": ""}, "missing: sbom-ref"),
        ({"notes": ""}, "missing: notes"),
        ({"rollback-plan": " "}, "missing: rollback-plan"),
        ({"known-issues": ""}, "missing: known-issues"),
        ({"summary": "", "known-issues": ""}, "missing: summary and known-issues"),
    ],
)
def test_everything_that_is_missing_is_named_and_none_is_an_answer(changed: dict[str, str], reason: str) -> None:
    finding = judged(RELEASE, but(fields={**FULL, **changed}))
    assert finding.reason == reason
    assert finding.standing == (UNMET if "missing" in reason else MET)


def test_whoever_asked_can_say_it_in_one_go() -> None:
    (remedy,) = judged(RELEASE, but(fields={"summary": "taxes", "notes": "x", "sbom-ref": "s3://sbom"})).remedies
    assert (remedy.kind, remedy.says, remedy.who) == (RemedyKind.SAY, "say rollback-plan: and known-issues:", ("maya",))


def test_who_could_say_it_is_named_only_where_that_is_known() -> None:
    stranger = replace(but().asked_by, human=None)
    (remedy,) = judged(SUMMARY, but(asked_by=stranger)).remedies
    assert remedy.who == ()


@pytest.mark.requirement("S4-245")
@pytest.mark.parametrize(
    ("fields", "standing"),
    [
        ({"breaking": "yes"}, UNMET),
        ({"breaking": "yes", "migration": "rename the field"}, UNMET),
        ({"breaking": "yes", "migration": "rename the field", "deprecation-until": "2027-06-30"}, MET),
        ({"breaking": "no"}, NA),
        ({}, UNMET),
    ],
)
def test_a_breaking_change_says_how_to_migrate_and_until_when_the_old_way_works(
    fields: dict[str, str], standing: str
) -> None:
    breaking = gate("record", fields=["migration", "deprecation-until"], only_if={"breaking": ["yes"]})
    assert judged(breaking, but(fields=fields)).standing == standing


def asked_for(record: dict[str, Any], fields: dict[str, str], votes: tuple[Vote, ...] = ()) -> Decision:
    """What is decided of a promotion that must say so."""
    path = {**DOCUMENT["paths"][1], "requires": ["record"]}
    document = {**DOCUMENT, "gates": {"record": {"kind": "record", **record}}, "paths": [path]}
    active = ActivePolicy(policy=Policy.model_validate(document), hash="f" * 64)
    return decide(PROMOTION, but(votes=votes, fields=fields), active, NOW)


@pytest.mark.requirement("S4-261")
@pytest.mark.parametrize(("reads", "standing"), [("", Standing.WARNING), ("https://logs.example/q/7", MET)])
def test_that_nobody_reads_what_is_taken_away_should_be_shown(reads: str, standing: str) -> None:
    """It blocks nothing."""
    unused = {"mode": "warn", "fields": ["unused"], "only_if": {"db-change": ["contract"]}}
    decision = asked_for(unused, {"db-change": "contract", "unused": reads}, (vote(OMAR),))
    assert decision.allowed
    assert [each.standing for each in decision.findings if each.rule == "record"] == [standing]


@pytest.mark.requirement("S4-011")
def test_nobody_is_asked_to_agree_before_the_record_is_complete() -> None:
    """Where agreement is all that is missing, and only there, there is a button for it."""
    incomplete = asked_for({"fields": list(FULL)}, {**FULL, "sbom-ref": ""})
    assert "missing: sbom-ref" in [finding.reason for finding in incomplete.blockers]
    assert not incomplete.waits_for_people_only
    assert asked_for({"fields": list(FULL)}, FULL).waits_for_people_only


@pytest.mark.requirement("S4-284")
@pytest.mark.parametrize(
    ("fields", "standing", "reason"),
    [
        ({"risk": "high"}, UNMET, "missing: rationale"),
        ({"risk": "High "}, UNMET, "missing: rationale"),
        ({"risk": "high", "rationale": "a new ledger"}, MET, "rationale said"),
        ({"risk": "low"}, NA, "only where risk is high"),
        ({"rationale": "why not"}, UNMET, "missing: risk"),
    ],
)
def test_a_high_risk_needs_its_reasons(fields: dict[str, str], standing: str, reason: str) -> None:
    finding = judged(WHY_RISKY, but(fields=fields))
    assert (finding.standing, finding.reason) == (standing, reason)


@pytest.mark.requirement("S4-262")
@pytest.mark.parametrize(("change", "standing"), [("contract", UNMET), ("expand", UNMET), ("none", NA)])
def test_a_change_of_the_database_says_what_stands_against_a_rollback(change: str, standing: str) -> None:
    constraints = gate("record", fields=["rollback-limits"], only_if={"db-change": ["expand", "migrate", "contract"]})
    assert judged(constraints, but(fields={"db-change": change})).standing == standing
