"""What do our own books look like? The tables, as Alembic and the tests see them.

The program reads and writes them in plain SQL (`bot/store.py`), so that starting does not wait for an ORM. Moments are
whole microseconds since 1970 by the business clock, except `lease_until` and `claimed_until`, which are by the
database's own. Strings are empty, not NULL, where there is nothing; NULL says "not yet" or "never".
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

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Sorted by its bytes on both, so that the beginning of an id is found by the index."""

GIVEN = {"autoincrement": False}
"""The number is ours, not the database's."""

STRICT = {"sqlite_strict": True}
"""SQLite holds to the column types."""


def one_row() -> sa.CheckConstraint:
    return sa.CheckConstraint("id = 1", name="one_row")


# The ledger: rows are only ever added (`bot/migrations/guards.py`) --------------------------------------------------


class LedgerHead(SQLModel, table=True):
    """How far the ledger goes. One row, locked by whoever appends."""

    __tablename__ = "ledger_head"
    __table_args__ = (one_row(), STRICT)

    id: int = Field(primary_key=True, sa_type=WHOLE, sa_column_kwargs=GIVEN)
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

    seq: int = Field(primary_key=True, sa_type=WHOLE, sa_column_kwargs=GIVEN)
    id: str = Field(sa_type=TEXT, unique=True)
    kind: str = Field(sa_type=TEXT)
    phase: str = Field(sa_type=TEXT)
    operation: str = Field(sa_type=TEXT)
    effect: str = Field(sa_type=TEXT)
    service: str = Field(sa_type=TEXT)
    body: bytes
    leaf: bytes


class Checkpoint(SQLModel, table=True):
    """The tree's head after one commit."""

    __tablename__ = "checkpoints"
    __table_args__ = (sa.CheckConstraint("length(root) = 32", name="root"), STRICT)

    size: int = Field(primary_key=True, sa_type=WHOLE, sa_column_kwargs=GIVEN)
    root: bytes
    at: int = Field(sa_type=WHOLE)
    note: str | None = Field(default=None, sa_type=TEXT)
    """The signed note, once there are keys."""


class Disclosure(SQLModel, table=True):
    """Clear text behind one commitment. Deleting the row erases it; every hash still holds."""

    __tablename__ = "disclosures"
    __table_args__ = (STRICT,)

    seq: int = Field(primary_key=True, sa_type=WHOLE, foreign_key="entries.seq")
    field: str = Field(primary_key=True, sa_type=TEXT)
    salt: bytes
    value: str = Field(sa_type=TEXT)


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

    id: str = Field(primary_key=True, sa_type=TEXT)
    seq: int = Field(sa_type=WHOLE, foreign_key="entries.seq")
    entry: str = Field(sa_type=TEXT)
    words: str = Field(sa_type=TEXT)
    account: str = Field(sa_type=TEXT)
    channel: str = Field(sa_type=TEXT)
    thread: str = Field(sa_type=TEXT)
    message: str = Field(sa_type=TEXT)
    via: str = Field(sa_type=TEXT)
    at: int = Field(sa_type=WHOLE)
    answered_at: int | None = Field(default=None, sa_type=WHOLE)
    claimed_by: str = Field(default="", sa_type=TEXT, sa_column_kwargs={"server_default": ""})
    """The process that is to answer it."""
    claimed_until: int = Field(default=0, sa_type=WHOLE, sa_column_kwargs={"server_default": "0"})
    """By the database's clock; then whoever comes first may."""


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

    id: str = Field(primary_key=True, sa_type=TEXT)
    kind: str = Field(sa_type=TEXT)
    service: str = Field(sa_type=TEXT)
    environment: str = Field(sa_type=TEXT)
    phase: str = Field(sa_type=TEXT)
    over: int = Field(sa_type=WHOLE)
    data: str = Field(sa_type=TEXT)
    asked_at: int = Field(sa_type=WHOLE)
    wish: str = Field(sa_type=TEXT)
    fence: int = Field(sa_type=WHOLE)
    owner: str | None = Field(default=None, sa_type=TEXT)
    lease_until: int = Field(sa_type=WHOLE)
    due_at: int | None = Field(default=None, sa_type=WHOLE)
    """NULL: only when something happens."""
    wake: int = Field(sa_type=WHOLE)
    attempts: int = Field(sa_type=WHOLE)
    trouble: str = Field(sa_type=TEXT)
    """What the last failed attempt said."""
    open_key: str | None = Field(default=None, sa_type=TEXT, unique=True)
    """Deed, place, digest and type of change while it is open: there is one of each."""


class PlaceLock(SQLModel, table=True):
    """The one operation that may change a place."""

    __tablename__ = "place_locks"
    __table_args__ = (STRICT,)

    service: str = Field(primary_key=True, sa_type=TEXT)
    environment: str = Field(primary_key=True, sa_type=TEXT)
    operation: str = Field(sa_type=TEXT, foreign_key="operations.id")


class Fence(SQLModel, table=True):
    """The last number drawn, over all operations. One row; it only grows."""

    __tablename__ = "fences"
    __table_args__ = (one_row(), STRICT)

    id: int = Field(primary_key=True, sa_type=WHOLE, sa_column_kwargs=GIVEN)
    n: int = Field(sa_type=WHOLE)


