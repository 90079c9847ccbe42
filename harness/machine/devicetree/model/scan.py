# SPDX-License-Identifier: Apache-2.0
"""The kernel's passes over /reserved-memory (drivers/of/of_reserved_mem.c)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from harness.base.address_range import AddressRange
from harness.base.space import KIB, MIB
from harness.machine.devicetree.flat import CELL, FlatNode, FlatTree
from harness.machine.devicetree.model.environment import Environment, KernelVersion
from harness.machine.devicetree.model.memory import (
    Cells,
    Memory,
    is_enabled_early,
    read_ram,
    root_cells,
    whole_pages,
)
from harness.machine.devicetree.model.regions import (
    SHARED,
    Kind,
    Regions,
    ReservedNode,
    handler_of,
    is_contiguous,
)
from harness.machine.devicetree.model.rules import RULES

MOST_REGIONS = 64
"""MAX_RESERVED_REGIONS (drivers/of/of_private.h)."""

LATE = "late-reserved-memory"
"""With it regions with an address are set up after those that the kernel places."""


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
    scan = _Scan(kernel, around, cells, memory, parent.children)
    _reserve_entries(memory, tree)
    found = tuple(scan.found[node] for node in parent.children)
    freed, unmapped = tuple(scan.freed), tuple(scan.freed_unmapped)
    return Regions(found, tuple(scan.lookup()), memory, freed, unmapped, tuple(scan.log))


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


class _Scan:
    """The passes over /reserved-memory, with the memory as they go."""

    def __init__(
        self,
        kernel: KernelVersion,
        around: Environment,
        cells: Cells,
        memory: Memory,
        children: Sequence[FlatNode],
    ) -> None:
        self.kernel, self.around, self.cells, self.memory = kernel, around, cells, memory
        self.found: dict[FlatNode, ReservedNode] = {}
        self.freed: list[AddressRange] = []
        self.freed_unmapped: list[AddressRange] = []
        self._left_out: set[AddressRange] = set()
        self.log: list[str] = []
        self._array: list[ReservedNode] = []
        fixed, dynamic = self._reserve(children)
        if kernel.has(LATE):
            self._place_all(dynamic)
            self._set_up_all(fixed)
        else:
            wanted = {*dynamic, *fixed}
            self._place_all([node for node in children if node in wanted])
        self._report_overlaps()

    def lookup(self) -> Iterable[ReservedNode]:
        """The kernel's array, which it sorts by address if it has two entries or more."""
        return sorted(self._array, key=lambda one: (one.base or 0, one.size, one.node.offset))

    def _reserve(self, children: Sequence[FlatNode]) -> tuple[list[FlatNode], list[FlatNode]]:
        """Reserve what has an address; return those nodes, and those that the kernel places."""
        fixed: list[FlatNode] = []
        dynamic: list[FlatNode] = []
        for node in children:
            if not is_enabled_early(node, self.kernel):
                self._ignore(node, "pool-disabled")
                continue
            reg = node.properties.get("reg")
            whole = reg is not None and len(reg) % max(self.cells.stride, 1) == 0
            if self.kernel.within(">=6.19") and (not whole or not reg):
                reg = None
            if reg is None:
                if "size" in node.properties:
                    dynamic.append(node)
                else:
                    broken = "reg" in node.properties
                    self._ignore(node, "bad-reg" if broken else "no-place")
            elif not whole:
                self._ignore(node, "bad-reg")
            else:
                self._reserve_entries(node, reg)
                fixed.append(node)
        return fixed, dynamic

    def _reserve_entries(self, node: FlatNode, reg: bytes) -> None:
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

    def _set_up_all(self, fixed: Sequence[FlatNode]) -> None:
        for node in fixed:
            reg = node.properties["reg"]
            entries = self.cells.entries(reg)
            if not entries:
                self._set_up_empty(node)
            elif len(entries) > 1 and RULES["several-entries"].holds(self.kernel):
                self._ignore(node, "several-entries")
            elif not entries[0].size:
                self._ignore(node, "size-zero")
            else:
                self._set_up(node, entries[0], dynamic=False)

    def _set_up_empty(self, node: FlatNode) -> None:
        """Set up a region whose reg has no bytes: some kernels read what follows in the blob."""
        behind = self.cells.entries(node.behind_reg)
        if not RULES["empty-reg"].holds(self.kernel) or not behind or not behind[0].size:
            self._ignore(node, "bad-reg")
            return
        self._set_up(node, behind[0], dynamic=False)
        self.found[node] = replace(self.found[node], rule=RULES["empty-reg"])
        self._array[-1] = self.found[node]

    def _place_all(self, nodes: Sequence[FlatNode]) -> None:
        """Place what has no address; before 6.12 all regions are set up in this pass."""
        old = not self.kernel.has(LATE)
        if old:
            nodes = sorted(nodes, key=self._address)
        for number, node in enumerate(nodes):
            if number >= MOST_REGIONS:
                self.log.append("too many defined dynamic regions")
                self._ignore(node, "too-many")
            elif old and "reg" in node.properties:
                self._set_up_all([node])
            else:
                self._place(node)

    def _address(self, node: FlatNode) -> tuple[int, int]:
        entries = self.cells.entries(node.properties.get("reg", b""))
        return (entries[0].base, entries[0].size) if entries else (0, 0)

    def _place(self, node: FlatNode) -> None:
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
            self._leave_unplaced(node, "bad-size")
            return
        size, step = int.from_bytes(wanted), int.from_bytes(alignment)
        if node.is_compatible(SHARED) and is_contiguous(node):
            step = max(step, self.around.pageblock)
        base = self._search(size, step, ranges)
        if not base:
            self.log.append(
                f"OF: reserved mem: failed to allocate memory for node '{node.name}': "
                f"size {size // MIB} MiB"
            )
            self._leave_unplaced(node, "no-room")
            return
        place = AddressRange(base, size)
        self.memory.reserved.add(place)
        if "no-map" in node.properties:
            self.memory.unmapped.add(place)
        self._set_up(node, place, dynamic=True)

    def _leave_unplaced(self, node: FlatNode, rule: str) -> None:
        """Ignore a node that cannot be placed; before 6.12 its entry stays, without a size."""
        self._ignore(node, rule)
        if not self.kernel.has(LATE):
            self._array.append(self.found[node])

    def _search(self, size: int, alignment: int, ranges: bytes | None) -> int:
        if ranges is None:
            return self.memory.find(size, alignment)
        for window in self.cells.entries(ranges):
            bottom_up = self.kernel.within(">=6.12") and self._is_bottom_up(window)
            place = self.memory.find(size, alignment, window.base, window.end, bottom_up=bottom_up)
            if place:
                return place
        return 0

    def _is_bottom_up(self, window: AddressRange) -> bool:
        """Whether the kernel starts at the low end, beside a region that it placed before.

        __reserved_mem_alloc_in_range(), since 6.14 and in 6.12.117.
        """
        placed = [one.place for one in self._array if one.size]
        low = any(one.base <= window.base <= one.end for one in placed)
        high = any(one.base <= window.end <= one.end for one in placed)
        return low and not high

    def _set_up(self, node: FlatNode, place: AddressRange, *, dynamic: bool) -> None:
        kind, rule = handler_of(node, place, self.kernel, self.around.pageblock)
        one = ReservedNode(node, kind, place.base, place.size, rule, dynamic)
        self.found[node] = one
        if kind is Kind.REFUSED:
            self.log.append(f"OF: reserved mem: node {node.name} compatible matching fail")
            self._give_back(node, place, dynamic=dynamic)
            if self.kernel.within(">=6.19"):
                return
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
        self._array.append(one)

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

    def _report_overlaps(self) -> None:
        known = list(self.lookup())
        for one, other in pairwise(known):
            if one.place.end > (other.base or 0):
                self.log.append("OF: reserved mem: OVERLAP DETECTED!")

    def _ignore(self, node: FlatNode, rule: str) -> None:
        self.found[node] = ReservedNode(node, Kind.IGNORED, rule=RULES[rule])
