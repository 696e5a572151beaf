"""Where sets of several services that went as one candidate are kept, so that all of one can be gone back to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "manifests",
        sa.Column("operation", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("began_at", WHOLE, nullable=False),
        sa.Column("verified_at", WHOLE, nullable=True),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("operation", name="pk_manifests"),
        sqlite_strict=True,
    )
    op.create_index("ix_manifests_newest", "manifests", ["environment", "began_at"])


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
