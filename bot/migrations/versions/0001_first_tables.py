"""The first tables, and what keeps the ledger append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.ledger import Frontier
from bot.migrations import guards

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("size", WHOLE, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.CheckConstraint("length(root) = 32", name=op.f("ck_checkpoints_root")),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoints"),
        sqlite_strict=True,
    )
    op.create_table(
        "entries",
        sa.Column("seq", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("phase", TEXT, nullable=False),
        sa.Column("operation", TEXT, nullable=False),
        sa.Column("effect", TEXT, nullable=False),
        sa.Column("service", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(leaf) = 32", name=op.f("ck_entries_leaf")),
        sa.PrimaryKeyConstraint("seq", name="pk_entries"),
        sa.UniqueConstraint("id", name="uq_entries_id"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_entries_effect",
        "entries",
        ["operation", "effect", "phase"],
        unique=False,
        sqlite_where=sa.text("effect <> ''"),
        postgresql_where=sa.text("effect <> ''"),
    )
    op.create_index(
        "ix_entries_service",
        "entries",
        ["service", "seq"],
        unique=False,
        sqlite_where=sa.text("service <> ''"),
        postgresql_where=sa.text("service <> ''"),
    )
    op.create_table(
        "fences",
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("n", WHOLE, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_fences_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_fences"),
        sqlite_strict=True,
    )
    op.create_table(
        "freezes",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("service", TEXT, nullable=True),
        sa.Column("starts_at", WHOLE, nullable=False),
        sa.Column("ends_at", WHOLE, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("exit_criteria", TEXT, nullable=False),
        sa.Column("ended_at", WHOLE, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_freezes"),
        sqlite_strict=True,
    )
    op.create_index("ix_freezes_ends_at", "freezes", ["ends_at"], unique=False)
    op.create_table(
        "holds",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("service", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("since", WHOLE, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("lifted_at", WHOLE, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
        sqlite_strict=True,
    )
    op.create_table(
        "known_good",
        sa.Column("service", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("revision", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("verified_at", WHOLE, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("commit_sha", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("service", "environment", "revision", name="pk_known_good"),
        sqlite_strict=True,
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("size", WHOLE, nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("last_at", WHOLE, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_head_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_head"),
        sqlite_strict=True,
    )
    op.create_table(
        "operations",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("service", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("phase", TEXT, nullable=False),
        sa.Column("over", WHOLE, nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.Column("asked_at", WHOLE, nullable=False),
        sa.Column("wish", TEXT, nullable=False),
        sa.Column("fence", WHOLE, nullable=False),
        sa.Column("owner", TEXT, nullable=True),
        sa.Column("lease_until", WHOLE, nullable=False),
        sa.Column("due_at", WHOLE, nullable=True),
        sa.Column("wake", WHOLE, nullable=False),
        sa.Column("attempts", WHOLE, nullable=False),
        sa.Column("trouble", TEXT, nullable=False),
        sa.Column("open_key", TEXT, nullable=True),
        sa.CheckConstraint(
            "over = 0 OR (due_at IS NULL AND open_key IS NULL AND owner IS NULL)",
            name=op.f("ck_operations_over_is_over"),
        ),
        sa.CheckConstraint("over IN (0, 1)", name=op.f("ck_operations_over")),
        sa.PrimaryKeyConstraint("id", name="pk_operations"),
        sa.UniqueConstraint("open_key", name="uq_operations_open_key"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_operations_due",
        "operations",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("over = 0"),
        postgresql_where=sa.text("over = 0"),
    )
    op.create_index(
        "ix_operations_open",
        "operations",
        ["service", "environment"],
        unique=False,
        sqlite_where=sa.text("over = 0"),
        postgresql_where=sa.text("over = 0"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("operation", TEXT, nullable=False),
        sa.Column("slot", TEXT, nullable=False),
        sa.Column("thread", TEXT, nullable=False),
        sa.Column("only_for", TEXT, nullable=False),
        sa.Column("request", TEXT, nullable=False),
        sa.Column("payload", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("ts", TEXT, nullable=False),
        sa.Column("attempts", WHOLE, nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'replaced', 'given up')", name=op.f("ck_outbox_state")),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["channel", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "slots",
        sa.Column("operation", TEXT, nullable=False),
        sa.Column("slot", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("ts", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("operation", "slot", name="pk_slots"),
        sqlite_strict=True,
    )
    op.create_table(
        "threads",
        sa.Column("operation", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("ts", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("operation", name="pk_threads"),
        sqlite_strict=True,
    )
    op.create_table(
        "disclosures",
        sa.Column("seq", WHOLE, nullable=False),
        sa.Column("field", TEXT, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["entries.seq"], name="fk_disclosures_seq"),
        sa.PrimaryKeyConstraint("seq", "field", name="pk_disclosures"),
        sqlite_strict=True,
    )
    op.create_table(
        "place_locks",
        sa.Column("service", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("operation", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["operation"], ["operations.id"], name="fk_place_locks_operation"),
        sa.PrimaryKeyConstraint("service", "environment", name="pk_place_locks"),
        sqlite_strict=True,
    )
    op.create_table(
        "requests",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("seq", WHOLE, nullable=False),
        sa.Column("entry", TEXT, nullable=False),
        sa.Column("words", TEXT, nullable=False),
        sa.Column("account", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("thread", TEXT, nullable=False),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("via", TEXT, nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("answered_at", WHOLE, nullable=True),
        sa.ForeignKeyConstraint(["seq"], ["entries.seq"], name="fk_requests_seq"),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_requests_unanswered",
        "requests",
        ["seq"],
        unique=False,
        sqlite_where=sa.text("answered_at IS NULL"),
        postgresql_where=sa.text("answered_at IS NULL"),
    )
    op.create_table(
        "votes",
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("operation", TEXT, nullable=False),
        sa.Column("account", TEXT, nullable=False),
        sa.Column("voter", TEXT, nullable=False),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("plan", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("withdrawn_at", WHOLE, nullable=True),
        sa.ForeignKeyConstraint(["operation"], ["operations.id"], name="fk_votes_operation"),
        sa.PrimaryKeyConstraint("number", name="pk_votes"),
        sqlite_strict=True,
    )
    op.create_index("ix_votes_operation", "votes", ["operation", "number"], unique=False)

    nothing = Frontier()
    op.bulk_insert(
        sa.table("ledger_head", *(sa.column(name) for name in ("id", "size", "frontier", "root", "last_at"))),
        [{"id": 1, "size": 0, "frontier": nothing.to_bytes(), "root": nothing.root, "last_at": 0}],
    )
    # Cloud Run keeps the newest fence that wrote there. Books that are begun anew, because the old ones were lost, must
    # draw larger ones, or every write is refused: so the first is the time in seconds, which grows faster than fences.
    database = op.get_bind().dialect.name
    now = "strftime('%s', 'now')" if database == "sqlite" else "extract(epoch FROM clock_timestamp())"
    op.execute(f"INSERT INTO fences (id, n) VALUES (1, CAST({now} AS BIGINT))")  # noqa: S608 - of our own words
    for statement in guards.statements(database, guards.FIRST):
        op.execute(statement)


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
