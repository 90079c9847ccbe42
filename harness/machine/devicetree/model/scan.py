# SPDX-License-Identifier: Apache-2.0
"""All that the kernel does with /reserved-memory (drivers/of/of_reserved_mem.c)."""

from harness.base.address_range import AddressRange
from harness.machine.devicetree.flat import FlatNode, FlatTree
from harness.machine.devicetree.model.environment import Environment, KernelVersion
from harness.machine.devicetree.model.memory import (
    Cells,
    Memory,
    read_ram,
    root_cells,
    whole_pages,
)
from harness.machine.devicetree.model.regions import Kind, Regions, ReservedNode
from harness.machine.devicetree.model.rules import RULES
from harness.machine.devicetree.model.scan_at_once import scan_at_once
from harness.machine.devicetree.model.scan_late import scan_late
from harness.machine.devicetree.model.steps import LATE, Steps


def set_up_regions(tree: FlatTree, kernel: KernelVersion, around: Environment) -> Regions:
    """Follow the kernel from its first look at the blob to the last region."""
    memory = Memory(around.ram or read_ram(tree, kernel, around.page), around.page)
    for one in (*around.loaded, *initial_ram_disk(tree, around.page)):
        memory.reserved.add(one)
    if kernel.within("<6.6"):
        _reserve_entries(memory, tree)
    parent = tree.root.child("reserved-memory")
    cells = root_cells(tree)
    if parent is None:
        _reserve_entries(memory, tree)
        return Regions((), (), memory)
    if not is_understood(parent, cells):
        ignored = (
            ReservedNode(node, Kind.IGNORED, rule=RULES["cells-differ"]) for node in parent.children
        )
        said = "Reserved memory: unsupported node format, ignoring"
        _reserve_entries(memory, tree)
        return Regions(tuple(ignored), (), memory, log=(said,))
    steps = Steps(kernel, around, cells, memory)
    scan = scan_late if kernel.has(LATE) else scan_at_once
    scan(steps, parent.children)
    _reserve_entries(memory, tree)
    found = tuple(steps.found[node] for node in parent.children)
    freed, unmapped = tuple(steps.freed), tuple(steps.freed_unmapped)
    return Regions(found, tuple(steps.array), memory, freed, unmapped, tuple(steps.log))


def initial_ram_disk(tree: FlatTree, page: int) -> tuple[AddressRange, ...]:
    """The initial RAM disk that /chosen names, in whole pages."""
    chosen = tree.root.child("chosen")
    if chosen is None:
        return ()
    edges = [chosen.properties.get(f"linux,initrd-{edge}", b"") for edge in ("start", "end")]
    start, end = (int.from_bytes(edge) for edge in edges)
    if not all(edges) or start >= end or end > 1 << 64:
        return ()
    return (whole_pages(AddressRange(start, end - start), page),)


def _reserve_entries(memory: Memory, tree: FlatTree) -> None:
    for base, size in tree.reservations:
        memory.reserved.add(AddressRange(base, size))


def is_understood(parent: FlatNode, cells: Cells) -> bool:
    """Whether __reserved_mem_check_root() accepts /reserved-memory."""
    return (
        parent.cell("#address-cells", -1) == cells.address
        and parent.cell("#size-cells", -1) == cells.size
        and "ranges" in parent.properties
    )
