"""Which sets of advice are shown: just the smallest that do it, over rules that are made up, where every set is tried."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import ways
from policy.case import Case
from policy.decide import decide
from policy.facts import Facts
from policy.finding import Decision, Finding, Remedy, RemedyKind, met, unmet
from policy.reading import AT
from policy.rulebook import Rule
from tests.policy.good import ACTIVE, ALL_GOOD, HOUR, NOW, PROMOTION, but
from tests.policy.over import over

OPENS = NOW + HOUR
LETTERS = "abcd"


class Wants(NamedTuple):
    """A rule that is met where one of these letters is said, or where all the rules that it rests on are met."""

    letters: str
    proposes: tuple[str, ...]
    rests_on: tuple[str, ...] = ()
    lapses: bool = False
    """It is met without a word until `OPENS`."""
    opens: bool = False
    """It is met without a word from `OPENS` on."""
    enough: bool = True
    """Or both must be: a letter, and the others."""

    def met(self, said: Collection[str], others: bool, later: bool) -> bool:
        spoken = not {*self.letters}.isdisjoint(said)
        if not self.enough:
            return spoken and others
        return spoken or (bool(self.rests_on) and others) or (self.lapses and not later) or (self.opens and later)


World = dict[str, Wants]
WAIT = Remedy(RemedyKind.WAIT, "wait", at=OPENS)


def say(letters: str) -> Remedy:
    """`ab`: both are said; `a-b`: the one is, and the other not any more."""
    more, _, less = letters.partition("-")

    def applied(facts: Facts) -> Facts:
        said = {**facts.fields, **dict.fromkeys(more, "said")}
        return but(facts, fields={letter: said[letter] for letter in said if letter not in less})

    return Remedy(RemedyKind.SAY, letters, applied=applied)


def rule(name: str, wants: Wants) -> Rule:
    proposed = (*map(say, wants.proposes), *([WAIT] if wants.opens else []))

    def judge(case: Case) -> Finding:
        others = all(case.finding(other).standing == "met" for other in wants.rests_on)
        if wants.met(case.facts.fields, others, case.at >= OPENS):
            return met(name, "fine")
        return unmet(name, "missing", remedies=proposed)

    return Rule(name, judge, wants.opens, looks_at=frozenset({"fields", AT}), rests_on=wants.rests_on)


def decided(world: World, said: str = "") -> Decision:
    facts = but(ALL_GOOD, fields=dict.fromkeys(said, "said"), expires_at=None)
    return decide(PROMOTION, facts, ACTIVE, NOW, [rule(name, wants) for name, wants in world.items()])


def shown(decision: Decision) -> list[str]:
    """`a+bc`, `wait+d`."""
    return ["+".join("wait" if remedy.at else remedy.says for remedy in way) for way in decision.ways]


# Every set, tried -----------------------------------------------------------------------------------------------------


def blocking(world: World, said: str, *, later: bool) -> set[str]:
    """By itself, and then what rests on others."""
    found: set[str] = set()
    for name, wants in world.items():
        if not wants.met(said, not found.intersection(wants.rests_on), later):
            found.add(name)
    return found


def helping(world: World, said: str, *, later: bool) -> dict[str, set[str]]:
    """Rule that blocks → which of its own advice helps it."""
    return {
        name: {letters for letters in world[name].proposes if name not in blocking(world, said + letters, later=later)}
        for name in blocking(world, said, later=later)
    }


def smallest(world: World, said: str) -> tuple[int, set[frozenset[str]]]:
    """How many things must be done at least, and each set of so many that does it."""
    shut = any(world[name].opens for name in blocking(world, said, later=False))
    for size in range(1, 8):
        found = set()
        for later in (False, True) if shut else (False,):
            options = sorted(set[str]().union(*helping(world, said, later=later).values()))
            for some in combinations(options, size - later):
                if not blocking(world, said + "".join(some), later=later):
                    found.add(frozenset({*some, *(("wait",) if later else ())}))
        if found:
            return size, found
    return 0, set()


PROPOSALS = st.lists(st.text(LETTERS, min_size=1, max_size=2), max_size=3, unique=True).map(tuple)
TIMES = st.sampled_from([(False, False), (False, False), (False, False), (True, False), (False, True)])
"""Whether it lapses, and whether it opens."""


@st.composite
def worlds(draw: st.DrawFn) -> World:
    hard = [f"hard {number}" for number in range(draw(st.integers(1, 4)))]
    soft = [f"soft {number}" for number in range(draw(st.integers(0, 2)))]
    letters = st.text(LETTERS, min_size=1, max_size=2)
    world = {name: Wants(draw(letters), draw(PROPOSALS), (), *draw(TIMES)) for name in hard}
    for name in soft:
        rests_on = draw(st.lists(st.sampled_from(hard), min_size=1, max_size=2, unique=True).map(tuple))
        world[name] = Wants(draw(st.text(LETTERS, max_size=1)), draw(PROPOSALS), rests_on)
    return world


@settings(over(300), derandomize=True)
@given(worlds(), st.sampled_from(["", "", "a"]))
def test_the_smallest_sets_are_shown_and_only_those(world: World, said: str) -> None:
    decision = decided(world, said)
    if decision.allowed:
        return
    size, sets = smallest(world, said)
    found = [frozenset(way.split("+")) for way in shown(decision)]
    assert {len(way) for way in found} <= {size}, (world, found, sets)
    assert {*found} <= sets, (world, found, sets)
    assert len({*found}) == len(found) == min(len(sets), ways.MOST_WAYS), (world, found, sets)


@settings(over(100), derandomize=True)
@given(worlds(), st.sampled_from(["", "", "a"]))
def test_each_rule_that_blocks_is_shown_what_helps_it_and_nothing_else(world: World, said: str) -> None:
    help_now, then = helping(world, said, later=False), blocking(world, said, later=True)
    shut = any(world[name].opens for name in help_now)
    for finding in decided(world, said).findings:
        able = set(help_now.get(finding.rule, ()))
        if shut and finding.rule in help_now and finding.rule not in then:
            able.add("wait")
        assert {"wait" if each.at else each.says for each in finding.remedies} == able, (world, finding.rule)


# By hand --------------------------------------------------------------------------------------------------------------


def test_what_rests_on_others_and_wants_a_word_of_its_own_gets_it_after_them() -> None:
    world = {"unit": Wants("a", ("a",)), "list": Wants("b", ("b",), ("unit",), enough=False)}
    assert shown(decided(world)) == ["a+b"]
    assert shown(decided(world, "a")) == ["b"]


def test_what_rests_on_two_others_needs_no_word_of_its_own_where_both_are_met() -> None:
    world = {"unit": Wants("c", ("c",)), "build": Wants("b", ("b",)), "list": Wants("a", ("a",), ("unit", "build"))}
    assert shown(decided(world)) == ["c+b"]
    assert shown(decided(world, "c")) == ["b"]


def test_two_things_that_two_others_want_besides_are_one_set_in_whatever_order() -> None:
    world = {
        "unit": Wants("ab", ("a", "b")),
        "first": Wants("a", ("a",), ("unit",), enough=False),
        "second": Wants("b", ("b",), ("unit",), enough=False),
    }
    assert shown(decided(world)) == ["a+b"]


def test_what_undoes_something_is_followed_by_what_mends_it() -> None:
    world = {"unit": Wants("a", ("a-b",)), "list": Wants("b", ("b",))}
    assert shown(decided(world, "b")) == ["a-b+b"]
    assert shown(decided(world)) == ["a-b+b"]


def test_to_wait_may_be_enough_where_others_would_do_it_in_two_steps() -> None:
    world = {"shut": Wants("a", ("a",), opens=True), "soon": Wants("b", ("b",), opens=True)}
    assert shown(decided(world)) == ["wait"]


def test_one_word_to_different_people_is_two_pieces_of_advice() -> None:
    def asking(name: str, who: str) -> Rule:
        unsaid = unmet(name, "missing", remedies=(say("a")._replace(who=(who,)),))
        return Rule(name, lambda case: met(name, "fine") if "a" in case.facts.fields else unsaid)

    decision = decide(
        PROMOTION, but(ALL_GOOD, fields={}), ACTIVE, NOW, [asking("one", "maya"), asking("other", "omar")]
    )
    assert [[remedy.who for remedy in finding.remedies] for finding in decision.findings] == [[("maya",)], [("omar",)]]


@pytest.mark.parametrize(("before", "found"), [(ways.MOST_DECISIONS - 1, True), (ways.MOST_DECISIONS, False)])
def test_it_is_tried_only_so_often(before: int, found: bool) -> None:
    others = "".join(chr(ord("ア") + number) for number in range(before))
    undoing = tuple(f"{letter}-z" for letter in others)
    world = {"unit": Wants(f"a{others}", (*undoing, "a")), "kept": Wants("z", ())}
    assert shown(decided(world, "z")) == (["a"] if found else [])
