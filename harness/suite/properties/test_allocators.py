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
    Seed,
    SettingError,
)
from harness.machine.devicetree import Pool
from harness.machine.machine import DEFAULT_RAM
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import COHERENT, PLATFORM
from harness.suite.lib.expect import holds, in_pool, refused, same_bytes, slots_used
from harness.suite.lib.filling import PAGE, SLOT, SLOT_SET, allocate, free

CPU = Seed(0xC9)
NODE_DRIVER = "/sys/bus/platform/drivers/restricted-dma-probe-node"

ATOMIC = (AllocCall.COHERENT, AllocCall.PAGES, AllocCall.NONCOHERENT, AllocCall.MANAGED)
"""What can be called in a context that must not sleep."""


def aliases(guest: Guest) -> int:
    """How many uncached aliases of coherent memory the kernel has."""
    return guest.agent.read_file("/proc/vmallocinfo").count(b"dma-coherent")


def is_alias(probe: Probe, virt: int, phys: int) -> bool:
    """Whether a kernel address is not that of the linear mapping, where buffers are."""
    buffer = probe.buffer(PAGE)
    return virt - phys != buffer.virt - buffer.phys


def allocate_to_the_end(device: Device, pool: Pool) -> list[int]:
    """Take the pool but its last set, then as many pages as there are; returns their addresses."""
    allocate(device, SLOT_SET, attempts=pool.size // SLOT_SET - 1)
    pages = allocate(device, PAGE, attempts=SLOT_SET // PAGE + 1)
    return [page.dma_addr for page in pages.values()]


@pytest.mark.property("D7")
@pytest.mark.parametrize("ram_size", [DEFAULT_RAM])
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_memory_beyond_the_coherent_mask_is_null(
    device: Device, pool: Pool, counters: PoolCounters
) -> None:
    """The last page of the pool, and of RAM, is NULL if the mask ends before it, and stays free."""
    try:
        device.set_coherent_mask(pool.end - PAGE)
    except SettingError:
        pytest.skip("this kernel takes no mask that ends before RAM, as 7.2 (dma_direct_supported)")

    pages = allocate_to_the_end(device, pool)

    assert pages == list(range(pool.end - SLOT_SET, pool.end - PAGE, PAGE))
    slots_used(counters, (pool.size - PAGE) // SLOT)


@pytest.mark.property("D7", control=True)
@pytest.mark.parametrize("ram_size", [DEFAULT_RAM])
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_a_mask_that_reaches_all_of_the_pool_takes_nothing_away(device: Device, pool: Pool) -> None:
    """With a mask that just covers the pool the last page is given as well."""
    device.set_coherent_mask(pool.end - 1)

    assert allocate_to_the_end(device, pool)[-1] == pool.end - PAGE


@pytest.mark.property("D8")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_no_kernel_mapping_is_ignored(device: Device, pool: Pool, memory: LiveMemory) -> None:
    """DMA_ATTR_NO_KERNEL_MAPPING gives an address that the CPU can use all the same."""
    for size in (PAGE, 5 * PAGE):
        allocation = device.alloc_coherent(size, attrs=Attr.NO_KERNEL_MAPPING)

        in_pool(allocation, pool)
        assert allocation.phys == allocation.dma_addr
        allocation.fill(CPU)
        same_bytes(memory, allocation.dma_addr, CPU.content(0, size))
        allocation.free()


@pytest.mark.property("D8", control=True)
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_there_is_no_kernel_mapping(device: Device) -> None:
    """An unrestricted device is given a cookie instead, behind which the CPU finds no memory."""
    assert device.alloc_coherent(PAGE, attrs=Attr.NO_KERNEL_MAPPING).phys is None


@pytest.mark.property("D9")
def test_a_device_that_is_not_coherent_has_an_alias(
    guest: Guest, device: Device, probe: Probe, counters: PoolCounters
) -> None:
    """Coherent memory is mapped once more, uncached, as long as it is allocated."""
    before = aliases(guest)

    allocation = device.alloc_coherent(5 * PAGE)
    assert is_alias(probe, allocation.virt, allocation.dma_addr)
    assert aliases(guest) == before + 1
    allocation.free()

    assert aliases(guest) == before
    slots_used(counters, 0)


@pytest.mark.property("D9", control=True)
@pytest.mark.parametrize("driver", [COHERENT])
def test_a_coherent_device_has_none(guest: Guest, device: Device, probe: Probe) -> None:
    """A dma-coherent device is given the linear mapping of the pool."""
    before = aliases(guest)

    allocation = device.alloc_coherent(5 * PAGE)

    assert not is_alias(probe, allocation.virt, allocation.dma_addr)
    assert aliases(guest) == before


@pytest.mark.property("D9")
@pytest.mark.expects_report(".")
def test_an_atomic_allocation_that_needs_an_alias_crashes_or_is_of_the_pool(
    device: Device, pool: Pool
) -> None:
    """For a device that is not coherent an allocation that must not sleep is nothing to rely on.

    The binding asks for a shared-dma-pool beside the restricted one. Nothing else says no before
    mm/vmalloc.c does, with a BUG(); since 7.2 it goes on ("do not trigger BUG() on BH disabled
    context"), and then it is the pool that gives.
    """
    try:
        allocation = device.alloc_coherent(PAGE, gfp=Gfp.BOTTOM_HALF)
    except GuestCrash:
        return
    in_pool(allocation, pool)


@pytest.mark.property("D9", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_an_unrestricted_device_may_allocate_atomically(device: Device) -> None:
    """Without a pool the same call is served from the atomic pool."""
    allocation = device.alloc_coherent(PAGE, gfp=Gfp.BOTTOM_HALF)

    holds(allocation, Byte(0))


@pytest.mark.property("D1", "D4", "D9")
@pytest.mark.parametrize("driver", [COHERENT])
def test_a_coherent_device_may_allocate_atomically(
    device: Device, pool: Pool, counters: PoolCounters
) -> None:
    """Where nothing has to sleep it is the pool that serves, until it is full: then it is NULL."""
    for call in ATOMIC:
        allocation = device.alloc(call, PAGE, gfp=Gfp.BOTTOM_HALF)
        in_pool(allocation, pool)
        allocation.free()

    allocate(device, SLOT_SET, attempts=pool.size // SLOT_SET)
    for call in ATOMIC:
        refused(device.alloc, call, PAGE, gfp=Gfp.BOTTOM_HALF)
    slots_used(counters, pool.size // SLOT)


def cma_counts(guest: Guest) -> tuple[bytes, ...]:
    """How often memory was taken from the kernel's contiguous areas, or could not be."""
    return tuple(re.findall(rb"cma_alloc_\w+ \d+", guest.agent.read_file("/proc/vmstat")))


@pytest.mark.property("D4")
@pytest.mark.needs_config("DMA_CMA=y", "there must be an area to fall back to")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_no_allocation_comes_from_the_contiguous_area(guest: Guest, device: Device) -> None:
    """Neither too large a size nor a full pool makes the kernel ask its contiguous area."""
    before = cma_counts(guest)

    for call in AllocCall:
        given = allocate(device, SLOT_SET, attempts=100, call=call)
        assert not allocate(device, PAGE, attempts=1, call=call), call.name
        free(device, given)
        assert not allocate(device, SLOT_SET + 1, attempts=1, call=call), call.name

    assert len(before) == 2
    assert cma_counts(guest) == before


@pytest.mark.property("D4", control=True)
@pytest.mark.needs_config("DMA_CMA=y", "there must be an area to fall back to")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
@pytest.mark.parametrize("shape", [NO_POOL])
def test_an_unrestricted_device_is_given_contiguous_memory(guest: Guest, device: Device) -> None:
    """Without a pool it is the contiguous area that more than a page comes from."""
    for call in AllocCall:
        before = cma_counts(guest)
        assert allocate(device, SLOT_SET + 1, attempts=1, call=call), call.name
        assert cma_counts(guest) != before, call.name


@pytest.mark.property("D6", "D11")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_managed_memory_goes_back_when_the_driver_is_unbound(
    guest: Guest, device: Device, counters: PoolCounters
) -> None:
    """What dmam_alloc_attrs() gave returns to the pool with the device's other resources."""
    device.alloc(AllocCall.MANAGED, SLOT_SET)
    device.alloc(AllocCall.MANAGED, PAGE)
    slots_used(counters, (SLOT_SET + PAGE) // SLOT)

    guest.agent.write_file(f"{NODE_DRIVER}/unbind", device.name.encode())

    slots_used(counters, 0)


@pytest.mark.property("D6", "D11", control=True)
def test_other_memory_does_not_go_back_by_itself(
    guest: Guest, device: Device, counters: PoolCounters
) -> None:
    """What a driver allocated without devres and does not free is held after unbind."""
    device.alloc_coherent(SLOT_SET).forget()

    guest.agent.write_file(f"{NODE_DRIVER}/unbind", device.name.encode())

    slots_used(counters, SLOT_SET // SLOT)
