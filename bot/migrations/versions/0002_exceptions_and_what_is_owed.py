"""Exceptions, obligations, votes on records; freezes that somebody must agree to, and what a voter states besides."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.migrations import guards

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    # Added, never in a batch: that would make the table anew without its guards.
    op.add_column("votes", sa.Column("confirms", TEXT, server_default="[]", nullable=False))
    op.add_column("freezes", sa.Column("approved", WHOLE, server_default="1", nullable=False))
    op.add_column("freezes", sa.Column("lapses_at", WHOLE, nullable=True))
    op.add_column("freezes", sa.Column("fields", TEXT, server_default="{}", nullable=False))
    op.create_index(
        "ix_entries_config",
        "entries",
        ["kind", "seq"],
        unique=False,
        sqlite_where=sa.text("phase = 'config'"),
        postgresql_where=sa.text("phase = 'config'"),
    )
    op.create_table(
        "exceptions",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("asked_at", WHOLE, nullable=False),
        sa.Column("ends_at", WHOLE, nullable=True),
        sa.Column("revoked_at", WHOLE, nullable=True),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exceptions"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_exceptions_standing",
        "exceptions",
        ["ends_at"],
        unique=False,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "obligations",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("service", TEXT, nullable=True),
        sa.Column("due_at", WHOLE, nullable=False),
        sa.Column("settled_at", WHOLE, nullable=True),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_obligations"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_obligations_owed",
        "obligations",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "record_votes",
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("record", TEXT, nullable=False),
        sa.Column("account", TEXT, nullable=False),
        sa.Column("voter", TEXT, nullable=False),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("plan", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("withdrawn_at", WHOLE, nullable=True),
        sa.Column("confirms", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_record_votes"),
        sqlite_strict=True,
    )
    op.create_index("ix_record_votes_record", "record_votes", ["record", "number"], unique=False)
    for statement in guards.statements(op.get_bind().dialect.name, guards.SECOND):
        op.execute(statement)


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
