# SPDX-License-Identifier: Apache-2.0
"""Costs as tables: calls x kinds of devices, and what changed between two kernels."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.table import Column, Table

from harness.base.space import size_text
from harness.jobs.cost.cost import BYTES, Cost, CostChange, NumberChange


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
        if any(one.copied for one in row.values()):
            copied = (_copied(row[full]) for full in fulls)
            table.add_row(f"{call}: {BYTES}", size_text(size), *copied)
    return table


def work_table(costs: Sequence[Cost]) -> Table:
    """What differs from time to time: the median, the least and the most."""
    return _by_kind([one for one in costs if not one.exact])


def change_table(changes: Sequence[CostChange]) -> Table:
    """One row a number that differs."""
    heads = _heads(("size", "before", "after", "change"))
    table = Table("call", "device", *heads, "unit")
    for change in changes:
        cost = change.after
        for one in change.numbers:
            growth = "" if one.per_cent is None else f"{one.per_cent:+.1f} %"
            cells = (size_text(cost.size), _number(one.before), _number(one.after), growth)
            table.add_row(cost.call, _head(cost), *cells, one.unit or "instructions")
    return table


def change_lines(changes: Sequence[CostChange], most: int) -> tuple[str, ...]:
    """A line for each of the first *most*, such as ``map 4 KiB (pool): 1204 -> 1950, +62 %``."""
    lines = [
        f"{one.after.call} {size_text(one.after.size)} ({_head(one.after)}): "
        + "; ".join(map(_change, one.numbers))
        for one in changes[:most]
    ]
    more = [f"and {len(changes) - most} more"] if len(changes) > most else []
    return (*lines, *more)


def _by_kind(costs: Sequence[Cost]) -> Table:
    columns = tuple(_columns(costs))
    heads = _heads(head for _, head, _ in columns)
    table = Table("call", Column("size", justify="right"), *heads)
    known = {(one.call, one.size, one.kind): one for one in costs}
    for call, size in dict.fromkeys((one.call, one.size) for one in costs):
        row = ((known.get((call, size, kind)), text) for kind, _, text in columns)
        table.add_row(call, size_text(size), *(text(one) if one else "" for one, text in row))
    return table


def _columns(costs: Sequence[Cost]) -> Iterator[tuple[str, str, Callable[[Cost], str]]]:
    """For each kind of device its instructions, and its bytes if it copies any."""
    for kind in dict.fromkeys(one.kind for one in costs):
        yield kind, kind, str
        if any(one.copied for one in costs if one.kind == kind):
            yield kind, BYTES, _copied


def _heads(names: Iterable[str]) -> Iterator[Column]:
    return (Column(name, justify="right") for name in names)


def _head(one: Cost) -> str:
    return f"{one.kind}, {one.full} % full" if one.full else one.kind


def _change(one: NumberChange) -> str:
    numbers = f"{_number(one.before)} -> {_number(one.after)} {one.unit}".rstrip()
    return numbers + ("" if one.per_cent is None else f", {one.per_cent:+.0f} %")


def _copied(one: Cost) -> str:
    return "" if one.copied is None else str(one.copied)


def _number(number: int | None) -> str:
    return "refused" if number is None else str(number)
