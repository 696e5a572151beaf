"""Where the image of a verified revision is kept, so that exactly that is deployed again once the revision is gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("known_good", sa.Column("image", TEXT, server_default="", nullable=False))


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
