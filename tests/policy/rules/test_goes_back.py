"""Going back over a change of the database: what was declared, who answers for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import Shipped
from policy.finding import Finding, Standing
from tests.policy.good import DOCUMENT, GOOD_ROLLBACK, INES, MAYA, NEW, NOW, OMAR, ROLLBACK, but

RULE = "database-goes-back"


def shipped(declared: str, **changes: Any) -> Shipped:
    return Shipped(NEW, declared, **{"by": "maya", "at": NOW - timedelta(hours=1), **changes})


def finding(*over: Shipped, override: tuple[str, ...] = ("incident_commander",), **facts: Any) -> Finding:
    document = {**DOCUMENT, "rollback": {"database": {"override": list(override)}}}
    active = ActivePolicy(policy=Policy.model_validate(document), hash="0" * 64)
    decision = decide(ROLLBACK, but(GOOD_ROLLBACK, goes_over=over, **facts), active, NOW)
    return next(each for each in decision.findings if each.rule == RULE)


@pytest.mark.parametrize(
    ("declared", "finished", "under_way"),
    [
        ("none", Standing.MET, Standing.MET),
        ("reversible", Standing.MET, Standing.MET),
        ("expand", Standing.MET, Standing.MET),
        ("migrate", Standing.MET, Standing.MET),
        ("contract", Standing.UNMET, Standing.MET),
        ("irreversible", Standing.UNMET, Standing.UNMET),
        ("other", Standing.UNMET, Standing.UNMET),
        ("a word that nobody knows", Standing.UNMET, Standing.UNMET),
    ],
)
def test_what_was_declared_says_how_far_back_it_goes(declared: str, finished: Standing, under_way: Standing) -> None:
    assert finding(shipped(declared)).standing is finished
    assert finding(shipped(declared, finished=False)).standing is under_way


def test_where_nothing_was_declared_it_asks_for_nothing() -> None:
    assert finding().standing is Standing.NOT_APPLICABLE


def test_every_release_that_it_goes_back_over_is_looked_at_and_those_against_it_are_named() -> None:
    found = finding(shipped("expand"), shipped("other", by="raj"), shipped("contract"))
    assert "(raj, " in found.reason
    assert "declared other and " in found.reason
    assert "declared contract, so the database cannot go back" in found.reason
    assert "expand" not in found.reason


@pytest.mark.parametrize(
    ("asker", "override", "standing", "says"),
    [
        (INES, ("incident_commander",), Standing.MET, "ines goes back over it all the same"),
        (OMAR, ("incident_commander",), Standing.UNMET, "omar is no incident commander, who may go back over it"),
        (INES, (), Standing.UNMET, "the policy lets nobody go back over it"),
    ],
)
def test_only_who_may_goes_back_over_it(asker: Any, override: tuple[str, ...], standing: Standing, says: str) -> None:
    found = finding(
        shipped("contract"), override=override, asked_by=asker, confirmed=frozenset({"database"}), people={}
    )
    assert found.standing is standing
    assert says in found.reason


def test_nobody_answers_for_what_goes_back_by_itself() -> None:
    found = finding(shipped("contract"), confirmed=frozenset({"database"}), trigger="unwell", asked_by=INES)
    assert found.standing is Standing.UNMET


def test_who_could_is_named_and_saying_so_would_do() -> None:
    mine = finding(shipped("contract"), asked_by=INES)
    assert [remedy.says for remedy in mine.remedies] == ["say despite:database and why"]
    theirs = finding(shipped("contract"), asked_by=MAYA, people={"ines": INES, "maya": MAYA})
    assert [remedy.who for remedy in theirs.remedies] == [("ines",)]
