# SPDX-License-Identifier: Apache-2.0
"""Print tables on a terminal, a file or a pipe."""

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

FILE_WIDTH = 160
"""Columns of a table that does not go to a terminal; wide enough to cut no cell."""

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600

MOST_PATCHES = 3
"""A series with more patches than this is shortened in a table."""


def series_cell(patches: Sequence[str]) -> str:
    """One line for each of *patches*; for a long series the first, the number, and the last."""
    if len(patches) > MOST_PATCHES:
        return f"{patches[0]}\nand {len(patches) - 1} more, the last: {patches[-1]}"
    return "\n".join(patches)


def print_table(table: Table) -> None:
    """Print *table* as wide as the terminal, or as FILE_WIDTH."""
    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(table)


def age_text(when: float) -> str:
    """Time since *when* (seconds since the epoch), in d, h or min."""
    seconds = max(0, time.time() - when)
    for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return "now"
