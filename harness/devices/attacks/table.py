# SPDX-License-Identifier: Apache-2.0
"""Render the attack matrix: for a terminal, as JSON, as a page of HTML."""

from collections.abc import Iterator, Sequence
from html import escape as html_escape
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from harness.devices.attacks.attack import Effect, Protection
from harness.devices.attacks.matrix import MeasuredCell
from harness.devices.attacks.registry import attacks

ROW = tuple[str, str]
"""An attack and a rogue."""

NOT_TOLD = "error"
COLOURS = {Effect.STOPPED: "green", Effect.CONTAINED: "yellow", Effect.SUCCEEDED: "red"}


def _rows(results: Sequence[MeasuredCell]) -> dict[ROW, dict[Protection, MeasuredCell]]:
    """Measured cells by row and column, in the order of the attacks' names."""
    rows: dict[ROW, dict[Protection, MeasuredCell]] = {}
    for result in sorted(results, key=lambda result: (result.cell.attack, result.cell.rogue)):
        row = rows.setdefault((result.cell.attack, result.cell.rogue), {})
        row[result.cell.protection] = result
    return rows


def matrix_table(results: Sequence[MeasuredCell]) -> Table:
    """One row an attack and a rogue, one column a protection; wrong cells say what was expected."""
    table = Table(
        Column("attack", no_wrap=True), "rogue", *(protection.value for protection in Protection)
    )
    for (attack, rogue), row in _rows(results).items():
        table.add_row(attack, rogue, *(_cell(row.get(protection)) for protection in Protection))
    return table


def _cell(result: MeasuredCell | None) -> str:
    if result is None:
        return "[dim]-[/dim]"
    word = _word(result)
    if not result.as_expected:
        return f"[bold magenta]{word}, not {result.cell.expected.value}[/bold magenta]"
    colour = COLOURS[result.cell.expected]
    return f"[{colour}]{escape(word)}[/{colour}]"


def _word(result: MeasuredCell) -> str:
    return result.effect.value if result.effect else NOT_TOLD


def matrix_json(results: Sequence[MeasuredCell], kernel: str) -> dict[str, Any]:
    """Everything that was measured on a *kernel*, cell by cell."""
    return {
        "kernel": kernel,
        "as_expected": all(result.as_expected for result in results),
        "cells": [
            {
                "attack": result.cell.attack,
                "rogue": result.cell.rogue,
                "protection": result.cell.protection.value,
                "effect": _word(result),
                "expected": result.cell.expected.value,
                "detail": result.detail,
                "refused": result.refused,
                "seconds": round(result.seconds, 2),
            }
            for row in _rows(results).values()
            for result in row.values()
        ],
    }


_HEAD = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: 2px 8px; text-align: left; border: 1px solid #ccc; vertical-align: top; }}
.stopped {{ background: #dfd; }} .contained {{ background: #ffc; }}
.succeeded {{ background: #fcc; }} .wrong {{ background: #d8f; }}
small {{ color: #555; }}
</style></head><body><h1>{title}</h1><table>
"""


def matrix_page(results: Sequence[MeasuredCell], kernel: str) -> str:
    """The table with the details of each cell, as one page of HTML."""
    title = html_escape(f"Attacks on kernel {kernel}")
    return "".join((_HEAD.format(title=title), *_body(results), "</table></body></html>\n"))


def _body(results: Sequence[MeasuredCell]) -> Iterator[str]:
    heads = "".join(f"<th>{html_escape(protection.value)}</th>" for protection in Protection)
    yield f"<tr><th>attack</th><th>rogue</th>{heads}</tr>\n"
    for (attack, rogue), row in _rows(results).items():
        yield f"<tr><td>{attack}<br><small>{html_escape(attacks()[attack].does)}</small></td>"
        yield f"<td>{rogue}</td>"
        yield from (_html_cell(attack, row.get(protection)) for protection in Protection)
        yield "</tr>\n"


def _html_cell(attack: str, result: MeasuredCell | None) -> str:
    if result is None:
        return f"<td><small>{html_escape(attacks()[attack].unless)}</small></td>"
    word = _word(result)
    look = word if result.as_expected else "wrong"
    wanted = "" if result.as_expected else f", expected {result.cell.expected.value}"
    refused = f" {result.refused} accesses were refused." if result.refused else ""
    detail = html_escape(f"{result.detail}.{refused}")
    return f'<td class="{look}">{word}{wanted}<br><small>{detail}</small></td>'
