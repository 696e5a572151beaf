"""What a change does to the database: declared, with a way back that was tried, and nothing taken away too early."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policy.evidence import CheckState, Database
from policy.finding import RemedyKind
from tests.policy.good import NOW, SECOND
from tests.policy.rules.judging import GONE, MET, UNKNOWN, UNMET, gate, judged, seeing

REVERSIBLE = gate("database", allows=["none", "reversible"], down_required=True)
IN_STEPS = gate("database", allows=["none", "expand", "migrate", "contract"], contract_after="P7D")
PASSED, FAILED, PENDING = CheckState.PASSED, CheckState.FAILED, CheckState.PENDING
NO_DOWN = ("0042_add_col.sql",)


def declared(*says: Any, **more: Any) -> Any:
    return seeing(database=Database(*says, **more))


@pytest.mark.requirement("S3-18", "S3-44")
@pytest.mark.parametrize(
    ("change", "standing", "reason"),
    [
        (Database("none"), MET, "it declares: none"),
        (Database("reversible", roundtrip=PASSED), MET, "it declares: reversible"),
        (Database("irreversible", roundtrip=PASSED), UNMET, "it declares irreversible, and may be none or reversible"),
        (Database("reversible", NO_DOWN, PASSED), UNMET, "no way back from 0042_add_col.sql"),
        (Database("none", NO_DOWN), UNMET, "no way back from 0042_add_col.sql"),
        (Database("reversible"), UNMET, "going down and up again was not tried"),
        (Database("reversible", roundtrip=FAILED), UNMET, "going down and up again failed"),
        (Database("reversible", roundtrip=PENDING), UNMET, "going down and up again has not finished"),
        (Database(), UNMET, "nobody declared what it does to the database"),
        (
            Database("irreversible", NO_DOWN),
            UNMET,
            (
                "it declares irreversible, and may be none or reversible, no way back from 0042_add_col.sql "
                "and going down and up again was not tried"
            ),
        ),
    ],
)
def test_migrations_have_a_way_back_and_it_was_tried(change: Database, standing: str, reason: str) -> None:
    finding = judged(REVERSIBLE, seeing(database=change))
    assert (finding.standing, finding.reason) == (standing, reason)


def test_what_can_be_mended_is_said_in_one_go_but_nothing_mends_what_it_does() -> None:
    (remedy,) = judged(REVERSIBLE, declared("", NO_DOWN)).remedies
    assert remedy.says == "it is declared: none or reversible and each migration gets its way back"
    (remedy,) = judged(REVERSIBLE, declared("reversible", NO_DOWN, FAILED)).remedies
    assert remedy.says == "each migration gets its way back and going down and up again passes"
    assert judged(REVERSIBLE, declared("irreversible", NO_DOWN)).remedies == ()


def test_without_down_required_nobody_asks_for_a_way_back() -> None:
    assert judged(IN_STEPS, declared("expand", NO_DOWN)).standing == MET
    other = judged(IN_STEPS, declared("other", NO_DOWN)).reason
    assert other == "it declares other, and may be none, expand, migrate or contract"


def test_without_a_time_to_wait_it_may_take_away_at_once() -> None:
    at_once = gate("database", allows=["contract"])
    assert judged(at_once, declared("contract")).standing == MET
    assert [remedy.says for remedy in judged(at_once, declared("")).remedies] == ["it is declared: contract"]
    assert len(judged(gate("database", allows=["contract", "none"], contract_after="P7D"), declared("")).remedies) == 1


@pytest.mark.parametrize(
    ("says", "standing"), [("expand", MET), ("migrate", MET), ("none", MET), ("other", UNMET), ("", UNMET)]
)
def test_a_change_that_is_no_step_of_expand_and_contract_is_not_let_through(says: str, standing: str) -> None:
    assert judged(IN_STEPS, declared(says)).standing == standing


@pytest.mark.requirement("S4-260")
@pytest.mark.parametrize(
    ("ago", "standing", "reason"),
    [
        (timedelta(days=1), UNMET, "its expand step was verified 24 h ago of 168 h"),
        (timedelta(days=7) - SECOND, UNMET, "its expand step was verified 167 h 59 min ago of 168 h"),
        (timedelta(days=7), MET, "its expand step was verified 168 h ago; 168 h are required"),
        (None, UNMET, "it takes away, and that its expand step was verified is recorded nowhere"),
    ],
)
def test_nothing_is_taken_away_before_its_time(ago: timedelta | None, standing: str, reason: str) -> None:
    finding = judged(IN_STEPS, declared("contract", expanded_at=None if ago is None else NOW - ago))
    assert (finding.standing, finding.reason) == (standing, reason)


def test_the_remedy_is_the_very_second_at_which_it_may_go() -> None:
    facts = declared("contract", expanded_at=NOW - timedelta(days=1))
    (remedy,) = judged(IN_STEPS, facts).remedies
    assert (remedy.kind, remedy.says) == (RemedyKind.WAIT, "wait until Mon 30 Nov 2026 10:00 CET")
    assert remedy.at is not None
    assert judged(IN_STEPS, facts, at=remedy.at).standing == MET
    assert judged(IN_STEPS, facts, at=remedy.at - SECOND).standing == UNMET


def test_where_its_way_back_lacks_as_well_waiting_alone_does_not_help() -> None:
    both = gate("database", allows=["contract"], down_required=True, contract_after="P7D")
    assert judged(both, declared("contract", NO_DOWN, expanded_at=NOW - timedelta(days=1))).remedies == ()
    assert judged(both, declared("")).remedies == ()


@pytest.mark.parametrize(
    ("facts", "reason"), [(seeing(database=GONE), "it does not answer"), (seeing(), "nobody looked")]
)
def test_a_change_that_cannot_be_read_blocks(facts: Any, reason: str) -> None:
    finding = judged(REVERSIBLE, facts)
    assert (finding.standing, finding.reason) == (UNKNOWN, reason)
