"""How numbers, spans and decisions are put into words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from commands.deployment import cut
from commands.explain import findings, verdict
from commands.hand import same as served_alike
from commands.ports import Change, Comparison, Share
from commands.reply import plain
from commands.tell import CHANGES_SHOWN, changes, count, span
from policy.decide import decide
from policy.facts import Freeze
from policy.finding import Decision
from policy.model import Sha, Unknown
from tests.policy.good import ACTIVE, ALL_GOOD, HOUR, NOW, PROMOTION, but


@pytest.mark.parametrize(
    ("length", "says"),
    [
        (timedelta(0), "0.0 s"),
        (timedelta(seconds=-5), "0.0 s"),
        (timedelta(milliseconds=400), "0.4 s"),
        (timedelta(seconds=9.96), "10.0 s"),
        (timedelta(seconds=10), "10 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(seconds=126), "2 min 6 s"),
        (timedelta(hours=1, seconds=17), "1 h 17 s"),
        (timedelta(days=2, hours=4, minutes=59), "2 d 4 h"),
    ],
)
def test_spans_are_told_in_two_units(length: timedelta, says: str) -> None:
    assert span(length) == says


def test_counts_are_told_in_words() -> None:
    assert [count(number, "hold") for number in (0, 1, 2)] == ["no hold", "1 hold", "2 holds"]


def decided(**changed: object) -> Decision:
    return decide(PROMOTION, but(ALL_GOOD, **changed), ACTIVE, NOW)


def test_a_verdict_names_every_rule_that_is_not_met() -> None:
    assert verdict(decided()) == "every rule is met"
    said = verdict(decided(votes=(), checks=Unknown("GitHub is away")))
    assert said == "3 of 13 rules not met (required-checks, second-person, approvals)"


def test_only_where_time_is_all_that_is_missing_waiting_is_said_to_do() -> None:
    freeze = Freeze("F-1", "prod", None, NOW - HOUR, NOW + HOUR, "x", "omar")
    alone = [plain(line.text) for line in findings(decided(freezes=(freeze,)))]
    assert alone[-1].startswith("Waiting alone would do: possible from Tue 24 Nov 2026 10:00 UTC")
    more = [plain(line.text) for line in findings(decided(freezes=(freeze,), votes=()))]
    assert not any("alone" in line for line in more)
    assert more[-1].startswith("Time opens it, the rest is still to do: not before Tue 24 Nov 2026 10:00 UTC")


def test_changes_are_told_newest_first_and_the_rest_is_counted() -> None:
    made = tuple(Change(Sha(f"{number:040x}"), f"Change {number}", "lea") for number in range(12))
    lines = [plain(line.text) for line in changes(Comparison(300, 0, made))]
    assert len(lines) == CHANGES_SHOWN + 1
    assert lines[0].endswith("Change 11 (lea)")
    assert lines[-1] == "and 292 commits before that"
    assert [plain(line.text) for line in changes(Comparison(0, 2, ()))] == [
        "Changes: 0 commits ahead, 2 behind what serves now"
    ]
    assert [plain(line.text) for line in changes(Unknown("GitHub is away"))] == ["Changes: GitHub is away"]


def test_a_long_description_is_cut_to_what_github_takes() -> None:
    assert cut("x" * 140) == "x" * 140
    assert len(cut("x" * 141)) == 140


OLD = Share("old", 90)


@pytest.mark.parametrize(
    ("lines", "wanted", "same"),
    [
        ((OLD, Share("new", 10)), (OLD, Share("new", 10)), True),
        ((Share("new", 10), OLD), (OLD, Share("new", 10)), True),
        ((OLD, Share("new", 10), Share("other", 0, "mine")), (OLD, Share("new", 10)), True),
        ((OLD, Share("new", 5), Share("new", 5, "green")), (OLD, Share("new", 10)), True),
        ((OLD, Share("new", 10)), (OLD, Share("new", 10, "green")), False),
        ((OLD, Share("new", 10, "green")), (OLD, Share("new", 10, "green")), True),
        ((OLD, Share("new", 9), Share("other", 1)), (OLD, Share("new", 10)), False),
        ((Share("new", 100),), (OLD, Share("new", 10)), False),
        ((), (OLD, Share("new", 10)), False),
    ],
)
def test_traffic_is_the_same_where_the_same_revisions_serve_the_same_shares(
    lines: tuple[Share, ...], wanted: tuple[Share, ...], same: bool
) -> None:
    assert served_alike(lines, wanted) is same
    assert served_alike(tuple(replace(line, address="https://x") for line in lines), wanted) is same
