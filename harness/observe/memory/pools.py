# SPDX-License-Identifier: Apache-2.0
"""Read the kernel's bounce pools: ``struct io_tlb_mem`` and its slots."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import drgn
from drgn.helpers.linux.list import list_for_each_entry
from packaging.version import Version

from harness.base.address_range import AddressRange
from harness.base.errors import NotInKernel
from harness.base.hex_repr import hex_repr
from harness.kernel import SLOT
from harness.observe.memory.kernel import KernelTypes, kernel_reading, short_string
from harness.observe.memory.tables import read_table

SWIOTLB_C = "kernel/dma/swiotlb.c"
RESERVED_MEM_C = "drivers/of/of_reserved_mem.c"
"""Variables are looked up by file too: 6.12 has a second static ``reserved_mem_count``."""

NO_ADDRESS = (1 << 64) - 1
"""``INVALID_PHYS_ADDR``: ``orig_addr`` of a slot without a buffer (kernel/dma/swiotlb.c)."""

OPERATIONS = "rmem_swiotlb_ops"
"""The operations to which the nodes of restricted pools point (kernel/dma/swiotlb.c)."""

DEFPOOL_SINCE = "6.6"
"""158dbe9c9a3d: swiotlb: separate memory pool data from other data."""

PAD_SLOTS_SINCE = "6.10"
"""af133562d5af: swiotlb: extend buffer pre-padding to alloc_align_mask if necessary."""

COUNTERS_SINCE = "6.3"
"""8b0977ecc8b3: swiotlb: track and report io_tlb_used high water marks in debugfs."""

SWITCH_SINCE = "7.3"
"""121f9fd1c308: the kernel counts only with ``swiotlb=track_hiwater``."""

LIST = 2
"""The index of ``list`` in a row of :func:`_rows`."""

DEFAULT_POOL = "default"
"""The name for the pool of all devices without a restricted pool."""

ORPHAN = "orphan"
"""The name for a pool that a device has but no node: the kernel has lost track of it."""


@dataclass(frozen=True, repr=False)
class PoolState(AddressRange):
    """A pool as the kernel sees it at one moment.

    *name* is its devicetree node's, :data:`DEFAULT_POOL` or :data:`ORPHAN`. *nslabs* is the
    number of slots of the memory that it began with, in *nareas* areas; *used* is the number in
    use, and *total_nslabs* the kernel's count of all, each with memory by which the pool has grown
    (SWIOTLB_DYNAMIC: the default pool only).
    *counted* is the number of slots in use in debugfs, *hiwater* its maximum;
    both None before 6.3 (8b0977ecc8b3), without debugfs, and since 7.3 without
    ``swiotlb=track_hiwater``. *address* is the kernel's own pointer to the pool.
    """

    name: str
    nslabs: int
    total_nslabs: int
    nareas: int
    used: int
    force_bounce: bool
    for_alloc: bool
    counted: int | None
    hiwater: int | None
    address: int


@hex_repr
@dataclass(frozen=True)
class Slot:
    """One slot of a pool, 2 KiB at guest-physical *phys*.

    *orig_addr* is the guest-physical address of the buffer that bounces through it (None without
    one, and for a coherent buffer), *alloc_size* the bytes of the mapping from this slot on, *list*
    the number of free slots from here in its segment (0: in use), *pad* the number of padding slots
    before a mapping (0 before 6.10).
    """

    index: int
    phys: int
    orig_addr: int | None
    alloc_size: int
    list: int
    pad: int

    @property
    def in_use(self) -> bool:
        """Whether a mapping or a coherent buffer holds the slot."""
        return self.list == 0


@dataclass(frozen=True, repr=False)
class ReservedRegion(AddressRange):
    """A reserved-memory node as the kernel recorded it.

    *taken*: whether a driver of the kernel accepted it; *restricted*: whether that was the driver
    of restricted pools (None if this kernel does not show it); *pool* is the pointer to the pool,
    0 until a device was attached.
    """

    name: str
    taken: bool
    restricted: bool | None
    pool: int


def reserved_regions(types: KernelTypes) -> tuple[ReservedRegion, ...]:
    """Every recorded reserved-memory node (drivers/of/of_reserved_mem.c: ``reserved_mem``).

    Raises AddressError when the kernel's structures are damaged, NotInKernel when it lacks them.
    """
    with kernel_reading("the reserved memory"):
        table = types.program.variable("reserved_mem", RESERVED_MEM_C)
        count = types.program.variable("reserved_mem_count", RESERVED_MEM_C).value_()
        nodes = [table[index] for index in range(count)]
        takers = _restricted_pool_operations(types, nodes)
        return tuple(_region(node, takers) for node in nodes)


def restricted_pools(
    types: KernelTypes, regions: Sequence[ReservedRegion] | None = None
) -> tuple[PoolState, ...]:
    """The restricted pools that have or had a device; raises as :func:`reserved_regions`.

    Pools that a device has but no node are called :data:`ORPHAN`. *regions* are those of
    :func:`reserved_regions`, read here if None.
    """
    regions = reserved_regions(types) if regions is None else regions
    with kernel_reading("the restricted pools"):
        names = dict.fromkeys(sorted(_pools_of_devices(types)), ORPHAN)
        names |= {region.pool: region.name for region in regions if region.pool}
        return tuple(_state(types, _mem_at(types, each), name) for each, name in names.items())


def require_recognised(regions: Iterable[ReservedRegion], described: Collection[str]) -> None:
    """Raise NotInKernel if a pool that the devicetree describes is not recognised in *regions*.

    *described* are the names of the pools' nodes. A node that no driver, or another
    driver, accepted is not a restricted pool.
    """
    for region in regions:
        if region.restricted is None and region.name in described:
            raise NotInKernel(f"the restricted pool {region.name}", "symbol", OPERATIONS)


def default_pool(types: KernelTypes) -> PoolState | None:
    """The pool of devices without a restricted one; None if it was never set up."""
    with kernel_reading("the default pool"):
        state = _state(types, _default_mem(types), DEFAULT_POOL)
        return state if state.nslabs else None


def device_pool(types: KernelTypes, name: str) -> PoolState | None:
    """The pool that device *name* (as in sysfs) bounces through now; None if it has none.

    Raises InputError when there is no such device, else as :func:`reserved_regions`.
    """
    device = types.device(name)
    with kernel_reading(f"the pool of {name}"):
        pointer = device.dma_io_tlb_mem
        address = pointer.value_()
        return _state(types, pointer[0], _name(types, address)) if address else None


def as_now(types: KernelTypes, pool: PoolState) -> PoolState:
    """*pool* as the kernel sees it now; raises as :func:`reserved_regions`."""
    with kernel_reading(f"the pool {pool.name}"):
        return _state(types, _mem_at(types, pool.address), pool.name)


def slot_runs(found: Iterable[Slot]) -> Iterator[tuple[Slot, ...]]:
    """The slots in use among *found*, by mappings: ``alloc_size`` falls by a slot each."""
    run: list[Slot] = []
    for slot in found:
        if not slot.in_use:
            continue
        follows = run and slot.index == run[-1].index + 1
        if follows and slot.alloc_size < run[-1].alloc_size:
            run.append(slot)
            continue
        if run:
            yield tuple(run)
        run = [slot]
    if run:
        yield tuple(run)


def slots(types: KernelTypes, pool: PoolState) -> tuple[Slot, ...]:
    """Every slot of *pool*, about 6 ms for 8192 of them; raises as :func:`reserved_regions`."""
    return tuple(_slot(pool, index, row) for index, row in _rows(types, pool))


def slots_in_use(types: KernelTypes, pool: PoolState) -> tuple[Slot, ...]:
    """The slots of *pool* that are in use, much faster than :func:`slots`; raises the same."""
    return tuple(_slot(pool, index, row) for index, row in _rows(types, pool) if row[LIST] == 0)


def _rows(types: KernelTypes, pool: PoolState) -> Iterator[tuple[int, tuple[int, ...]]]:
    with kernel_reading(f"the slots of {pool.name}"):
        table = _pool_of(types, _mem_at(types, pool.address)).slots
        padded = types.has_member(table.type_.type, "pad_slots", since=PAD_SLOTS_SINCE)
        members = ["orig_addr", "alloc_size", "list", *(["pad_slots"] if padded else [])]
        return enumerate(read_table(table, pool.nslabs, members))


def _slot(pool: PoolState, index: int, row: tuple[int, ...]) -> Slot:
    orig_addr, alloc_size, free, *pad = row
    return Slot(
        index=index,
        phys=pool.base + index * SLOT,
        orig_addr=None if orig_addr == NO_ADDRESS else orig_addr,
        alloc_size=alloc_size,
        list=free,
        pad=pad[0] if pad else 0,
    )


def _restricted_pool_operations(
    types: KernelTypes, nodes: Iterable[drgn.Object]
) -> frozenset[int] | None:
    """The addresses that the nodes of restricted pools point to; None if they cannot be found.

    By name, and without that name by use: a node whose memory is the pool of a device is one.
    """
    try:
        by_name = types.program.variable(OPERATIONS, SWIOTLB_C).address_
    except LookupError:
        bases = {pool: _base(types, pool) for pool in _pools_of_devices(types)}
        using = (node for node in nodes if bases.get(node.priv.value_()) == node.base.value_())
        return frozenset(node.ops.value_() for node in using) or None
    return frozenset([by_name])


def _pools_of_devices(types: KernelTypes) -> frozenset[int]:
    """The kernel's pointer to each pool that a device has now, but for the default pool."""
    pools = {device.dma_io_tlb_mem.value_() for device in types.devices()}
    return frozenset(pools - {0, _default_mem(types).address_})


