"""What would recorded decisions be under this policy? Each is taken again at its instant, on what was known then."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.database import dialect
from bot.dialect import Row
from bot.facts_json import Misfit, from_json, read, to_json
from bot.ledger import FACTS, Disclosure, decided
from commands.errors import Rejected
from policy import wording
from policy.decide import decide
from policy.document import ActivePolicy
from policy.facts import Deed, Facts, Question
from policy.finding import Decision
from policy.rulebook import MAY_ASK

BUSY = 5.0  # seconds to wait for whoever writes
EVERY = 2**62


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as it was taken."""

    name: str
    """`entry 41`, or a file's name."""
    at: datetime
    question: Question
    facts: Facts
    policy_hash: str
    allowed: bool
    standings: Mapping[str, str]
    """Rule → how it stood."""

    @property
    def only_whether_may(self) -> bool:
        """Whether it was only asked if that person may: before something is filled in, and where something ends."""
        return self.question.deed in {Deed.FREEZE, Deed.EXCEPTION} and self.facts.wanted is None

    @property
    def words(self) -> str:
        """What was asked, more or less as it was said."""
        question = self.question
        place = f"{question.source}→{question.target}" if question.source else question.target
        kind = f" type:{question.change}" if question.change else ""
        return " ".join(part for part in (question.deed.value, question.service, place) if part) + kind


@dataclass(frozen=True, slots=True)
class Books:
    """What was recorded, oldest first, and what cannot be decided again."""

    decided: tuple[Decided, ...]
    lost: tuple[str, ...]
    """Entries that hold a decision without its facts, and why."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision that would be another."""

    decided: Decided
    now: Decision
    rules: tuple[tuple[str, str, str], ...]
    """(rule, how it stood, how it stands); `none`: there was, or is, no such rule."""

    @property
    def turned(self) -> bool:
        """Whether yes became no, or no yes."""
        return self.decided.allowed is not self.now.allowed


def again(books: tuple[Decided, ...], active: ActivePolicy) -> Iterator[Difference]:
    """Every decision that would be another under this policy."""
    for each in books:
        now = decide(each.question, each.facts, active, each.at, (MAY_ASK,) if each.only_whether_may else None)
        standings = {finding.rule: finding.standing.value for finding in now.findings}
        rules = tuple(
            (rule, each.standings.get(rule, "none"), standings.get(rule, "none"))
            for rule in dict.fromkeys((*each.standings, *standings))
            if each.standings.get(rule) != standings.get(rule)
        )
        if rules or each.allowed is not now.allowed:
            yield Difference(each, now, rules)


# Where decisions are kept -------------------------------------------------------------------------------------------


def in_ledger(database_url: str, last: int | None) -> Books:
    """The newest decisions of that ledger. Raises `Rejected` where it cannot be read."""
    sql = dialect(database_url, BUSY)
    # A decision is there where its entry says so; its facts are apart, and can be erased.
    decisions = (
        "SELECT entries.seq, body, salt, value FROM entries LEFT JOIN disclosures ON disclosures.seq = entries.seq "  # noqa: S608 - of our own words
        f"AND field = :field WHERE {sql.text_of('body')} LIKE '%\"decision\":{{%' ORDER BY entries.seq DESC LIMIT :last"
    )
    try:
        there = sql.version() is not None
        rows: list[Row] = []
        if there:
            with closing(sql.connect(reading=True)) as connection:
                most = EVERY if last is None else last
                rows = connection.execute(decisions, {"field": FACTS, "last": most}).fetchall()
    except Exception as error:
        if not sql.is_trouble(error):
            raise
        raise Rejected(f"The database at {sql.name} cannot be read ({error}).") from error
    if not there:
        raise Rejected(f"There is no database at {sql.name}.")
    found: list[Decided] = []
    lost: list[str] = []
    for seq, body, salt, value in reversed(rows):
        try:
            found.append(_in_row(f"entry {seq}", json.loads(body), salt, value))
        except ValueError as error:
            lost.append(f"entry {seq}: {error}")
    return Books(tuple(found), tuple(lost))


def _in_row(name: str, body: Mapping[str, Any], salt: bytes | None, value: str | None) -> Decided:
    if salt is None or value is None:
        raise ValueError("its facts were erased, or not kept")
    if body.get("pii", {}).get(FACTS) != Disclosure(FACTS, salt, value).commitment:
        raise ValueError("its facts are not those that were committed to")
    return _read(name, body["decision"], value)