class VoteRow(SQLModel, table=True):
    """A vote as it was cast; a withdrawal is one more row."""

    __tablename__ = "votes"
    __table_args__ = (sa.Index("ix_votes_operation", "operation", "number"), STRICT)

    number: int = Field(primary_key=True, sa_type=WHOLE, sa_column_kwargs=GIVEN)
    operation: str = Field(sa_type=TEXT, foreign_key="operations.id")
    account: str = Field(sa_type=TEXT)
    voter: str = Field(sa_type=TEXT)
    """The person as they were then, JSON."""
    verdict: str = Field(sa_type=TEXT)
    at: int = Field(sa_type=WHOLE)
    plan: str = Field(sa_type=TEXT)
    reason: str = Field(sa_type=TEXT)
    withdrawn_at: int | None = Field(default=None, sa_type=WHOLE)
    confirms: str = Field(default="[]", sa_type=TEXT, sa_column_kwargs={"server_default": "[]"})
    """What the voter states besides, a JSON list."""


class RecordVoteRow(SQLModel, table=True):
    """A vote on a freeze or an exception; a withdrawal is one more row."""

    __tablename__ = "record_votes"
    __table_args__ = (sa.Index("ix_record_votes_record", "record", "number"), STRICT)

    number: int = Field(primary_key=True, sa_type=WHOLE, sa_column_kwargs=GIVEN)
    record: str = Field(sa_type=TEXT)
    account: str = Field(sa_type=TEXT)
    voter: str = Field(sa_type=TEXT)
    verdict: str = Field(sa_type=TEXT)
    at: int = Field(sa_type=WHOLE)
    plan: str = Field(sa_type=TEXT)
    reason: str = Field(sa_type=TEXT)
    withdrawn_at: int | None = Field(default=None, sa_type=WHOLE)
    confirms: str = Field(sa_type=TEXT)


# What stands in the way, what lets through, what is owed, what is known to be good -----------------------------------


class FreezeRow(SQLModel, table=True):
    __tablename__ = "freezes"
    __table_args__ = (sa.Index("ix_freezes_ends_at", "ends_at"), STRICT)

    id: str = Field(primary_key=True, sa_type=TEXT)
    environment: str = Field(sa_type=TEXT)
    service: str | None = Field(default=None, sa_type=TEXT)
    starts_at: int = Field(sa_type=WHOLE)
    ends_at: int = Field(sa_type=WHOLE)
    reason: str = Field(sa_type=TEXT)
    owner: str = Field(sa_type=TEXT)
    exit_criteria: str = Field(sa_type=TEXT)
    ended_at: int | None = Field(default=None, sa_type=WHOLE)
    """When somebody ended it early."""
    approved: int = Field(default=1, sa_type=WHOLE, sa_column_kwargs={"server_default": "1"})
    """0: somebody must still agree to it."""
    lapses_at: int | None = Field(default=None, sa_type=WHOLE)
    fields: str = Field(default="{}", sa_type=TEXT, sa_column_kwargs={"server_default": "{}"})
    """What else was said for it, JSON."""


class ExceptionRow(SQLModel, table=True):
    """One exception: `data` is all of it, the columns are what it is found by."""

    __tablename__ = "exceptions"
    __table_args__ = (
        sa.Index("ix_exceptions_ends_at", "ends_at"),
        STRICT,
    )

    id: str = Field(primary_key=True, sa_type=TEXT)
    asked_at: int = Field(sa_type=WHOLE)
    ends_at: int | None = Field(default=None, sa_type=WHOLE)
    """NULL: never."""
    revoked_at: int | None = Field(default=None, sa_type=WHOLE)
    data: str = Field(sa_type=TEXT)


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

    id: str = Field(primary_key=True, sa_type=TEXT)
    service: str | None = Field(default=None, sa_type=TEXT)
    """NULL: every one."""
    due_at: int = Field(sa_type=WHOLE)
    settled_at: int | None = Field(default=None, sa_type=WHOLE)
    data: str = Field(sa_type=TEXT)


class HoldRow(SQLModel, table=True):
    __tablename__ = "holds"
    __table_args__ = (
        sa.Index(
            "ix_holds_standing", "since",
            sqlite_where=sa.text("lifted_at IS NULL"), postgresql_where=sa.text("lifted_at IS NULL"),
        ),
        STRICT,
    )  # fmt: skip

    id: str = Field(primary_key=True, sa_type=TEXT)
    service: str = Field(sa_type=TEXT)
    environment: str = Field(sa_type=TEXT)
    digest: str = Field(sa_type=TEXT)
    since: int = Field(sa_type=WHOLE)
    reason: str = Field(sa_type=TEXT)
    lifted_at: int | None = Field(default=None, sa_type=WHOLE)


