"""How places looked when they were last seen, so that what others change is told once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "watched_places",
        sa.Column("service", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("service", "environment", name="pk_watched_places"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
