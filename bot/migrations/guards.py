"""What keeps rows of the books from being changed? Triggers: tripwires against accidents, not proof against intent.

Whoever owns the tables can drop them; that is what the hashes and their copies elsewhere are for. Alembic's batch mode
recreates a table on SQLite without its triggers and says nothing, so a table named here is never altered in a batch,
and the program looks for every guard, to the letter, before it serves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.dialect import Connection


@dataclass(frozen=True, slots=True)
class Guard:
    """`when` (INSERT, UPDATE, DELETE) is refused on that table where the condition on NEW and OLD holds."""

    name: str
    when: str
    table: str
    condition: str = ""

    @property
    def in_sqlite(self) -> str:
        only = f" WHEN {self.condition}" if self.condition else ""
        return (
            f"CREATE TRIGGER {self.name} BEFORE {self.when} ON {self.table} FOR EACH ROW{only} "
            f"BEGIN SELECT RAISE(ABORT, '{self.table} is append-only'); END"
        )

    @property
    def body(self) -> str:
        """Of its function in PostgreSQL, whose own conditions on triggers may not look at tables."""
        refuse = f"RAISE EXCEPTION '{self.table} is append-only' USING ERRCODE = 'integrity_constraint_violation';"
        if not self.condition:
            return f"BEGIN {refuse} END"
        return f"BEGIN IF {self.condition} THEN {refuse} END IF; RETURN NEW; END"

    @property
    def in_postgres(self) -> tuple[str, ...]:
        each = "STATEMENT" if self.when == "TRUNCATE" else "ROW"
        trigger = f"CREATE TRIGGER {self.name} BEFORE {self.when} ON {self.table} FOR EACH {each} "
        return (
            f"CREATE FUNCTION guard_{self.name}() RETURNS trigger LANGUAGE plpgsql AS $${self.body}$$",
            f"{trigger}EXECUTE FUNCTION guard_{self.name}()",
            # also where a session says that it is a replica, in which ordinary triggers do not fire
            f"ALTER TABLE {self.table} ENABLE ALWAYS TRIGGER {self.name}",
        )

    @property
    def kind(self) -> int:
        """`tgtype` in PostgreSQL's catalogue: before, when, and for each row unless it empties the table."""
        # https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/catalog/pg_trigger.h
        return 2 | {"INSERT": 1 | 4, "DELETE": 1 | 8, "UPDATE": 1 | 16, "TRUNCATE": 32}[self.when]


def _first() -> Iterator[Guard]:
    for table in ("entries", "checkpoints", "votes"):
        yield Guard(f"{table}_no_update", "UPDATE", table)
        yield Guard(f"{table}_no_delete", "DELETE", table)
    # INSERT OR REPLACE is neither an UPDATE nor, by default, a DELETE: only a guard on INSERT sees it.
    yield Guard("checkpoints_grow", "INSERT", "checkpoints", "NEW.size <= (SELECT max(size) FROM checkpoints)")
    yield Guard("votes_grow", "INSERT", "votes", "NEW.number <= (SELECT max(number) FROM votes)")
    yield Guard(
        "entries_contiguous", "INSERT", "entries",
        "NEW.seq <> coalesce((SELECT max(seq) + 1 FROM entries), 0) OR NEW.seq < (SELECT size FROM ledger_head)",
    )  # fmt: skip
    yield Guard("ledger_head_grows", "UPDATE", "ledger_head", "NEW.size <= OLD.size")
    yield Guard("ledger_head_no_delete", "DELETE", "ledger_head")
    yield Guard("ledger_head_no_insert", "INSERT", "ledger_head", "EXISTS (SELECT 1 FROM ledger_head)")
    yield Guard("fences_grow", "UPDATE", "fences", "NEW.n <= OLD.n")
    yield Guard("fences_no_delete", "DELETE", "fences")
    yield Guard("fences_no_insert", "INSERT", "fences", "EXISTS (SELECT 1 FROM fences)")


def _second() -> Iterator[Guard]:
    yield Guard("record_votes_no_update", "UPDATE", "record_votes")
    yield Guard("record_votes_no_delete", "DELETE", "record_votes")
    yield Guard("record_votes_grow", "INSERT", "record_votes", "NEW.number <= (SELECT max(number) FROM record_votes)")
    for table in ("exceptions", "obligations"):
        yield Guard(f"{table}_no_delete", "DELETE", table)


def _not_emptied(guards: tuple[Guard, ...]) -> tuple[Guard, ...]:
    """No table that keeps its rows is emptied at one stroke, which no guard on rows would see."""
    tables = dict.fromkeys(guard.table for guard in guards if guard.when == "DELETE")
    return tuple(Guard(f"{table}_no_truncate", "TRUNCATE", table) for table in tables)


FIRST = tuple(_first())
"""What version 0001 makes."""
SECOND = tuple(_second())
"""What version 0002 makes."""
SQLITE = {guard.name: guard.in_sqlite for guard in FIRST + SECOND}
"""All that there must be: name of each trigger, and the statement."""
POSTGRES = {guard.name: guard for version in (FIRST, SECOND) for guard in version + _not_emptied(version)}
"""The same there."""


def statements(database: str, guards: tuple[Guard, ...]) -> Iterator[str]:
    """What makes them; `database` by its name in SQLAlchemy."""
    if database == "sqlite":
        yield from (guard.in_sqlite for guard in guards)
        return
    for guard in guards + _not_emptied(guards):
        yield from guard.in_postgres


def missing_in_sqlite(connection: Connection) -> frozenset[str]:
    """Names of the triggers that are not there, or not to the letter as we make them."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    there = {row[0]: row[1] for row in rows}
    return frozenset(name for name, sql in SQLITE.items() if there.get(name) != sql)


def missing_in_postgres(connection: Connection) -> frozenset[str]:
    """The same there; one that does not fire for everybody, always, counts as missing."""
    rows = connection.execute(
        "SELECT tgname, relname, tgtype, prosrc FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal AND tgenabled = 'A' AND tgqual IS NULL"
        " AND tgattr = '' AND pg_table_is_visible(pg_class.oid)"
    ).fetchall()
    there = {name: (table, kind, body) for name, table, kind, body in rows}
    return frozenset(
        name for name, guard in POSTGRES.items() if there.get(name) != (guard.table, guard.kind, guard.body)
    )
