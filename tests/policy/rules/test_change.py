"""Types of change: which a path takes, where they go, what must be said, and who agrees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.document import ActivePolicy
from policy.facts import EMERGENCY, Facts
from policy.finding import Decision, RemedyKind, Standing
from policy.model import Human
from tests.policy.good import OMAR, PROMOTION, but, vote
from tests.policy.people import DANA, EVERYBODY, FINE, PEOPLE, decided, emergency, found, freeze, policy

MET, UNMET, NA = Standing.MET, Standing.UNMET, Standing.NOT_APPLICABLE

TYPED = policy({"types": ["hotfix", "config"]})


def of(change: str, facts: Facts = FINE, active: ActivePolicy | None = None) -> Decision:
    question = replace(PROMOTION, change=change)
    return decided(question, facts, active or policy())


INCIDENT = but(FINE, fields={"incident": "INC-7"}, votes=(vote(DANA),))


@pytest.mark.parametrize(
    ("change", "facts", "active", "says"),
    [
        ("hotfix", INCIDENT, policy(), None),
        ("config", but(FINE, votes=(vote(OMAR), vote(DANA))), policy(), None),
        ("hotfix", INCIDENT, TYPED, None),
        ("hotfix", FINE, policy(), "missing for hotfix: incident"),
        ("hotfix", but(FINE, fields={"incident": " "}), policy(), "missing for hotfix: incident"),
        ("nothing", FINE, policy(), "there is no change type nothing; say type: with hotfix, config or emergency"),
        ("", FINE, TYPED, "stage→prod takes only changes of a type; say type: with hotfix or config"),
        (
            EMERGENCY,
            but(FINE, emergency=emergency()),
            policy({"types": ["hotfix"]}),
            "stage→prod takes only changes of the type hotfix, not emergency",
        ),
        (
            "config",
            FINE,
            policy({"types": ["hotfix"]}),
            "stage→prod takes only changes of the type hotfix, not config",
        ),
    ],
)
def test_a_path_takes_the_types_that_the_policy_says_with_what_they_must_say(
    change: str, facts: Facts, active: ActivePolicy, says: str | None
) -> None:
    finding = found("change-type", of(change, facts, active))
    assert finding.standing is (MET if says is None else UNMET)
    if says is not None:
        assert finding.reason == says
        assert not of(change, facts, active).allowed


def test_some_types_go_only_along_some_paths() -> None:
    to_stage = replace(PROMOTION, source="dev", target="stage", change="config")
    finding = found("change-type", decided(to_stage, FINE))
    assert (finding.standing, finding.reason) == (UNMET, "config changes go only along stage→prod")


def test_an_ordinary_change_is_of_no_type() -> None:
    assert "change-type" not in {finding.rule for finding in of("").findings}


def test_what_must_be_said_can_be_said() -> None:
    (advice,) = found("change-type", of("hotfix")).remedies
    assert (advice.kind, advice.says, advice.who) == (RemedyKind.SAY, "say incident:", ("maya",))


WHO: list[tuple[str, list[str], bool]] = [
    ("", ["omar"], True),
    ("", ["dana"], False),
    ("hotfix", ["dana"], True),
    ("hotfix", ["omar"], False),
    ("config", ["omar", "dana"], True),
    ("config", ["omar"], False),
    ("config", ["dana"], False),
]


@pytest.mark.requirement("S4-255")
@pytest.mark.parametrize(("change", "voters", "allowed"), WHO)
def test_its_approvals_join_the_paths_or_take_their_place(change: str, voters: list[str], allowed: bool) -> None:
    votes = tuple(vote(EVERYBODY[Human(name)]) for name in voters)
    decision = of(change, but(FINE, fields={"incident": "INC-7"}, votes=votes))
    assert decision.allowed is allowed
    if not allowed:
        assert decision.waits_for_people_only


def test_who_must_agree_to_a_type_that_nobody_knows_is_not_known() -> None:
    finding = found("approvals", of("nothing"))
    assert finding.standing is Standing.UNKNOWN
    assert finding.reason == "there is no change type nothing, so it is not known who must agree"


def test_a_type_that_waits_for_no_freeze_waits_for_none() -> None:
    types: dict[str, Any] = {**PEOPLE["change_types"], "hotfix": {"freeze": "any"}}
    facts = but(FINE, freezes=(freeze(),))
    assert found("no-freeze", of("hotfix", facts, policy(change_types=types))).standing is NA
    assert found("no-freeze", of("config", facts, policy(change_types=types))).standing is UNMET
