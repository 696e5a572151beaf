"""Recorded decisions are taken again: the same under the same policy, and under another each difference is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.facts_json import to_json
from bot.replay import Books, again, as_plain, in_files, in_ledger, replay, saved, told
from bot.sqlite import path_of
from commands.errors import Rejected
from commands.ports import Writes
from policy.decide import decide
from policy.document import ActivePolicy
from policy.facts import Check, CheckState, Deed, Facts, Question
from policy.rulebook import MAY_ASK
from tests.bot.books import entry, opened
from tests.policy.good import (
    ACTIVE,
    ALL_GOOD,
    GOOD_ROLLBACK,
    HOUR,
    MAYA,
    NOW,
    OMAR,
    PROMOTION,
    ROLLBACK,
    but,
    policy_with,
)

FAILED = but(checks={"build": Check("build", CheckState.FAILED), "unit-tests": Check("unit-tests", CheckState.PASSED)})
DECIDED: tuple[tuple[Question, Facts, timedelta], ...] = (
    (PROMOTION, ALL_GOOD, timedelta(0)),
    (PROMOTION, FAILED, HOUR),
    (PROMOTION, ALL_GOOD, 10 * HOUR),
    (ROLLBACK, GOOD_ROLLBACK, 11 * HOUR),
)
STRICTER = policy_with(gates={"checks": ["build", "unit-tests"], "soak": "P3D", "window": "office_hours"}).model_copy(
    update={"hash": "1" * 64}
)
"""Three days in stage instead of one."""
LOOSER = policy_with(gates={"checks": ["unit-tests"], "soak": "PT24H"}).model_copy(update={"hash": "2" * 64})
"""No window any more, and nobody asks for the build."""


async def recorded(directory: Path, active: ActivePolicy = ACTIVE) -> str:
    """URL of a database in which those decisions stand, written by the real store."""
    async with opened(directory) as store:
        for question, facts, after in DECIDED:
            decision = decide(question, facts, active, NOW + after)
            await store.commit(Writes(entries=(entry(decision=decision, question=question, facts=facts),)))
        await store.commit(Writes(entries=(entry("began"),)))
        return store._url


async def test_under_the_very_policy_each_comes_out_the_same(tmp_path: Path) -> None:
    url = await recorded(tmp_path)
    books = in_ledger(url, None)
    assert [(each.question, each.facts, each.at) for each in books.decided] == [
        (question, facts, NOW + after) for question, facts, after in DECIDED
    ]
    assert [each.name for each in books.decided] == ["entry 0", "entry 1", "entry 2", "entry 3"]
    assert books.lost == ()
    replayed = replay(books, ACTIVE)
    assert replayed.same
    assert list(told(replayed)) == ["4 decisions taken again under it (sha256 ffffffffffff): none would differ."]


@pytest.mark.requirement("S4-114")
async def test_a_golden_replay_shows_what_another_policy_would_have_said(tmp_path: Path) -> None:
    books = in_ledger(await recorded(tmp_path), None)
    assert list(told(replay(books, STRICTER))) == [
        "entry 0, 2026-11-24 09:00:00Z, maya: promote checkout stage→prod: allowed then, refused now",
        "    soak: met → unmet: stage has served it for 48 h of 72 h, since Sun 22 Nov 2026 10:00 CET",
        "entry 1, 2026-11-24 10:00:00Z, maya: promote checkout stage→prod: refused then and now, but not for the same reasons",
        "    soak: met → unmet: stage has served it for 49 h of 72 h, since Sun 22 Nov 2026 10:00 CET",
        "entry 2, 2026-11-24 19:00:00Z, maya: promote checkout stage→prod: refused then and now, but not for the same reasons",
        "    soak: met → unmet: stage has served it for 58 h of 72 h, since Sun 22 Nov 2026 10:00 CET",
        "4 decisions taken again under it (sha256 111111111111): 3 would differ, 1 of them in yes or no.",
    ]
    lines = list(told(replay(books, LOOSER)))
    assert (
        lines[0]
        == "entry 0, 2026-11-24 09:00:00Z, maya: promote checkout stage→prod: allowed then and now, but not for the same reasons"
    )
    assert lines[2].endswith("refused then, allowed now")
    assert lines[-1].endswith("3 would differ, 2 of them in yes or no.")


async def test_only_the_newest_are_looked_at_where_that_is_asked_for(tmp_path: Path) -> None:
    books = in_ledger(await recorded(tmp_path), 2)
    assert [each.name for each in books.decided] == ["entry 2", "entry 3"]


async def test_the_same_policy_with_another_answer_is_said_loudly(tmp_path: Path) -> None:
    """The hash says that it is the policy it was decided under: so the program, or the books, must have changed."""
    books = in_ledger(await recorded(tmp_path), 1)
    forged = Books(tuple(replace(each, allowed=not each.allowed) for each in books.decided), ())
    replayed = replay(forged, ACTIVE)
    assert len(replayed.impossible) == 1
    assert next(told(replayed)) == "!!! entry 3 was decided under this very policy and comes out otherwise now:"
    assert replay(forged, STRICTER).impossible == ()


def only(url: str, sql: str, *values: Any) -> None:
    """Something done to the database behind the program's back; its guards are taken off first."""
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
        guards = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in guards:
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute(sql, values)


