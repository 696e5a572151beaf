"""Which rules judge what: what is asked in short, by name, by an earlier path, and by the type of the change."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from typing import Any, get_args

import pytest

from policy.decide import decide
from policy.document import ActivePolicy, Policy
from policy.exceptions import BUILT_IN
from policy.facts import EMERGENCY, Check, CheckState, Deed, Obligation, Question
from policy.finding import Standing
from policy.gates import AnyGate, Waivable
from policy.kept import MOST, kept
from policy.reading import AT, COUNTED, SIGNOFFS
from policy.required import required
from policy.rulebook import KINDS, Rulebook, rules_for
from tests.policy.good import ALL_GOOD, DOCUMENT, GOOD_ROLLBACK, NOW, PROMOTION, ROLLBACK, SECOND, but
from tests.policy.states import POLICIES

GATES: dict[str, Any] = {
    "lint": {"kind": "checks", "names": ["lint"], "source": "L12"},
    "scan": {"kind": "checks", "names": ["scan"]},
    "signed": {"kind": "signature", "subjects": ["image"]},
    "fix": {"kind": "record", "fields": ["cause"]},
}
TYPES: dict[str, Any] = {
    "hotfix": {"waives": ["scan"], "adds": ["fix", "lint"]},
    "flag": {"window": "any", "freeze": "any"},
}


def policy(to_stage: dict[str, Any] | None = None, **to_prod: Any) -> ActivePolicy:
    paths = [
        {**DOCUMENT["paths"][0], **(to_stage or {})},
        {**DOCUMENT["paths"][1], "services": ["checkout"], "gates": {}, **to_prod},
    ]
    document = {**DOCUMENT, "gates": GATES, "change_types": TYPES, "paths": paths}
    return ActivePolicy(policy=Policy.model_validate(document), hash="9" * 64)


def gates(active: ActivePolicy, change: str = "") -> list[str]:
    """The gates that are judged, in their order."""
    question = Question(Deed.PROMOTE, "checkout", "prod", "stage", change)
    names = [rule.requires for rule in rules_for(active.policy, question)]
    return [name for name in names if name in required(active.policy, question).gates]


def test_every_kind_of_gate_has_a_rule_that_judges_it() -> None:
    union, _ = get_args(AnyGate)
    kinds = {get_args(gate.model_fields["kind"].annotation)[0] for gate in get_args(union)}
    assert set(KINDS) == kinds


def test_what_is_asked_in_short_comes_before_what_is_asked_by_name() -> None:
    active = policy(requires=["scan", "lint"], gates={"checks": ["build"], "soak": "PT1H", "window": "office_hours"})
    assert gates(active) == ["required-checks", "soak", "scan", "lint"]


@pytest.mark.requirement("S0-14", "S0-17")
def test_a_path_inherits_the_gates_of_an_earlier_one_and_they_come_first() -> None:
    active = policy({"requires": ["lint"]}, requires=["scan"], inherits="dev→stage")
    assert gates(active) == ["lint", "scan"]
    failed = but(checks={"lint": Check("lint", CheckState.FAILED), "scan": Check("scan", CheckState.PASSED)})
    (blocker,) = decide(PROMOTION, failed, active, NOW).blockers
    assert (blocker.rule, blocker.reason, blocker.source) == ("lint", "lint failed on 9f1c2ab", "L12")


def test_what_both_paths_ask_in_short_is_asked_twice_under_names_of_their_own() -> None:
    active = policy({"gates": {"checks": ["build"]}}, gates={"checks": ["unit-tests"]}, inherits="dev→stage")
    assert gates(active) == ["required-checks", "required-checks-stage-prod"]
    facts = but(checks={"build": Check("build", CheckState.FAILED), "unit-tests": Check("it", CheckState.PASSED)})
    assert [finding.rule for finding in decide(PROMOTION, facts, active, NOW).blockers] == ["required-checks"]


def test_what_both_paths_ask_by_name_is_asked_once() -> None:
    assert gates(policy({"requires": ["lint"]}, requires=["lint", "scan"], inherits="dev→stage")) == ["lint", "scan"]


def test_a_type_adds_gates_and_spares_others_which_stay_to_be_seen() -> None:
    active = policy(requires=["scan", "signed"])
    assert gates(active, "hotfix") == ["scan", "signed", "fix", "lint"]
    question = Question(Deed.PROMOTE, "checkout", "prod", "stage", "hotfix")
    findings = {finding.rule: finding for finding in decide(question, ALL_GOOD, active, NOW).findings}
    assert findings["scan"].standing is Standing.NOT_APPLICABLE
    assert findings["scan"].reason == "a change of type hotfix need not meet it"
    assert findings["signed"].standing is Standing.UNKNOWN


def test_an_emergency_is_spared_no_gate() -> None:
    active = policy(requires=["scan", "signed"])
    question = Question(Deed.PROMOTE, "checkout", "prod", "stage", EMERGENCY)
    assert required(active.policy, question).spared == frozenset()
    assert gates(active, EMERGENCY) == ["scan", "signed"]


def test_a_type_that_waits_for_nothing_waits_for_neither_window_nor_freeze() -> None:
    active = policy(gates={"window": "office_hours"})
    question = Question(Deed.PROMOTE, "checkout", "prod", "stage", "flag")
    findings = {finding.rule: finding for finding in decide(question, ALL_GOOD, active, NOW).findings}
    for rule in ("window", "no-freeze"):
        assert (findings[rule].standing, findings[rule].reason) == (
            Standing.NOT_APPLICABLE,
            "a change of type flag need not meet it",
        )


def test_nothing_of_every_book_is_waivable_but_what_is_said_to_be() -> None:
    for active in POLICIES:
        for change in ("", "hotfix", EMERGENCY, "unheard-of"):
            for deed in Deed:
                question = Question(deed, "checkout", "prod", "stage", change)
                for rule in rules_for(active.policy, question):
                    gate = required(active.policy, question).gates.get(rule.requires)
                    expected = BUILT_IN.get(rule.requires, Waivable.NEVER) if gate is None else gate.waivable
                    if deed is Deed.PROMOTE:
                        assert rule.waivable is expected
                    else:
                        assert rule.waivable is Waivable.NEVER


@pytest.mark.parametrize(
    ("question", "there"),
    [
        (PROMOTION, set()),
        (Question(Deed.PROMOTE, "checkout", "prod", "stage", "hotfix"), {"change-type"}),
        (Question(Deed.PROMOTE, "checkout", "prod", "stage", EMERGENCY), {"change-type", "emergency-record"}),
    ],
)
def test_what_is_asked_of_types_and_emergencies_is_asked_of_them_alone(question: Question, there: set[str]) -> None:
    rules = {rule.requires for rule in rules_for(policy().policy, question)}
    assert rules & {"change-type", "emergency-record"} == there


def test_what_is_owed_is_asked_where_the_policy_lets_anything_be_owed() -> None:
    assert "nothing-overdue" not in rules_for(policy().policy, PROMOTION).places
    assert "nothing-overdue" in rules_for(POLICIES[0].policy, PROMOTION).places


def test_what_is_overdue_stops_promotions_also_where_the_policy_lets_nothing_be_owed_any_more() -> None:
    owed = Obligation("O-1", "review", "E-1", "checkout", "prod", "tech_lead", NOW, "it is reviewed")
    for due_at, stops in ((NOW, True), (NOW + SECOND, False)):
        decision = decide(PROMOTION, but(obligations=(replace(owed, due_at=due_at),)), policy(), NOW)
        assert decision.allowed is not stops
        names = [finding.rule for finding in decision.findings]
        assert names.index("nothing-overdue") == names.index("not-expired") - 1
        assert [finding.rule for finding in decision.blockers] == (["nothing-overdue"] if stops else [])


@pytest.mark.parametrize("by", ["emergency", "rollback", "exceptions"])
def test_anything_that_may_be_owed_is_asked_about(by: str) -> None:
    duty = {"kind": "review", "says": "it is looked at", "owner": "release_manager", "within": "P1D", "by_others": True}
    agreed = {"approvals": [{"role": "release_manager"}], "owes": [duty]}
    owing: dict[str, Any] = {
        "emergency": {"emergency": agreed, "may": {**DOCUMENT["may"], "emergency": ["engineer"]}},
        "rollback": {"rollback": {"owes": [duty]}},
        "exceptions": {
            "exceptions": {"temporary": {**agreed, "waives": ["window"]}},
            "may": {**DOCUMENT["may"], "exception": ["engineer"]},
        },
    }
    book = rules_for(Policy.model_validate({**DOCUMENT, **owing[by]}), PROMOTION)
    assert "nothing-overdue" in book.places


def test_what_is_overdue_stops_no_rollback() -> None:
    owed = Obligation("O-1", "review", "E-1", "checkout", "prod", "tech_lead", NOW, "it is reviewed")
    assert decide(ROLLBACK, replace(GOOD_ROLLBACK, obligations=(owed,)), policy(), NOW).allowed


def test_only_a_rollback_asks_for_those_who_must_agree_to_one() -> None:
    agreed = Policy.model_validate({**DOCUMENT, "rollback": {"approvals": [{"role": "release_manager"}]}})
    alone = Policy.model_validate(DOCUMENT)
    more = {"second-person", "approvals"}
    assert set(rules_for(agreed, ROLLBACK).places) == {*rules_for(alone, ROLLBACK).places, *more}
    for deed in (Deed.FREEZE, Deed.EXCEPTION, Deed.LIFT):
        question = Question(deed, "checkout", "prod")
        assert rules_for(agreed, question).places == rules_for(alone, question).places


# What each looks at and rests on --------------------------------------------------------------------------------------

LISTS = {
    "by-gates": [{"id": "tidy", "text": "It is tidy", "by": "gate", "gate": "lint"}],
    "by-whoever-asks": [{"id": "told", "text": "They know", "by": "requester"}],
    "by-whoever-agrees": [
        {"id": "told", "text": "They know", "by": "requester"},
        {"id": "seen", "text": "It was seen", "by": "approver"},
        {"id": "tidy", "text": "It is tidy", "by": "gate", "gate": "lint"},
    ],
    "by-either": [{"id": "done", "text": "It is done"}],
}
LOOKING: dict[str, Any] = {
    **GATES,
    "fresh": {"kind": "checks", "names": ["lint"], "max_age": "P1D"},
    "sometimes": {"kind": "checks", "names": ["lint"], "applies_to": ["hotfix"]},
    "somewhere": {"kind": "checks", "names": ["lint"], "when": {"files": ["db/**"]}},
    **{name: {"kind": "checklist", "checklist": name} for name in LISTS},
}
CHECKED, TICKED = {"candidate", "checks", "fields"}, {"asked_by", "confirmed"}


def book(change: str = "", **more: Any) -> Rulebook:
    paths = [DOCUMENT["paths"][0], {**DOCUMENT["paths"][1], "requires": list(LOOKING)}]
    document = {**DOCUMENT, "gates": LOOKING, "checklists": LISTS, "change_types": TYPES, "paths": paths, **more}
    return rules_for(Policy.model_validate(document), replace(PROMOTION, change=change))


@pytest.mark.parametrize(
    ("name", "looks_at", "rests_on"),
    [
        ("lint", CHECKED, ()),
        ("fresh", {*CHECKED, AT}, ()),
        ("sometimes", {*CHECKED, *SIGNOFFS}, ()),
        ("somewhere", {*CHECKED, *SIGNOFFS}, ()),
        ("by-gates", TICKED, ("lint",)),
        ("by-whoever-asks", TICKED, ()),
        ("by-whoever-agrees", {*TICKED, AT, COUNTED}, ("lint",)),
        ("by-either", {*TICKED, AT, COUNTED}, ()),
    ],
)
def test_each_looks_at_what_its_gate_wants_and_no_more(
    name: str, looks_at: set[str], rests_on: tuple[str, ...]
) -> None:
    rules = book()
    rule = rules[rules.places[name]]
    assert (set(rule.looks_at), rule.rests_on) == (looks_at, rests_on)


def test_votes_are_looked_at_where_people_may_let_it_through_a_freeze_and_time_where_it_waits_for_one() -> None:
    override = {"approvals": [{"role": "release_manager"}], "override": [{"role": "release_manager"}]}
    may = {**DOCUMENT["may"], "freeze": ["release_manager"]}
    for rules, looks in ((book(), False), (book(freezes=override, may=may), True)):
        rule = rules[rules.places["no-freeze"]]
        assert (COUNTED in rule.looks_at) is looks
        assert rule.turns_with_time
    flag = book("flag")
    assert not flag[flag.places["no-freeze"]].turns_with_time
    assert not flag[flag.places["window"]].turns_with_time


def test_a_gate_for_other_changes_is_not_asked_of_this_one() -> None:
    rules = book()
    facts = but(checks={**ALL_GOOD.checks, "lint": Check("lint", CheckState.FAILED)})  # type: ignore[dict-item] # known
    found = decide(PROMOTION, facts, policy(), NOW, [rules[rules.places["sometimes"]]]).findings
    assert [finding.standing for finding in found] == [Standing.NOT_APPLICABLE]


def test_what_changed_is_looked_at_by_these_and_by_those_that_rest_on_them() -> None:
    seen = {**LOOKING, "lint": {**GATES["lint"], "mode": "acknowledge"}}
    rules = book(gates=seen)
    names = {rules[place].requires for place in rules.looking_at(frozenset({"confirmed"}))}
    assert names == set(LISTS)
    names = {rules[place].requires for place in rules.looking_at(frozenset({COUNTED}))}
    agreed = {"lint", "by-gates", "by-whoever-agrees", "by-either", "second-person", "approvals"}
    assert names == agreed


# What is kept -------------------------------------------------------------------------------------------------------


class Owner:
    """Somebody with a shelf."""


def test_what_was_worked_out_is_kept_as_long_as_its_owner_and_for_no_other() -> None:
    asked: list[int] = []

    @kept
    def work(owner: Owner, key: int) -> list[int]:
        asked.append(key)
        return [key]

    one, other = Owner(), Owner()
    assert work(one, 1) is work(one, 1)
    assert work(one, 1) is not work(other, 1)
    assert asked == [1, 1]
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None
    assert work(Owner(), 1) == [1]
    assert asked == [1, 1, 1]


def test_however_many_names_people_type_only_so_many_answers_are_kept() -> None:
    @kept
    def work(_owner: Owner, key: int) -> object:
        return object()

    owner = Owner()
    first = work(owner, 0)
    for key in range(1, MOST):
        work(owner, key)
    assert work(owner, 0) is first
    work(owner, MOST)
    assert work(owner, 0) is not first
