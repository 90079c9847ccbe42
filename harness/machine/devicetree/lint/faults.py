# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the restricted pools and the memory of a devicetree, on one kernel."""

from collections.abc import Iterator

from harness.base.address_range import AddressRange
from harness.base.space import GIB, KIB
from harness.machine.devicetree.flat import CELL, FlatNode, FlatTree
from harness.machine.devicetree.lint.device_faults import device_faults
from harness.machine.devicetree.lint.fault import Fault, fault_of
from harness.machine.devicetree.lint.measures import SET_SIZE, measure
from harness.machine.devicetree.lint.overlaps import Overlaps
from harness.machine.devicetree.model.attachment import (
    SLOT,
    DevicePrediction,
    is_too_large,
)
from harness.machine.devicetree.model.devices import Bus
from harness.machine.devicetree.model.environment import Environment
from harness.machine.devicetree.model.memory import (
    Cells,
    is_enabled_early,
    root_cells,
    whole_pages,
)
from harness.machine.devicetree.model.prediction import (
    HUGE,
    Prediction,
    given_unmapped,
    lacks_pages,
    used_part,
)
from harness.machine.devicetree.model.regions import Kind, ReservedNode
from harness.machine.devicetree.model.rules import RULES, Rule
from harness.machine.devicetree.model.scan import initial_ram_disk
from harness.machine.devicetree.model.spans import Spans
from harness.machine.devicetree.region import Region

PAGES = (4 * KIB, 16 * KIB, 64 * KIB)
"""Page sizes of arm64, bytes."""

MOST_BANKS = 8
"""Banks of RAM that a message names."""

FREED = "the kernel frees a refused region over it"

IN_ORDER = (Bus.PCI, Bus.PCI_REST)
"""PCI functions are attached after their host bridge, so they race with nobody."""


def find_faults(tree: FlatTree, found: Prediction, around: Environment) -> tuple[Fault, ...]:
    """Everything that is wrong on that kernel, pools first; () if nothing is."""
    checker = _Checker(tree, found, around)
    return tuple(
        dict.fromkeys((*checker.pools(), *device_faults(tree, found), *checker.tree_itself()))
    )


