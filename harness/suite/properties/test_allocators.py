# SPDX-License-Identifier: Apache-2.0
"""Properties D4, D7 to D9 and D11: allocations with masks, attributes, aliases and owners."""

import re

import pytest

from harness.base.errors import GuestCrash
from harness.devices.probe import (
    AllocCall,
    Attr,
    Byte,
    Device,
    Gfp,
    Probe,
)
from harness.kernel import SLOT, Geometry
from harness.machine.devicetree import Pool
from harness.machine.machine import DEFAULT_RAM
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import LiveMemory, untagged
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import COHERENT, PLATFORM
from harness.suite.lib.expect import (
    counted,
    equal,
    holds,
    in_pool,
    refused,
    require,
    same_bytes,
    slots_used,
)
from harness.suite.lib.filling import allocate, free
from harness.suite.lib.written import CPU

NODE_DRIVER = "/sys/bus/platform/drivers/restricted-dma-probe-node"

ATOMIC = (AllocCall.COHERENT, AllocCall.PAGES, AllocCall.NONCOHERENT, AllocCall.MANAGED)
"""Functions that may be called in atomic context."""


CMA = pytest.mark.needs("the kernel needs a CMA area to fall back to", config="DMA_CMA=y")
CMA_FITS = pytest.mark.needs(
    "with pages of 64 KiB a CMA area is a multiple of 512 MiB, more than this machine's RAM",
    config="ARM64_64K_PAGES=n",
)

ALIASES = "uncached aliases (dma-coherent in /proc/vmallocinfo)"
IS_ALIAS = "the CPU's address is outside the linear map"


def aliases(guest: Guest) -> int:
    """The number of uncached aliases of coherent memory in the kernel."""
    return guest.agent.read_file("/proc/vmallocinfo").count(b"dma-coherent")


def is_alias(probe: Probe, virt: int, phys: int) -> bool:
    """Whether a kernel address is outside the linear map, in which buffers are."""
    buffer = probe.buffer(1)
    return untagged(virt) - phys != untagged(buffer.virt) - buffer.phys