def _base(types: KernelTypes, pool: int) -> int:
    base: int = _pool_of(types, _mem_at(types, pool)).start.value_()
    return base


def _region(node: drgn.Object, takers: frozenset[int] | None) -> ReservedRegion:
    """Describe *node*; it is a restricted pool if its operations are at one of *takers*."""
    taker = node.ops.value_()
    known = not taker or takers is not None
    restricted = takers is not None and taker in takers
    return ReservedRegion(
        base=node.base.value_(),
        size=node.size.value_(),
        name=short_string(node.name),
        taken=taker != 0,
        restricted=restricted if known else None,
        pool=node.priv.value_() if restricted else 0,
    )


def _default_mem(types: KernelTypes) -> drgn.Object:
    return types.program.variable("io_tlb_default_mem", SWIOTLB_C)


def _mem_at(types: KernelTypes, address: int) -> drgn.Object:
    return drgn.Object(types.program, "struct io_tlb_mem", address=address)


def _pool_of(types: KernelTypes, mem: drgn.Object) -> drgn.Object:
    """The first memory of a pool: a structure of its own since 6.6."""
    apart = types.has_member(mem.type_, "defpool", since=DEFPOOL_SINCE)
    return mem.defpool if apart else mem


def _grown(mem: drgn.Object, first: drgn.Object) -> Iterator[drgn.Object]:
    """The memory by which a pool has grown since; none of a kernel without SWIOTLB_DYNAMIC."""
    if mem.type_.has_member("pools"):
        for part in list_for_each_entry("struct io_tlb_pool", mem.pools.address_of_(), "node"):
            if part.value_() != first.address_:
                yield part[0]


