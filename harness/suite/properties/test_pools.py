# SPDX-License-Identifier: Apache-2.0
"""Properties E1, E2, E4 and E5: a shared pool, two pools, and the rest of memory."""

import re

import pytest

from harness.base.address_range import AddressRange
from harness.devices.probe import AllocationError, Device, Direction, Probe
from harness.devices.rogue import EduRogue
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.machine import DEFAULT_RAM
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, LiveMemory, find, live_memory, slots
from harness.observe.memory import restricted_pools as kernel_pools
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import (
    all_reserved,
    apart,
    counted,
    equal,
    in_pool,
    logged,
    refused,
    require,
    same_bytes,
    slots_used,
)
from harness.suite.lib.written import CPU

GARBAGE = b"stale on boot.. "
PAGE = 4096
"""Bytes of the smallest page that a kernel may have."""

CANARY = b"a canary of the page allocator"

POOL_BASE, POOL_SIZE = 0x4F00_0000, 16 << 20
"""The usual pool; ordinary RAM on the machine of the controls."""

UNMAPPED = AddressRange(0x4600_0000, 1 << 20)
"""The pool of dts/odd/no-map.dtso; ordinary RAM on the machine of the controls."""


def exhaust(device: Device, slot_set: int) -> int:
    """Allocate a slot set at a time until the kernel refuses; returns the number of allocations."""
    count = 0
    while True:
        try:
            device.alloc_coherent(slot_set)
        except AllocationError:
            return count
        count += 1


@pytest.mark.property("E1")
def test_devices_on_one_pool_share_one_allocator(
    guest: Guest, probe: Probe, pool: Pool, counters: PoolCounters
) -> None:
    """Mappings of devices on one pool never overlap, and its counters count all of them."""
    devices = [probe.device(name) for name in ("probe-a", "probe-b", str(EduRogue(guest).bdf))]
    buffer = probe.buffer(3 * SLOT)

    held = [
        mapping
        for _ in range(50)
        for mapping in (device.map_single(buffer, Direction.TO_DEVICE) for device in devices)
    ]

    apart(held)
    in_pool(held, pool)
    slots_used(counters, 3 * len(held))


