# SPDX-License-Identifier: Apache-2.0
"""The ``dma-ranges`` of a board's buses, for the addresses of the machine."""

from harness.base.address_range import AddressRange
from harness.machine.devicetree.flat import FlatNode, FlatTree
from harness.machine.devicetree.model.bus_address import cells_of, entries, range_stride
from harness.machine.devicetree.model.dma_ranges import windows_below
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.transfer.address_map import AddressMap
from harness.machine.transfer.overlay_node import cells, raw
from harness.machine.transfer.regions import WIDE


def moved_dma_ranges(node: FlatNode, addresses: AddressMap) -> str:
    """The dma-ranges of bus *node* in source form: devices find what has moved where it was.

    Only the outermost bus has addresses of the CPU.
    """
    data = node.properties["dma-ranges"]
    own, above = cells_of(node), cells_of(node.parent or node).address
    stride = range_stride(own, above)
    if not data or not stride or len(data) % stride:
        return raw(data)
    outermost = not _is_translated(node.parent)
    words = []
    for address, parent, size in entries(data, own, above):
        bus, window = int.from_bytes(address), AddressRange(int.from_bytes(parent), size)
        parts = (
            [
                (bus + one.base - window.base, one.new_base, one.size)
                for one in addresses.moved_window(window)
            ]
            if outermost
            else [(bus, window.base, window.size)]
        )
        for dma_addr, base, length in parts:
            words += [
                cells(dma_addr, width=_width(node, "#address-cells", own.address)),
                cells(base, width=_width(node.parent, "#address-cells", above)),
                cells(length, width=_width(node, "#size-cells", own.size)),
            ]
    return ", ".join(words)


def moved_windows(
    host: FlatNode, tree: FlatTree, addresses: AddressMap, kernel: KernelVersion
) -> tuple[tuple[int, int, int], ...] | None:
    """What functions below a *host* bridge reach, with the addresses of the machine.

    Address on the bus, address of the CPU, and size, each; None if they reach everything.
    """
    windows = windows_below(host, tree, kernel)
    if windows is None:
        return None
    return tuple(
        (one.dma_addr + part.base - one.base, part.new_base, part.size)
        for one in windows
        for part in addresses.moved_window(AddressRange(one.base, one.size))
    )


def _width(bus: FlatNode | None, name: str, said: int) -> int:
    """The cells that *bus*, which says *said*, has on the machine, whose root has two of each."""
    while bus is not None and bus.parent is not None:
        if bus.cell(name, -1) >= 0:
            return said
        bus = bus.parent
    return WIDE


def _is_translated(bus: FlatNode | None) -> bool:
    """Whether a bus from *bus* upwards has dma-ranges with a value."""
    while bus is not None:
        if bus.properties.get("dma-ranges"):
            return True
        bus = bus.parent
    return False