def in_files(directory: Path) -> Books:
    """The decisions that `policy explain --save` wrote there, by name. Raises `Rejected` where it cannot be read."""
    found: list[Decided] = []
    lost: list[str] = []
    try:
        for path in sorted(directory.glob("*.json")):
            try:
                whole = json.loads(path.read_bytes())
                found.append(_read(path.name, whole["decision"], json.dumps(whole["facts"])))
            except (ValueError, TypeError, KeyError) as error:
                says = (
                    str(error)
                    if isinstance(error, Misfit)
                    else "it is no decision as `policy explain --save` writes one"
                )
                lost.append(f"{path.name}: {says}")
    except OSError as error:
        raise Rejected(f"{directory} cannot be read: {error.strerror}.") from error
    if not found and not lost:
        raise Rejected(f"There is no file with a decision in {directory}.")
    return Books(tuple(found), tuple(lost))


def saved(question: Question, facts: Facts, decision: Decision) -> str:
    """A decision as a file holds it."""
    whole = {"decision": decided(decision), "facts": json.loads(to_json(question, facts))}
    return json.dumps(whole, sort_keys=True, ensure_ascii=False, indent=1) + "\n"


def _read(name: str, body: Mapping[str, Any], text: str) -> Decided:
    question, facts = from_json(text)
    return Decided(
        name=name,
        at=read(datetime, body["at"], ("decision", "at")),
        question=question,
        facts=facts,
        policy_hash=body["policy_sha256"],
        allowed=body["allow"],
        standings={result["rule"]: result["standing"] for result in body["results"]},
    )


# What came of it ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Replayed:
    """All of them, and those that would be others."""

    books: Books
    differences: tuple[Difference, ...]
    active: ActivePolicy

    @property
    def impossible(self) -> tuple[Difference, ...]:
        """Decisions under this very policy that come out otherwise now: something besides facts and policy decided."""
        return tuple(each for each in self.differences if each.decided.policy_hash == self.active.hash)

    @property
    def same(self) -> bool:
        return not self.differences and not self.books.lost


def replay(books: Books, active: ActivePolicy) -> Replayed:
    return Replayed(books, tuple(again(books.decided, active)), active)


def told(replayed: Replayed) -> Iterator[str]:
    """It in lines for people."""
    books, differences = replayed.books, replayed.differences
    for each in replayed.impossible:
        yield f"!!! {each.decided.name} was decided under this very policy and comes out otherwise now:"
        yield "!!! the program, the time zones or the records have changed; look before you trust either."
    for each in differences:
        yield from _told(each)
    for says in books.lost:
        yield f"not decided again, {says}"
    under = f"under {replayed.active.source or 'it'} (sha256 {replayed.active.hash[:12]})"
    turned = sum(each.turned for each in differences) or "none"
    would = f"{len(differences)} would differ, {turned} of them in yes or no" if differences else "none would differ"
    yield f"{wording.Several(len(books.decided), 'decision')} taken again {under}: {would}."


def _told(each: Difference) -> Iterator[str]:
    words = ("refused", "allowed")
    at, was, now = each.decided.at, words[each.decided.allowed], words[each.now.allowed]
    says = f"{was} then, {now} now" if each.turned else f"{now} then and now, but not for the same reasons"
    asked = f"{each.decided.facts.asked_by.name}: {each.decided.words}"
    yield f"{each.decided.name}, {at:%Y-%m-%d %H:%M:%SZ}, {asked}: {says}"
    reasons = {finding.rule: finding.reason for finding in each.now.findings}
    for rule, before, after in each.rules:
        yield f"    {rule}: {before} → {after}{f': {reasons[rule]}' if rule in reasons else ''}"


def as_plain(replayed: Replayed) -> dict[str, Any]:
    """It for machines."""
    return {
        "ok": replayed.same,
        "policy": {"sha256": replayed.active.hash, "source": replayed.active.source},
        "decisions": len(replayed.books.decided),
        "lost": list(replayed.books.lost),
        "differences": [
            {
                "name": each.decided.name,
                "at": each.decided.at.isoformat(),
                "words": each.decided.words,
                "policy_sha256": each.decided.policy_hash,
                "before": each.decided.allowed,
                "after": each.now.allowed,
                "rules": [{"rule": rule, "before": before, "after": after} for rule, before, after in each.rules],
            }
            for each in replayed.differences
        ],
    }
