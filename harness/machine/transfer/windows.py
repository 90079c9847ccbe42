# SPDX-License-Identifier: Apache-2.0
"""The ``dma-ranges`` of a board's buses, for the addresses of the machine."""

from harness.base.address_range import AddressRange
from harness.machine.devicetree.flat import CELL, FlatNode, FlatTree
from harness.machine.devicetree.model.dma_ranges import windows_below
from harness.machine.devicetree.model.environment import NEWEST, KernelVersion
from harness.machine.transfer.address_map import AddressMap
from harness.machine.transfer.overlay_node import cells, raw
from harness.machine.transfer.regions import WIDE


def moved_dma_ranges(node: FlatNode, addresses: AddressMap) -> str:
    """The dma-ranges of bus *node* in source form: devices find what has moved where it was.

    Only the outermost bus has addresses of the CPU; below the root they are two cells wide.
    """
    data = node.properties["dma-ranges"]
    parent = node.parent
    here, sizes = node.cell("#address-cells", 1), node.cell("#size-cells", 1)
    above = parent.cell("#address-cells", 1) if parent else here
    stride = (here + above + sizes) * CELL
    if not data or len(data) % stride:
        return raw(data)
    outermost = not _is_translated(parent)
    at_root = parent is None or parent.parent is None
    words = []
    for at in range(0, len(data), stride):
        entry = data[at : at + stride]
        split, end = here * CELL, (here + above) * CELL
        bus = int.from_bytes(entry[:split])
        window = AddressRange(int.from_bytes(entry[split:end]), int.from_bytes(entry[end:]))
        parts = (
            [
                (bus + one.base - window.base, one.new_base, one.size)
                for one in addresses.moved_window(window)
            ]
            if outermost
            else [(bus, window.base, window.size)]
        )
        for dma_addr, base, size in parts:
            words += [
                cells(dma_addr, width=here),
                cells(base, width=WIDE if at_root else above),
                cells(size, width=sizes),
            ]
    return ", ".join(words)


def moved_windows(
    host: FlatNode, tree: FlatTree, addresses: AddressMap
) -> tuple[tuple[int, int, int], ...] | None:
    """What functions below a *host* bridge reach, with the addresses of the machine.

    Address on the bus, address of the CPU, and size, each; None if they reach everything.
    """
    windows = windows_below(host, tree, KernelVersion(NEWEST))
    if windows is None:
        return None
    return tuple(
        (one.dma_addr + part.base - one.base, part.new_base, part.size)
        for one in windows
        for part in addresses.moved_window(AddressRange(one.base, one.size))
    )


def _is_translated(bus: FlatNode | None) -> bool:
    """Whether a bus from *bus* upwards has dma-ranges with a value."""
    while bus is not None:
        if bus.properties.get("dma-ranges"):
            return True
        bus = bus.parent
    return False
