from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.facts_json import from_json
from bot.ledger import (
    ENTRY_MAX,
    Disclosure,
    Draft,
    Frontier,
    NotCanonical,
    Stored,
    Ulids,
    canonical,
    leaf_hash,
    micros,
    moment,
    verify,
)
from commands.ports import EntryPhase
from policy.decide import decide
from policy.finding import Decision, Standing, met, unmet
from tests.bot.books import BOT, MAYA, START, entry
from tests.policy.good import ACTIVE, NOW, PROMOTION, but

GOLDEN = json.loads((Path(__file__).parent.parent / "data" / "rfc6962_golden.json").read_bytes())


def test_roots_are_those_of_other_peoples_trees() -> None:
    tree = Frontier()
    roots = [tree.root]
    for leaf in GOLDEN["leaves"]:
        tree.append(leaf_hash(leaf.encode()))
        roots.append(tree.root)
    assert roots == [b64decode(root) for root in GOLDEN["roots"]]


@pytest.mark.parametrize("size", range(0, 64, 7))
def test_a_tree_goes_on_from_its_stored_frontier(size: int) -> None:
    tree = Frontier()
    for leaf in GOLDEN["leaves"][:size]:
        tree.append(leaf_hash(leaf.encode()))
    again = Frontier.from_bytes(size, tree.to_bytes())
    for leaf in GOLDEN["leaves"][size:]:
        again.append(leaf_hash(leaf.encode()))
    assert again.root == b64decode(GOLDEN["roots"][64])


def test_a_frontier_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="no frontier"):
        Frontier.from_bytes(3, b"\x00" * 32)


ASCII = st.text(st.characters(max_codepoint=127), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(ASCII, VALUES, max_size=5))
def test_canonical_bytes_say_what_was_meant_and_nothing_else(value: dict[str, Any]) -> None:
    data = canonical(value)
    assert json.loads(data) == value
    assert canonical(json.loads(data)) == data
    assert canonical(dict(reversed(value.items()))) == data


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1.0},
        {"a": [float("nan")]},
        {"a": 2**53},
        {"a": -(2**53)},
        {"é": 1},
        {1: "one"},
        {"a": {"b": "\ud800"}},
        {"a": b"bytes"},
        {"a": START},
        {"a": {1, 2}},
        {"a": "x" * ENTRY_MAX},
    ],
)
def test_what_readers_could_disagree_on_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


def test_ids_sort_by_time_and_grow_when_the_clock_does_not() -> None:
    ids = Ulids()
    made = [ids(START) for _ in range(100)]
    made += [ids(START - timedelta(days=1)), ids(START + timedelta(milliseconds=1))]
    assert made == sorted(set(made))
    assert {len(id) for id in made} == {26}
    assert Ulids()(datetime(2016, 7, 30, 23, 54, 10, 259000, UTC)).startswith("01ARZ3NDEK")  # as in the ULID spec


def test_moments_survive_to_the_microsecond() -> None:
    at = datetime(2026, 11, 24, 9, 30, 0, 123457, UTC)
    assert moment(micros(at)) == at


def test_a_row_commits_to_names_and_free_text_without_saying_them() -> None:
    draft = Draft(entry(actor=MAYA, private={"words": "promote because Bob asked"}), "0.1.0")
    body = draft.sealed(seq=7, id="01X", at=micros(START), cause="01W")
    assert b"Bob" not in body
    assert b"Maya Ng" not in body
    says = json.loads(body)
    assert (says["seq"], says["id"], says["cause"], says["time"]) == (
        7,
        "01X",
        "01W",
        "2026-11-24T09:00:00.000000+00:00",
    )
    for each in draft.disclosures:
        assert says["pii"][each.field] == hmac.new(each.salt, each.value.encode(), hashlib.sha256).hexdigest()
    assert {each.field: each.value for each in draft.disclosures} == {
        "actor.name": "Maya Ng",
        "words": "promote because Bob asked",
    }


def test_the_same_words_commit_differently_each_time() -> None:
    one, other = (Draft(entry(private={"words": "yes"}), "").disclosures[-1].commitment for _ in range(2))
    assert one != other


def test_a_decision_is_kept_with_every_finding_and_its_reasons_committed_to() -> None:
    decision = Decision((met("soak", "24 h in stage"), unmet("approval", "Omar has not agreed")), START, "ab" * 32)
    draft = Draft(entry(decision=decision), "")
    says = json.loads(draft.sealed(seq=0, id="01X", at=0))
    assert says["decision"]["allow"] is False
    assert says["decision"]["policy_sha256"] == "ab" * 32
    assert [result["standing"] for result in says["decision"]["results"]] == ["met", "unmet"]
    assert b"Omar" not in draft.sealed(seq=0, id="01X", at=0)
    assert json.loads(draft.disclosures[-1].value) == [["soak", "24 h in stage"], ["approval", "Omar has not agreed"]]


