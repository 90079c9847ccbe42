# SPDX-License-Identifier: Apache-2.0
"""A run has all arguments of pytest; a test has its violations in full, and its notices."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; of earlier runs they are empty."""
    with op.batch_alter_table("runs") as table:
        table.add_column(sa.Column("request", sa.JSON, nullable=False, server_default="[]"))
    with op.batch_alter_table("outcomes") as table:
        for name in ("violations", "notices"):
            table.add_column(sa.Column(name, sa.JSON, nullable=False, server_default="[]"))
