# SPDX-License-Identifier: Apache-2.0
"""How the tables came to be, for Alembic; only harness/results/history/migrate.py runs this."""
