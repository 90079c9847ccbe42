# SPDX-License-Identifier: Apache-2.0
"""Properties A and E17: which pools the kernel makes, and which device gets which."""

import pytest

from harness.devicetree import Pool
from harness.dma import Probe
from harness.memory import KernelTypes, device_pool
from harness.plugin.counters import PoolCounters
from harness.rogue import EduRogue
from harness.vm.guest import Guest
from harness.vm.shape import NO_POOL

MIB = 1 << 20
SLOT = 2048
HOST_BRIDGE = "4010000000.pcie"

ASSIGNED = "assigned reserved memory node"

WITH_POOLS = ("pool-pci-host", "pool-pci-child", "pool-platform", "pool-two", "pool-shared")


def log(guest: Guest) -> str:
    """All that the guest's kernel has said since the boot."""
    return "\n".join(guest.kernel_log())


@pytest.mark.property("A1")
@pytest.mark.parametrize("shape", WITH_POOLS)
def test_every_valid_node_becomes_a_pool(guest: Guest) -> None:
    """Each restricted-dma-pool node is created at boot, at its address and with its size."""
    for pool in guest.machine.devicetree.pools:
        size = f"size {pool.size // MIB} MiB"
        assert f"created restricted DMA pool at {pool.base:#018x}, {size}" in log(guest)


@pytest.mark.property("A1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_node_there_is_no_pool(guest: Guest) -> None:
    """A devicetree without a restricted-dma-pool node makes no pool."""
    assert "restricted DMA pool" not in log(guest)


@pytest.mark.property("A2")
@pytest.mark.parametrize("shape", ["pool-shared"])
def test_a_device_gets_its_pool_when_its_driver_binds(
    guest: Guest, pool: Pool, types: KernelTypes
) -> None:
    """A device with a memory-region is attached to that pool when a driver binds to it."""
    assert f"restricted-dma-probe-node probe-a: {ASSIGNED} {pool.name}" in log(guest)

    attached = device_pool(types, "probe-a")

    assert attached is not None
    assert (attached.name, attached.base) == (pool.name, pool.base)
    assert attached.force_bounce
    assert attached.for_alloc


@pytest.mark.property("A2", control=True)
@pytest.mark.parametrize("shape", ["pool-platform"])
def test_a_device_without_a_memory_region_stays_on_the_default_pool(
    guest: Guest, types: KernelTypes
) -> None:
    """A device whose node names no pool keeps the default one, beside a device that has one."""
    assert f"probe-b: {ASSIGNED}" not in log(guest)

    attached = device_pool(types, "probe-b")

    assert attached is None or not attached.for_alloc


@pytest.mark.property("A3")
@pytest.mark.parametrize("shape", ["pool-pci-host"])
def test_a_pci_endpoint_inherits_the_pool_of_its_host_bridge(
    guest: Guest, rogue: EduRogue, pool: Pool, types: KernelTypes
) -> None:
    """A hot-plugged PCI device without a node of its own gets the host bridge's pool."""
    assert f"{rogue.bdf}: {ASSIGNED} {pool.name}" in log(guest)

    attached = device_pool(types, str(rogue.bdf))

    assert attached is not None
    assert attached.base == pool.base


@pytest.mark.property("A3", control=True)
@pytest.mark.parametrize("shape", ["pool-platform"])
def test_a_pci_endpoint_inherits_nothing_from_a_bridge_without_a_pool(
    guest: Guest, rogue: EduRogue, types: KernelTypes
) -> None:
    """A hot-plugged PCI device below a bridge without a memory-region is not restricted."""
    assert f"{rogue.bdf}: {ASSIGNED}" not in log(guest)

    attached = device_pool(types, str(rogue.bdf))

    assert attached is None or not attached.for_alloc


@pytest.mark.property("A6")
@pytest.mark.parametrize("shape", ["pool-pci-host"])
def test_the_host_bridge_is_attached_itself(guest: Guest, pool: Pool, types: KernelTypes) -> None:
    """The PCI host bridge's own platform device is attached to the pool its node names."""
    assert f"{HOST_BRIDGE}: {ASSIGNED} {pool.name}" in log(guest)

    attached = device_pool(types, HOST_BRIDGE)

    assert attached is not None
    assert attached.base == pool.base


@pytest.mark.property("A6", control=True)
@pytest.mark.parametrize("shape", ["pool-pci-child"])
def test_a_host_bridge_without_a_memory_region_is_not_attached(
    guest: Guest, types: KernelTypes
) -> None:
    """A pool on a child node of the bridge does not restrict the bridge."""
    assert f"{HOST_BRIDGE}: {ASSIGNED}" not in log(guest)

    attached = device_pool(types, HOST_BRIDGE)

    assert attached is None or not attached.for_alloc


@pytest.mark.property("E17")
def test_debugfs_counts_the_slots_of_a_pool(pool: Pool, counters: PoolCounters) -> None:
    """debugfs shows size / 2 KiB slots in the pool, none of them in use by idle devices."""
    assert counters.nslabs == pool.size // SLOT
    assert counters.used == 0


@pytest.mark.property("E17")
def test_debugfs_follows_an_allocation(probe: Probe, counters: PoolCounters) -> None:
    """io_tlb_used rises and falls with what is taken from the pool."""
    allocation = probe.device("probe-a").alloc_coherent(4 * SLOT)

    assert counters.used == 4
    allocation.free()
    assert counters.used == 0


@pytest.mark.property("E17")
@pytest.mark.since("6.3", "8b0977ecc8b3: swiotlb: track and report io_tlb_used high water marks")
def test_debugfs_keeps_the_peak(probe: Probe, counters: PoolCounters) -> None:
    """io_tlb_used_hiwater is the most that was in use at once."""
    probe.device("probe-a").alloc_coherent(4 * SLOT).free()

    assert counters.hiwater >= 4


@pytest.mark.property("E17", control=True)
@pytest.mark.parametrize("shape", ["pool-platform"])
def test_a_device_without_a_pool_does_not_count_in_it(probe: Probe, counters: PoolCounters) -> None:
    """What an unrestricted device allocates is not counted in another device's pool."""
    probe.device("probe-b").alloc_coherent(4 * SLOT)

    assert counters.used == 0
