# SPDX-License-Identifier: Apache-2.0
"""Print tables on a terminal, a file or a pipe."""

import sys

from rich.console import Console
from rich.table import Table

FILE_WIDTH = 160
"""Columns of a table that does not go to a terminal; wide enough to cut no cell."""


def print_table(table: Table) -> None:
    """Print *table* as wide as the terminal, or as FILE_WIDTH."""
    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(table)
