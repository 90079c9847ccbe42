# SPDX-License-Identifier: Apache-2.0
"""Which addresses a device reaches (drivers/of/address.c:of_dma_get_range())."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from harness.base.address_range import AddressRange
from harness.base.hex_repr import hex_repr
from harness.machine.devicetree.flat import CELL, FlatNode, FlatTree
from harness.machine.devicetree.model.devices import PCI_CELLS, Bus, TreeDevice, is_pci_bus
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.model.memory import U64
from harness.machine.devicetree.model.rules import RULES
from harness.machine.devicetree.model.spans import Spans

PCI_FLAGS = 0x43
"""Space and prefetchable bit in the highest byte of the flags (of_bus_pci_get_flags())."""

MOST_CELLS = 4
"""Cells of an address (OF_MAX_ADDR_CELLS)."""

INTERCONNECT = "dma-mem"
"""Name of the interconnect through which a device masters memory."""


@hex_repr
@dataclass(frozen=True)
class Window:
    """*size* bytes that the device reaches at *dma_addr*, and the CPU at *base*."""

    base: int
    dma_addr: int
    size: int


@dataclass(frozen=True)
class Reach:
    """What a device reaches: *windows*, or everything if that is None."""

    windows: tuple[Window, ...] | None

    def address(self, place: AddressRange) -> int | None:
        """The address at which the device finds *place*; None if it does not reach all of it."""
        if self.windows is None:
            return place.base
        for one in self.windows:
            if one.base <= place.base and place.end <= one.base + one.size:
                return one.dma_addr + place.base - one.base
        return None

    def part_of(self, pool: AddressRange) -> Spans:
        """What of *pool* the device reaches."""
        if self.windows is None:
            return Spans([pool])
        return Spans(AddressRange(one.base, one.size) for one in self.windows).within(Spans([pool]))


EVERYTHING = Reach(None)


def reach_of(device: TreeDevice, tree: FlatTree, kernel: KernelVersion) -> Reach:
    """What *device* reaches: a PCI function as the node of its host bridge says."""
    node = next(iter(buses_above(device, tree)), None)
    return Reach(windows_below(node, tree, kernel))


def buses_above(device: TreeDevice, tree: FlatTree) -> list[FlatNode]:
    """The buses through which *device* masters memory, the nearest first."""
    node: FlatNode | None = device.configured_by
    if device.bus not in (Bus.PCI, Bus.PCI_REST):
        node = dma_parent(device.configured_by, tree)
    found = list[FlatNode]()
    while node is not None and node not in found:
        found.append(node)
        node = dma_parent(node, tree)
    return found


def windows_below(
    node: FlatNode | None, tree: FlatTree, kernel: KernelVersion
) -> tuple[Window, ...] | None:
    """The windows of the devices on bus *node*; None if it has none, so that all is reachable.

    The first dma-ranges with a value counts, from *node* upwards; a bus between that has none ends
    the search. If no entry of it can be read, the device is configured without (of_dma_configure(),
    which PCI and the platform bus call with force_dma). An entry without a size ends the list
    (include/linux/dma-direct.h:translate_phys_to_dma()).
    """
    found, passed = False, set[FlatNode]()
    while node is not None and node not in passed:
        ranges = node.properties.get("dma-ranges")
        if ranges:
            windows = tuple(_merged(_entries(node, ranges, tree, kernel)))
            return tuple(takewhile(lambda one: one.size, windows)) if windows else None
        if found and ranges is None:
            return None
        found = True
        passed.add(node)
        node = dma_parent(node, tree)
    return None


def dma_parent(node: FlatNode, tree: FlatTree) -> FlatNode | None:
    """The bus through which *node* masters memory: its parent, or an interconnect.

    drivers/of/address.c:__of_get_dma_parent()
    """
    names = node.strings("interconnect-names")
    if INTERCONNECT in names:
        return _interconnect(node, names.index(INTERCONNECT), tree) or node.parent
    return node.parent


def _interconnect(node: FlatNode, number: int, tree: FlatTree) -> FlatNode | None:
    """The provider of entry *number* of interconnects; None if the entry cannot be read."""
    cells, at = node.cells("interconnects"), 0
    for entry in range(number + 1):
        if at >= len(cells):
            return None
        provider = tree.by_phandle.get(cells[at])
        if cells[at] and (provider is None or not provider.cells("#interconnect-cells")):
            return None
        if entry == number:
            return provider
        at += 1 + (provider.cell("#interconnect-cells", 0) if provider else 0)
    return None


@dataclass(frozen=True)
class _Entry:
    flags: int
    window: Window | None
    """None if a bus above does not pass the address on."""


def _entries(
    node: FlatNode, ranges: bytes, tree: FlatTree, kernel: KernelVersion
) -> Iterator[_Entry]:
    if RULES["bus-without-cells"].holds(kernel) and not _translates(node, kernel):
        return  # parser_init()
    here, above = _cells(node, "#address-cells"), _cells(node.parent or node, "#address-cells")
    sizes = _cells(node, "#size-cells")
    stride = (here + above + sizes) * CELL
    flags = 1 if here == PCI_CELLS else 0
    split, end = here * CELL, (here + above) * CELL
    for at in range(0, len(ranges) - stride + 1, stride) if stride else ():
        entry = ranges[at : at + stride]
        dma = int.from_bytes(entry[flags * CELL : split]) & U64
        cpu = _upwards(node, int.from_bytes(entry[split:end]) & U64, tree, kernel)
        size = int.from_bytes(entry[end:]) & U64
        said = int.from_bytes(entry[:CELL]) if flags else 0
        yield _Entry(
            said >> 24 & PCI_FLAGS if is_pci_bus(node) else said,
            Window(cpu, dma, size) if cpu is not None else None,
        )


def _merged(entries: Iterator[_Entry]) -> Iterator[Window]:
    """The windows, of neighbours one (of_pci_range_parser_one())."""
    last: _Entry | None = None
    for one in entries:
        if last and last.window and one.window and last.flags == one.flags:
            before, after = last.window, one.window
            ends = (before.base + before.size, before.dma_addr + before.size)
            if ends == (after.base, after.dma_addr):
                whole = Window(before.base, before.dma_addr, before.size + after.size)
                last = _Entry(one.flags, whole)
                continue
        if last and last.window:
            yield last.window
        last = one
    if last and last.window:
        yield last.window


def _upwards(node: FlatNode, address: int, tree: FlatTree, kernel: KernelVersion) -> int | None:
    """Translate an address of the bus above *node* to the CPU's; None if a bus has none for it.

    drivers/of/address.c:__of_translate_address()
    """
    bus, passed = dma_parent(node, tree), set[FlatNode]()
    if bus is None:  # the root itself
        return None
    while bus is not None and bus not in passed:
        if not _translates(bus, kernel):
            return None
        above = dma_parent(bus, tree)
        ranges = bus.properties.get("dma-ranges")
        if ranges and above is not None:
            windows = _one_level(bus, ranges)
            hit = next((w for w in windows if w.dma_addr <= address < w.dma_addr + w.size), None)
            if hit is None:
                return None
            address = hit.base + address - hit.dma_addr
        passed.add(bus)
        bus = above
    return address


def _translates(bus: FlatNode, kernel: KernelVersion) -> bool:
    """Whether the kernel translates addresses of *bus*; OF_CHECK_COUNTS() there."""
    widths = _cells(bus, "#address-cells"), _cells(bus, "#size-cells")
    if not is_pci_bus(bus) and not (0 < widths[0] <= MOST_CELLS and widths[1] > 0):
        return False
    return has_cells(bus) or not RULES["bus-without-cells"].holds(kernel)


def has_cells(bus: FlatNode) -> bool:
    """Whether *bus* says how wide its addresses are (drivers/of/address.c:of_match_bus())."""
    return "#address-cells" in bus.properties or is_pci_bus(bus)


def _one_level(node: FlatNode, ranges: bytes) -> Iterator[Window]:
    here, above = _cells(node, "#address-cells"), _cells(node.parent or node, "#address-cells")
    stride = (here + above + _cells(node, "#size-cells")) * CELL
    split, end = here * CELL, (here + above) * CELL
    for at in range(0, len(ranges) - stride + 1, stride) if stride else ():
        one = ranges[at : at + stride]
        yield Window(
            int.from_bytes(one[split:end]) & U64,
            int.from_bytes(one[:split]) & U64,
            int.from_bytes(one[end:]) & U64,
        )


def _cells(node: FlatNode, name: str) -> int:
    """The cells of addresses or sizes below *node*: its own, or of the next node above that says.

    drivers/of/base.c:of_bus_n_addr_cells(); 1 if none says.
    """
    at: FlatNode | None = node
    while at is not None:
        if (said := at.cell(name, -1)) >= 0:
            return said
        at = at.parent
    return 1
