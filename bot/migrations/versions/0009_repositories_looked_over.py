"""What was known of repositories when they were last looked over, so that what is found is told once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audited_repositories",
        sa.Column("repository", TEXT, nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("repository", name="pk_audited_repositories"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
