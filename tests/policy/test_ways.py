"""Which sets of advice are shown: just the smallest that do it, over rules that are made up, where every set is tried."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

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

    def met(self, said: str, others: bool, later: bool) -> bool:
        return bool({*self.letters} & {*said}) or (bool(self.rests_on) and others) or (self.lapses and not later)


def say(letters: str) -> Remedy:
    def applied(facts: Facts) -> Facts:
        return but(facts, fields={**facts.fields, **dict.fromkeys(letters, "said")})

    return Remedy(RemedyKind.SAY, letters, applied=applied)


def rule(name: str, wants: Wants) -> Rule:
    def judge(case: Case) -> Finding:
        others = all(case.finding(other).standing == "met" for other in wants.rests_on)
        if wants.met("".join(case.facts.fields), others, case.at >= OPENS):
            return met(name, "fine")
        return unmet(name, "missing", remedies=tuple(map(say, wants.proposes)))

    return Rule(name, judge, looks_at=frozenset({"fields", AT}), rests_on=wants.rests_on)


def opens(case: Case) -> Finding:
    if case.at >= OPENS:
        return met("open", "it is open")
    return unmet("open", "it is shut", remedies=(Remedy(RemedyKind.WAIT, "wait", at=OPENS),))


SHUT = Rule("open", opens, turns_with_time=True, looks_at=frozenset({AT}))

World = dict[str, Wants]


def decided(world: World, said: str = "", *, shut: bool = False) -> Decision:
    rules = [rule(name, wants) for name, wants in world.items()]
    facts = but(ALL_GOOD, fields=dict.fromkeys(said, "said"), expires_at=None)
    return decide(PROMOTION, facts, ACTIVE, NOW, [*rules, SHUT] if shut else rules)


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


def smallest(world: World, said: str, *, shut: bool) -> tuple[int, set[frozenset[str]]]:
    """How many things must be done at least, and each set of so many that does it."""
    for size in range(1, 8):
        found = set()
        for later in (False, True) if shut else (False,):
            blockers = blocking(world, said, later=later)
            options = sorted(
                {
                    letters
                    for name in blockers
                    for letters in world[name].proposes
                    if name not in blocking(world, said + letters, later=later)
                }
            )
            for some in combinations(options, size - later):
                if (later or not shut) and not blocking(world, said + "".join(some), later=later):
                    found.add(frozenset({*some, *(("wait",) if later else ())}))
        if found:
            return size, found
    return 0, set()


PROPOSALS = st.lists(st.text(LETTERS, min_size=1, max_size=2), max_size=3, unique=True).map(tuple)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    hard = [f"hard {number}" for number in range(draw(st.integers(1, 4)))]
    soft = [f"soft {number}" for number in range(draw(st.integers(0, 2)))]
    letters = st.text(LETTERS, min_size=1, max_size=2)
    world = {
        name: Wants(draw(letters), draw(PROPOSALS), lapses=draw(st.sampled_from([False, False, True]))) for name in hard
    }
    for name in soft:
        rests_on = draw(st.lists(st.sampled_from(hard), min_size=1, max_size=2, unique=True).map(tuple))
        world[name] = Wants(draw(st.text(LETTERS, max_size=1)), draw(PROPOSALS), rests_on)
    return world


@settings(over(300), derandomize=True)
@given(worlds(), st.sampled_from(["", "", "a"]), st.booleans())
def test_the_smallest_sets_are_shown_and_only_those(world: World, said: str, shut: bool) -> None:
    decision = decided(world, said, shut=shut)
    if decision.allowed:
        return
    size, sets = smallest(world, said, shut=shut)
    found = shown(decision)
    assert {len(way.split("+")) for way in found} <= {size}, (world, found, sets)
    assert {frozenset(way.split("+")) for way in found} <= sets, (world, found, sets)
    assert len({*found}) == len(found) == min(len(sets), ways.MOST_WAYS), (world, found, sets)
