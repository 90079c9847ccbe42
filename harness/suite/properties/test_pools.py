# SPDX-License-Identifier: Apache-2.0
"""Properties E1, E2, E4 and E5: pools among themselves, and against the rest of memory."""

import pytest

from harness.devices.probe import AllocationError, Device, Direction, Probe, Seed
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import (
    KernelTypes,
    LiveMemory,
    MemoryUse,
    find,
    live_memory,
    page_uses,
    slots,
)
from harness.observe.memory import restricted_pools as kernel_pools
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import apart, in_pool, refused, same_bytes, slots_used

PAGE, SLOT = 4096, 2048
LARGEST = 256 * 1024
MAPPED = Seed(0xC9)
GARBAGE = b"stale on boot.. "
CANARY = b"a canary of the page allocator"

POOL_BASE, POOL_SIZE = 0x4F00_0000, 16 << 20
"""Where the overlays put a pool, and what lies there as ordinary RAM on the control machine."""


def exhaust(device: Device) -> int:
    """Allocate 256 KiB pieces until the kernel says no; returns how many it gave."""
    count = 0
    while True:
        try:
            device.alloc_coherent(LARGEST)
        except AllocationError:
            return count
        count += 1


@pytest.mark.property("E1")
def test_devices_on_one_pool_share_one_allocator(
    guest: Guest, probe: Probe, pool: Pool, counters: PoolCounters
) -> None:
    """Devices on one pool never overlap, and its counters are the sum of what all hold."""
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
    """However many devices name it, a node is one io_tlb_mem whose slots cover it."""
    (only,) = kernel_pools(types)

    assert (only.base, only.size, only.nslabs) == (pool.base, pool.size, pool.size // SLOT)
    assert not any(slot.in_use for slot in slots(types, only))


@pytest.mark.property("E2")
@pytest.mark.parametrize("shape", ["pool-two"])
def test_two_pools_do_not_touch_each_other(guest: Guest, probe: Probe) -> None:
    """A device uses its own pool only; exhausting it takes nothing from the other."""
    tree = guest.machine.devicetree
    pci_pool, platform_pool = tree.pool("pci_pool"), tree.pool("platform_pool")
    pci, platform = probe.device(str(EduRogue(guest).bdf)), probe.device("probe-b")
    buffer = probe.buffer(LARGEST)

    assert exhaust(platform) == platform_pool.size // LARGEST

    mapping = pci.map_single(buffer, Direction.TO_DEVICE)
    in_pool(mapping, pci_pool)
    slots_used(PoolCounters(guest.agent, pci_pool.name), LARGEST // SLOT)
    slots_used(PoolCounters(guest.agent, platform_pool.name), platform_pool.size // SLOT)


@pytest.mark.property("E1", control=True)
@pytest.mark.property("E2", control=True)
def test_devices_on_one_pool_do_exhaust_each_other(probe: Probe) -> None:
    """Where two devices share a pool, one that takes all of it leaves the other nothing."""
    exhaust(probe.device("probe-b"))

    refused(probe.device("probe-a").alloc_coherent, PAGE)


@pytest.mark.property("E4")
def test_a_pool_is_zeroed_when_its_first_device_is_attached(
    stopped_guest: Guest, pool: Pool
) -> None:
    """Whatever was in the pool before the kernel is gone when devices can use it."""
    (block,) = [block for block in stopped_guest.machine.blocks if block.shared]
    file = stopped_guest.memory_file(block)
    file.write_bytes(GARBAGE * (pool.size // len(GARBAGE)))

    stopped_guest.resume()
    stopped_guest.wait_ready()

    assert file.read_bytes().count(0) == pool.size


@pytest.mark.property("E4", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.needs_config("KASAN=n", "its shadow of all memory lies there")
def test_memory_that_is_no_pool_is_not_zeroed_at_boot(stopped_guest: Guest) -> None:
    """The kernel leaves ordinary free memory as it finds it: the pool is zeroed on purpose."""
    with live_memory(stopped_guest) as memory:
        memory.write(POOL_BASE, GARBAGE * (POOL_SIZE // len(GARBAGE)))

        stopped_guest.resume()
        stopped_guest.wait_ready()

        assert GARBAGE * 100 in memory.read(POOL_BASE + POOL_SIZE // 2, PAGE)


@pytest.mark.property("E4")
def test_a_second_device_does_not_wipe_the_pool(
    guest: Guest, probe: Probe, memory: LiveMemory
) -> None:
    """A device that is attached to a pool in use leaves what is mapped there alone."""
    buffer = probe.buffer(LARGEST)
    buffer.fill(MAPPED)
    mapping = probe.device("probe-a").map_single(buffer, Direction.TO_DEVICE)

    EduRogue(guest)

    same_bytes(memory, mapping.dma_addr, MAPPED.content(0, LARGEST))


@pytest.mark.property("E5")
def test_no_page_of_a_pool_belongs_to_the_page_allocator(types: KernelTypes, pool: Pool) -> None:
    """Every page of the pool is reserved: never free, never anybody's."""
    regions = page_uses(types, pool.base, pool.size // PAGE)

    assert set(regions) == {MemoryUse.RESERVED}


@pytest.mark.property("E5")
@pytest.mark.needs_config("KASAN=n", "its memory is missing, and the kernel gives up before")
def test_memory_under_pressure_stays_out_of_the_pool(
    guest: Guest, memory: LiveMemory, pool: Pool
) -> None:
    """When user space fills memory, nothing of it appears in the pool."""
    fill_memory(guest)

    assert any(True for _ in find(memory, CANARY))
    assert CANARY not in bytes(memory.view(pool.base, pool.size))


@pytest.mark.property("E5", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.needs_config("KASAN=n", "its memory is missing, and the kernel gives up before")
def test_without_a_pool_that_memory_is_used_as_any_other(guest: Guest, memory: LiveMemory) -> None:
    """On a machine without the pool the same pressure does fill the same addresses."""
    fill_memory(guest)

    assert CANARY in memory.read(POOL_BASE, POOL_SIZE)


def fill_memory(guest: Guest) -> None:
    """Write the canary into a file of a tmpfs until nearly all of RAM is full."""
    guest.agent.write_file("/tmp/page", (CANARY * PAGE)[:PAGE])
    ran = guest.agent.run(
        "cd /tmp && for i in 1 2 3 4; do cat page page page page > more; mv more page; done && "
        "mount -t tmpfs -o size=85% fill /run && while cat page >> /run/fill; do :; done",
        timeout=60,
    )
    assert "No space left" in ran.text
