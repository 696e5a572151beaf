"""Each rule looks at what it says, and at nothing else; so what is judged again in part is what would be found anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cases import case_in
from policy.case import Case, Result
from policy.document import ActivePolicy
from policy.evidence import Evidence
from policy.facts import Facts, Question, Verdict, Vote
from policy.finding import BLOCKING
from policy.judge import Judging, judge, later
from policy.model import Human, Unknown
from policy.reading import ANYTHING, AT, COUNTED, SIGNOFFS, VOTES, WAIVED, WAIVERS, changed, excepted
from policy.rulebook import KINDS, Rule, Rulebook, rules_for
from tests.deploy.cases import read
from tests.policy.good import NOW, OLGA, OMAR, PROMOTION, but, vote
from tests.policy.people import ACTIVE, FINE, PEOPLE, emergency, exception, policy
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


# What is another thing in another case --------------------------------------------------------------------------------

SIGNED_OFF = policy({"requires": ["seen"]}, gates={**PEOPLE["gates"], "seen": {"kind": "signoff", "role": "qa"}})
X4, E1 = (exception(),), emergency()


def becomes(before: Facts, active: ActivePolicy = ACTIVE, *, by: timedelta = timedelta(), **changes: Any) -> set[str]:
    case = Case(PROMOTION, before, active.policy, NOW)
    return set(changed(case, Case(PROMOTION, but(before, **changes), active.policy, NOW + by)))


@pytest.mark.parametrize(
    ("before", "changes", "said"),
    [
        ({}, {}, set()),
        ({}, {"checks": {}}, {"checks"}),
        ({}, {"evidence": replace(FINE.evidence, tag=Unknown("it does not answer"))}, {"evidence", "tag"}),
        ({}, {"votes": ()}, {"votes", COUNTED}),
        ({}, {"fields": {"summary": "pay"}}, {"fields", COUNTED}),
        ({}, {"candidate": Unknown("it does not answer")}, {"candidate"}),
        ({"exceptions": X4}, {"candidate": Unknown("it does not answer")}, {"candidate", WAIVED}),
        ({"exceptions": X4}, {"exceptions": ()}, {"exceptions", WAIVED}),
        ({}, {"exceptions": X4}, {"exceptions", WAIVED}),
        ({}, {"emergency": E1}, {"emergency", WAIVED}),
        ({"emergency": E1}, {"emergency": None}, {"emergency", WAIVED}),
        ({"emergency": E1}, {"checks": {}}, {"checks"}),
        ({"emergency": E1}, {"votes": ()}, {"votes", COUNTED, WAIVED}),
        ({}, {"by": timedelta(hours=1)}, {AT, COUNTED}),
        ({"votes": ()}, {"by": timedelta(hours=1)}, {AT}),
        ({"votes": (), "exceptions": X4}, {"by": timedelta(hours=1)}, {AT, WAIVED}),
    ],
)
def test_what_changed_and_what_follows_from_that_is_named_and_nothing_else(
    before: dict[str, Any], changes: dict[str, Any], said: set[str]
) -> None:
    assert becomes(but(FINE, **before), **changes) == said


def test_what_is_waived_need_not_be_signed_off_so_votes_are_counted_again() -> None:
    assert becomes(but(FINE), SIGNED_OFF, exceptions=X4) == {"exceptions", WAIVED, COUNTED}
    assert becomes(but(FINE, votes=()), SIGNED_OFF, by=timedelta(hours=1)) == {AT}


@pytest.mark.parametrize(
    ("active", "votes", "barred", "counted_again"),
    [
        (ACTIVE, (), (), False),
        (ACTIVE, (vote(OMAR),), (), False),
        (ACTIVE, (vote(OMAR),), ("raj",), True),
        (ACTIVE, (vote(OMAR), vote(OLGA, Verdict.REJECT)), (), True),
        (SIGNED_OFF, (vote(OMAR),), (), True),
    ],
)
def test_one_exception_more_may_give_back_a_say_or_take_away_a_no_or_a_seat(
    active: ActivePolicy, votes: tuple[Vote, ...], barred: tuple[str, ...], counted_again: bool
) -> None:
    case = Case(PROMOTION, but(FINE, votes=votes), active.policy, NOW, frozenset(map(Human, barred)))
    assert excepted(case) == {"exceptions", WAIVED, *([COUNTED] if counted_again else [])}
