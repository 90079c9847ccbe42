# SPDX-License-Identifier: Apache-2.0
"""The kernel's only pass over /reserved-memory, before 6.12.13.

It writes a table of the nodes, sorts it by address, and sets up each entry in that order. An entry
stays in the table whatever comes of it, also without a size or an operation that a device could
use (drivers/of/fdt.c:fdt_scan_reserved_mem(), drivers/of/of_reserved_mem.c:
fdt_init_reserved_mem(), read in 6.1.192).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.base.address_range import AddressRange
from harness.machine.devicetree.flat import FlatNode
from harness.machine.devicetree.model.memory import is_enabled_early
from harness.machine.devicetree.model.regions import Kind, ReservedNode
from harness.machine.devicetree.model.rules import RULES
from harness.machine.devicetree.model.steps import MOST_REGIONS, Steps

T = TypeVar("T")

STABLE = ">=6.5"
"""Kernels with 4cea2821882b, which sorts equal entries by the place of their nodes in the blob."""

UNPLACED = AddressRange(0, 0)
"""The entry of a node that the kernel has to place."""


@dataclass(frozen=True)
class _Entry:
    """An entry of the kernel's table: a node, and where its ``reg`` puts it."""

    node: FlatNode
    place: AddressRange


def scan_at_once(steps: Steps, children: Sequence[FlatNode]) -> None:
    """Follow the kernel over the *children* of /reserved-memory."""
    stable = steps.kernel.within(STABLE)
    table = heap_sorted(
        _written(steps, children),
        lambda one: (one.place.base, one.place.size, one.node.offset if stable else 0),
    )
    steps.report_overlaps(one.place for one in table)
    steps.array = [
        ReservedNode(one.node, Kind.RESERVED, one.place.base, one.place.size) for one in table
    ]
    for number, one in enumerate(table):
        steps.array[number] = _initialised(steps, one)


def _written(steps: Steps, children: Sequence[FlatNode]) -> list[_Entry]:
    """Reserve what has an address, and write the table."""
    table: list[_Entry] = []
    for node in children:
        place = _first_place(steps, node)
        if isinstance(place, str):
            steps.ignore(node, place)
        elif len(table) == MOST_REGIONS:
            steps.log.append("OF: reserved mem: not enough space for all defined regions.")
            steps.ignore(node, "too-many")
        else:
            table.append(_Entry(node, place))
    return table


def _first_place(steps: Steps, node: FlatNode) -> AddressRange | str:
    """Where ``reg`` puts *node*, when all of it is reserved; or the rule why it has no entry."""
    if not is_enabled_early(node, steps.kernel):
        return "pool-disabled"
    reg = node.properties.get("reg")
    if reg is None:
        return UNPLACED if "size" in node.properties else "no-place"
    entries = steps.cells.entries(reg)
    if not entries or len(reg) % steps.cells.stride:
        return "bad-reg"
    steps.reserve(node, reg)
    return entries[0]


def _initialised(steps: Steps, entry: _Entry) -> ReservedNode:
    """Place an entry that has no size, and set it up; one that has no place stays in the table."""
    node, place = entry.node, entry.place
    if place.size:
        return steps.set_up(node, place, dynamic=False)
    placed = steps.place(node) if "size" in node.properties else "size-zero"
    if not isinstance(placed, str):
        return steps.set_up(node, placed, dynamic=True)
    steps.ignore(node, placed)
    return ReservedNode(node, Kind.IGNORED, place.base, rule=RULES[placed])


def heap_sorted(items: Sequence[T], key: Callable[[T], tuple[int, ...]]) -> list[T]:
    """*items* as the kernel's sort() leaves them: equal ones do not keep their order.

    lib/sort.c before 6.11, a heapsort that goes down to a leaf first and then up to the place of
    the element. Before 6.5 all regions that the kernel has to place are equal.
    """
    heap = list(items)
    begin, end = len(heap) // 2, len(heap)
    while end > 1:
        if begin:
            begin -= 1
        else:
            end -= 1
            heap[0], heap[end] = heap[end], heap[0]
        _sift_down(heap, begin, end, key)
    return heap


def _sift_down(heap: list[T], begin: int, end: int, key: Callable[[T], tuple[int, ...]]) -> None:
    at = begin
    while (right := 2 * at + 2) < end:
        at = right - 1 if key(heap[right - 1]) >= key(heap[right]) else right
    if right == end:
        at = right - 1
    while at != begin and key(heap[begin]) >= key(heap[at]):
        at = (at - 1) // 2
    target = at
    while at != begin:
        at = (at - 1) // 2
        heap[at], heap[target] = heap[target], heap[at]
