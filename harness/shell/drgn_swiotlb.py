# SPDX-License-Identifier: Apache-2.0
"""drgn helpers for swiotlb: bounce pools, their slots, restricted devices.

The file needs drgn alone, so it works with any vmcore or live kernel (6.1 to 7.3)::

    $ drgn -c vmcore -s vmlinux
    >>> import sys; sys.path.insert(0, "/path/to/harness/shell")
    >>> from drgn_swiotlb import *
    >>> print_io_tlb_mems(prog)
    >>> for index, slot in for_each_used_slot(restricted_mem(prog, "restricted-dma@4f000000")):
    ...     print(index, hex(slot.orig_addr))

=========================  ==================================================================
``io_tlb_default_mem``     the pool of devices without a restricted one
``restricted_mems``        the restricted pools by the name of their node
``restricted_mem``         one of them
``device_mem``             the pool of a device
``restricted_devices``     devices with a restricted pool
``io_tlb_pool``            the memory of a pool
``for_each_used_slot``     its slots that are in use
``slot_of``                the pool and slot of a physical address
``print_io_tlb_mems``      a line for each pool
=========================  ==================================================================
"""

from collections.abc import Iterator

import drgn
from drgn.helpers.linux.device import bus_for_each_dev, dev_name

__all__ = [
    "device_mem",
    "for_each_used_slot",
    "io_tlb_default_mem",
    "io_tlb_pool",
    "print_io_tlb_mems",
    "restricted_devices",
    "restricted_mem",
    "restricted_mems",
    "slot_of",
]

IO_TLB_SIZE = 2048
"""Bytes of a slot (include/linux/swiotlb.h)."""

SWIOTLB_C, RESERVED_MEM_C = "kernel/dma/swiotlb.c", "drivers/of/of_reserved_mem.c"

BUSES = ("platform_bus_type", "pci_bus_type", "amba_bustype")


def io_tlb_default_mem(prog: drgn.Program) -> drgn.Object:
    """``struct io_tlb_mem io_tlb_default_mem``."""
    return prog.variable("io_tlb_default_mem", SWIOTLB_C)


def restricted_mems(prog: drgn.Program) -> dict[str, drgn.Object]:
    """``struct io_tlb_mem *`` of each restricted pool that has or had a device, by node name."""
    operations = prog.variable("rmem_swiotlb_ops", SWIOTLB_C).address_
    table = prog.variable("reserved_mem", RESERVED_MEM_C)
    count = prog.variable("reserved_mem_count", RESERVED_MEM_C).value_()
    regions = (table[index] for index in range(count))
    return {
        region.name.string_().decode(): drgn.cast("struct io_tlb_mem *", region.priv)
        for region in regions
        if region.ops.value_() == operations and region.priv
    }


def restricted_mem(prog: drgn.Program, name: str) -> drgn.Object:
    """``struct io_tlb_mem *`` of the restricted pool whose node is *name*.

    Raises LookupError, with the names that there are.
    """
    mems = restricted_mems(prog)
    if name not in mems:
        raise LookupError(f"no restricted pool {name!r}; there are {', '.join(mems) or 'none'}")
    return mems[name]


def device_mem(dev: drgn.Object) -> drgn.Object:
    """``struct io_tlb_mem *`` that a ``struct device *`` bounces through; NULL for none."""
    return dev.dma_io_tlb_mem


def restricted_devices(prog: drgn.Program) -> Iterator[tuple[drgn.Object, drgn.Object]]:
    """Each ``struct device *`` with a restricted pool, and the pool."""
    default = io_tlb_default_mem(prog).address_
    for bus in BUSES:
        if bus not in prog:
            continue
        for dev in bus_for_each_dev(prog[bus].address_of_()):
            mem = device_mem(dev)
            if mem.value_() not in (0, default):
                yield dev, mem


def io_tlb_pool(mem: drgn.Object) -> drgn.Object:
    """The memory of a pool: ``defpool`` since 6.6 (158dbe9c9a3d), *mem* itself before."""
    try:
        return mem.defpool
    except AttributeError:
        return mem


def for_each_used_slot(mem: drgn.Object) -> Iterator[tuple[int, drgn.Object]]:
    """Index and ``struct io_tlb_slot`` of each slot in use: no free slot from there on.

    ``orig_addr`` of all bits set is that of a coherent buffer, which has none.
    """
    pool = io_tlb_pool(mem)
    for index in range(pool.nslabs.value_()):
        slot = pool.slots[index]
        if slot.list.value_() == 0:
            yield index, slot


def slot_of(prog: drgn.Program, phys: int) -> tuple[str, int] | None:
    """The name of the pool and the index of the slot at physical address *phys*; None outside."""
    for name, mem in _all_mems(prog).items():
        pool = io_tlb_pool(mem)
        start = pool.start.value_()
        if start <= phys < pool.end.value_():
            return name, (phys - start) // IO_TLB_SIZE
    return None


def print_io_tlb_mems(prog: drgn.Program) -> None:
    """Print name, range, slots in use, and devices of each pool."""
    users: dict[int, list[str]] = {}
    for dev, mem in restricted_devices(prog):
        users.setdefault(mem.value_(), []).append(dev_name(dev).decode())
    for name, mem in _all_mems(prog).items():
        pool = io_tlb_pool(mem)
        used = sum(pool.areas[area].used.value_() for area in range(pool.nareas.value_()))
        devices = ", ".join(users.get(mem.value_(), []))
        print(
            f"{name:32} [{pool.start.value_():#x}, {pool.end.value_():#x})  "
            f"{used} of {pool.nslabs.value_()} slots used  {devices}".rstrip()
        )


def _all_mems(prog: drgn.Program) -> dict[str, drgn.Object]:
    default = io_tlb_default_mem(prog)
    mems = restricted_mems(prog)
    if io_tlb_pool(default).nslabs:
        mems["default"] = default.address_of_()
    return mems
