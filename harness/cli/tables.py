# SPDX-License-Identifier: Apache-2.0
"""Tables on a terminal, and in a file or a pipe, which have no width of their own."""

import sys

from rich.console import Console
from rich.table import Table

FILE_WIDTH = 160
"""Columns of a table that does not go to a terminal: wide enough that no cell is cut."""


def print_table(table: Table) -> None:
    """Print *table* as wide as the terminal, or as FILE_WIDTH."""
    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(table)
