# SPDX-License-Identifier: Apache-2.0
"""Atlas: classify guest-physical addresses by what the kernel uses them for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from drgn.helpers.linux.mm import phys_to_virt
from drgn.helpers.linux.slab import slab_object_info

from harness.base.address_range import AddressRange
from harness.base.hex_repr import hex_repr
from harness.kernel import SLOT
from harness.observe.memory.kernel import KernelTypes, kernel_reading
from harness.observe.memory.memory_use import MemoryUse
from harness.observe.memory.page_tables import kernel_page_tables
from harness.observe.memory.pages import page_uses
from harness.observe.memory.pools import (
    PoolState,
    ReservedRegion,
    default_pool,
    reserved_regions,
    restricted_pools,
)
from harness.observe.memory.search import find

IMAGE_PARTS = (
    (MemoryUse.TEXT, "_text", "_etext"),
    (MemoryUse.RODATA, "__start_rodata", "__init_begin"),
    (MemoryUse.DATA, "_sdata", "_edata"),
    (MemoryUse.BSS, "__bss_start", "__bss_stop"),
)
"""The parts of the image by the symbols at their borders (arch/arm64/kernel/vmlinux.lds.S).
The kernel gives what is between or after them, init memory and the first page tables, to the page
allocator at the end of its boot (6.1 mm/mmu.c:paging_init for the latter)."""

MEMBLOCK_NOMAP = 4
"""A memory range's flag: not in the linear map, not managed (include/linux/memblock.h)."""


@hex_repr
@dataclass(frozen=True)
class Hit:
    """A guest-physical address, what uses it, and which one of these.

    *detail* is a pool's name and slot, a symbol and offset, a slab cache and whether the object
    is in use, a reserved region's name, or empty.
    """

    phys: int
    use: MemoryUse
    detail: str

    def __str__(self) -> str:
        return f"{self.phys:#x}: {self.use.value}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True)
class Search:
    """The first addresses of a pattern in RAM, ascending; *more*: whether there were others."""

    hits: tuple[Hit, ...]
    more: bool


def managed_memory(types: KernelTypes) -> tuple[AddressRange, ...]:
    """The ranges of memory that the kernel manages (mm/memblock.c, kept on arm64).

    Raises AddressError when the kernel's structures are damaged.
    """
    with kernel_reading("the kernel's memory ranges"):
        memory = types.program["memblock"].memory
        ranges = [memory.regions[index] for index in range(memory.cnt.value_())]
        return tuple(
            AddressRange(item.base.value_(), item.size.value_())
            for item in ranges
            if not item.flags.value_() & MEMBLOCK_NOMAP
        )


class Atlas:
    """Classifies guest-physical addresses.

    It reads the pools, the image and the kernel's page tables once, at the first use, and the page
    allocator each time. Make a new one after the guest has changed its layout.
    """

    def __init__(self, types: KernelTypes) -> None:
        self._types = types

    def search(self, pattern: bytes, limit: int = 1000) -> Search:
        """Search all of RAM for *pattern* and classify up to *limit* addresses.

        Raises as :func:`harness.observe.memory.search.find` and :meth:`classify`.
        """
        found = list(islice(find(self._types.memory, pattern), limit + 1))
        hits = tuple(self.classify(phys) for phys in found[:limit])
        return Search(hits, len(found) > limit)

    def classify(self, phys: int) -> Hit:
        """Classify the byte at *phys*.

        Raises AddressError when it is not RAM, or the kernel's structures are damaged or not set up
        yet.
        """
        self._types.memory.read(phys, 1)
        steps: tuple[Callable[[int], Hit | None], ...] = (
            self._in_pool,
            self._in_page_table,
            self._in_image,
            self._in_hole,
        )
        found = (hit for step in steps if (hit := step(phys)))
        return next(found, None) or self._in_page(phys)

    def _in_pool(self, phys: int) -> Hit | None:
        for region, pool in self._pools:
            if pool.contains(phys):
                return Hit(phys, region, f"{pool.name}, slot {(phys - pool.base) // SLOT}")
        return None

    def _in_page_table(self, phys: int) -> Hit | None:
        if phys - phys % self._types.page_size not in self._tables:
            return None
        return Hit(phys, MemoryUse.PAGE_TABLE, "of the kernel")

    def _in_image(self, phys: int) -> Hit | None:
        for region, part in self._image:
            if part.contains(phys):
                return Hit(phys, region, self._symbol(phys))
        return None

    def _in_hole(self, phys: int) -> Hit | None:
        managed = any(ram.contains(phys) for ram in self._managed)
        return None if managed else Hit(phys, MemoryUse.HOLE, "")

    def _in_page(self, phys: int) -> Hit:
        region = page_uses(self._types, phys, 1)[0]
        if region is MemoryUse.SLAB:
            return Hit(phys, region, self._slab(phys))
        names = (node.name for node in self._reserved if node.contains(phys))
        return Hit(phys, region, next(names, "") if region is MemoryUse.RESERVED else "")

    def _symbol(self, phys: int) -> str:
        address = self._types.image.to_link(phys)
        symbol = self._types.symbols.nearest(address)
        if symbol is None or (symbol.size and address >= symbol.address + symbol.size):
            return ""
        return f"{symbol.name}+{address - symbol.address:#x}"

    def _slab(self, phys: int) -> str:
        with kernel_reading(f"the slab at {phys:#x}"):
            program = self._types.program
            found = slab_object_info(program, phys_to_virt(program, phys))
            if found is None:
                return ""
            name = found.slab_cache.name.string_().decode()
            return f"{name}, {'in use' if found.allocated else 'free'}"

    @cached_property
    def _pools(self) -> tuple[tuple[MemoryUse, PoolState], ...]:
        pools = [(MemoryUse.POOL, pool) for pool in restricted_pools(self._types)]
        default = default_pool(self._types)
        return (*pools, *([(MemoryUse.DEFAULT_POOL, default)] if default else []))

    @cached_property
    def _tables(self) -> frozenset[int]:
        return kernel_page_tables(self._types)

    @cached_property
    def _image(self) -> tuple[tuple[MemoryUse, AddressRange], ...]:
        def phys(name: str) -> int:
            return self._types.image.to_phys(self._types.symbols.address(name))

        return tuple(
            (region, AddressRange(phys(begin), phys(end) - phys(begin)))
            for region, begin, end in IMAGE_PARTS
        )

    @cached_property
    def _managed(self) -> tuple[AddressRange, ...]:
        return managed_memory(self._types)

    @cached_property
    def _reserved(self) -> tuple[ReservedRegion, ...]:
        return reserved_regions(self._types)
