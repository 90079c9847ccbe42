# SPDX-License-Identifier: Apache-2.0
"""Costs as one page of HTML: the plot and the tables."""

from collections.abc import Iterator, Sequence
from html import escape

from rich.table import Table

from harness.jobs.cost.cost import Cost
from harness.jobs.cost.cost_plot import cost_plot
from harness.jobs.cost.cost_table import cost_table, full_table, work_table

_HEAD = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font-family: system-ui, sans-serif; margin: 2em; color: #1c2330; }}
table {{ border-collapse: collapse; margin: 1em 0; }}
th, td {{ border: 1px solid #cccccc; padding: 2px 10px; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
svg {{ max-width: 100%; height: auto; }}
</style></head><body><h1>{title}</h1>
<p>Instructions that the CPU executes and bytes that it copies, never seconds.</p>
"""

SECTIONS = (
    ("Single calls", cost_table),
    ("A pool that is full in part", full_table),
    ("End to end: median, least and most", work_table),
)


def cost_page(costs: Sequence[Cost], kernel: str) -> str:
    """The page; sections without numbers are left out."""
    title = escape(f"What bouncing costs: kernel {kernel}")
    return "".join((_HEAD.format(title=title), cost_plot(costs), *_body(costs), "</body></html>\n"))


def _body(costs: Sequence[Cost]) -> Iterator[str]:
    for heading, make in SECTIONS:
        table = make(costs)
        if table.row_count:
            yield f"<h2>{heading}</h2>\n<table>\n"
            yield from _rows(table)
            yield "</table>\n"


def _rows(table: Table) -> Iterator[str]:
    heads = (f"<th>{escape(str(column.header))}</th>" for column in table.columns)
    yield f"<tr>{''.join(heads)}</tr>\n"
    for row in zip(*(column.cells for column in table.columns), strict=True):
        cells = (f"<td>{escape(str(cell))}</td>" for cell in row)
        yield f"<tr>{''.join(cells)}</tr>\n"
