# SPDX-License-Identifier: Apache-2.0
"""The kernel's two passes over /reserved-memory, since 6.13 and 6.12.13.

The first reserves what has an address and places the other regions; the second, when the linear
mapping is there, sets up those with an address (drivers/of/of_reserved_mem.c:
fdt_scan_reserved_mem(), fdt_scan_reserved_mem_reg_nodes(), read in 6.12.117 and 7.3.4).
"""

from collections.abc import Sequence
from dataclasses import replace

from harness.machine.devicetree.flat import FlatNode
from harness.machine.devicetree.model.memory import is_enabled_early
from harness.machine.devicetree.model.regions import Kind, ReservedNode
from harness.machine.devicetree.model.rules import RULES
from harness.machine.devicetree.model.steps import MOST_REGIONS, Steps


def scan_late(steps: Steps, children: Sequence[FlatNode]) -> None:
    """Follow the kernel over the *children* of /reserved-memory."""
    fixed, dynamic = _reserve(steps, children)
    _place(steps, dynamic)
    _set_up(steps, fixed)
    steps.array.sort(key=lambda one: (one.base or 0, one.size, one.node.offset))
    steps.report_overlaps(one.place for one in steps.array)


def _reserve(steps: Steps, children: Sequence[FlatNode]) -> tuple[list[FlatNode], list[FlatNode]]:
    """Reserve what has an address; return those nodes, and those that the kernel places."""
    fixed: list[FlatNode] = []
    dynamic: list[FlatNode] = []
    for node in children:
        if not is_enabled_early(node, steps.kernel):
            steps.ignore(node, "pool-disabled")
            continue
        reg = node.properties.get("reg")
        whole = reg is not None and len(reg) % max(steps.cells.stride, 1) == 0
        if steps.kernel.within(">=6.19") and (not whole or not reg):
            reg = None
        if reg is None:
            if "size" in node.properties:
                dynamic.append(node)
            else:
                broken = "reg" in node.properties
                steps.ignore(node, "bad-reg" if broken else "no-place")
        elif not whole:
            steps.ignore(node, "bad-reg")
        else:
            steps.reserve(node, reg)
            fixed.append(node)
    return fixed, dynamic


def _place(steps: Steps, dynamic: Sequence[FlatNode]) -> None:
    for number, node in enumerate(dynamic):
        if number >= MOST_REGIONS:
            steps.log.append("too many defined dynamic regions")
            steps.ignore(node, "too-many")
            continue
        placed = steps.place(node)
        if isinstance(placed, str):
            steps.ignore(node, placed)
        else:
            _add(steps, steps.set_up(node, placed, dynamic=True))


def _set_up(steps: Steps, fixed: Sequence[FlatNode]) -> None:
    for node in fixed:
        entries = steps.cells.entries(node.properties["reg"])
        if not entries:
            _set_up_empty(steps, node)
        elif len(entries) > 1 and RULES["several-entries"].holds(steps.kernel):
            steps.ignore(node, "several-entries")
        elif not entries[0].size:
            steps.ignore(node, "size-zero")
        else:
            _add(steps, steps.set_up(node, entries[0], dynamic=False))


def _set_up_empty(steps: Steps, node: FlatNode) -> None:
    """Set up a region whose reg has no bytes: some kernels read what follows in the blob."""
    behind = steps.cells.entries(node.behind_reg)
    if not RULES["empty-reg"].holds(steps.kernel) or not behind or not behind[0].size:
        steps.ignore(node, "bad-reg")
        return
    made = steps.set_up(node, behind[0], dynamic=False)
    steps.found[node] = replace(made, rule=RULES["empty-reg"])
    _add(steps, steps.found[node])


def _add(steps: Steps, one: ReservedNode) -> None:
    """Add an entry to the kernel's table, which since 6.19 has no refused ones."""
    if one.kind is not Kind.REFUSED or not steps.kernel.within(">=6.19"):
        steps.array.append(one)
