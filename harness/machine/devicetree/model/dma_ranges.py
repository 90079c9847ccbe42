# SPDX-License-Identifier: Apache-2.0
"""Which addresses a device reaches (drivers/of/address.c:of_dma_get_range())."""

from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.base.hex_repr import hex_repr
from harness.machine.devicetree.flat import CELL, FlatNode
from harness.machine.devicetree.model.memory import U64

PCI_CELLS = 3
"""Cells of a PCI address; the first holds flags (IEEE 1275 PCI bus binding)."""


@hex_repr
@dataclass(frozen=True)
class Window:
    """*size* bytes that the device reaches at *dma_addr*, and the CPU at *base*."""

    base: int
    dma_addr: int
    size: int


def dma_windows(node: FlatNode | None) -> tuple[Window, ...] | None:
    """The windows of the devices on bus *node*; None if it has none, so that all is reachable.

    The first dma-ranges with a value counts, from *node* upwards; a bus between that has none ends
    the search.
    """
    found = False
    while node is not None:
        ranges = node.properties.get("dma-ranges")
        if ranges:
            return _parse(node, ranges)
        if found and ranges is None:
            return None
        found = True
        node = node.parent
    return None


def dma_address(windows: tuple[Window, ...] | None, pool: AddressRange) -> int | None:
    """The address at which a device finds *pool*; None if it does not reach all of it."""
    if windows is None:
        return pool.base
    for one in windows:
        if one.base <= pool.base and pool.end <= one.base + one.size:
            return one.dma_addr + pool.base - one.base
    return None


def _parse(node: FlatNode, ranges: bytes) -> tuple[Window, ...]:
    here = node.cell("#address-cells", 1 if node.parent else 2)
    above = node.parent.cell("#address-cells", 1) if node.parent else here
    sizes = node.cell("#size-cells", 1)
    stride = (here + above + sizes) * CELL
    if stride <= 0 or stride > len(ranges):
        return ()
    flags = 1 if here == PCI_CELLS else 0
    windows: list[Window] = []
    for at in range(0, len(ranges) - stride + 1, stride):
        entry = ranges[at : at + stride]
        split, end = here * CELL, (here + above) * CELL
        dma = int.from_bytes(entry[flags * CELL : split]) & U64
        cpu = _upwards(node.parent, int.from_bytes(entry[split:end]) & U64)
        if cpu is not None:
            windows.append(Window(cpu, dma, int.from_bytes(entry[end:]) & U64))
    return tuple(windows)


def _upwards(bus: FlatNode | None, address: int) -> int | None:
    """Translate an address of *bus* to the CPU's; None if a bus above does not pass it on."""
    while bus is not None and bus.parent is not None:
        ranges = bus.properties.get("dma-ranges")
        if ranges:
            windows = _parse_one_level(bus, ranges)
            hit = next((w for w in windows if w.dma_addr <= address < w.dma_addr + w.size), None)
            if hit is None:
                return None
            address = hit.base + address - hit.dma_addr
        bus = bus.parent
    return address


def _parse_one_level(node: FlatNode, ranges: bytes) -> tuple[Window, ...]:
    here, sizes = node.cell("#address-cells", 2), node.cell("#size-cells", 1)
    above = node.parent.cell("#address-cells", 2) if node.parent else here
    stride = (here + above + sizes) * CELL
    if stride <= 0:
        return ()
    split, end = here * CELL, (here + above) * CELL
    entries = [ranges[at : at + stride] for at in range(0, len(ranges) - stride + 1, stride)]
    return tuple(
        Window(
            int.from_bytes(one[split:end]) & U64,
            int.from_bytes(one[:split]) & U64,
            int.from_bytes(one[end:]) & U64,
        )
        for one in entries
    )