def _used(part: drgn.Object) -> int:
    """The slots in use of one memory of a pool."""
    return sum(part.areas[area].used.value_() for area in range(part.nareas.value_()))


def _state(types: KernelTypes, mem: drgn.Object, name: str) -> PoolState:
    pool = _pool_of(types, mem)
    base = pool.start.value_()
    return PoolState(
        name=name,
        base=base,
        size=pool.end.value_() - base,
        nslabs=pool.nslabs.value_(),
        total_nslabs=mem.nslabs.value_(),
        nareas=pool.nareas.value_(),
        used=sum(_used(part) for part in (pool, *_grown(mem, pool))),
        force_bounce=bool(mem.force_bounce),
        for_alloc=bool(mem.for_alloc),
        counted=_counter(types, mem, "total_used"),
        hiwater=_counter(types, mem, "used_hiwater"),
        address=mem.address_ or 0,
    )


def _counter(types: KernelTypes, mem: drgn.Object, name: str) -> int | None:
    brought = types.knows("debugfs_create_file")
    if not types.has_member(mem.type_, name, COUNTERS_SINCE, brought) or not _counts(types):
        return None
    return int(mem.member_(name).counter)


def _counts(types: KernelTypes) -> bool:
    """Whether the kernel updates the counters: since 7.3 only on request."""
    try:
        return bool(types.program.variable("track_hiwater_enabled", SWIOTLB_C))
    except LookupError:
        if types.version >= Version(SWITCH_SINCE):
            raise
        return True


def _name(types: KernelTypes, address: int) -> str:
    if address == _default_mem(types).address_:
        return DEFAULT_POOL
    for region in reserved_regions(types):
        if region.restricted and region.pool == address:
            return region.name
    return ORPHAN
