"""Smooth weighted turns."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.google.split import Split


def turns(weights: dict[str, int], times: int) -> list[str | None]:
    split = Split()
    split.weigh(weights)
    return [split.next() for _ in range(times)]


@given(st.integers(0, 100))
def test_a_hundred_turns_are_exactly_the_weights(percent: int) -> None:
    found = Counter(turns({"new": percent, "old": 100 - percent}, 100))
    assert (found["new"], found["old"]) == (percent, 100 - percent)


def test_turns_are_spread_and_do_not_come_in_a_row() -> None:
    found = turns({"old": 90, "new": 10}, 50)
    assert [found[start : start + 10].count("new") for start in range(0, 50, 10)] == [1] * 5


def test_nothing_with_weight_means_nobody() -> None:
    assert turns({}, 2) == [None, None]
    assert turns({"new": 0}, 1) == [None]


def test_the_same_weights_again_go_on_where_they_were() -> None:
    split = Split()
    found = []
    for _ in range(10):
        split.weigh({"old": 90, "new": 10})
        found.append(split.next())
    assert found.count("new") == 1
