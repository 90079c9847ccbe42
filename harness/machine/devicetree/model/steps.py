# SPDX-License-Identifier: Apache-2.0
"""What the kernel does with one node of /reserved-memory (drivers/of/of_reserved_mem.c)."""

from collections.abc import Iterable
from itertools import pairwise

from harness.base.address_range import AddressRange
from harness.base.space import KIB, MIB
from harness.machine.devicetree.flat import CELL, FlatNode
from harness.machine.devicetree.model.environment import Environment, KernelVersion
from harness.machine.devicetree.model.memory import Cells, Memory
from harness.machine.devicetree.model.regions import (
    SHARED,
    Kind,
    ReservedNode,
    handler_of,
    is_contiguous,
)
from harness.machine.devicetree.model.rules import RULES

MOST_REGIONS = 64
"""MAX_RESERVED_REGIONS (drivers/of/of_private.h)."""

CONTIGUOUS = ">=6.5"
"""Kernels with 83ba7361e168, which keeps what they place within ``alloc-ranges`` together."""

LATE = "late-reserved-memory"
"""With it regions with an address are set up after those that the kernel places."""


class Steps:
    """The steps of the passes over /reserved-memory, with the memory as they go.

    *found* is what each node became, *array* the kernel's own table of regions, *freed* and
    *freed_unmapped* are as in :class:`Regions`, *log* is what the kernel prints.
    """

    def __init__(
        self, kernel: KernelVersion, around: Environment, cells: Cells, memory: Memory
    ) -> None:
        self.kernel, self.around, self.cells, self.memory = kernel, around, cells, memory
        self.found: dict[FlatNode, ReservedNode] = {}
        self.freed: list[AddressRange] = []
        self.freed_unmapped: list[AddressRange] = []
        self._left_out: set[AddressRange] = set()
        self.log: list[str] = []
        self.array: list[ReservedNode] = []

    def ignore(self, node: FlatNode, rule: str) -> ReservedNode:
        """Make no region of *node*, by *rule*."""
        self.found[node] = ReservedNode(node, Kind.IGNORED, rule=RULES[rule])
        return self.found[node]

    def reserve(self, node: FlatNode, reg: bytes) -> None:
        """Reserve the entries of *reg* that the kernel takes."""
        entries = self.cells.entries(reg)
        if self.kernel.has("one-reg"):
            entries = entries[:1]
        for one in entries:
            if "no-map" not in node.properties:
                self.memory.reserved.add(one)
            elif not self._is_taken(one):
                self.memory.unmapped.add(one)
                self._left_out.add(one)

    def _is_taken(self, one: AddressRange) -> bool:
        """Whether memory with no-map is reserved already, which makes the kernel give up on it."""
        return self.memory.ram.overlaps(one) and self.memory.reserved.overlaps(one)

    def place(self, node: FlatNode) -> AddressRange | str:
        """Find and reserve memory for *node*, which has a ``size``; or the rule why not.

        Without RAM, which the boot loader adds, its base is not known, and 0 here.
        """
        wanted = node.properties["size"]
        alignment = node.properties.get("alignment", b"")
        ranges = node.properties.get("alloc-ranges")
        stride = max(self.cells.stride, 1)
        wrong_ranges = ranges is not None and len(ranges) % stride != 0
        if wrong_ranges and self.kernel.within(">=6.19"):
            ranges, wrong_ranges = None, False
        if (
            len(wanted) != self.cells.size * CELL
            or ("alignment" in node.properties and len(alignment) != self.cells.address * CELL)
            or wrong_ranges
        ):
            return "bad-size"
        size, step = int.from_bytes(wanted), int.from_bytes(alignment)
        if node.is_compatible(SHARED) and is_contiguous(node):
            step = max(step, self.around.pageblock)
        if not self.memory.ram:
            return AddressRange(0, size)
        base = self._search(size, step, ranges)
        if not base:
            self.log.append(
                f"OF: reserved mem: failed to allocate memory for node '{node.name}': "
                f"size {size // MIB} MiB"
            )
            return "no-room"
        place = AddressRange(base, size)
        self.memory.reserved.add(place)
        if "no-map" in node.properties:
            self.memory.unmapped.add(place)
        return place

    def _search(self, size: int, alignment: int, ranges: bytes | None) -> int:
        if ranges is None:
            return self.memory.find(size, alignment)
        for window in self.cells.entries(ranges):
            bottom_up = self.kernel.within(CONTIGUOUS) and self._is_bottom_up(window)
            place = self.memory.find(size, alignment, window.base, window.end, bottom_up=bottom_up)
            if place:
                return place
        return 0

    def _is_bottom_up(self, window: AddressRange) -> bool:
        """Whether the kernel starts at the low end, beside a region that has a place already.

        __reserved_mem_alloc_in_range(). Before 6.12 those with an address have one, too.
        """
        placed = [one.place for one in self.array if one.size]
        low = any(one.base <= window.base <= one.end for one in placed)
        high = any(one.base <= window.end <= one.end for one in placed)
        return low and not high

    def set_up(self, node: FlatNode, place: AddressRange, *, dynamic: bool) -> ReservedNode:
        """Let the kernel's handlers take the region; *dynamic*: the kernel placed it."""
        kind, rule = handler_of(node, place, self.kernel, self.around.pageblock)
        if dynamic and not self.memory.ram:
            self.found[node] = ReservedNode(node, kind, None, place.size, rule, dynamic)
            return self.found[node]
        one = ReservedNode(node, kind, place.base, place.size, rule, dynamic)
        self.found[node] = one
        if kind is Kind.REFUSED:
            self.log.append(f"OF: reserved mem: node {node.name} compatible matching fail")
            self._give_back(node, place, dynamic=dynamic)
        elif kind is Kind.POOL:
            self.log.append(
                f"Reserved memory: created restricted DMA pool at {place.base:#018x}, "
                f"size {place.size // MIB} MiB"
            )
        if kind is not Kind.REFUSED and self.kernel.within(">=6.4"):  # 6.1 does not say it
            self.log.append(
                f"OF: reserved mem: {place.base:#018x}..{place.end - 1:#018x} "
                f"({place.size // KIB} KiB)"
            )
        return one

    def _give_back(self, node: FlatNode, place: AddressRange, *, dynamic: bool) -> None:
        """Free a refused region; its memory with no-map was left out of the linear mapping.

        Before 6.12, and for what the kernel places itself, that mapping is made later.
        """
        early = dynamic or not self.kernel.has(LATE)
        if "no-map" not in node.properties:
            self.freed.append(place)
            self.memory.reserved.cut(place)
        elif early:
            self.memory.unmapped.cut(place)
        elif place in self._left_out and self.memory.ram.overlaps(place):
            self.freed_unmapped.append(place)

    def report_overlaps(self, places: Iterable[AddressRange]) -> None:
        """Report regions that overlap, as __rmem_check_for_overlap() with its sorted table."""
        for one, other in pairwise(places):
            if one.end > other.base:
                self.log.append("OF: reserved mem: OVERLAP DETECTED!")