def test_a_finding_that_was_waived_says_by_what() -> None:
    waived = unmet("coverage", "71 %")._replace(standing=Standing.WAIVED, by="X-4")
    decision = Decision((met("soak", "24 h"), waived), START, "ab" * 32)
    says = json.loads(Draft(entry(decision=decision), "").sealed(seq=0, id="01X", at=0))
    assert says["decision"]["results"] == [
        {"rule": "soak", "standing": "met"},
        {"rule": "coverage", "standing": "waived", "by": "X-4"},
    ]


def test_what_a_decision_looked_at_is_committed_to_and_decides_the_same_again() -> None:
    facts = but(asked_by=replace(MAYA, name="Maya Ng"), fields={"reason": "a secret sale"})
    decision = decide(PROMOTION, facts, ACTIVE, NOW)
    draft = Draft(entry(decision=decision, question=PROMOTION, facts=facts), "")
    (kept,) = [each.value for each in draft.disclosures if each.field == "decision.facts"]
    assert from_json(kept) == (PROMOTION, facts)
    assert decide(*from_json(kept), ACTIVE, decision.at) == decision
    assert b"secret" not in draft.sealed(seq=0, id="01X", at=0)
    assert set(json.loads(draft.sealed(seq=0, id="01X", at=0))["pii"]) == {
        "actor.name",
        "decision.reasons",
        "decision.facts",
    }


def test_a_number_with_a_fraction_is_a_mistake_of_whoever_wrote_the_entry() -> None:
    with pytest.raises(NotCanonical, match="detail"):
        Draft(entry(detail={"p99": 12.5}), "")


def test_a_clock_that_went_back_is_flagged() -> None:
    draft = Draft(entry(), "")
    assert "clock_behind" not in json.loads(draft.sealed(seq=1, id="01X", at=5, behind=-3))
    assert json.loads(draft.sealed(seq=1, id="01X", at=5, behind=3))["clock_behind"] == 3


# Looking again ------------------------------------------------------------------------------------------------------


def rows(count: int) -> list[Stored]:
    made = []
    for seq in range(count):
        draft = Draft(
            entry(
                f"step {seq}",
                EntryPhase.INTENT,
                operation="op_1",
                effect=f"shift:{seq}",
                actor=BOT,
                private={"why": "so"},
            ),
            "0.1.0",
        )
        body = draft.sealed(seq=seq, id=f"01{seq:024}", at=seq)
        made.append(
            Stored(
                seq, f"01{seq:024}", "operation", "intent", "op_1", f"shift:{seq}", "checkout", body, leaf_hash(body),
                draft.disclosures,
            )
        )  # fmt: skip
    return made


def head(made: list[Stored]) -> tuple[int, bytes, bytes]:
    tree = Frontier()
    for row in made:
        tree.append(row.leaf)
    return tree.size, tree.to_bytes(), tree.root


def test_rows_that_were_left_alone_are_found_whole() -> None:
    made = rows(5)
    found = verify(made, [(3, head(made[:3])[2]), (5, head(made)[2])], head(made))
    assert found.ok
    assert (found.size, found.root) == (5, head(made)[2])


def test_an_empty_ledger_is_whole() -> None:
    assert verify([], [], head([])).ok


def flipped(row: Stored) -> Stored:
    return replace(row, body=row.body.replace(b"step", b"stop"))


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (lambda made: [*made[:2], flipped(made[2]), *made[3:]], "entry 2 was changed"),
        (
            lambda made: [*made[:2], replace(flipped(made[2]), leaf=leaf_hash(flipped(made[2]).body)), *made[3:]],
            "the checkpoint at 3",
        ),
        (lambda made: [*made[:2], *made[3:]], "entry 3 stands where 2 should"),
        (lambda made: made[:3], "the checkpoint at 5 lies beyond"),
        (lambda made: [made[1], made[0], *made[2:]], "entry 1 stands where 0 should"),
        (lambda made: [replace(made[0], service="search"), *made[1:]], "filed under something"),
        (lambda made: [replace(made[0], effect=""), *made[1:]], "filed under something"),
        (
            lambda made: [replace(made[0], disclosures=[Disclosure("why", b"s", "other")]), *made[1:]],
            "the clear text of why",
        ),
        (lambda made: [replace(made[0], body=b"{"), *made[1:]], "is not JSON"),
    ],
)
def test_tampering_is_found_and_named(tamper: Any, says: str) -> None:
    made = rows(5)
    found = verify(tamper(made), [(3, head(made[:3])[2]), (5, head(made)[2])], head(made))
    assert any(says in problem for problem in found.problems), found.problems


def test_erased_text_leaves_the_rest_whole() -> None:
    made = [replace(row, disclosures=()) for row in rows(3)]
    assert verify(made, [], head(made)).ok


def test_a_head_that_speaks_of_more_is_found() -> None:
    made = rows(4)
    assert not verify(made[:3], [], head(made)).ok