@pytest.mark.property("E1")
def test_the_kernel_has_one_pool_for_one_node(types: KernelTypes, pool: Pool) -> None:
    """The kernel has one io_tlb_mem for a node that several devices name; its slots cover it."""
    found = kernel_pools(types)
    counted(len(found), 1, "restricted io_tlb_mem")
    (only,) = found

    seen = (only.base, only.size, only.nslabs)
    equal(seen, (pool.base, pool.size, pool.size // SLOT), "base, size and slots of io_tlb_mem")
    in_use = [number for number, slot in enumerate(slots(types, only)) if slot.in_use]
    equal(in_use, [], "slots in use")


@pytest.mark.property("E2")
@pytest.mark.parametrize("shape", ["pool-two"])
def test_two_pools_do_not_touch_each_other(guest: Guest, probe: Probe, slot_set: int) -> None:
    """A device uses its own pool only; a full pool does not affect the other."""
    tree = guest.machine.devicetree
    pci_pool, platform_pool = tree.pool("pci_pool"), tree.pool("platform_pool")
    pci, platform = probe.device(str(EduRogue(guest).bdf)), probe.device("probe-b")
    buffer = probe.buffer(slot_set)

    given = exhaust(platform, slot_set)
    counted(given, platform_pool.size // slot_set, "allocations of a slot set")

    mapping = pci.map_single(buffer, Direction.TO_DEVICE)
    in_pool(mapping, pci_pool)
    slots_used(PoolCounters(guest.agent, pci_pool.name), slot_set // SLOT)
    slots_used(PoolCounters(guest.agent, platform_pool.name), platform_pool.size // SLOT)


@pytest.mark.property("E1", control=True)
@pytest.mark.property("E2", control=True)
def test_devices_on_one_pool_do_exhaust_each_other(probe: Probe, page: int, slot_set: int) -> None:
    """When a device has allocated all of a shared pool, the other device gets nothing."""
    exhaust(probe.device("probe-b"), slot_set)

    refused(probe.device("probe-a").alloc_coherent, page)


@pytest.mark.property("E4")
def test_a_pool_is_zeroed_when_its_first_device_is_attached(
    stopped_guest: Guest, pool: Pool
) -> None:
    """The kernel zeroes a pool when its first device is attached."""
    with live_memory(stopped_guest) as memory:
        memory.write(pool.base, GARBAGE * (pool.size // len(GARBAGE)))

        stopped_guest.resume()
        stopped_guest.wait_ready()

        counted(memory.read(pool.base, pool.size).count(0), pool.size, "zero bytes in the pool")


@pytest.mark.property("E4", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.needs("its shadow memory is there", config="KASAN=n")
def test_ordinary_memory_is_not_zeroed_at_boot(stopped_guest: Guest, page: int) -> None:
    """The kernel does not zero ordinary free memory at boot."""
    with live_memory(stopped_guest) as memory:
        memory.write(POOL_BASE, GARBAGE * (POOL_SIZE // len(GARBAGE)))

        stopped_guest.resume()
        stopped_guest.wait_ready()

        found = GARBAGE * 100 in memory.read(POOL_BASE + POOL_SIZE // 2, page)
        equal(found, True, f"the bytes from before the boot are at {POOL_BASE + POOL_SIZE // 2:#x}")


@pytest.mark.property("E4")
def test_a_second_device_does_not_wipe_the_pool(
    guest: Guest, probe: Probe, memory: LiveMemory, slot_set: int
) -> None:
    """The kernel does not zero a pool again when a second device is attached."""
    buffer = probe.buffer(slot_set, content=CPU)
    mapping = probe.device("probe-a").map_single(buffer, Direction.TO_DEVICE)

    EduRogue(guest)

    same_bytes(memory, mapping.dma_addr, CPU.content(0, slot_set))


@pytest.mark.property("E5")
def test_no_page_of_a_pool_belongs_to_the_page_allocator(types: KernelTypes, pool: Pool) -> None:
    """Every page of the pool is reserved, and none belongs to the page allocator."""
    all_reserved(types, pool)


@pytest.mark.property("E5")
@pytest.mark.finding("kernel-data-beside-pool", kernels=">=5.15")
@pytest.mark.parametrize("ram_size", [DEFAULT_RAM])
@pytest.mark.parametrize("shape", ["odd/off-a-page"])
def test_the_pages_of_a_pool_hold_no_data_of_the_kernel(
    memory: LiveMemory, pool: Pool, page: int
) -> None:
    """The page that a pool begins in, which a fence lets the device reach, has no kernel data."""
    first = pool.base // page * page
    beside = memory.read(first, pool.base - first)

    counted(len(beside) - beside.count(0), 0, f"bytes of the kernel in {AddressRange(first, page)}")


@pytest.mark.property("E5", control=True)
@pytest.mark.parametrize("ram_size", [DEFAULT_RAM])
def test_the_page_before_a_pool_is_the_kernels(memory: LiveMemory, pool: Pool, page: int) -> None:
    """A pool on a page has the same data before it, in a page of their own."""
    before = memory.read(pool.base - page, page)

    require(before.count(0) < page, "data of the kernel in the page before the pool", "none")


@pytest.mark.property("E5")
@pytest.mark.needs("the kernel runs out of memory before", config="KASAN=n")
def test_memory_under_pressure_stays_out_of_the_pool(
    guest: Guest, memory: LiveMemory, pool: Pool
) -> None:
    """When user space fills all memory, no page of it is in the pool."""
    fill_memory(guest)

    require(any(True for _ in find(memory, CANARY)), "pages of user space in memory", "none")
    at = memory.read(pool.base, pool.size).find(CANARY)
    require(at < 0, "no page of user space in the pool", f"one at {pool.base + at:#x}")


@pytest.mark.property("E9")
@pytest.mark.finding("no-map-given-away", kernels=">=6.12", ends=("CRASH",))
@pytest.mark.parametrize("shape", ["odd/no-map"])
@pytest.mark.needs("the kernel runs out of memory before", config="KASAN=n")
def test_memory_of_a_refused_no_map_pool_is_kept_or_can_be_used(guest: Guest) -> None:
    """User space fills all memory, also that of a no-map pool if the kernel has given it back."""
    logged(guest, "compatible matching fail")

    fill_memory(guest)


@pytest.mark.property("E5", "E9", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.needs("the kernel runs out of memory before", config="KASAN=n")
def test_without_a_pool_that_memory_is_used_as_any_other(guest: Guest, memory: LiveMemory) -> None:
    """Without the pool the kernel gives the same addresses to user space."""
    fill_memory(guest)

    for one in (AddressRange(POOL_BASE, POOL_SIZE), UNMAPPED):
        found = CANARY in memory.read(one.base, one.size)
        equal(found, True, f"a page of user space is in {one}")


def fill_memory(guest: Guest) -> None:
    """Write the canary into a file of a tmpfs until nearly all of RAM is full.

    What the kernel may keep in its per-CPU lists is left: 20 MiB with pages of 64 KiB, in orders
    that a single page is not taken from (mm/page_alloc.c:rmqueue_pcplist).
    """
    guest.agent.write_file("/tmp/page", (CANARY * PAGE)[:PAGE])
    # else the kernel keeps up to 32 MiB free with larger pages (mm/page_alloc.c:boost_watermark)
    guest.agent.write_file("/proc/sys/vm/watermark_boost_factor", b"0")
    said = re.search(rb"MemAvailable: +(\d+) kB", guest.agent.read_file("/proc/meminfo"))
    assert said, "every kernel since 3.14 tells it (fs/proc/meminfo.c)"
    listed = re.findall(rb"^ +high: +(\d+)$", guest.agent.read_file("/proc/zoneinfo"), re.MULTILINE)
    kept = sum(map(int, listed)) * guest.machine.kernel.page_size // 1024
    room = int(said[1]) * 95 // 100 - kept
    ran = guest.agent.run(
        "cd /tmp && for i in 1 2 3 4; do cat page page page page > more; mv more page; done && "
        f"mount -t tmpfs -o size={room}k fill /run && while cat page >> /run/fill; do :; done",
        timeout=60,
    )
    require("No space left" in ran.text, "a full tmpfs", ran.text)
