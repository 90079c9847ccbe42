# SPDX-License-Identifier: Apache-2.0
"""Migrations of the tables, for Alembic; only harness/results/history/migrate.py runs this."""
