# SPDX-License-Identifier: Apache-2.0
"""What Alembic runs around the migrations: they share the transaction of their caller."""

from alembic import context

from harness.results.history.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
