"""Going back over a change of the database: what was declared, who answers for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.facts import Shipped
from policy.finding import Finding, Standing
from policy.model import AccountKind, Unknown
from policy.rules.goes_back import forward_only
from tests.policy.good import DOCUMENT, GOOD_ROLLBACK, INES, MAYA, NEW, NOW, OMAR, ROLLBACK, but, person, vote

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


def test_nobody_is_asked_to_answer_for_it_where_nobody_could() -> None:
    ann, bot = replace(INES, active=False), replace(INES, kind=AccountKind.BOT)
    assert finding(shipped("contract"), asked_by=MAYA, people={}).remedies == ()
    assert finding(shipped("contract"), asked_by=MAYA, people={"ann": ann, "bot": bot}).remedies == ()
    assert finding(shipped("contract"), asked_by=MAYA, people=Unknown("it does not answer")).remedies == ()
    assert finding(shipped("contract"), asked_by=INES, trigger="unwell").remedies == ()


def test_whoever_asked_is_named_as_far_as_is_known_who_that_is() -> None:
    assert [remedy.who for remedy in finding(shipped("contract"), asked_by=INES).remedies] == [("ines",)]
    nobody = replace(INES, human=None)
    assert [remedy.who for remedy in finding(shipped("contract"), asked_by=nobody).remedies] == [()]


@pytest.mark.parametrize(("agreed", "asks"), [([], "ida"), (["ida"], "ines"), (["ida", "ines"], "ida")])
def test_the_first_who_did_not_agree_already_asks_anew(agreed: list[str], asks: str) -> None:
    people = {"ida": person("ida", "incident_commander"), "ines": INES}
    votes = tuple(vote(people[name]) for name in agreed)
    (remedy,) = finding(shipped("contract"), asked_by=MAYA, people=people, votes=votes).remedies
    assert remedy.applied is not None
    assert remedy.applied(but(GOOD_ROLLBACK, people=people, votes=votes)).asked_by.name == asks


@pytest.mark.parametrize(
    ("declared", "forward"),
    [("", False), ("none", False), ("contract", False), ("irreversible", True), ("a word that nobody knows", True)],
)
def test_what_served_before_works_no_more_only_where_it_was_declared_so(declared: str, forward: bool) -> None:
    assert forward_only(Policy.model_validate(DOCUMENT), declared) is forward
