# SPDX-License-Identifier: Apache-2.0
"""A run may be the only one of a job, whoever did the job how often."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Runs that are there are nobody's job."""
    op.add_column("runs", sa.Column("job", sa.Text))
    op.create_index("runs_by_job", "runs", ["job"], unique=True)
