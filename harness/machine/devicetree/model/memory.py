# SPDX-License-Identifier: Apache-2.0
"""Free memory early in the boot, as memblock sees it (mm/memblock.c)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from harness.base.address_range import AddressRange
from harness.base.hex_repr import hex_repr
from harness.machine.devicetree.flat import CELL, FlatNode, FlatTree
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.model.spans import Spans

U64 = (1 << 64) - 1
_SIZE = re.compile(
    r"(?:(?P<number>0x[0-9a-f]+|[1-9]\d*)|0(?P<octal>[0-7]*))(?P<unit>[KMGTPE]?)", re.IGNORECASE
)
CACHE_LINE = 64
"""SMP_CACHE_BYTES of arm64: the alignment of what asks for none."""


MOST_CELLS = 4
"""Cells of an address (OF_MAX_ADDR_CELLS)."""


@hex_repr
@dataclass(frozen=True)
class Cells:
    """Cells of an address and of a size."""

    address: int
    size: int

    @property
    def stride(self) -> int:
        """Bytes of an entry."""
        return (self.address + self.size) * CELL

    @property
    def are_valid(self) -> bool:
        """Whether the kernel takes them for a bus (drivers/of/address.c:OF_CHECK_COUNTS())."""
        return 0 < self.address <= MOST_CELLS and self.size > 0

    def entries(self, data: bytes) -> tuple[AddressRange, ...]:
        """The whole entries of *data*; of numbers wider than 64 bits the low ones count."""
        split, stride = self.address * CELL, self.stride
        if not stride:
            return ()
        return tuple(
            AddressRange(
                int.from_bytes(data[at : at + split]) & U64,
                int.from_bytes(data[at + split : at + stride]) & U64,
            )
            for at in range(0, len(data) - stride + 1, stride)
        )


def root_cells(tree: FlatTree) -> Cells:
    """The cells that the kernel uses for memory: those of the root.

    drivers/of/fdt.c:early_init_dt_scan_root(), where both are 1 if the root does not say.
    """
    return Cells(tree.root.cell("#address-cells", 1), tree.root.cell("#size-cells", 1))


def is_enabled_early(node: FlatNode, kernel: KernelVersion) -> bool:
    """Whether the kernel takes *node* as enabled before it has unpacked the tree.

    drivers/of/fdt.c:of_fdt_device_is_available(); since 6.19 an empty status is as none.
    """
    status = node.properties.get("status")
    if status is None or (not status and kernel.within(">=6.19")):
        return True
    return status.partition(b"\0")[0] in (b"okay", b"ok")


def is_enabled(node: FlatNode) -> bool:
    """Whether *node* is enabled later (drivers/of/base.c:__of_device_is_available())."""
    status = node.properties.get("status")
    return status is None or status.partition(b"\0")[0] in (b"okay", b"ok")


class Memory:
    """RAM, what of it is *reserved*, and what is left out of the linear mapping (``no-map``).

    *page* is the size of a page in bytes.
    """

    def __init__(self, ram: Iterable[AddressRange], page: int) -> None:
        self.ram, self.reserved, self.unmapped = Spans(ram), Spans(), Spans()
        self.page = page

    def free(self) -> list[AddressRange]:
        """What can be allocated, ascending."""
        return self.ram.without(self.reserved).without(self.unmapped).ranges()

    @cached_property
    def mapped(self) -> Spans:
        """What the kernel can write to, when all regions are set up.

        A page is not mapped if a part of it is not (arch/arm64/mm/mmu.c:map_mem(), 6.12.117).
        """
        holes = (whole_pages(hole, self.page) for hole in self.unmapped.ranges())
        return self.ram.without(Spans(holes))

    def find(
        self, size: int, alignment: int, start: int = 0, end: int = 0, *, bottom_up: bool = False
    ) -> int:
        """The address that memblock_phys_alloc_range() returns; 0 if there is no room.

        *alignment* is used as the kernel's macros do, which expect a power of two.
        """
        alignment = alignment or CACHE_LINE
        start, end = max(start, self.page), end or U64
        end = max(start, end)
        free = self.free()
        for one in free if bottom_up else reversed(free):
            low, high = (min(max(edge, start), end) for edge in (one.base, one.end))
            if bottom_up:
                place = ((low - 1) | (alignment - 1)) + 1
                if place < high and high - place >= size:
                    return place
            elif high >= size:
                place = (high - size) & ~(alignment - 1)
                if place >= low:
                    return place
        return 0


def whole_pages(one: AddressRange, page: int) -> AddressRange:
    """All pages that *one* has a part of; none if it is empty."""
    base = one.base // page * page
    return AddressRange(base, -(-one.end // page) * page - base if one.size else 0)


def read_ram(tree: FlatTree, kernel: KernelVersion, page: int) -> list[AddressRange]:
    """RAM as the kernel sees it: memory nodes, whole pages, within what limits it.

    drivers/of/fdt.c: early_init_dt_scan_memory(), early_init_dt_add_memory_arch(),
    early_init_dt_check_for_usable_mem_range(); arch/arm64/mm/init.c:early_mem().
    """
    cells = root_cells(tree)
    banks: list[AddressRange] = []
    for node in tree.root.children:
        if node.properties.get("device_type", b"").partition(b"\0")[0] != b"memory":
            continue
        if not is_enabled_early(node, kernel):
            continue
        reg = node.properties.get("linux,usable-memory", node.properties.get("reg", b""))
        banks += (_pages_inside(bank, page) for bank in cells.entries(reg))
    ram = Spans(banks)
    usable = _usable(tree, cells)
    if usable:
        ram = ram.without(Spans([AddressRange(0, U64 + 1)]).without(Spans(usable)))
    limit = _limit(tree, page)
    return ram.ranges() if limit is None else list(_first_bytes(ram.ranges(), limit))


def _limit(tree: FlatTree, page: int) -> int | None:
    """The bytes of RAM that ``mem=`` on the command line leaves, whole pages; None for all."""
    chosen = tree.root.child("chosen")
    found = None
    for words in chosen.strings("bootargs")[:1] if chosen else ():
        for word in takewhile(lambda word: word != "--", words.split()):
            name, equals, value = word.partition("=")
            if name == "mem" and equals:
                found = _memparse(value) // page * page or None
    return found


def _memparse(text: str) -> int:
    """A size as the kernel parses it; text after it is ignored (lib/cmdline.c:memparse())."""
    found = _SIZE.match(text)
    if found is None:
        return 0
    number = int(found["number"], 0) if found["number"] else int(found["octal"] or "0", 8)
    return number << 10 * (1 + "KMGTPE".index(found["unit"].upper()) if found["unit"] else 0)


def _first_bytes(ram: Iterable[AddressRange], size: int) -> Iterator[AddressRange]:
    """The lowest *size* bytes (mm/memblock.c:memblock_mem_limit_remove_map())."""
    for bank in ram:
        if size > 0:
            yield AddressRange(bank.base, min(bank.size, size))
        size -= bank.size


def _usable(tree: FlatTree, cells: Cells) -> tuple[AddressRange, ...]:
    chosen = tree.root.child("chosen")
    data = chosen.properties.get("linux,usable-memory-range", b"") if chosen else b""
    return cells.entries(data)[:2]


def _pages_inside(bank: AddressRange, page: int) -> AddressRange:
    base = -(-bank.base // page) * page
    end = (bank.base + bank.size) // page * page
    return AddressRange(base, max(0, min(end, U64 + 1) - base))
