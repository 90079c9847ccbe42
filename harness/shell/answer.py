# SPDX-License-Identifier: Apache-2.0
"""Answer: what a command says, as text for a person and as data for a program."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class Hex(int):
    """A number that text shows in hex, as addresses and masks are; JSON has the number."""

    def __str__(self) -> str:
        return f"{int(self):#x}"


@dataclass(frozen=True)
class Answer:
    """The *text* of an answer, without the last newline; *data* is the same for ``--json``.

    *data* of None stands for the lines of *text*.
    """

    text: str = ""
    data: Any = None

    def json(self) -> str:
        """The answer as JSON."""
        data = self.text.splitlines() if self.data is None else self.data
        return json.dumps(data, indent=1, default=str)


def table(rows: Iterable[Mapping[str, object]], empty: str = "none") -> Answer:
    """Rows with the same columns, aligned under their names; *empty* is the text without rows."""
    every = [dict(row) for row in rows]
    if not every:
        return Answer(empty, [])
    lines = [list(every[0]), *([_cell(value) for value in row.values()] for row in every)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return Answer(text, every)


def fields(content: Mapping[str, object]) -> Answer:
    """Names and values, one of them a line."""
    width = max(map(len, content), default=0)
    text = "\n".join(f"{name:{width}}  {_cell(value)}" for name, value in content.items())
    return Answer(text, dict(content))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "-"
    return str(value)
