"""What the policy makes of what a rule finds: it warns, it waits until somebody saw it, it is waived, or it blocks."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import pytest

from policy.decide import decide_again
from policy.document import ActivePolicy
from policy.facts import Check, CheckState, Vote
from policy.finding import Finding, Standing
from policy.judge import again, judge, later
from policy.reading import AT
from policy.rulebook import Rule, Rulebook, rules_for
from tests.policy.good import ACTIVE, ALL_GOOD, HOUR, NOW, OLGA, OMAR, PROMOTION, but, vote
from tests.policy.people import FINE, MAY_NOT, at, decided, exception, found, policy

RED = but(FINE, checks={"build": Check("build", CheckState.FAILED)})


def asking(**gate: Any) -> ActivePolicy:
    waivable = gate.get("waivable", "exception")
    kinds = {"temporary": {"waives": ["unit"], "approvals": [{"role": "tech_lead"}]}} if waivable == "exception" else {}
    may = MAY_NOT if kinds else {deed: roles for deed, roles in MAY_NOT.items() if deed != "exception"}
    return policy(
        {"requires": ["unit"], "gates": {"soak": "PT24H"}},
        gates={"unit": {"kind": "checks", "names": ["build"], **gate}},
        exceptions=kinds,
        emergency=None,
        may=may,
    )


def judged(active: ActivePolicy, *votes: Vote, **changes: Any) -> Finding:
    return found("unit", decided(facts=but(RED, votes=votes or (vote(OMAR),), **changes), active=active))


@pytest.mark.parametrize("waivable", ["exception", "never"])
def test_what_only_warns_lets_through_and_wants_nothing_whether_it_could_be_waived_or_not(waivable: str) -> None:
    finding = judged(asking(mode="warn", waivable=waivable))
    assert (finding.standing, finding.remedies, finding.waits_for_people) == (Standing.WARNING, (), False)


@pytest.mark.parametrize("waivable", ["exception", "never"])
def test_what_must_be_seen_waits_until_somebody_saw_it_whether_it_could_be_waived_or_not(waivable: str) -> None:
    active = asking(mode="acknowledge", waivable=waivable)
    unseen = judged(active)
    assert (unseen.standing, unseen.waits_for_people) == (Standing.UNMET, True)
    seen = judged(active, replace(vote(OMAR), confirms=frozenset({"unit"})))
    assert (seen.standing, seen.waits_for_people) == (Standing.WARNING, False)
    assert seen.reason == "build failed on 9f1c2ab; omar saw it"


def test_what_is_waived_waits_for_nobody() -> None:
    finding = judged(asking(mode="acknowledge"), exceptions=(exception(),))
    assert (finding.standing, finding.waits_for_people) == (Standing.WAIVED, False)


def test_what_blocks_blocks() -> None:
    assert judged(asking()).standing is Standing.UNMET


def test_a_list_that_stands_before_its_gate_is_judged_by_it_all_the_same() -> None:
    active = policy(
        {"requires": ["go", "unit"], "gates": {"soak": "PT24H"}},
        gates={
            "unit": {"kind": "checks", "names": ["build"], "mode": "warn"},
            "go": {"kind": "checklist", "checklist": "go-live"},
        },
        checklists={"go-live": [{"id": "green", "text": "the build is green", "by": "gate", "gate": "unit"}]},
        exceptions={},
        emergency=None,
        may={deed: roles for deed, roles in MAY_NOT.items() if deed != "exception"},
    )
    for facts, standing in ((FINE, Standing.MET), (RED, Standing.WARNING)):
        for votes in ((vote(OMAR),), ()):
            decision = decided(facts=but(facts, votes=votes), active=active)
            assert found("go", decision).standing is Standing.MET
            assert found("unit", decision).standing is standing
            assert decision.allowed is bool(votes)
            assert not [note for note in decision.notes if "could not be worked out" in note]


def test_a_rule_that_is_judged_alone_knows_nothing_of_the_others() -> None:
    assert at().finding("unit").standing is Standing.UNKNOWN


@pytest.mark.parametrize(
    "rule",
    [
        Rule("round", lambda case: case.finding("round")),
        Rule("round", lambda case: case.finding("round"), looks_at=frozenset({"checks", AT}), rests_on=("round",)),
    ],
    ids=["that says so of nothing", "that says so"],
)
def test_a_rule_that_rests_on_itself_is_not_known_and_neither_when_it_is_judged_again(rule: Rule) -> None:
    before = judge(Rulebook([rule]), PROMOTION, ALL_GOOD, ACTIVE.policy, NOW)
    for judging in (before, again(before, but(ALL_GOOD, checks={})), later(before, NOW + HOUR)):
        (finding,) = judging.findings()
        assert (finding.standing, finding.reason) == (Standing.UNKNOWN, "it rests on itself")


@pytest.mark.parametrize("mode", ["block", "acknowledge"])
def test_a_waiver_that_ends_lets_nothing_through_any_more_nor_one_that_is_taken_back(mode: str) -> None:
    active, facts = asking(mode=mode), but(RED, exceptions=(exception(ends_at=NOW + HOUR),))
    before = judge(rules_for(active.policy, PROMOTION), PROMOTION, facts, active.policy, NOW)
    unit = before.rules.places["unit"]
    others = exception(id="X-5", ends_at=NOW + HOUR)
    assert before.finding(unit).reason == "build failed on 9f1c2ab; waived by X-4 until Tue 24 Nov 2026 11:00 CET"
    without = judge(before.rules, PROMOTION, but(RED, exceptions=()), active.policy, NOW)
    assert without.finding(unit).standing is Standing.UNMET
    assert again(without, facts).finding(unit).reason == before.finding(unit).reason
    assert later(before, NOW + HOUR).finding(unit).standing is Standing.UNMET
    assert again(before, but(facts, exceptions=())).finding(unit).standing is Standing.UNMET
    assert again(before, but(facts, exceptions=(others,))).finding(unit).by == "X-5"


def test_somebody_who_saw_it_meanwhile_is_seen_when_it_is_judged_again() -> None:
    active = asking(mode="acknowledge")
    before = judge(rules_for(active.policy, PROMOTION), PROMOTION, RED, active.policy, NOW)
    unit = before.rules.places["unit"]
    assert before.finding(unit).standing is Standing.UNMET
    seen = but(RED, votes=(replace(vote(OMAR), confirms=frozenset({"unit"})), vote(OLGA)))
    assert again(before, seen).finding(unit).reason == "build failed on 9f1c2ab; omar saw it"


def test_who_granted_what_it_rests_on_meanwhile_does_not_agree_any_more_when_it_is_judged_again() -> None:
    active = asking()
    before = judge(rules_for(active.policy, PROMOTION), PROMOTION, RED, active.policy, NOW)
    granted = but(RED, exceptions=(exception(granted_by=(OMAR,)),))
    anew = judge(before.rules, PROMOTION, granted, active.policy, NOW)
    assert anew.blockers == (anew.rules.places["second-person"], anew.rules.places["approvals"])
    then = again(before, granted)
    assert then.blockers == anew.blockers
    assert [each.reason for each in then.findings()] == [each.reason for each in anew.findings()]


def test_what_was_decided_goes_with_the_decision_and_waits_for_no_collector() -> None:
    decide_again(PROMOTION, ALL_GOOD, ACTIVE, NOW)
    gc.collect()
    gc.disable()
    try:
        assert decide_again(PROMOTION, ALL_GOOD, ACTIVE, NOW).allowed
        assert gc.collect() == 0
    finally:
        gc.enable()
