"""What is advised is true: over states that reach freezes, clock changes, lapsing votes, waivers and emergencies."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policy.decide import decide, decide_again
from policy.document import ActivePolicy
from policy.facts import ExceptionRecord, Facts, Freeze, Question
from policy.finding import BLOCKING, Decision, Finding, Remedy, RemedyKind, Standing
from policy.judge import again, judge
from policy.model import Human, Unknown
from policy.relief import exceptions_for, reached
from policy.rulebook import rules_for, rules_on
from tests.policy.good import person, vote
from tests.policy.over import over
from tests.policy.states import exceptions, freezes, states

State = tuple[ActivePolicy, Question, Facts, datetime]

EACH = settings(over(150), derandomize=True)
TICK = timedelta(microseconds=1)


def decided(state: State) -> Decision:
    active, question, facts, at = state
    return decide(question, facts, active, at)


def told(findings: tuple[Finding, ...]) -> list[tuple[object, ...]]:
    """The findings as people read them."""
    return [(f.rule, f.standing, f.reason, [(r.kind, r.says, r.who, r.at) for r in f.remedies]) for f in findings]


def words(decision: Decision) -> tuple[object, ...]:
    ways = [[remedy.says for remedy in way] for way in decision.ways]
    return told(decision.findings), decision.earliest, decision.closes, decision.notes, ways


def done(way: tuple[Remedy, ...], state: State) -> State:
    """The state, once somebody did all of that, in that order."""
    active, question, facts, at = state
    for remedy in way:
        if remedy.applied is None:
            assert remedy.kind is RemedyKind.WAIT
            assert remedy.at is not None
            at = remedy.at
        else:
            facts = remedy.applied(facts)
    return active, question, facts, at


@EACH
@given(states())
def test_it_never_raises_and_says_the_same_twice(state: State) -> None:
    active, question, facts, at = state
    decision = decided(state)
    assert words(decision) == words(decided(state))
    assert [finding.rule for finding in decision.findings] == [
        rule.requires for rule in rules_on(active.policy, question, facts)
    ]
    assert not any("fault of the bot's" in finding.reason for finding in decision.findings)
    assert not any("could not be worked out" in note for note in decision.notes)
    quick = decide_again(question, facts, active, at)
    assert (quick.allowed, quick.earliest) == (decision.allowed, decision.earliest)
    assert [(f.rule, f.standing, f.reason) for f in quick.findings] == [
        (f.rule, f.standing, f.reason) for f in decision.findings
    ]


@EACH
@given(states(), st.randoms(use_true_random=False))
def test_the_order_of_anything_does_not_matter(state: State, chance: random.Random) -> None:
    active, question, facts, at = state
    rules = list(rules_on(active.policy, question, facts))
    chance.shuffle(rules)
    votes = tuple(chance.sample(facts.votes, len(facts.votes)))
    others = replace(facts, votes=votes)
    if not isinstance(facts.freezes, Unknown):
        others = replace(others, freezes=tuple(chance.sample(facts.freezes, len(facts.freezes))))
    if not isinstance(facts.exceptions, Unknown):
        others = replace(others, exceptions=tuple(chance.sample(facts.exceptions, len(facts.exceptions))))
    one, other = decided(state), decide(question, others, active, at, rules)
    assert (one.allowed, one.earliest, one.closes) == (other.allowed, other.earliest, other.closes)
    assert sorted((f.rule, f.standing, f.reason) for f in one.findings) == sorted(
        (f.rule, f.standing, f.reason) for f in other.findings
    )
    # What is advised is done in the order of the rules, and whoever asks anew undoes what was agreed before.
    same = decide(question, others, active, at)
    assert [len(way) for way in one.ways[:1]] == [len(way) for way in same.ways[:1]]


@EACH
@given(states())
def test_a_valid_approval_more_never_closes_anything(state: State) -> None:
    active, question, facts, at = state
    assume(not isinstance(facts.people, Unknown) and facts.asked_at <= at)
    zoe = person("zoe", "release_manager", "tech_lead", "incident_commander")
    more = replace(
        facts,
        votes=(*facts.votes, replace(vote(zoe, at=facts.asked_at, plan=facts.plan), reason="go")),
        people={**facts.people, Human("zoe"): zoe},  # type: ignore[dict-item] # it is known
    )
    assert decide(question, more, active, at).allowed or not decided(state).allowed


@EACH
@given(states(), st.data())
def test_a_waiver_more_never_closes_anything(state: State, data: st.DataObject) -> None:
    active, question, facts, at = state
    assume(not isinstance(facts.exceptions, Unknown))
    known: tuple[ExceptionRecord, ...] = () if isinstance(facts.exceptions, Unknown) else facts.exceptions
    one = data.draw(exceptions(at))
    assume(one.id not in {each.id for each in known})
    more = replace(facts, exceptions=(*known, one))
    assert decide(question, more, active, at).allowed or not decided(state).allowed


@EACH
@given(states(), st.data())
def test_a_freeze_more_never_opens_anything(state: State, data: st.DataObject) -> None:
    active, question, facts, at = state
    assume(not isinstance(facts.freezes, Unknown))
    known: tuple[Freeze, ...] = () if isinstance(facts.freezes, Unknown) else facts.freezes
    one = data.draw(freezes(at))
    assume(one.id not in {each.id for each in known})
    more = replace(facts, freezes=(*known, one))
    assert decided(state).allowed or not decide(question, more, active, at).allowed


@EACH
@given(states())
def test_every_remedy_that_is_shown_helps_its_finding_and_every_way_leads_through(state: State) -> None:
    active, question, _, _ = state
    decision = decided(state)
    for finding in decision.findings:
        for remedy in finding.remedies:
            _, _, then, later = done((remedy,), state)
            after = decide(question, then, active, later)
            helped = [each for each in after.findings if each.rule == finding.rule]
            # A rule that stands only because something is owed goes with it.
            assert not helped or helped[0].standing not in BLOCKING, (remedy.says, helped[0].reason)
    for way in decision.ways:
        assert decided(done(way, state)).allowed, [remedy.says for remedy in way]
    assert len({len(way) for way in decision.ways}) <= 1
    assert decision.ways == () or not decision.allowed


def proposed(state: State) -> Iterator[Remedy]:
    """Whatever any rule proposes, and whatever exception could be had, tried or not."""
    active, question, facts, at = state
    judging = judge(rules_for(active.policy, question), question, facts, active.policy, at)
    for finding in judging.findings():
        yield from finding.remedies
    for remedy, _ in exceptions_for(judging, reached(judging)):
        yield remedy


@EACH
@given(states())
def test_if_any_single_remedy_would_do_one_is_shown(state: State) -> None:
    decision = decided(state)
    if decision.allowed:
        return
    for remedy in proposed(state):
        if remedy.at is not None or remedy.applied is not None:
            assert len(decision.ways) > 0 or not decided(done((remedy,), state)).allowed, remedy.says
            if decision.ways and len(decision.ways[0]) > 1:
                assert not decided(done((remedy,), state)).allowed, remedy.says


@EACH
@given(states())
def test_if_any_set_of_what_is_shown_would_do_one_is_shown_and_none_is_larger(state: State) -> None:
    decision = decided(state)
    if decision.allowed:
        return
    shown = list(dict.fromkeys(remedy for finding in decision.findings for remedy in finding.remedies))
    shown.sort(key=lambda remedy: (remedy.kind is not RemedyKind.WAIT, remedy.kind is RemedyKind.EXCEPTION))
    least = len(decision.ways[0]) if decision.ways else 99
    for size in range(1, min(least, len(shown) + 1, 4)):
        for some in combinations(shown[:8], size):
            assert not decided(done(some, state)).allowed, [remedy.says for remedy in some]


@EACH
@given(states(), st.data())
def test_no_waiver_outlives_its_end(state: State, data: st.DataObject) -> None:
    active, question, facts, at = state
    record = data.draw(exceptions(at))
    assume(record.ends_at is not None)
    more = replace(facts, exceptions=(record,))
    ends_at = record.ends_at or at
    for instant, may in ((ends_at - TICK, True), (ends_at, False), (ends_at + timedelta(seconds=1), False)):
        waived = [f for f in decide(question, more, active, instant).findings if f.standing is Standing.WAIVED]
        assert may or not any(finding.by == record.id for finding in waived)


@EACH
@given(states())
def test_what_is_judged_again_in_part_is_what_would_be_found_anew(state: State) -> None:
    active, question, facts, at = state
    rules = rules_for(active.policy, question)
    before = judge(rules, question, facts, active.policy, at)
    for remedy in list(proposed(state)):
        if remedy.applied is not None:
            then = remedy.applied(facts)
            anew = judge(rules, question, then, active.policy, at)
            assert told(again(before, then).findings()) == told(anew.findings()), remedy.says


@EACH
@given(states())
def test_an_opening_that_is_named_is_the_first_at_which_time_closes_nothing(state: State) -> None:
    active, question, facts, at = state
    earliest = decided(state).earliest
    turning = {rule.requires for rule in rules_for(active.policy, question) if rule.turns_with_time}

    def closed(instant: datetime) -> set[str]:
        return {each.rule for each in decide_again(question, facts, active, instant).blockers} & turning

    if earliest is None:
        return
    assert closed(at)
    assert not closed(earliest)
    assert closed(max(at, earliest - TICK))
    before = at
    while before < earliest:
        assert closed(before)
        before += max(timedelta(minutes=10), (earliest - at) / 30)


@EACH
@given(states())
def test_what_closes_next_is_open_until_then_and_closed_from_then_on(state: State) -> None:
    active, question, facts, at = state
    votes = tuple(vote for vote in facts.votes if max(vote.at, vote.withdrawn_at or vote.at) <= at)
    facts = replace(facts, votes=votes)  # nobody has voted in the future
    decision = decide(question, facts, active, at)
    if decision.closes is None or not decision.allowed:
        return
    assert decision.closes > at
    assert decide(question, facts, active, decision.closes - TICK).allowed
    assert not decide(question, facts, active, decision.closes).allowed
