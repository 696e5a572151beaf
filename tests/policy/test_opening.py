"""What time alone opens and closes: whatever ends by itself is named with its instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from policy.decide import decide, decide_again
from policy.document import ActivePolicy
from policy.facts import Check, CheckState, Obligation, Question
from policy.finding import RemedyKind, unmet
from policy.gates import Waivable
from policy.model import Unknown
from policy.rulebook import Rule
from tests.policy.good import HOUR, INES, NOW, OLGA, OMAR, OTHER_PLAN, PROMOTION, SECOND, but, vote
from tests.policy.people import ACTIVE, DAY, FINE, MAY_NOT, URGENT, exception, freeze, policy
from tests.policy.people import emergency as declared

GREEN = {"build": Check("build", CheckState.PASSED)}
RED = {"build": Check("build", CheckState.FAILED)}
OWED = Obligation("O-3", "review", "E-1", "checkout", "prod", "tech_lead", NOW + HOUR, "look at it again")
UNIT = policy({"requires": ["unit"], "gates": {"soak": "PT24H", "window": "office_hours"}})
COUNTING = policy(
    freezes={
        "approvals": [{"role": "release_manager"}],
        "calendar": [
            {
                "name": "stock-taking",
                "when": [{"weekly": {"days": ["tue"], "start": "12:00", "end": "13:00"}}],
                "environments": ["prod"],
                "reason": "goods are counted",
            }
        ],
    }
)
OFFICE_CLOSES = NOW + 7 * HOUR


@pytest.mark.parametrize(
    ("active", "question", "changes", "closes", "note"),
    [
        (
            ACTIVE,
            URGENT,
            {"emergency": declared(ends_at=NOW + HOUR), "votes": (vote(INES, reason="it is down"),)},
            NOW + HOUR,
            "E-1 ends Tue 24 Nov 2026 11:00 CET",
        ),
        (
            ACTIVE,
            PROMOTION,
            {"obligations": (OWED,)},
            NOW + HOUR,
            "look at it again (O-3) falls due Tue 24 Nov 2026 11:00 CET",
        ),
        (ACTIVE, PROMOTION, {"obligations": (replace(OWED, blocks=False),)}, OFFICE_CLOSES, ""),
        (ACTIVE, PROMOTION, {"obligations": (replace(OWED, blocks=False, due_at=OFFICE_CLOSES),)}, OFFICE_CLOSES, ""),
        (ACTIVE, PROMOTION, {"obligations": (replace(OWED, settled_at=NOW),)}, OFFICE_CLOSES, ""),
        (COUNTING, PROMOTION, {}, NOW + 2 * HOUR, "the freeze stock-taking begins Tue 24 Nov 2026 12:00 CET"),
        (ACTIVE, PROMOTION, {"freezes": (freeze(environment="stage", starts_at=NOW + HOUR),)}, OFFICE_CLOSES, ""),
        (
            UNIT,
            PROMOTION,
            {"checks": RED, "exceptions": (exception(ends_at=NOW + HOUR),)},
            NOW + HOUR,
            "X-4 ends Tue 24 Nov 2026 11:00 CET",
        ),
        (
            UNIT,
            PROMOTION,
            {"checks": RED, "exceptions": (exception(kind="permanent", ends_at=None),)},
            OFFICE_CLOSES,
            "",
        ),
        (
            UNIT,
            PROMOTION,
            {
                "checks": RED,
                "exceptions": (
                    exception(),
                    exception(id="X-5", waives=frozenset({"window"}), ends_at=NOW + HOUR),
                ),
            },
            OFFICE_CLOSES,
            "",
        ),
    ],
    ids=[
        "an emergency",
        "what falls due",
        "what blocks nothing",
        "what blocks nothing at that very instant",
        "what is settled",
        "a freeze of the calendar",
        "a freeze elsewhere",
        "an exception",
        "one for good",
        "one that waives what is met",
    ],
)
def test_what_closes_first_is_named_and_what_closes_nothing_is_not(
    active: ActivePolicy, question: Question, changes: dict[str, Any], closes: datetime, note: str
) -> None:
    facts = but(FINE, **{"expires_at": None, **changes})
    decision = decide(question, facts, active, NOW)
    assert decision.allowed
    assert decision.closes == closes
    assert [note or "the window closes Tue 24 Nov 2026 17:00 CET"] == list(decision.notes)


def test_what_is_closed_already_does_not_close_again() -> None:
    votes = (vote(OMAR, plan=OTHER_PLAN),)
    decision = decide(PROMOTION, but(FINE, votes=votes, expires_at=None), policy({"approval_lasts": "PT3H"}), NOW)
    assert [finding.rule for finding in decision.blockers] == ["second-person", "approvals"]
    assert decision.closes == OFFICE_CLOSES


def test_where_it_is_not_known_who_must_agree_no_vote_lapses() -> None:
    decision = decide(replace(PROMOTION, change="unheard-of"), but(FINE, expires_at=None), ACTIVE, NOW)
    assert decision.closes == OFFICE_CLOSES
    assert decision.notes == ("the window closes Tue 24 Nov 2026 17:00 CET",)


def test_a_vote_that_is_needed_for_one_rule_alone_closes_that() -> None:
    active = policy({"approvals": [{"role": "release_manager", "count": 2}], "approval_lasts": "PT3H"})
    votes = (vote(OMAR, at=NOW - 2 * HOUR), vote(OLGA, at=NOW - HOUR))
    decision = decide(PROMOTION, but(FINE, votes=votes, expires_at=None), active, NOW)
    assert decision.allowed
    assert decision.closes == NOW + HOUR


def test_what_is_waived_before_it_closes_closes_with_the_waiver() -> None:
    record = exception(waives=frozenset({"window"}), ends_at=OFFICE_CLOSES + HOUR)
    decision = decide(PROMOTION, but(FINE, exceptions=(record,), expires_at=None), UNIT, NOW)
    assert decision.closes == OFFICE_CLOSES + HOUR
    assert decision.notes == ("X-4 ends Tue 24 Nov 2026 18:00 CET",)


def test_an_exception_that_helps_nobody_and_one_for_another_rule_hide_no_opening() -> None:
    others = (
        exception(id="X-5", waives=frozenset({"window"}), granted_by=(), granted_at=None, starts_at=NOW - HOUR),
        exception(id="X-6", waives=frozenset({"window"}), granted_by=(), granted_at=None, starts_at=NOW + 8 * HOUR),
        exception(id="X-7", waives=frozenset({"window"}), environment="stage", starts_at=NOW + 12 * HOUR),
        exception(id="X-8", waives=frozenset({"unit"}), starts_at=NOW + 9 * HOUR),
    )
    for at in (NOW + 8 * HOUR, NOW + 10 * HOUR):
        decision = decide(PROMOTION, but(FINE, exceptions=others, expires_at=None), UNIT, at)
        assert decision.earliest == NOW + DAY - HOUR


def test_where_exceptions_are_not_known_the_window_opens_all_the_same() -> None:
    facts = but(FINE, exceptions=Unknown("the books do not answer"), expires_at=None)
    assert decide(PROMOTION, facts, UNIT, NOW + 8 * HOUR).earliest == NOW + DAY - HOUR


def test_who_decides_again_is_told_the_same_opening() -> None:
    at_night = NOW + 12 * HOUR
    facts = but(FINE, expires_at=None)
    assert decide_again(PROMOTION, facts, UNIT, at_night).earliest == decide(PROMOTION, facts, UNIT, at_night).earliest
    assert decide_again(PROMOTION, facts, UNIT, at_night).earliest == NOW + DAY - HOUR


@pytest.mark.parametrize(
    ("changes", "noted"),
    [
        ({}, False),
        ({"expires_at": NOW + 12 * HOUR}, False),
        ({"expires_at": NOW + 12 * HOUR + SECOND}, True),
        ({"expires_at": NOW + DAY - HOUR}, True),
        ({"expires_at": NOW + DAY}, False),
    ],
)
def test_only_a_request_that_lasts_until_now_and_not_until_it_opens_is_noted(
    changes: dict[str, Any], noted: bool
) -> None:
    notes = decide(PROMOTION, but(FINE, **{"expires_at": None, **changes}), UNIT, NOW + 12 * HOUR).notes
    assert any("this request expires" in note for note in notes) is noted


def test_approvals_that_are_not_there_do_not_lapse() -> None:
    notes = decide(PROMOTION, but(FINE, votes=(), expires_at=None), UNIT, NOW + 12 * HOUR).notes
    assert not any("lapsed" in note for note in notes)


@pytest.mark.parametrize("told", [True, False])
def test_only_changes_of_such_a_type_are_told_of_emergencies_and_only_where_there_are_any(told: bool) -> None:
    kinds = {"feature": {"emergency_outside_window": True}, "chore": {}}
    active = policy(change_types=kinds) if told else policy(change_types=kinds, emergency=None, may=MAY_NOT)
    for change, noted in (("feature", told), ("chore", False)):
        notes = decide(replace(PROMOTION, change=change), but(FINE, expires_at=None), active, NOW + 12 * HOUR).notes
        assert any("asked for as an emergency" in note for note in notes) is noted
        assert not any("could not be worked out" in note for note in notes)


def test_an_exception_is_advised_also_where_the_rule_itself_has_no_advice() -> None:
    rule = Rule("window", lambda _: unmet("window", "it is shut"), waivable=Waivable.EXCEPTION)
    (finding,) = decide(PROMOTION, but(FINE), UNIT, NOW, [rule]).findings
    assert [remedy.kind for remedy in finding.remedies] == [RemedyKind.EXCEPTION]
