"""What do our own books look like? The tables, as Alembic and the tests see them.

The program reads and writes them in plain SQL (`bot/store.py`), so that starting does not wait for an ORM. Moments are
whole microseconds since 1970 by the business clock, except `lease_until`, which is by the database's own. Strings are
empty, not NULL, where there is nothing; NULL says "not yet" or "never".
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""64 bits on both: only a column that is INTEGER to the letter is SQLite's own row number."""

STRICT = {"sqlite_strict": True}
"""SQLite holds to the column types."""


def one_row() -> sa.CheckConstraint:
    return sa.CheckConstraint("id = 1", name="one_row")


# The ledger: rows are only ever added (`bot/migrations/guards.py`) --------------------------------------------------


class LedgerHead(SQLModel, table=True):
    """How far the ledger goes. One row, locked by whoever appends."""

    __tablename__ = "ledger_head"
    __table_args__ = (one_row(), STRICT)

    id: int = Field(primary_key=True, sa_type=WHOLE)
    size: int = Field(sa_type=WHOLE)
    frontier: bytes
    root: bytes
    last_at: int = Field(sa_type=WHOLE)


class LedgerEntry(SQLModel, table=True):
    """One row of the ledger. What counts is `body`; the columns beside it are for finding it."""

    __tablename__ = "entries"
    __table_args__ = (
        sa.CheckConstraint("length(leaf) = 32", name="leaf"),
        sa.Index(
            "ix_entries_service", "service", "seq",
            sqlite_where=sa.text("service <> ''"), postgresql_where=sa.text("service <> ''"),
        ),
        sa.Index(
            "ix_entries_effect", "operation", "effect", "phase",
            sqlite_where=sa.text("effect <> ''"), postgresql_where=sa.text("effect <> ''"),
        ),
        sa.Index(
            "ix_entries_config", "kind", "seq",
            sqlite_where=sa.text("phase = 'config'"), postgresql_where=sa.text("phase = 'config'"),
        ),
        STRICT,
    )  # fmt: skip

    seq: int = Field(primary_key=True, sa_type=WHOLE)
    id: str = Field(sa_type=sa.Text, unique=True)
    kind: str = Field(sa_type=sa.Text)
    phase: str = Field(sa_type=sa.Text)
    operation: str = Field(sa_type=sa.Text)
    effect: str = Field(sa_type=sa.Text)
    service: str = Field(sa_type=sa.Text)
    body: bytes
    leaf: bytes


class Checkpoint(SQLModel, table=True):
    """The tree's head after one commit."""

    __tablename__ = "checkpoints"
    __table_args__ = (sa.CheckConstraint("length(root) = 32", name="root"), STRICT)

    size: int = Field(primary_key=True, sa_type=WHOLE)
    root: bytes
    at: int = Field(sa_type=WHOLE)
    note: str | None = Field(default=None, sa_type=sa.Text)
    """The signed note, once there are keys."""


class Disclosure(SQLModel, table=True):
    """Clear text behind one commitment. Deleting the row erases it; every hash still holds."""

    __tablename__ = "disclosures"
    __table_args__ = (STRICT,)

    seq: int = Field(primary_key=True, sa_type=WHOLE, foreign_key="entries.seq")
    field: str = Field(primary_key=True, sa_type=sa.Text)
    salt: bytes
    value: str = Field(sa_type=sa.Text)


# What was asked -----------------------------------------------------------------------------------------------------


class TakenRequest(SQLModel, table=True):
    """Words as they were taken down; their entry is `seq`."""

    __tablename__ = "requests"
    __table_args__ = (
        sa.Index(
            "ix_requests_unanswered", "seq",
            sqlite_where=sa.text("answered_at IS NULL"), postgresql_where=sa.text("answered_at IS NULL"),
        ),
        STRICT,
    )  # fmt: skip

    id: str = Field(primary_key=True, sa_type=sa.Text)
    seq: int = Field(sa_type=WHOLE, foreign_key="entries.seq")
    entry: str = Field(sa_type=sa.Text)
    words: str = Field(sa_type=sa.Text)
    account: str = Field(sa_type=sa.Text)
    channel: str = Field(sa_type=sa.Text)
    thread: str = Field(sa_type=sa.Text)
    message: str = Field(sa_type=sa.Text)
    via: str = Field(sa_type=sa.Text)
    at: int = Field(sa_type=WHOLE)
    answered_at: int | None = Field(default=None, sa_type=WHOLE)


# What is under way --------------------------------------------------------------------------------------------------


