# SPDX-License-Identifier: Apache-2.0
"""Take an address of a device up to the CPU, bus by bus (drivers/of/address.c, 6.1.176 to 7.3).

Before its stable releases 6.1 had no flags on buses of three cells; that is not modelled.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from harness.machine.devicetree.flat import CELL, FlatNode, FlatTree
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.model.memory import U64, Cells
from harness.machine.devicetree.model.rules import RULES

PCI_TYPES = ("pci", "pciex", "vci", "ht")
"""The device types of PCI buses (of_bus_pci_match())."""

PCI_FLAGS = 0x43
"""Space and prefetchable bit in the highest byte of the flags (of_bus_pci_get_flags())."""

INTERCONNECT = "dma-mem"
"""Name of the interconnect through which a device masters memory."""


class BusKind(Enum):
    """How the kernel reads the addresses of a bus (of_busses)."""

    PCI = "pci"
    ISA = "isa"
    FLAGS = "default-flags"
    PLAIN = "default"

    @property
    def flag_cells(self) -> int:
        """Cells before the number of an address."""
        return 0 if self is BusKind.PLAIN else 1

    def flags(self, address: bytes) -> int:
        """The flags of an address, by which the kernel tells neighbours (get_flags())."""
        first = int.from_bytes(address[:CELL])
        return {
            BusKind.PCI: first >> 24 & PCI_FLAGS,
            BusKind.ISA: first & 1,
            BusKind.FLAGS: first,
            BusKind.PLAIN: 0,
        }[self]

    def space(self, address: bytes) -> int:
        """What two addresses must have in common for one to be in a range of the other (map())."""
        flags = self.flags(address)
        return min(flags & 3, 2) if self is BusKind.PCI else flags

    def number(self, address: bytes) -> int:
        """The address without its flags; of a wider one the low 64 bits count."""
        return int.from_bytes(address[self.flag_cells * CELL :]) & U64

    def add(self, address: bytes, offset: int) -> bytes:
        """*address* and *offset*, with the flags of the address (translate())."""
        split = self.flag_cells * CELL
        width = len(address) - split
        total = int.from_bytes(address[split:]) + offset & U64
        return address[:split] + (total & (1 << 8 * width) - 1).to_bytes(width)

    def cells_below(self, node: FlatNode) -> Cells:
        """The cells of *node*, which masters memory through such a bus (count_cells()).

        Other buses than PCI and ISA: those that the devicetree's parent says, not the interconnect.
        """
        fixed = {BusKind.PCI: Cells(3, 2), BusKind.ISA: Cells(2, 1)}
        return fixed.get(self) or cells_of(node.parent or node)


def is_pci_bus(bus: FlatNode) -> bool:
    """Whether the kernel takes addresses of *bus* for those of PCI (of_bus_pci_match())."""
    types = bus.strings("device_type")[:1]
    return any(one in PCI_TYPES for one in types) or _is_called(bus, "pcie")


def kind_of(bus: FlatNode, kernel: KernelVersion) -> BusKind | None:
    """The kind of *bus*; None for one whose addresses the kernel cannot read (of_match_bus())."""
    if is_pci_bus(bus):
        return BusKind.PCI
    if _is_called(bus, "isa"):
        return BusKind.ISA
    if RULES["bus-without-cells"].holds(kernel) and "#address-cells" not in bus.properties:
        return None
    three = cells_of(bus).address == 3
    return BusKind.FLAGS if three else BusKind.PLAIN


def has_cells(bus: FlatNode) -> bool:
    """Whether the kernel knows how wide the addresses of *bus* are, without those above."""
    return "#address-cells" in bus.properties or is_pci_bus(bus) or _is_called(bus, "isa")


def cells_of(bus: FlatNode) -> Cells:
    """The cells of *bus* (drivers/of/base.c:of_bus_n_addr_cells(), of_bus_n_size_cells())."""
    return Cells(_cells(bus, "#address-cells"), _cells(bus, "#size-cells"))


def dma_parent(node: FlatNode, tree: FlatTree) -> FlatNode | None:
    """The bus through which *node* masters memory: its parent, or an interconnect.

    drivers/of/address.c:__of_get_dma_parent()
    """
    names = node.strings("interconnect-names")
    if INTERCONNECT in names:
        return _interconnect(node, names.index(INTERCONNECT), tree) or node.parent
    return node.parent


def translate(node: FlatNode, address: bytes, tree: FlatTree, kernel: KernelVersion) -> int | None:
    """The CPU's address for one that *node* has for the bus above it; None if a bus has none.

    Bytes behind the address are ignored (__of_translate_address()).
    """
    bus = dma_parent(node, tree)
    here = _format(node, bus, kernel)
    if bus is None or here is None:
        return None
    width = here.cells.address * CELL
    found: bytes | None = address[:width].ljust(width, b"\0")
    passed = set[FlatNode]()
    while found is not None and (next_bus := dma_parent(bus, tree)) and bus not in passed:
        passed.add(bus)
        above = _format(bus, next_bus, kernel)
        if above is None:
            return None
        ranges = bus.properties.get("dma-ranges", b"")
        found = _one_level(ranges, found, here, above)
        bus, here = next_bus, above
    return None if found is None else int.from_bytes(found) & U64


@dataclass(frozen=True)
class _Format:
    """How the kernel reads an address of a node for the bus through which it masters memory."""

    kind: BusKind
    cells: Cells


def _format(node: FlatNode, bus: FlatNode | None, kernel: KernelVersion) -> _Format | None:
    """The format of addresses of *node* for *bus*; None if the kernel has none."""
    kind = kind_of(bus, kernel) if bus else None
    cells = kind.cells_below(node) if kind else None
    return _Format(kind, cells) if kind and cells and cells.are_valid else None


def _one_level(ranges: bytes, address: bytes, here: "_Format", above: "_Format") -> bytes | None:
    """*address* for the bus above one with these *ranges*; None if no entry has it.

    of_translate_one()
    """
    flags, width = above.kind.flag_cells * CELL, above.cells.address * CELL
    kind = here.kind
    if not ranges:
        base = address[:flags].ljust(width, b"\0")
        return above.kind.add(base, int.from_bytes(address) & U64)
    for own, parent, size in entries(ranges, here.cells, above.cells.address):
        first = kind.number(own)
        offset = kind.number(address) - first
        there = offset >= 0 and kind.number(address) < (first + size & U64)
        if there and kind.space(own) == kind.space(address):
            return above.kind.add(parent, offset)
    return None


def range_stride(own: Cells, above: int) -> int:
    """Bytes of an entry of ``dma-ranges``; *above* are the cells of an address there."""
    return own.stride + above * CELL


def entries(ranges: bytes, own: Cells, above: int) -> Iterator[tuple[bytes, bytes, int]]:
    """The whole entries of a ``dma-ranges``: address on the bus, address above, size."""
    split, end = own.address * CELL, (own.address + above) * CELL
    stride = range_stride(own, above)
    for at in range(0, len(ranges) - stride + 1, stride) if stride else ():
        one = ranges[at : at + stride]
        yield one[:split], one[split:end], int.from_bytes(one[end:]) & U64


def _interconnect(node: FlatNode, number: int, tree: FlatTree) -> FlatNode | None:
    """The provider of entry *number* of interconnects; None if the entry cannot be read."""
    cells, at = node.cells("interconnects"), 0
    for entry in range(number + 1):
        if at >= len(cells):
            return None
        provider = tree.by_phandle.get(cells[at])
        if cells[at] and (provider is None or not provider.cells("#interconnect-cells")):
            return None
        at += 1 + (provider.cell("#interconnect-cells", 0) if provider else 0)
        if entry == number:
            return provider if at <= len(cells) else None
    return None


def _is_called(node: FlatNode, name: str) -> bool:
    return node.name.partition("@")[0] == name


def _cells(node: FlatNode, name: str) -> int:
    """The cells that *node* says, or the next node above that does; 1 if none says."""
    at: FlatNode | None = node
    while at is not None:
        if (said := at.cell(name, -1)) >= 0:
            return said
        at = at.parent
    return 1
