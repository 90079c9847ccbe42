# SPDX-License-Identifier: Apache-2.0
"""Which addresses a device reaches (drivers/of/address.c:of_dma_get_range())."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from harness.base.address_range import AddressRange
from harness.base.hex_repr import hex_repr
from harness.machine.devicetree.flat import FlatNode, FlatTree
from harness.machine.devicetree.model.bus_address import (
    cells_of,
    dma_parent,
    entries,
    kind_of,
    range_stride,
    translate,
)
from harness.machine.devicetree.model.devices import Bus, TreeDevice
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.model.memory import Cells
from harness.machine.devicetree.model.rules import RULES
from harness.machine.devicetree.model.spans import Spans


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


@dataclass(frozen=True)
class _Entry:
    flags: int
    window: Window | None
    """None if a bus above does not pass the address on."""


def _entries(
    node: FlatNode, ranges: bytes, tree: FlatTree, kernel: KernelVersion
) -> Iterator[_Entry]:
    """The entries of the dma-ranges of *node* (parser_init(), of_pci_range_parser_one())."""
    kind, own = kind_of(node, kernel), cells_of(node)
    above = cells_of(node.parent or node).address
    checked = RULES["bus-without-cells"].holds(kernel)
    if kind is None or (checked and not (own.are_valid and Cells(above, 1).are_valid)):
        return
    stride = range_stride(own, above)
    for number, (address, _, size) in enumerate(entries(ranges, own, above)):
        behind = ranges[number * stride + len(address) :]
        cpu = translate(node, behind, tree, kernel)
        yield _Entry(
            kind.flags(address),
            Window(cpu, kind.number(address), size) if cpu is not None else None,
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
