# SPDX-License-Identifier: Apache-2.0
"""Costs as tables: calls x kinds of devices, and what changed between two kernels."""

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Column, Table

from harness.base.space import size_text
from harness.jobs.cost.cost import Cost, CostChange


def cost_table(costs: Sequence[Cost]) -> Table:
    """One row a call and size, one column a kind of device: what is the same each time."""
    return _by_kind([one for one in costs if one.exact and not one.full])


def full_table(costs: Sequence[Cost]) -> Table:
    """How single calls grow with how full the pool is."""
    exact = [one for one in costs if one.exact]
    calls = {one.subject[:3] for one in exact if one.full}
    shown = [one for one in exact if one.subject[:3] in calls]
    fulls = sorted({one.full for one in shown})
    table = Table("call", Column("size", justify="right"), *_heads(f"{full} %" for full in fulls))
    for call, size, kind in dict.fromkeys(one.subject[:3] for one in shown):
        row = {one.full: one for one in shown if one.subject[:3] == (call, size, kind)}
        table.add_row(call, size_text(size), *(str(row[full]) for full in fulls))
    return table


def work_table(costs: Sequence[Cost]) -> Table:
    """What differs from time to time: the median, the least and the most."""
    return _by_kind([one for one in costs if not one.exact])


def change_table(changes: Sequence[CostChange]) -> Table:
    """One row a cost that differs."""
    right = (Column(head, justify="right") for head in ("size", "before", "after", "change"))
    table = Table("call", "device", *right)
    for one in changes:
        before, after = one.before, one.after
        growth = "" if one.per_cent is None else f"{one.per_cent:+.1f} %"
        cells = (size_text(after.size), _number(before.instructions), _number(after.instructions))
        table.add_row(after.call, _head(after), *cells, growth)
    return table


def change_lines(changes: Sequence[CostChange], most: int) -> tuple[str, ...]:
    """A line for each of the first *most*, such as ``map 4 KiB (pool): 1204 -> 1950, +62 %``."""
    lines = [
        f"{one.after.call} {size_text(one.after.size)} ({_head(one.after)}): "
        f"{_number(one.before.instructions)} -> {_number(one.after.instructions)}"
        + ("" if one.per_cent is None else f", {one.per_cent:+.0f} %")
        for one in changes[:most]
    ]
    more = [f"and {len(changes) - most} more"] if len(changes) > most else []
    return (*lines, *more)


def _by_kind(costs: Sequence[Cost]) -> Table:
    kinds = tuple(dict.fromkeys(one.kind for one in costs))
    table = Table("call", Column("size", justify="right"), *_heads(kinds))
    cells = {(one.call, one.size, one.kind): str(one) for one in costs}
    for call, size in dict.fromkeys((one.call, one.size) for one in costs):
        row = (cells.get((call, size, kind), "") for kind in kinds)
        table.add_row(call, size_text(size), *row)
    return table


def _heads(names: Iterable[str]) -> Iterator[Column]:
    return (Column(name, justify="right") for name in names)


def _head(one: Cost) -> str:
    return f"{one.kind}, {one.full} % full" if one.full else one.kind


def _number(instructions: int | None) -> str:
    return "refused" if instructions is None else str(instructions)
