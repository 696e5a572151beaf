"""Who agreed and who must: what is said of it, and that the advice is sound and none is held back."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations, product
from typing import Any

import pytest

from policy.case import case
from policy.document import ActivePolicy
from policy.evidence import Authors
from policy.facts import Deed, Facts, Question, Verdict, Vote
from policy.finding import Finding, RemedyKind, Standing
from policy.model import Human, Person, Unknown
from policy.rules.approval import approved, needed_to_agree, second_person
from tests.policy import people
from tests.policy.good import ALL_GOOD, HOUR, MAYA, NOW, OLGA, OMAR, PROMOTION, but, person, policy_with, vote
from tests.policy.people import DANA, FINE, at, policy

MET, UNMET, UNKNOWN = Standing.MET, Standing.UNMET, Standing.UNKNOWN


def judged(facts: Facts, active: ActivePolicy) -> tuple[Finding, Finding]:
    """What the two rules find; and each remedy was seen to help."""
    asked = case(PROMOTION, facts, active.policy, NOW)
    findings = second_person(asked), approved(asked)
    for finding in findings:
        for remedy in finding.remedies:
            assert remedy.applied is not None
            helped = case(PROMOTION, remedy.applied(facts), active.policy, NOW)
            after = [second_person(helped), approved(helped)]
            assert all(each.standing is MET for each in after), (remedy.says, [each.reason for each in after])
    return findings


def says(facts: Facts, **path: Any) -> str:
    return judged(facts, policy_with(**path))[1].reason


def advice(facts: Facts, **path: Any) -> list[tuple[RemedyKind, str, tuple[str, ...]]]:
    return [(each.kind, each.says, each.who) for each in judged(facts, policy_with(**path))[1].remedies]


NOBODY = but(votes=())
TWO = [{"role": "release_manager", "count": 2}]
THREE = [{"role": "release_manager", "count": 3}]
MIXED = [{"role": "release_manager"}, {"any_of": ["tech_lead", "incident_commander"]}]
APPROVE = RemedyKind.APPROVE


def test_one_of_those_who_may_is_enough_or_so_many_of_them() -> None:
    assert advice(NOBODY) == [(APPROVE, "olga or omar can agree", ("olga", "omar"))]
    assert advice(NOBODY, approvals=TWO) == [(APPROVE, "olga and omar can agree", ("olga", "omar"))]
    everybody = [{"any_of": ["release_manager", "tech_lead"], "count": 2}]
    who = ("olga", "omar", "raj")
    assert advice(NOBODY, approvals=everybody) == [(APPROVE, "olga, omar or raj can agree, 2 of them are needed", who)]
    assert advice(but(), approvals=TWO) == [(APPROVE, "olga can agree", ("olga",))]


def test_a_rejection_has_to_be_withdrawn_besides() -> None:
    against = vote(OMAR, Verdict.REJECT, reason="latency")
    assert says(but(votes=(against,))) == "a release manager must agree to plan 3f2a91c; omar rejected it: latency"
    assert advice(but(votes=(against,))) == [
        (APPROVE, "omar withdraws the rejection and olga or omar can agree", ("omar", "olga"))
    ]
    assert advice(but(votes=(against, vote(OLGA)))) == [(APPROVE, "omar withdraws the rejection", ("omar",))]
    assert advice(but(votes=(against, vote(OLGA, Verdict.REJECT)))) == [
        (APPROVE, "olga and omar withdraw their rejections and olga or omar can agree", ("olga", "omar"))
    ]


@pytest.mark.parametrize(
    ("facts", "path", "ends"),
    [
        (NOBODY, {"approvals": THREE}, "; and that cannot come: only olga and omar could help"),
        (but(asked_by=OMAR, votes=()), {"approvals": TWO}, "; and that cannot come: only olga could help"),
        (but(asked_by=OMAR, votes=(vote(OLGA),)), {"approvals": TWO}, "; and that cannot come: nobody else may"),
        (but(NOBODY, people={}), {}, "; and that cannot come: nobody else may"),
        (
            but(NOBODY, authors=Authors(frozenset({Human("omar"), Human("olga")}))),
            {},
            "; and that cannot come: nobody else may",
        ),
    ],
)
def test_what_can_never_come_together_is_said_when_it_is_asked(facts: Facts, path: dict[str, Any], ends: str) -> None:
    """Rule 29: with the names of those who could help."""
    assert says(facts, **path).endswith(ends)
    assert advice(facts, **path) == []


@pytest.mark.requirement("S4-123")
def test_where_those_who_agree_may_not_be_alone_it_says_who_is_missing() -> None:
    facts = but(reviewers=frozenset({Human("omar")}))
    apart = {"separation": {"reviewers": "not_alone"}}
    assert says(but(facts, votes=()), **apart) == "a release manager must agree to plan 3f2a91c"
    assert says(facts, **apart) == (
        "omar as release manager agreed to plan 3f2a91c; it needs one more who reviewed none of its pull requests"
    )
    assert advice(facts, **apart) == [(APPROVE, "olga can agree", ("olga",))]
    nobody = but(facts, reviewers=frozenset({Human("omar"), Human("olga")}))
    assert says(nobody, **apart).endswith("; and that cannot come: nobody else may")
    assert advice(nobody, **apart) == []


def test_without_a_plan_or_knowing_who_is_who_nobody_can_agree() -> None:
    assert judged(but(plan=""), policy_with())[1].standing is UNKNOWN
    stranger = Person("slack:T0ACME/U9", None, "someone", roles=MAYA.roles)
    assert judged(but(asked_by=stranger), policy_with())[0].standing is UNKNOWN

    for gone in ({"people": Unknown("no")}, {"authors": Unknown("no")}):
        assert {each.standing for each in judged(but(ALL_GOOD, **gone), policy_with())} == {UNKNOWN}


def test_advice_that_came_too_late_supposes_nothing() -> None:
    """It was good while omar and olga could agree, and is tried where neither can any more."""
    (advice,) = judged(NOBODY, policy_with())[1].remedies
    assert advice.applied is not None
    gone = but(NOBODY, people={})
    assert advice.applied(gone) == gone


@pytest.mark.parametrize(
    ("change", "cast", "standing"),
    [
        ("hotfix", (OMAR,), UNMET),
        ("hotfix", (DANA,), MET),
        ("config", (OMAR,), UNMET),
        ("config", (DANA,), UNMET),
        ("config", (OMAR, DANA), MET),
    ],
)
def test_whom_the_type_of_the_change_names_agrees_besides_or_instead(
    change: str, cast: tuple[Person, ...], standing: Standing
) -> None:
    """The path asks for a release manager, both types for whoever is on call, a hotfix for nobody else."""
    asked = at(replace(PROMOTION, change=change), but(FINE, votes=tuple(map(vote, cast))))
    assert approved(asked).standing is standing


# Sound and complete ---------------------------------------------------------------------------------------------------


CROWD = (
    person("a", "release_manager"),
    person("b", "release_manager", "tech_lead"),
    person("c", "tech_lead"),
)
PEOPLE = {each.human: each for each in (*CROWD, MAYA) if each.human}
WAYS = {
    name: policy_with(approvals=slots, separation={"authors": authors, "reviewers": reviewers})
    for name, slots, authors, reviewers in (
        ("one", [{"role": "release_manager"}], "out", "may_agree"),
        ("two", [{"role": "release_manager"}, {"role": "tech_lead"}], "not_alone", "out"),
        ("any", [{"any_of": ["release_manager", "tech_lead"], "count": 2}], "not_alone", "not_alone"),
        ("all", [{"role": "release_manager", "count": 2}, {"role": "tech_lead"}], "may_agree", "not_alone"),
    )
}


@pytest.mark.parametrize("way", WAYS)
def test_advice_is_given_exactly_where_people_could_make_it_right(way: str) -> None:
    """For every small world: what three people said, and which of them had a hand in it."""
    active = WAYS[way]
    for said in product((None, Verdict.APPROVE, Verdict.REJECT), repeat=3):
        for hands in product((0, 1, 2), repeat=3):
            wrote, reviewed = (
                frozenset(each.human for each, hand in zip(CROWD, hands, strict=True) if hand == n and each.human)
                for n in (1, 2)
            )
            votes = tuple(vote(each, verdict) for each, verdict in zip(CROWD, said, strict=True) if verdict is not None)
            facts = but(votes=votes, people=PEOPLE, authors=Authors(wrote), reviewers=reviewed)
            _, finding = judged(facts, active)
            if finding.standing is MET:
                continue
            assert bool(finding.remedies) is any(
                approved(case(PROMOTION, replace(facts, votes=cast), active.policy, NOW)).standing is MET
                for cast in every_vote()
            ), (said, hands)


def every_vote() -> list[tuple[Vote, ...]]:
    """Whoever of them agrees, nobody against it."""
    some = chain.from_iterable(combinations(CROWD, number) for number in range(4))
    return [tuple(map(vote, crowd)) for crowd in some]


def test_nobody_rejects_it_any_more_once_they_took_it_back() -> None:
    back = vote(OMAR, Verdict.REJECT, withdrawn_at=NOW - HOUR)
    assert judged(but(votes=(back, vote(OLGA))), policy_with())[1].standing is MET


def test_two_who_help_only_together_are_both_named() -> None:
    """Each of the two who agree wrote and reviewed it; one more wrote none of it, and another reviewed none."""
    anybody = [{"any_of": ["release_manager", "tech_lead", "incident_commander"], "count": 2}]
    both = frozenset({Human("omar"), Human("olga")})
    authors, reviewers = Authors(both | {Human("raj")}), both | {Human("ines")}
    facts = but(votes=(vote(OMAR), vote(OLGA)), authors=authors, reviewers=reviewers)
    apart = {"authors": "not_alone", "reviewers": "not_alone"}
    assert advice(facts, approvals=anybody, separation=apart) == [(APPROVE, "ines and raj can agree", ("ines", "raj"))]


def test_where_only_a_signoff_is_asked_for_nobody_else_need_agree() -> None:
    gates = {**people.PEOPLE["gates"], "lead": {"kind": "signoff", "role": "tech_lead"}}
    to_stage = {**people.PEOPLE["paths"][0], "approvals": [], "requires": ["lead"]}
    asked = at(
        Question(Deed.PROMOTE, "checkout", "stage", "dev"),
        but(FINE, votes=()),
        policy(gates=gates, paths=[to_stage, people.PEOPLE["paths"][1]]),
    )
    assert needed_to_agree(asked) == (None, ())
    assert second_person(asked).remedies == ()
