"""Who must agree? To going back: whom the policy names for that place, and nobody where it goes back by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.case import case
from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import Deed, Facts, Question
from policy.model import Unknown
from policy.terms import agreement
from tests.policy.good import (
    ALL_GOOD,
    DOCUMENT,
    EVERYBODY,
    GOOD_ROLLBACK,
    HOUR,
    NOW,
    OMAR,
    PLAN,
    PROMOTION,
    ROLLBACK,
    but,
    vote,
)

LEAD, MANAGER = {"approvals": [{"role": "tech_lead"}]}, {"approvals": [{"role": "release_manager"}]}
IN_STAGE = replace(ROLLBACK, target="stage")
SEARCH_IN_STAGE = replace(IN_STAGE, service="search")


def active(everywhere: dict[str, Any], to_stage: dict[str, Any] | None, to_prod: dict[str, Any] | None) -> ActivePolicy:
    dev, stage = DOCUMENT["paths"]
    paths = [{**dev, "rollback": to_stage}, {**stage, "rollback": to_prod}]
    document = {**DOCUMENT, "rollback": everywhere, "paths": paths}
    return ActivePolicy(policy=Policy.model_validate(document), hash="0" * 64)


def asked(question: Question, facts: Facts, policy: ActivePolicy) -> list[str]:
    """Of each who must agree, the roles."""
    terms = agreement(case(question, facts, policy.policy, NOW))
    assert not isinstance(terms, Unknown)
    return [" or ".join(sorted(seat.roles)) for seat in terms.seats]


@pytest.mark.parametrize(
    ("question", "who"),
    [
        (ROLLBACK, ["release_manager"]),  # its own path says so, and not the one before it, to another place
        (IN_STAGE, ["tech_lead"]),
        (SEARCH_IN_STAGE, ["incident_commander"]),  # that path is none of its
    ],
)
def test_each_place_asks_whom_its_own_path_names_and_else_whom_the_policy_does(
    question: Question, who: list[str]
) -> None:
    policy = active({"approvals": [{"role": "incident_commander"}]}, LEAD, MANAGER)
    assert asked(question, GOOD_ROLLBACK, policy) == who


def test_a_path_that_says_nothing_of_it_leaves_it_to_the_policy() -> None:
    assert asked(ROLLBACK, GOOD_ROLLBACK, active(LEAD, MANAGER, None)) == ["tech_lead"]
    assert asked(ROLLBACK, GOOD_ROLLBACK, active(LEAD, MANAGER, {"approvals": []})) == []


def test_what_a_trigger_takes_back_waits_for_nobody_and_what_somebody_asks_for_does() -> None:
    policy = active({}, None, MANAGER)
    facts = but(GOOD_ROLLBACK, people=EVERYBODY, plan=PLAN, expires_at=NOW + HOUR)
    waits = decide(ROLLBACK, facts, policy, NOW)
    assert waits.waits_for_people_only
    assert [finding.rule for finding in waits.blockers] == ["second-person", "approvals"]
    assert decide(ROLLBACK, but(facts, asked_at=NOW - 2 * HOUR, votes=(vote(OMAR),)), policy, NOW).allowed
    assert asked(ROLLBACK, but(facts, trigger="errors"), policy) == []


def test_to_take_a_branch_back_waits_for_those_who_agree_along_its_path() -> None:
    back = Question(Deed.REWIND, "checkout", "prod", "stage")
    assert asked(back, ALL_GOOD, active({}, None, None)) == ["release_manager"]
    unheard_of = agreement(case(replace(back, source="dev"), ALL_GOOD, active({}, None, None).policy, NOW))
    assert unheard_of == Unknown("without a path it is not known who must agree")


def test_a_promotion_waits_for_those_whom_its_path_names_whatever_fired() -> None:
    assert asked(PROMOTION, but(ALL_GOOD, trigger="errors"), active({}, None, LEAD)) == ["release_manager"]
