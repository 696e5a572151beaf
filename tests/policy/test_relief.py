"""What one exception more comes to, where that is sure, is what is found with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from policy import ways
from policy.finding import BLOCKING, RemedyKind
from policy.relief import waives_no_more
from tests.policy.states import states
from tests.policy.test_explain import EACH, State
from tests.policy.test_reading import SEEDS, cases, judged


def exceptions_do_what_they_say(state: State) -> int:
    """How many of them were sure."""
    active, question, facts, at = state
    now = ways.State(judged(*state))
    every = [option for option in now.options if option.remedy.kind is RemedyKind.EXCEPTION]
    for option in every:
        assert option.remedy.applied is not None
        then = judged(active, question, option.remedy.applied(facts), at)
        assert option.eased == {place for place in now.hard if then.findings()[place].standing not in BLOCKING}
    return len(every) if waives_no_more(now.judging) else 0


@EACH
@given(states())
def test_an_exception_eases_just_what_it_would_be_seen_to_ease(state: State) -> None:
    exceptions_do_what_they_say(state)


@pytest.mark.parametrize("seed", SEEDS)
def test_so_does_each_in_the_policies_that_are_handed_out(seed: str) -> None:
    sure = sum(map(exceptions_do_what_they_say, cases(seed)))
    assert sure or seed not in {"story", "seed004"}


def test_it_is_not_sure_where_whoever_could_grant_it_may_be_whoever_asked() -> None:
    active, question, facts, at = next(iter(cases("seed004")))
    assert waives_no_more(judged(active, question, facts, at))
    asker = facts.asked_by
    assert isinstance(facts.people, dict)
    doubles = {human: replace(person, account=asker.account) for human, person in facts.people.items()}
    assert not waives_no_more(judged(active, question, replace(facts, people=doubles), at))
