"""What a release tag named when it was first seen, so that one that was moved is noticed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "seen_tags",
        sa.Column("repository", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("service", TEXT, nullable=False),
        sa.Column("commit_sha", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("repository", "name", "service", name="pk_seen_tags"),
        sqlite_strict=True,
    )
    op.create_index("ix_seen_tags_repository_commit_sha", "seen_tags", ["repository", "commit_sha"])


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
