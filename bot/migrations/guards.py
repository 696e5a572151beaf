"""What keeps rows of the books from being changed? Triggers: tripwires against accidents, not proof against intent.

Whoever can open the file can drop them; that is what the hashes and their copies elsewhere are for. Alembic's batch
mode recreates a table without its triggers and says nothing, so a table named here is never altered in a batch, and the
program looks for every guard, to the letter, before it serves.
"""

from __future__ import annotations

from collections.abc import Iterator


def _refuse(name: str, when: str, table: str, condition: str = "") -> tuple[str, str]:
    only = f" WHEN {condition}" if condition else ""
    return name, (
        f"CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH ROW{only} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def _first() -> Iterator[tuple[str, str]]:
    for table in ("entries", "checkpoints", "votes"):
        yield _refuse(f"{table}_no_update", "UPDATE", table)
        yield _refuse(f"{table}_no_delete", "DELETE", table)
    # INSERT OR REPLACE is neither an UPDATE nor, by default, a DELETE: only a guard on INSERT sees it.
    yield _refuse("checkpoints_grow", "INSERT", "checkpoints", "NEW.size <= (SELECT max(size) FROM checkpoints)")
    yield _refuse("votes_grow", "INSERT", "votes", "NEW.number <= (SELECT max(number) FROM votes)")
    yield _refuse(
        "entries_contiguous", "INSERT", "entries",
        "NEW.seq <> coalesce((SELECT max(seq) + 1 FROM entries), 0) OR NEW.seq < (SELECT size FROM ledger_head)",
    )  # fmt: skip
    yield _refuse("ledger_head_grows", "UPDATE", "ledger_head", "NEW.size <= OLD.size")
    yield _refuse("ledger_head_no_delete", "DELETE", "ledger_head")
    yield _refuse("ledger_head_no_insert", "INSERT", "ledger_head", "EXISTS (SELECT 1 FROM ledger_head)")
    yield _refuse("fences_grow", "UPDATE", "fences", "NEW.n <= OLD.n")
    yield _refuse("fences_no_delete", "DELETE", "fences")
    yield _refuse("fences_no_insert", "INSERT", "fences", "EXISTS (SELECT 1 FROM fences)")


def _second() -> Iterator[tuple[str, str]]:
    yield _refuse("record_votes_no_update", "UPDATE", "record_votes")
    yield _refuse("record_votes_no_delete", "DELETE", "record_votes")
    yield _refuse("record_votes_grow", "INSERT", "record_votes", "NEW.number <= (SELECT max(number) FROM record_votes)")
    for table in ("exceptions", "obligations"):
        yield _refuse(f"{table}_no_delete", "DELETE", table)


FIRST = dict(_first())
"""Name of each trigger that version 0001 makes, and the statement."""
SECOND = dict(_second())
"""The same of version 0002."""
SQLITE = FIRST | SECOND
"""All that there must be."""