def allocate_to_the_end(device: Device, pool: Pool, geometry: Geometry) -> list[int]:
    """Allocate all slot sets but the last, then single pages; returns the pages' addresses."""
    page, slot_set = geometry.page, geometry.slot_set
    allocate(device, slot_set, attempts=pool.size // slot_set - 1)
    pages = allocate(device, page, attempts=slot_set // page + 1)
    return [page.dma_addr for page in pages.values()]


@pytest.mark.property("D7")
@pytest.mark.needs("a mask that ends before RAM is refused", before="masks-reach-ram")
@pytest.mark.parametrize("ram_size", [DEFAULT_RAM])
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_memory_beyond_the_coherent_mask_is_null(
    device: Device, pool: Pool, counters: PoolCounters, geometry: Geometry
) -> None:
    """An allocation of the last page of RAM returns NULL if the coherent mask ends before it."""
    page, slot_set = geometry.page, geometry.slot_set
    device.set_coherent_mask(pool.end - page)

    pages = allocate_to_the_end(device, pool, geometry)

    equal(pages, list(range(pool.end - slot_set, pool.end - page, page)), "addresses of the pages")
    slots_used(counters, (pool.size - page) // SLOT)


@pytest.mark.property("D7", control=True)
@pytest.mark.parametrize("ram_size", [DEFAULT_RAM])
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_a_mask_that_reaches_all_of_the_pool_takes_nothing_away(
    device: Device, pool: Pool, geometry: Geometry
) -> None:
    """With a coherent mask that covers the pool, the last page can be allocated."""
    device.set_coherent_mask(pool.end - 1)

    last = allocate_to_the_end(device, pool, geometry)[-1]
    equal(last, pool.end - geometry.page, "the last page")


@pytest.mark.property("D8")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_no_kernel_mapping_is_ignored(
    device: Device, pool: Pool, memory: LiveMemory, page: int
) -> None:
    """The kernel ignores DMA_ATTR_NO_KERNEL_MAPPING and returns an address for the CPU."""
    for size in (page, 3 * page):
        allocation = device.alloc_coherent(size, attrs=Attr.NO_KERNEL_MAPPING)

        in_pool(allocation, pool)
        equal(allocation.phys, allocation.dma_addr, "the physical address of the allocation")
        allocation.fill(CPU)
        same_bytes(memory, allocation.dma_addr, CPU.content(0, size))
        allocation.free()


@pytest.mark.property("D8", control=True)
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_there_is_no_kernel_mapping(device: Device, page: int) -> None:
    """An unrestricted device gets a cookie that is not an address for the CPU."""
    phys = device.alloc_coherent(page, attrs=Attr.NO_KERNEL_MAPPING).phys
    equal(phys, None, "the physical address behind the cookie")


@pytest.mark.property("D9")
def test_a_device_that_is_not_coherent_has_an_alias(
    guest: Guest, device: Device, probe: Probe, counters: PoolCounters, page: int
) -> None:
    """The kernel maps coherent memory of a non-coherent device uncached, until it is freed."""
    before = aliases(guest)

    allocation = device.alloc_coherent(3 * page)
    equal(is_alias(probe, allocation.virt, allocation.dma_addr), True, IS_ALIAS)
    counted(aliases(guest), before + 1, ALIASES)
    allocation.free()

    counted(aliases(guest), before, ALIASES)
    slots_used(counters, 0)


@pytest.mark.property("D9", control=True)
@pytest.mark.parametrize("driver", [COHERENT])
def test_a_coherent_device_has_no_alias(
    guest: Guest, device: Device, probe: Probe, page: int
) -> None:
    """A dma-coherent device gets the linear mapping of the pool."""
    before = aliases(guest)

    allocation = device.alloc_coherent(3 * page)

    equal(is_alias(probe, allocation.virt, allocation.dma_addr), False, IS_ALIAS)
    counted(aliases(guest), before, ALIASES)


@pytest.mark.property("D9")
@pytest.mark.expects_report(".")
def test_an_atomic_allocation_that_needs_an_alias_crashes_or_is_of_the_pool(
    device: Device, pool: Pool, page: int
) -> None:
    """An atomic allocation for a non-coherent device is a BUG(), or memory of the pool.

    The binding asks for a shared-dma-pool next to the restricted one. mm/vmalloc.c has a BUG();
    since 7.2 it has none ("do not trigger BUG() on BH disabled context"), and the pool serves
    the allocation.
    """
    try:
        allocation = device.alloc_coherent(page, gfp=Gfp.BOTTOM_HALF)
    except GuestCrash:
        return
    in_pool(allocation, pool)


@pytest.mark.property("D9", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_an_unrestricted_device_may_allocate_atomically(device: Device, page: int) -> None:
    """Without a restricted pool the kernel serves the same call from its atomic pool."""
    allocation = device.alloc_coherent(page, gfp=Gfp.BOTTOM_HALF)

    holds(allocation, Byte(0))


@pytest.mark.property("D1", "D4", "D9")
@pytest.mark.parametrize("driver", [COHERENT])
def test_a_coherent_device_may_allocate_atomically(
    device: Device, pool: Pool, counters: PoolCounters, page: int, slot_set: int
) -> None:
    """The pool serves atomic allocations of a coherent device; from a full pool they are NULL."""
    for call in ATOMIC:
        allocation = device.alloc(call, page, gfp=Gfp.BOTTOM_HALF)
        in_pool(allocation, pool)
        allocation.free()

    allocate(device, slot_set, attempts=pool.size // slot_set)
    for call in ATOMIC:
        refused(device.alloc, call, page, gfp=Gfp.BOTTOM_HALF)
    slots_used(counters, pool.size // SLOT)


def cma_counts(guest: Guest) -> tuple[bytes, ...]:
    """The kernel's counters of successful and failed CMA allocations."""
    return tuple(re.findall(rb"cma_alloc_\w+ \d+", guest.agent.read_file("/proc/vmstat")))


@pytest.mark.property("D4")
@CMA
@CMA_FITS
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_no_allocation_comes_from_the_contiguous_area(
    guest: Guest, device: Device, page: int, slot_set: int
) -> None:
    """An allocation that is too large, or from a full pool, does not use CMA."""
    before = cma_counts(guest)

    for call in AllocCall:
        given = allocate(device, slot_set, attempts=100, call=call)
        refused(device.alloc, call, page)
        free(device, given)
        refused(device.alloc, call, slot_set + 1)

    counted(len(before), 2, "CMA counters in /proc/vmstat")
    equal(cma_counts(guest), before, "CMA counters")


@pytest.mark.property("D4", control=True)
@CMA
@CMA_FITS
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
@pytest.mark.parametrize("shape", [NO_POOL])
def test_an_unrestricted_device_is_given_contiguous_memory(
    guest: Guest, device: Device, slot_set: int
) -> None:
    """Without a pool the kernel serves allocations of more than a page from CMA."""
    for call in AllocCall:
        before = cma_counts(guest)
        device.alloc(call, slot_set + 1)
        require(cma_counts(guest) != before, f"CMA counters change: {call.name}", f"{before}")


@pytest.mark.property("D6", "D11")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_managed_memory_goes_back_when_the_driver_is_unbound(
    guest: Guest, device: Device, counters: PoolCounters, page: int, slot_set: int
) -> None:
    """Unbind frees memory of dmam_alloc_attrs() with the device's other resources."""
    device.alloc(AllocCall.MANAGED, slot_set)
    device.alloc(AllocCall.MANAGED, page)
    slots_used(counters, (slot_set + page) // SLOT)

    guest.agent.write_file(f"{NODE_DRIVER}/unbind", device.name.encode())

    slots_used(counters, 0)


@pytest.mark.property("D6", "D11", control=True)
def test_other_memory_does_not_go_back_by_itself(
    guest: Guest, device: Device, counters: PoolCounters, slot_set: int
) -> None:
    """Memory that a driver allocated without devres and did not free stays in use after unbind."""
    device.alloc_coherent(slot_set).forget()

    guest.agent.write_file(f"{NODE_DRIVER}/unbind", device.name.encode())

    slots_used(counters, slot_set // SLOT)