class OperationRow(SQLModel, table=True):
    """One operation: `data` is all of it, the columns are what claims and signals go by and win where both speak."""

    __tablename__ = "operations"
    __table_args__ = (
        sa.CheckConstraint("over IN (0, 1)", name="over"),
        sa.CheckConstraint("over = 0 OR (due_at IS NULL AND open_key IS NULL AND owner IS NULL)", name="over_is_over"),
        sa.Index(
            "ix_operations_due", "due_at", sqlite_where=sa.text("over = 0"), postgresql_where=sa.text("over = 0")
        ),
        sa.Index(
            "ix_operations_open", "service", "environment",
            sqlite_where=sa.text("over = 0"), postgresql_where=sa.text("over = 0"),
        ),
        STRICT,
    )  # fmt: skip

    id: str = Field(primary_key=True, sa_type=sa.Text)
    kind: str = Field(sa_type=sa.Text)
    service: str = Field(sa_type=sa.Text)
    environment: str = Field(sa_type=sa.Text)
    phase: str = Field(sa_type=sa.Text)
    over: int = Field(sa_type=WHOLE)
    data: str = Field(sa_type=sa.Text)
    asked_at: int = Field(sa_type=WHOLE)
    wish: str = Field(sa_type=sa.Text)
    fence: int = Field(sa_type=WHOLE)
    owner: str | None = Field(default=None, sa_type=sa.Text)
    lease_until: int = Field(sa_type=WHOLE)
    due_at: int | None = Field(default=None, sa_type=WHOLE)
    """NULL: only when something happens."""
    wake: int = Field(sa_type=WHOLE)
    attempts: int = Field(sa_type=WHOLE)
    trouble: str = Field(sa_type=sa.Text)
    """What the last failed attempt said."""
    open_key: str | None = Field(default=None, sa_type=sa.Text, unique=True)
    """Deed, place, digest and type of change while it is open: there is one of each."""


class PlaceLock(SQLModel, table=True):
    """The one operation that may change a place."""

    __tablename__ = "place_locks"
    __table_args__ = (STRICT,)

    service: str = Field(primary_key=True, sa_type=sa.Text)
    environment: str = Field(primary_key=True, sa_type=sa.Text)
    operation: str = Field(sa_type=sa.Text, foreign_key="operations.id")


class Fence(SQLModel, table=True):
    """The last number drawn, over all operations. One row; it only grows."""

    __tablename__ = "fences"
    __table_args__ = (one_row(), STRICT)

    id: int = Field(primary_key=True, sa_type=WHOLE)
    n: int = Field(sa_type=WHOLE)


class VoteRow(SQLModel, table=True):
    """A vote as it was cast; a withdrawal is one more row."""

    __tablename__ = "votes"
    __table_args__ = (sa.Index("ix_votes_operation", "operation", "number"), STRICT)

    number: int = Field(primary_key=True, sa_type=WHOLE)
    operation: str = Field(sa_type=sa.Text, foreign_key="operations.id")
    account: str = Field(sa_type=sa.Text)
    voter: str = Field(sa_type=sa.Text)
    """The person as they were then, JSON."""
    verdict: str = Field(sa_type=sa.Text)
    at: int = Field(sa_type=WHOLE)
    plan: str = Field(sa_type=sa.Text)
    reason: str = Field(sa_type=sa.Text)
    withdrawn_at: int | None = Field(default=None, sa_type=WHOLE)
    confirms: str = Field(default="[]", sa_type=sa.Text, sa_column_kwargs={"server_default": "[]"})
    """What the voter states besides, a JSON list."""


class RecordVoteRow(SQLModel, table=True):
    """A vote on a freeze or an exception; a withdrawal is one more row."""

    __tablename__ = "record_votes"
    __table_args__ = (sa.Index("ix_record_votes_record", "record", "number"), STRICT)

    number: int = Field(primary_key=True, sa_type=WHOLE)
    record: str = Field(sa_type=sa.Text)
    account: str = Field(sa_type=sa.Text)
    voter: str = Field(sa_type=sa.Text)
    verdict: str = Field(sa_type=sa.Text)
    at: int = Field(sa_type=WHOLE)
    plan: str = Field(sa_type=sa.Text)
    reason: str = Field(sa_type=sa.Text)
    withdrawn_at: int | None = Field(default=None, sa_type=WHOLE)
    confirms: str = Field(sa_type=sa.Text)


# What stands in the way, what lets through, what is owed, what is known to be good -----------------------------------


class FreezeRow(SQLModel, table=True):
    __tablename__ = "freezes"
    __table_args__ = (sa.Index("ix_freezes_ends_at", "ends_at"), STRICT)

    id: str = Field(primary_key=True, sa_type=sa.Text)
    environment: str = Field(sa_type=sa.Text)
    service: str | None = Field(default=None, sa_type=sa.Text)
    starts_at: int = Field(sa_type=WHOLE)
    ends_at: int = Field(sa_type=WHOLE)
    reason: str = Field(sa_type=sa.Text)
    owner: str = Field(sa_type=sa.Text)
    exit_criteria: str = Field(sa_type=sa.Text)
    ended_at: int | None = Field(default=None, sa_type=WHOLE)
    """When somebody ended it early."""
    approved: int = Field(default=1, sa_type=WHOLE, sa_column_kwargs={"server_default": "1"})
    """0: somebody must still agree to it."""
    lapses_at: int | None = Field(default=None, sa_type=WHOLE)
    fields: str = Field(default="{}", sa_type=sa.Text, sa_column_kwargs={"server_default": "{}"})
    """What else was said for it, JSON."""


