"""What several processes on one database need: who answers a request, and who speaks in a channel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("requests", sa.Column("claimed_by", TEXT, server_default="", nullable=False))
    op.add_column("requests", sa.Column("claimed_until", WHOLE, server_default="0", nullable=False))
    op.create_table(
        "speakers",
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("lease_until", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_speakers"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
