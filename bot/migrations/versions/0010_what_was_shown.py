"""What environments were seen to do, so that nothing is probed anew at each look."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "shown",
        sa.Column("service", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("what", TEXT, nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("service", "environment", "what", name="pk_shown"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
