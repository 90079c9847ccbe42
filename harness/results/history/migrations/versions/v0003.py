# SPDX-License-Identifier: Apache-2.0
"""One name for one thing: ``promises`` are properties, ``evidence`` is artifacts."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Rename the columns; what they hold stays."""
    with op.batch_alter_table("outcomes") as table:
        table.alter_column("broken", new_column_name="violated")
        table.alter_column("promises", new_column_name="properties")
        table.alter_column("evidence", new_column_name="artifacts")
