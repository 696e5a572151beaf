"""Each rule looks at what it says, and at nothing else; so what is judged again in part is what would be found anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cases import case_in
from policy.case import Case, Result
from policy.document import ActivePolicy
from policy.evidence import Evidence
from policy.facts import Facts, Question
from policy.finding import BLOCKING
from policy.judge import Judging, judge, later
from policy.reading import ANYTHING, AT, COUNTED, SIGNOFFS, VOTES, WAIVED, WAIVERS
from policy.rulebook import KINDS, Rule, Rulebook, rules_for
from tests.deploy.cases import read
from tests.policy.states import states
from tests.policy.test_explain import EACH, State, told

FOLLOWING = {COUNTED: {*VOTES, *SIGNOFFS, *WAIVERS, AT}, WAIVED: WAIVERS}
SEEDS = ("story", "seed000", "seed001", "seed002", "seed003", "seed004")


class Watched(Case):
    """A case that writes down what is looked at: its instant, its facts, their evidence, and other rules."""

    __slots__ = ("_instant", "_others", "asked", "names")

    def __init__(self, case: Case, others: Judging) -> None:
        self.names: set[str] = set()
        self.asked: set[str] = set()
        self._instant = case.at
        self._others = others
        super().__init__(case.question, cast("Facts", Seen(case.facts, self)), case.policy, case.at, case.barred)
        self.judged_by(self._ask)
        del self.at  # so that it is asked for below

    def __getattr__(self, name: str) -> Any:
        if name != AT:
            raise AttributeError(name)
        self.names.add(AT)
        return self._instant

    def once(self, work: Callable[[Case], Result]) -> Result:
        return work(self)

    def _ask(self, name: str) -> Any:
        self.asked.add(name)
        return self._others.finding(self._others.rules.places[name])


class Seen:
    """Facts, or their evidence, under the eyes of a case."""

    def __init__(self, what: Facts | Evidence, by: Watched) -> None:
        self._what, self._by = what, by

    def __getattr__(self, name: str) -> Any:
        if name == "evidence":
            return Seen(self._what.evidence, self._by)  # type: ignore[union-attr]
        self._by.names.add(name)
        return getattr(self._what, name)


def looked_at(rule: Rule, judging: Judging) -> Watched:
    watched = Watched(judging.case, judging)
    rule.judge(watched)
    return watched


def told_to_look_at(rule: Rule) -> set[str]:
    return set(rule.looks_at).union(*(names for what, names in FOLLOWING.items() if what in rule.looks_at))


def cases(seed: str) -> Iterator[tuple[ActivePolicy, Question, Facts, datetime]]:
    active, table = read(seed)
    for case in table.cases:
        yield active, *case_in(table, case, active.policy)


def judged(active: ActivePolicy, question: Question, facts: Facts, at: datetime) -> Judging:
    judging = judge(rules_for(active.policy, question), question, facts, active.policy, at)
    judging.findings()
    return judging


def nothing_else_is_looked_at(judging: Judging) -> None:
    for rule in judging.rules:
        watched = looked_at(rule, judging)
        assert watched.names <= told_to_look_at(rule), (rule.requires, watched.names - told_to_look_at(rule))
        assert watched.asked <= set(rule.rests_on), rule.requires


@EACH
@given(states())
def test_no_rule_looks_at_anything_that_it_does_not_say(state: State) -> None:
    nothing_else_is_looked_at(judged(*state))


@pytest.mark.parametrize("seed", SEEDS)
def test_neither_does_any_in_the_policies_that_are_handed_out(seed: str) -> None:
    for state in cases(seed):
        nothing_else_is_looked_at(judged(*state))


def test_every_name_that_a_rule_says_is_one_of_facts_or_of_evidence_and_none_is_both() -> None:
    said = frozenset().union(*(kind.looks_at for kind in KINDS.values()))
    assert said <= ANYTHING
    assert not {field.name for field in fields(Facts)} & {field.name for field in fields(Evidence)}


def test_a_rule_that_says_nothing_is_taken_to_look_at_anything() -> None:
    book = Rulebook([Rule("one", lambda _: None)])  # type: ignore[arg-type, return-value] # nobody judges it
    assert all(book.looking_at(frozenset({name})) == {0} for name in ANYTHING)


@EACH
@given(states(), st.timedeltas(timedelta(days=-2), timedelta(days=5)))
def test_what_is_judged_at_another_instant_in_part_is_what_would_be_found_anew(
    state: State, later_by: timedelta
) -> None:
    active, question, facts, at = state
    before = judged(*state)
    then = later(before, at + later_by)
    anew = judged(active, question, facts, at + later_by)
    assert told(then.findings()) == told(anew.findings())
    assert then.blockers == anew.blockers
    assert list(then.blockers) == [
        place for place, finding in enumerate(then.findings()) if finding.standing in BLOCKING
    ]
