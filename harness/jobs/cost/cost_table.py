# SPDX-License-Identifier: Apache-2.0
"""Costs as tables: calls x kinds of devices, and what changed between two kernels."""

from collections.abc import Sequence

from rich.table import Column, Table

from harness.base.space import size_text
from harness.jobs.cost.cost import Cost, CostChange


def cost_table(costs: Sequence[Cost]) -> Table:
    """One row a call and size, one column a kind of device, in instructions."""
    kinds = tuple(dict.fromkeys((one.kind, one.full) for one in costs))
    heads = (Column(_head(*kind), justify="right") for kind in kinds)
    table = Table("call", Column("size", justify="right"), *heads)
    numbers = {one.subject: one.instructions for one in costs}
    for call, size in dict.fromkeys((one.call, one.size) for one in costs):
        cells = (_cell(numbers, (call, size, *kind)) for kind in kinds)
        table.add_row(call, size_text(size), *cells)
    return table


def change_table(changes: Sequence[CostChange]) -> Table:
    """One row a cost that differs."""
    right = (Column(head, justify="right") for head in ("size", "before", "after", "change"))
    table = Table("call", "device", *right)
    for one in changes:
        before, after = one.before, one.after
        growth = "" if one.per_cent is None else f"{one.per_cent:+.1f} %"
        cells = (size_text(after.size), _number(before.instructions), _number(after.instructions))
        table.add_row(after.call, _head(after.kind, after.full), *cells, growth)
    return table


def change_lines(changes: Sequence[CostChange], most: int) -> tuple[str, ...]:
    """A line for each of the first *most*, such as ``map 4 KiB (pool): 1204 -> 1950, +62 %``."""
    lines = [
        f"{one.after.call} {size_text(one.after.size)} ({_head(one.after.kind, one.after.full)}): "
        f"{_number(one.before.instructions)} -> {_number(one.after.instructions)}"
        + ("" if one.per_cent is None else f", {one.per_cent:+.0f} %")
        for one in changes[:most]
    ]
    more = [f"and {len(changes) - most} more"] if len(changes) > most else []
    return (*lines, *more)


def _head(kind: str, full: int) -> str:
    return f"{kind}, {full} % full" if full else kind


def _cell(
    numbers: dict[tuple[str, int, str, int], int | None], subject: tuple[str, int, str, int]
) -> str:
    return _number(numbers[subject]) if subject in numbers else ""


def _number(instructions: int | None) -> str:
    return "refused" if instructions is None else str(instructions)