class KnownGoodRow(SQLModel, table=True):
    __tablename__ = "known_good"
    __table_args__ = (sa.Index("ix_known_good_newest", "service", "environment", "verified_at"), STRICT)

    service: str = Field(primary_key=True, sa_type=TEXT)
    environment: str = Field(primary_key=True, sa_type=TEXT)
    revision: str = Field(primary_key=True, sa_type=TEXT)
    digest: str = Field(sa_type=TEXT)
    verified_at: int = Field(sa_type=WHOLE)
    source: str = Field(sa_type=TEXT)
    commit_sha: str | None = Field(default=None, sa_type=TEXT)
    image: str = Field(default="", sa_type=TEXT, sa_column_kwargs={"server_default": ""})
    """In full and by digest; empty: from before it was kept."""


class ManifestRow(SQLModel, table=True):
    """One promotion of several services as one candidate: `data` is all of it, the columns are what it is found by."""

    __tablename__ = "manifests"
    __table_args__ = (sa.Index("ix_manifests_newest", "environment", "began_at"), STRICT)

    operation: str = Field(primary_key=True, sa_type=TEXT)
    hash: str = Field(sa_type=TEXT)
    environment: str = Field(sa_type=TEXT)
    began_at: int = Field(sa_type=WHOLE)
    verified_at: int | None = Field(default=None, sa_type=WHOLE)
    """When all of it served and was well."""
    data: str = Field(sa_type=TEXT)


class WatchedRow(SQLModel, table=True):
    """How a place looked when somebody last saw a difference: `data` is all of it."""

    __tablename__ = "watched_places"
    __table_args__ = (STRICT,)

    service: str = Field(primary_key=True, sa_type=TEXT)
    environment: str = Field(primary_key=True, sa_type=TEXT)
    number: int = Field(sa_type=WHOLE)
    """How often it was written: whoever read an older one is late."""
    data: str = Field(sa_type=TEXT)


class AuditedRow(SQLModel, table=True):
    """What is known of a repository since it was last looked over: `data` is all of it."""

    __tablename__ = "audited_repositories"
    __table_args__ = (STRICT,)

    repository: str = Field(primary_key=True, sa_type=TEXT)
    number: int = Field(sa_type=WHOLE)
    """How often it was written: whoever read an older one is late."""
    data: str = Field(sa_type=TEXT)


class SeenTagRow(SQLModel, table=True):
    """What a release tag named when it was first seen. Rows are only ever added."""

    __tablename__ = "seen_tags"
    __table_args__ = (sa.Index("ix_seen_tags_repository_commit_sha", "repository", "commit_sha"), STRICT)

    repository: str = Field(primary_key=True, sa_type=TEXT)
    name: str = Field(primary_key=True, sa_type=TEXT)
    service: str = Field(primary_key=True, sa_type=TEXT)
    commit_sha: str = Field(sa_type=TEXT)
    digest: str = Field(sa_type=TEXT)
    at: int = Field(sa_type=WHOLE)


class ShownRow(SQLModel, table=True):
    """What an environment was seen to do, the newest of its kind: `data` is all of it."""

    __tablename__ = "shown"
    __table_args__ = (STRICT,)

    service: str = Field(primary_key=True, sa_type=TEXT)
    environment: str = Field(primary_key=True, sa_type=TEXT)
    what: str = Field(primary_key=True, sa_type=TEXT)
    data: str = Field(sa_type=TEXT)


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
        sa.Index(
            "ix_outbox_shut_out", "request",
            sqlite_where=sa.text("slot = 'shut out'"), postgresql_where=sa.text("slot = 'shut out'"),
        ),
        STRICT,
    )  # fmt: skip

    id: int = Field(primary_key=True, sa_type=WHOLE)
    channel: str = Field(sa_type=TEXT)
    operation: str = Field(sa_type=TEXT)
    slot: str = Field(sa_type=TEXT)
    thread: str = Field(sa_type=TEXT)
    only_for: str = Field(sa_type=TEXT)
    request: str = Field(sa_type=TEXT)
    payload: str = Field(sa_type=TEXT)
    state: str = Field(sa_type=TEXT)
    ts: str = Field(sa_type=TEXT)
    attempts: int = Field(sa_type=WHOLE)
    at: int = Field(sa_type=WHOLE)


class Speaker(SQLModel, table=True):
    """The one process that sends to a channel, so that what is said there keeps its order and is said once."""

    __tablename__ = "speakers"
    __table_args__ = (STRICT,)

    channel: str = Field(primary_key=True, sa_type=TEXT)
    owner: str = Field(sa_type=TEXT)
    lease_until: int = Field(sa_type=WHOLE)


class ThreadRow(SQLModel, table=True):
    """Where an operation is talked about."""

    __tablename__ = "threads"
    __table_args__ = (STRICT,)

    operation: str = Field(primary_key=True, sa_type=TEXT)
    channel: str = Field(sa_type=TEXT)
    ts: str = Field(sa_type=TEXT)


class SlotRow(SQLModel, table=True):
    """The message that stands under a slot and is replaced when the slot is said again."""

    __tablename__ = "slots"
    __table_args__ = (STRICT,)

    operation: str = Field(primary_key=True, sa_type=TEXT)
    slot: str = Field(primary_key=True, sa_type=TEXT)
    channel: str = Field(sa_type=TEXT)
    ts: str = Field(sa_type=TEXT)