async def test_facts_that_were_erased_or_altered_are_not_decided_on(tmp_path: Path) -> None:
    url = await recorded(tmp_path)
    only(url, "DELETE FROM disclosures WHERE seq = 0 AND field = 'decision.facts'")
    other = to_json(PROMOTION, but(asked_by=replace(MAYA, name="mallory")))
    only(url, "UPDATE disclosures SET value = ? WHERE seq = 1 AND field = 'decision.facts'", other)
    replayed = replay(in_ledger(url, None), ACTIVE)
    assert [each.name for each in replayed.books.decided] == ["entry 2", "entry 3"]
    assert replayed.books.lost == (
        "entry 0: its facts were erased, or not kept",
        "entry 1: its facts are not those that were committed to",
    )
    assert not replayed.same
    assert as_plain(replayed)["lost"] == list(replayed.books.lost)


def test_where_only_leave_was_asked_for_only_that_is_asked_again(tmp_path: Path) -> None:
    """Who may freeze is asked before anybody says until when, and again when it ends."""
    question, facts = Question(Deed.FREEZE, "", "prod"), Facts(OMAR, NOW)
    decision = decide(question, facts, ACTIVE, NOW, (MAY_ASK,))
    (tmp_path / "freeze.json").write_text(saved(question, facts, decision), encoding="utf-8")
    (each,) = in_files(tmp_path).decided
    assert each.words == "freeze prod"
    assert list(again((each,), ACTIVE)) == []


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="There is no database at"):
        in_ledger(f"sqlite:///{tmp_path}/none.db", None)
    (tmp_path / "text.db").write_text("no database at all, just words" * 100, encoding="utf-8")
    with pytest.raises(Rejected, match="cannot be read"):
        in_ledger(f"sqlite:///{tmp_path}/text.db", None)


def test_decisions_in_files_are_taken_again_as_well(tmp_path: Path) -> None:
    for number, (question, facts, after) in enumerate(DECIDED):
        text = saved(question, facts, decide(question, facts, ACTIVE, NOW + after))
        (tmp_path / f"{number}.json").write_text(text, encoding="utf-8")
    books = in_files(tmp_path)
    assert replay(books, ACTIVE).same
    assert [each.decided.name for each in again(books.decided, STRICTER)] == ["0.json", "1.json", "2.json"]
    (tmp_path / "4.json").write_text("{}", encoding="utf-8")
    (tmp_path / "5.json").write_text(
        text.replace('"verdict"', '"verdikt"').replace('"known_good"', '"unknown_good"'), encoding="utf-8"
    )
    assert in_files(tmp_path).lost == (
        "4.json: it is no decision as `policy explain --save` writes one",
        "5.json: facts.unknown_good: is not known here; known are " + ", ".join(Facts.__dataclass_fields__),
    )


def test_a_directory_without_decisions(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="no file with a decision"):
        in_files(tmp_path)
