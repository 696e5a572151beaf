"""Indexes for what stands, so that nobody looks through what is over to find it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _on_some("ix_holds_standing", "holds", "since", "lifted_at IS NULL")
    _on_some("ix_outbox_shut_out", "outbox", "request", "slot = 'shut out'")
    op.create_index("ix_known_good_newest", "known_good", ["service", "environment", "verified_at"])
    op.drop_index("ix_exceptions_standing", "exceptions")  # of no use where those revoked later are wanted, too
    op.create_index("ix_exceptions_ends_at", "exceptions", ["ends_at"])


def _on_some(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    message = "the ledger has no way back"
    raise NotImplementedError(message)
