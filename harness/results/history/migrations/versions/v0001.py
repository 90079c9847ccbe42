# SPDX-License-Identifier: Apache-2.0
"""Runs, and how each of their tests ended."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("begin", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("words", sa.JSON, nullable=False),
        sa.Column("kernel_key", sa.Text, nullable=False),
        sa.Column("release", sa.Text, nullable=False),
        sa.Column("build_id", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("series", sa.JSON, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("compiler", sa.Text, nullable=False),
        sa.Column("flavour", sa.Text, nullable=False),
        sa.Column("qemu", sa.Text, nullable=False),
        sa.Column("harness", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
    )
    op.create_index("runs_by_begin", "runs", ["begin"])
    op.create_table(
        "outcomes",
        sa.Column("run", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("test", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("broken", sa.JSON, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("promises", sa.JSON, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
    )
    op.create_index("outcomes_by_test", "outcomes", ["test"])
