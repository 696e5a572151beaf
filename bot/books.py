"""How do entries come into the ledger's tables, and out of them again? With its head in hand until the commit."""

# ruff: noqa: S608  (statements are put together from constants of ours only; values are always bound)

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from bot.database import Broken, Transaction
from bot.dialect import Connection, Dialect, Row, Statement
from bot.ledger import ACTOR_NAME, FACTS, REASONS, Disclosure, Draft, Frontier, Stored, Ulids, leaf_hash, micros, moment
from commands.ports import Clock, Entry, EntryPhase, Recorded

HEAD = "SELECT size, frontier, last_at FROM ledger_head WHERE id = 1"
_NEW_HEAD = "UPDATE ledger_head SET size = :size, frontier = :frontier, root = :root, last_at = :last_at WHERE id = 1"
_CHECKPOINT = "INSERT INTO checkpoints (size, root, at) VALUES (:size, :root, :at)"


class Books(Transaction):
    """One transaction, with the head of the ledger in hand from the first entry on."""

    def __init__(self, connection: Connection, head: Row | None, clock: Clock, ids: Ulids, sql: Dialect) -> None:
        super().__init__(connection)
        self._head = head
        self._clock = clock
        self._ids = ids
        self._sql = sql
        self._tree: Frontier | None = None
        self._last_at = 0
        self._size_before = 0
        self._marked: tuple[Frontier, int] | None = None
        self.now = micros(clock.now())

    def mark(self) -> None:
        self.now = micros(self._clock.now())
        self._marked = None if self._tree is None else (self._tree.copy(), self._last_at)

    def undo(self) -> None:
        if self._marked is None:
            self._tree = None  # first loaded by the job that failed
        else:
            self._tree, self._last_at = self._marked

    @property
    def size(self) -> int:
        """Entries of the ledger."""
        return (self._tree or self._load()).size

    def later(self, span: timedelta | None) -> int | None:
        """So much later by the business clock; None: never."""
        return None if span is None else self.now + max(0, span // timedelta(microseconds=1))

    def fence(self) -> int:
        """A number larger than all before it, over all operations, and not below the Unix time in seconds.

        So a database restored from an old copy draws larger ones, too, than those drawn since the copy was made.
        """
        now = f"{self._sql.NOW} / 1000000"
        row = self.one(f"UPDATE fences SET n = CASE WHEN n < {now} THEN {now} ELSE n + 1 END RETURNING n")
        if row is None:
            raise Broken("the row of fences is gone")
        return int(row[0])

    def append(self, draft: Draft, cause: str = "") -> tuple[int, str]:
        """The entry's place and id."""
        tree = self._tree or self._load()
        entry, seq, at = draft.entry, tree.size, self.now
        if not cause and entry.phase is EntryPhase.OUTCOME and entry.effect:
            cause = self._intent_of(entry)
        id = self._ids(moment(at))
        body = draft.sealed(seq=seq, id=id, at=at, cause=cause, behind=self._last_at - at)
        leaf = leaf_hash(body)
        self.run(
            "INSERT INTO entries (seq, id, kind, phase, operation, effect, service, body, leaf)"
            " VALUES (:seq, :id, :kind, :phase, :operation, :effect, :service, :body, :leaf)",
            {
                "seq": seq,
                "id": id,
                "kind": entry.kind,
                "phase": entry.phase.value,
                "operation": entry.operation,
                "effect": entry.effect,
                "service": entry.target.get("service", ""),
                "body": body,
                "leaf": leaf,
            },
        )
        if draft.disclosures:
            self.connection.executemany(
                "INSERT INTO disclosures (seq, field, salt, value) VALUES (:seq, :field, :salt, :value)",
                [
                    {"seq": seq, "field": each.field, "salt": each.salt, "value": each.value}
                    for each in draft.disclosures
                ],
            )
        tree.append(leaf)
        self._last_at = at
        return seq, id

    def _load(self) -> Frontier:
        if self._head is None:
            raise Broken("the head of the ledger is gone")
        self._size_before, frontier, self._last_at = self._head
        self._tree = Frontier.from_bytes(self._size_before, frontier)
        return self._tree

    def _intent_of(self, entry: Entry) -> str:
        row = self.one(
            "SELECT id FROM entries WHERE effect <> '' AND operation = :operation AND effect = :effect"
            " AND phase = 'intent' ORDER BY seq DESC LIMIT 1",
            {"operation": entry.operation, "effect": entry.effect},
        )
        return "" if row is None else str(row[0])

    def finish(self) -> Sequence[Statement]:
        if self._tree is None or self._tree.size == self._size_before:
            return ()
        tree, root = self._tree, self._tree.root
        return (
            (_NEW_HEAD, {"size": tree.size, "frontier": tree.to_bytes(), "root": root, "last_at": self._last_at}),
            (_CHECKPOINT, {"size": tree.size, "root": root, "at": self._last_at}),
        )


def _disclosed(connection: Connection, seq: int) -> tuple[Disclosure, ...]:
    """What people said and were called; not what only machines read again, which is long."""
    rows = connection.execute(
        f"SELECT field, salt, value FROM disclosures WHERE seq = :seq AND field NOT IN ('{REASONS}', '{FACTS}')",
        {"seq": seq},
    )
    return tuple(Disclosure(*row) for row in rows)


def recorded(connection: Connection, seq: int, body: bytes) -> Recorded:
    """For reading."""
    says = cast("dict[str, Any]", json.loads(body))
    clear = {each.field: each.value for each in _disclosed(connection, seq)}
    return Recorded(
        seq=seq,
        at=datetime.fromisoformat(says["time"]),
        kind=says["kind"],
        phase=EntryPhase(says["phase"]),
        what=says["what"],
        actor=says["actor"]["account"],
        actor_name=clear.pop(ACTOR_NAME, ""),
        operation=says.get("op", ""),
        target=says.get("target", {}),
        detail=says.get("detail", {}),
        private=clear,
    )


def stored(connection: Connection) -> Iterator[Stored]:
    """All of it, in order, for verifying."""
    clear: dict[int, list[Disclosure]] = {}
    for seq, *rest in connection.execute("SELECT seq, field, salt, value FROM disclosures"):
        clear.setdefault(seq, []).append(Disclosure(*rest))
    rows = connection.execute(
        "SELECT seq, id, kind, phase, operation, effect, service, body, leaf FROM entries ORDER BY seq"
    )
    for row in rows:
        one = Stored(*row)
        yield replace(one, disclosures=clear.get(one.seq, ()))