class ExceptionRow(SQLModel, table=True):
    """One exception: `data` is all of it, the columns are what it is found by."""

    __tablename__ = "exceptions"
    __table_args__ = (
        sa.Index(
            "ix_exceptions_standing", "ends_at",
            sqlite_where=sa.text("revoked_at IS NULL"), postgresql_where=sa.text("revoked_at IS NULL"),
        ),
        STRICT,
    )  # fmt: skip

    id: str = Field(primary_key=True, sa_type=sa.Text)
    asked_at: int = Field(sa_type=WHOLE)
    ends_at: int | None = Field(default=None, sa_type=WHOLE)
    """NULL: never."""
    revoked_at: int | None = Field(default=None, sa_type=WHOLE)
    data: str = Field(sa_type=sa.Text)


class ObligationRow(SQLModel, table=True):
    """Something owed: `data` is all of it, the columns are what it is found by."""

    __tablename__ = "obligations"
    __table_args__ = (
        sa.Index(
            "ix_obligations_owed", "due_at",
            sqlite_where=sa.text("settled_at IS NULL"), postgresql_where=sa.text("settled_at IS NULL"),
        ),
        STRICT,
    )  # fmt: skip

    id: str = Field(primary_key=True, sa_type=sa.Text)
    service: str | None = Field(default=None, sa_type=sa.Text)
    """NULL: every one."""
    due_at: int = Field(sa_type=WHOLE)
    settled_at: int | None = Field(default=None, sa_type=WHOLE)
    data: str = Field(sa_type=sa.Text)


class HoldRow(SQLModel, table=True):
    __tablename__ = "holds"
    __table_args__ = (STRICT,)

    id: str = Field(primary_key=True, sa_type=sa.Text)
    service: str = Field(sa_type=sa.Text)
    environment: str = Field(sa_type=sa.Text)
    digest: str = Field(sa_type=sa.Text)
    since: int = Field(sa_type=WHOLE)
    reason: str = Field(sa_type=sa.Text)
    lifted_at: int | None = Field(default=None, sa_type=WHOLE)


class KnownGoodRow(SQLModel, table=True):
    __tablename__ = "known_good"
    __table_args__ = (STRICT,)

    service: str = Field(primary_key=True, sa_type=sa.Text)
    environment: str = Field(primary_key=True, sa_type=sa.Text)
    revision: str = Field(primary_key=True, sa_type=sa.Text)
    digest: str = Field(sa_type=sa.Text)
    verified_at: int = Field(sa_type=WHOLE)
    source: str = Field(sa_type=sa.Text)
    commit_sha: str | None = Field(default=None, sa_type=sa.Text)


class WatchedRow(SQLModel, table=True):
    """How a place looked when somebody last saw a difference: `data` is all of it."""

    __tablename__ = "watched_places"
    __table_args__ = (STRICT,)

    service: str = Field(primary_key=True, sa_type=sa.Text)
    environment: str = Field(primary_key=True, sa_type=sa.Text)
    number: int = Field(sa_type=WHOLE)
    """How often it was written: whoever read an older one is late."""
    data: str = Field(sa_type=sa.Text)


# What is still to be said -------------------------------------------------------------------------------------------


class OutboxRow(SQLModel, table=True):
    """One message. Its payload goes once it is said: what was said stands in Slack."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.CheckConstraint("state IN ('waiting', 'sent', 'replaced', 'given up')", name="state"),
        sa.Index(
            "ix_outbox_waiting", "channel", "id",
            sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"),
        ),
        STRICT,
    )  # fmt: skip

    id: int = Field(primary_key=True, sa_type=WHOLE)
    channel: str = Field(sa_type=sa.Text)
    operation: str = Field(sa_type=sa.Text)
    slot: str = Field(sa_type=sa.Text)
    thread: str = Field(sa_type=sa.Text)
    only_for: str = Field(sa_type=sa.Text)
    request: str = Field(sa_type=sa.Text)
    payload: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    ts: str = Field(sa_type=sa.Text)
    attempts: int = Field(sa_type=WHOLE)
    at: int = Field(sa_type=WHOLE)


class ThreadRow(SQLModel, table=True):
    """Where an operation is talked about."""

    __tablename__ = "threads"
    __table_args__ = (STRICT,)

    operation: str = Field(primary_key=True, sa_type=sa.Text)
    channel: str = Field(sa_type=sa.Text)
    ts: str = Field(sa_type=sa.Text)


class SlotRow(SQLModel, table=True):
    """The message that stands under a slot and is replaced when the slot is said again."""

    __tablename__ = "slots"
    __table_args__ = (STRICT,)

    operation: str = Field(primary_key=True, sa_type=sa.Text)
    slot: str = Field(primary_key=True, sa_type=sa.Text)
    channel: str = Field(sa_type=sa.Text)
    ts: str = Field(sa_type=sa.Text)
