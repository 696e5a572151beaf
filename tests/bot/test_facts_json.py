"""Facts survive being written down: read again they are equal, and decide the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.facts_json import Keyed, Leaf, Listed, Misfit, OneOf, Record, Shape, from_json, shape, to_json
from policy.decide import decide
from policy.facts import Check, CheckState, Facts, Question, Verdict
from policy.model import Person, Unknown
from tests.policy.good import ACTIVE, ALL_GOOD, GOOD_ROLLBACK, MAYA, NOW, PROMOTION, ROLLBACK, but, vote

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-3))])
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False),
    datetime: st.integers(0, 2**53).flatmap(
        lambda micros: ZONES.map((NOW + timedelta(microseconds=micros - 2**52)).astimezone)
    ),
}


FACTS = shape(Facts)
assert isinstance(FACTS, Record)


def anything(its: Shape) -> st.SearchStrategy[Any]:
    """Any value that is made so."""
    match its:
        case Record(of=of, parts=parts):
            return st.builds(of, **{name: anything(part) for name, part in parts.items()})
        case Keyed(value=part):
            return st.dictionaries(st.text(max_size=5), anything(part), max_size=2)
        case Listed(item=part, of=of):
            return st.lists(anything(part), max_size=2).map(of)
        case OneOf(options=options, unknown=unknown, none=none):
            others = [*([st.builds(Unknown, st.text(max_size=5))] if unknown else []), *([st.none()] if none else [])]
            return st.one_of(*others, *map(anything, options))
        case Leaf(of=of) if isinstance(of, type) and issubclass(of, Enum):
            return st.sampled_from(of)
        case Leaf(of=of):
            return LEAVES.get(of, st.text(max_size=5))


@settings(max_examples=200, deadline=None)
@given(facts=anything(shape(Facts)), question=anything(shape(Question)))
def test_whatever_the_facts_they_are_read_as_they_were_written(facts: Facts, question: Question) -> None:
    text = to_json(question, facts)
    assert from_json(text) == (question, facts)
    assert to_json(*from_json(text)) == text
    json.dumps(json.loads(text), allow_nan=False).encode()


@settings(max_examples=100, deadline=None)
@given(changes=st.fixed_dictionaries({}, optional={name: anything(part) for name, part in FACTS.parts.items()}))
@pytest.mark.requirement("S4-114")
def test_what_was_read_decides_the_same(changes: dict[str, Any]) -> None:
    for question, facts in ((PROMOTION, ALL_GOOD), (ROLLBACK, GOOD_ROLLBACK)):
        changed = replace(facts, **changes)
        assert decide(*from_json(to_json(question, changed)), ACTIVE, NOW) == decide(question, changed, ACTIVE, NOW)


def test_what_is_equal_is_written_the_same() -> None:
    east = timezone(timedelta(hours=2))
    roles = (frozenset({"a", "b", "c"}), frozenset({"c", "b", "a"}))
    one, other = (but(asked_by=replace(MAYA, roles=each)) for each in roles)
    assert to_json(PROMOTION, one) == to_json(PROMOTION, replace(other, asked_at=other.asked_at.astimezone(east)))
    checks = {name: Check(name, CheckState.PASSED) for name in ("x", "y")}
    turned = dict(reversed(checks.items()))
    assert to_json(PROMOTION, but(checks=checks)) == to_json(PROMOTION, but(checks=turned))


def test_how_it_looks() -> None:
    facts = but(checks=Unknown("GitHub is away"), votes=(vote(MAYA, Verdict.REJECT),))
    whole = json.loads(to_json(PROMOTION, facts))
    assert whole["question"] == {
        "change": "",
        "deed": "promote",
        "kind": "",
        "service": "checkout",
        "source": "stage",
        "target": "prod",
    }
    assert whole["facts"]["checks"] == {"unknown": "GitHub is away"}
    assert whole["facts"]["asked_at"] == "2026-11-24T07:00:00Z"
    assert whole["facts"]["emergency"] is None
    assert whole["facts"]["votes"][0]["voter"]["roles"] == ["engineer"]


def test_what_has_a_default_may_be_left_out() -> None:
    asked_by = {"account": MAYA.account, "human": "maya", "name": "maya", "roles": ["engineer"]}
    text = json.dumps(
        {
            "v": 1,
            "question": {"deed": "promote", "service": "checkout", "target": "prod", "source": "stage"},
            "facts": {"asked_by": asked_by, "asked_at": "2026-11-24T10:00:00+01:00"},
        }
    )
    assert from_json(text) == (PROMOTION, Facts(MAYA, NOW))


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("facts", "chekcs"), {}, "facts.chekcs: is not known here"),
        (("facts", "votes", 0, "verdikt"), 1, "facts.votes[0].verdikt: is not known here"),
        (("facts", "votes", 0, "verdict"), "yes", "facts.votes[0].verdict: write one of approve, reject, not 'yes'"),
        (("facts", "votes", 0, "at"), "2026-11-24T09:00:00", "facts.votes[0].at: write an instant like"),
        (("facts", "votes", 0, "at"), 12, "facts.votes[0].at: write an instant like"),
        (("facts", "checks"), [], "facts.checks: write keys and values"),
        (("facts", "checks"), {"unknown": None}, "facts.checks.unknown: write keys and values"),
        (("facts", "asked_by", "active"), 1, "facts.asked_by.active: write true or false, not 1"),
        (("facts", "asked_by", "name"), None, "facts.asked_by.name: write a word, not None"),
        (("facts", "checks", "build", "attempt"), True, "facts.checks.build.attempt: write a whole number, not True"),
        (("facts", "asked_by"), {"account": "x", "human": None}, "facts.asked_by.name: is missing"),
        (("facts", "votes"), {}, "facts.votes: write a list"),
        (("facts", "wanted"), {"vote": {}}, "facts.wanted: write one of exception, freeze"),
        (("v",), 2, "v: write 1"),
        (("other",), 2, "the whole: write"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_what_does_not_fit_is_named_with_its_place(place: tuple[str | int, ...], value: Any, says: str) -> None:
    whole = json.loads(to_json(PROMOTION, ALL_GOOD))
    around: Any = whole
    for part in place[:-1]:
        around = around[part]
    around[place[-1]] = value
    with pytest.raises(Misfit) as failed:
        from_json(json.dumps(whole))
    assert str(failed.value).startswith(says)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": NaN}', '{"v": 1, "v": 1}', "[" * 100_000])
def test_what_is_no_json_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Misfit):
        from_json(text)


def test_half_a_character_has_bytes_too() -> None:
    facts = but(asked_by=Person("slack:T0ACME/U0MAYA", None, "\ud83d"))
    assert to_json(PROMOTION, facts).encode()
    assert from_json(to_json(PROMOTION, facts)) == (PROMOTION, facts)