class _Checker:
    def __init__(self, tree: FlatTree, found: Prediction, around: Environment) -> None:
        self.tree, self.found, self.around = tree, found, around
        self.kernel, self.regions = found.kernel, found.regions
        self.cells: Cells = root_cells(tree)
        self._disks = [
            Region(disk.base, disk.size, "the initial RAM disk of /chosen")
            for disk in initial_ram_disk(tree, around.page)
        ]
        self._freed = Spans(self.regions.freed)
        self._neighbours = Overlaps(self._ranges())
        entries = (Region(base, size, "/memreserve/") for base, size in tree.reservations)
        self._entries = Overlaps((entry, None) for entry in entries)
        self._naming: dict[FlatNode, list[DevicePrediction]] = {}
        for device in found.devices:
            for node in device.names:
                self._naming.setdefault(node, []).append(device)

    def _holds(self, rule: str) -> bool:
        return RULES[rule].holds(self.kernel)

    # pools

    def pools(self) -> Iterator[Fault]:
        for one in self.regions.nodes:
            if not one.is_meant_as_pool:
                continue
            if one.node.properties.get("status") == b"":
                yield fault_of("status-empty", one.node, "its status has no value", "status")
            if one.kind is Kind.POOL:
                yield from self._reg(one)
                if one.rule is RULES["empty-reg"]:
                    text = f"its 'reg' has no bytes; the kernel takes {one.place} for it"
                    yield fault_of("empty-reg", one.node, text, "reg")
                else:
                    if one.base is not None:
                        yield from self._place(one)
                    yield from self._shape(one)
                    yield from self._users(one)
            else:
                yield self._not_a_pool(one)

    def _not_a_pool(self, one: ReservedNode) -> Fault:
        rule = one.rule or RULES["not-a-pool"]
        if rule is RULES["refused-flags"]:
            flags = [
                name
                for name in ("no-map", "reusable", "linux,cma-default", "linux,dma-default")
                if name in one.node.properties
            ]
            return Fault(rule, one.node.path, f"it is {' and '.join(flags)}", flags[0])
        if rule is RULES["pool-disabled"] and "status" in one.node.properties:
            return Fault(rule, one.node.path, "it is not enabled", "status")
        if rule is RULES["cells-differ"]:
            parent = one.node.parent or self.tree.root
            return Fault(rule, parent.path, _differing(parent, self.cells), "#address-cells")
        return Fault(rule, one.node.path, f"the kernel makes no pool: {self._lack(one, rule)}")

    def _lack(self, one: ReservedNode, rule: Rule) -> str:
        reg = one.node.properties.get("reg", b"")
        if rule is RULES["bad-size"]:
            return _wrong_size(one.node, self.cells)
        return {
            "no-place": "it has neither 'reg' nor 'size'",
            "bad-reg": f"its 'reg' has {len(reg)} bytes, not a multiple of {self.cells.stride}",
            "size-zero": "its size is 0",
            "several-entries": "its 'reg' has several entries",
            "no-room": "there is no room for it",
            "second-compatible": f"it becomes {one.kind.value}",
        }.get(rule.name, one.kind.value)

    def _reg(self, one: ReservedNode) -> Iterator[Fault]:
        reg = one.node.properties.get("reg", b"")
        number = len(self.cells.entries(reg))
        if number > 1 and one.base is not None:
            yield fault_of(
                "first-entry-only", one.node, f"{number - 1} of its {number} entries are unused",
                "reg",
            )  # fmt: skip
        unit = one.node.name.partition("@")[2]
        if unit and one.base is not None and not one.dynamic and not _is_at(unit, one.base):
            yield fault_of(
                "name-differs", one.node, f"the name says {unit}, 'reg' says {one.base:x}", "reg"
            )

    def _place(self, one: ReservedNode) -> Iterator[Fault]:
        used, memory = used_part(one), self.regions.memory
        if memory.ram and not memory.ram.covers(used):
            there = ", ".join(map(str, memory.ram.ranges()[:MOST_BANKS]))
            yield fault_of("outside-ram", one.node, f"{used} is not inside RAM, which is {there}")
        elif memory.ram and not memory.mapped.covers(used):
            yield fault_of("over-nomap", one.node, f"part of {used} is not mapped")
        yield from self._overlaps(one, used)
        for load in (*self.around.loaded, *self._disks):
            if load.overlaps(used):
                yield fault_of("over-loaded", one.node, f"{used} overlaps {load}")
        if self._freed.overlaps(used):
            yield fault_of("freed-by-refused", one.node, FREED)

    def _overlaps(self, one: ReservedNode, used: AddressRange) -> Iterator[Fault]:
        """Other regions and /memreserve/ entries over a pool, one of each."""
        other = self._neighbours.over(used, one.node)
        if other is not None:
            yield fault_of("overlap", one.node, f"{used} overlaps {other}")
        entry = self._entries.over(used, one.node)
        if entry is not None:
            rule = "dynamic-over-memreserve" if one.dynamic else "overlap"
            yield fault_of(rule, one.node, f"{used} overlaps {entry}")

    def _ranges(self) -> Iterator[tuple[Region, FlatNode | None]]:
        """Memory of all enabled nodes of /reserved-memory: all entries of reg, or the place."""
        parent = self.tree.root.child("reserved-memory")
        for node in parent.children if parent else ():
            if is_enabled_early(node, self.kernel):
                for entry in self.cells.entries(node.properties.get("reg", b"")):
                    yield Region(entry.base, entry.size, node.name), node
                placed = self.regions.of(node)
                if placed is not None and placed.dynamic and placed.base is not None:
                    yield Region(placed.base, placed.size, node.name), node

    def _shape(self, one: ReservedNode) -> Iterator[Fault]:
        base, size = one.base or 0, one.size
        got = measure(one.place, self.kernel, self.around.page)
        if size < SLOT:
            yield fault_of("no-slot", one.node, f"its size is {size} bytes", "reg")
            return
        if is_too_large(one, self.around):
            yield fault_of("too-large", one.node, f"its size is {size // KIB} KiB")
        if base % SLOT and self._holds("slot-unaligned"):
            yield fault_of("slot-unaligned", one.node, f"its base is {base:#x}")
        elif base % self.around.page and self._holds("page-unaligned"):
            yield fault_of(
                "page-unaligned", one.node,
                f"its base {base:#x} is not page aligned: at most {got.largest_mapping // KIB} KiB",
            )  # fmt: skip
        elif base % SET_SIZE and self._holds("set-unaligned"):
            text = f"its base {base:#x} is not a multiple of 256 KiB: coherent allocations of at "
            yield fault_of(
                "set-unaligned", one.node, f"{text}most {got.largest_coherent // KIB} KiB"
            )
        yield from self._pages(one)
        if size % SET_SIZE:
            rule = "odd-size" if self._holds("odd-size") else "odd-size-overrun"
            yield fault_of(rule, one.node, f"its size is {size / KIB:g} KiB")
        if size < SET_SIZE:
            yield fault_of("small-pool", one.node, f"its size is {size / KIB:g} KiB")

    def _pages(self, one: ReservedNode) -> Iterator[Fault]:
        """Pages of which the pool has a part; only the smallest size of page is named."""
        for page in (size for size in PAGES if size >= self.around.page):
            if one.place.base % page or one.size % page:
                rule = "page-shared" if page == self.around.page else "larger-pages"
                text = f"base or size of {one.place} is not a multiple of {page // KIB} KiB"
                yield fault_of(rule, one.node, text)
                return

    def _users(self, one: ReservedNode) -> Iterator[Fault]:
        users = self.found.users(one)
        naming = self._naming.get(one.node, [])
        if not users:
            text = f"{naming[0].path} refers to it, and does not get it" if naming else ""
            yield fault_of("unused", one.node, text or "no device refers to it")
        racing = [user for user in users if user.device.bus not in IN_ORDER]
        if len(racing) > 1:
            names = ", ".join(user.path for user in racing[:4])
            yield fault_of(
                "attached-in-parallel", one.node, f"{len(racing)} devices share it: {names}"
            )
        for device in naming:
            other = device.pool
            if other is not None and other is not one:
                text = f"{device.path} refers to it, and gets {other.name}"
                yield fault_of("first-pool-only", one.node, text)
            elif other is None and users and device.rule is not RULES["device-disabled"]:
                text = f"{device.path} refers to it too: {device.outcome.value}"
                yield fault_of("shared-with-unrestricted", one.node, text)
        for user in users if one.base is not None else ():
            address = user.reach.address(used_part(one))
            if address is not None and address + one.size > 4 * GIB:
                yield fault_of(
                    "beyond-32-bits", one.node,
                    f"{user.path} finds it at {address:#x}, beyond a mask of 32 bits",
                )  # fmt: skip
                break

    # the tree

    def tree_itself(self) -> Iterator[Fault]:
        if not self.regions.memory.ram and any(one.is_meant_as_pool for one in self.regions.nodes):
            yield Fault(RULES["no-memory"], "/", "no memory node has a size")
        if self.found.fatal is RULES["blob-too-large"]:
            yield Fault(RULES["blob-too-large"], "/", f"the blob has {self.tree.size} bytes")
        for one in self.regions.nodes:
            page = self.around.page
            parts = (one.place.base | one.size) % page
            if parts and "no-map" in one.node.properties and self._holds("no-map-part-of-page"):
                text = f"base or size of {one.place} is not a multiple of {page // KIB} KiB"
                yield fault_of("no-map-part-of-page", one.node, text)
            if one.kind is Kind.CMA and self._freed.overlaps(one.place):
                yield fault_of("freed-by-refused", one.node, FREED)
            if one.kind is Kind.CMA and lacks_pages(one.place, self.regions.memory):
                yield fault_of("contiguous-outside-ram", one.node, f"{one.place} is not RAM")
            if one.size // page >= HUGE and self._holds("huge-region"):
                yield fault_of("huge-region", one.node, f"its size is {one.size:#x} bytes")
        unmapped, given = set(self.regions.freed_unmapped), Spans(given_unmapped(self.regions))
        names: set[str] = set()
        for one in self.regions.nodes:
            pages = whole_pages(one.place, self.around.page)
            if one.kind is Kind.REFUSED and one.place in unmapped and given.overlaps(pages):
                text = f"the kernel frees {one.place}, but cannot access it"
                yield fault_of("refused-unmapped", one.node, text, "no-map")
            if one.is_meant_as_pool and one.name in names and self._holds("namesake"):
                yield fault_of("namesake", one.node, f"{one.name} is there twice")
            names.add(one.name)


def _is_at(unit: str, base: int) -> bool:
    try:
        return int(unit.replace(",", ""), 16) == base
    except ValueError:
        return False


def _wrong_size(node: FlatNode, cells: Cells) -> str:
    """Which property of *node* keeps the kernel from placing it."""
    for name, size in (("size", cells.size * CELL), ("alignment", cells.address * CELL)):
        if len(found := node.properties.get(name, bytes(size))) != size:
            return f"its '{name}' has {len(found)} bytes, not {size}"
    ranges = node.properties.get("alloc-ranges", b"")
    return f"its 'alloc-ranges' has {len(ranges)} bytes, not a multiple of {cells.stride}"


def _differing(parent: FlatNode, cells: Cells) -> str:
    """What __reserved_mem_check_root() does not accept."""
    said = [
        f"{name} is {value[0]:#x}" if (value := parent.cells(name)) else f"{name} is missing"
        for name, wanted in (("#address-cells", cells.address), ("#size-cells", cells.size))
        if parent.cell(name, -1) != wanted
    ]
    if said:
        return f"{' and '.join(said)}; the root has {cells.address} and {cells.size}"
    return "'ranges' is missing"
