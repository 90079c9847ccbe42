# SPDX-License-Identifier: Apache-2.0
"""Properties A1, A2, A8, A12 and A13: which pools the kernel creates, and who is attached."""

import pytest

from harness.base.address_range import AddressRange
from harness.devices.probe import Device, Direction, Probe
from harness.devices.shell import shell
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, device_pool
from harness.suite.lib.attached import FAILED, assigned, pool_of
from harness.suite.lib.expect import (
    all_reserved,
    attached,
    equal,
    logged,
    not_bounced,
    not_logged,
    not_reserved,
)
from harness.suite.lib.paused import paused
from harness.suite.lib.smoke import check_unrestricted

MIB = 1 << 20
SIZE = 4096
"""Bytes of a buffer."""

DISABLED_POOL = AddressRange(0x4600_0000, 0x40_0000)
"""The pool that dts/pool-several.dtso disables, far from the memory that the kernel allocates at
boot."""


@pytest.mark.property("A1")
@pytest.mark.parametrize("shape", ["pool-two"])
def test_every_valid_node_becomes_a_pool(guest: Guest) -> None:
    """The kernel creates a pool at boot for each valid node, with its base and size."""
    for pool in guest.pools():
        size = f"size {pool.size // MIB} MiB"
        logged(guest, f"created restricted DMA pool at {pool.base:#018x}, {size}")


@pytest.mark.property("A1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_node_there_is_no_pool(guest: Guest) -> None:
    """The kernel creates no pool when the devicetree has no restricted-dma-pool node."""
    not_logged(guest, "restricted DMA pool")


@pytest.mark.property("A2")
@pytest.mark.property("A12", control=True)
def test_a_device_gets_its_pool_when_its_driver_binds(
    guest: Guest, pool: Pool, types: KernelTypes
) -> None:
    """The kernel attaches a device to its memory-region's pool when a driver binds to it."""
    attached(guest, types, "probe-a", pool)
    found = device_pool(types, "probe-a")
    state = found and (found.base, found.force_bounce, found.for_alloc)
    equal(state, (pool.base, True, True), "base, force_bounce and for_alloc of io_tlb_mem")
    not_logged(guest, FAILED)


@pytest.mark.property("A2", control=True)
@pytest.mark.parametrize("shape", ["pool-platform"])
def test_a_device_without_a_memory_region_stays_on_the_default_pool(
    guest: Guest, types: KernelTypes
) -> None:
    """A device whose node names no pool keeps the default pool."""
    attached(guest, types, "probe-b", None)


@pytest.mark.property("A8")
@pytest.mark.parametrize("shape", ["pool-several"])
def test_a_disabled_pool_is_neither_made_nor_reserved_nor_assigned(
    guest: Guest, types: KernelTypes
) -> None:
    """A disabled pool is ordinary memory, and its device is unrestricted without a message."""
    not_logged(guest, f"created restricted DMA pool at {DISABLED_POOL.base:#018x}")
    with paused(guest):
        not_reserved(types, DISABLED_POOL)
    attached(guest, types, "probe-b", None)
    not_logged(guest, FAILED)


@pytest.mark.property("A8", control=True)
@pytest.mark.parametrize("shape", ["pool-several"])
def test_a_pool_beside_a_disabled_one_is_reserved_and_assigned(
    guest: Guest, types: KernelTypes
) -> None:
    """The pools that are not disabled are reserved to the last page, and have their device."""
    pool = guest.machine.devicetree.pool("first_pool")

    all_reserved(types, pool)
    equal(pool_of(types, "probe-a"), pool.name, "the pool of probe-a")


@pytest.mark.property("A12")
@pytest.mark.parametrize("shape", ["odd/no-room"])
def test_a_pool_that_cannot_be_set_up_is_warned_of(
    guest: Guest, device: Device, probe: Probe, types: KernelTypes
) -> None:
    """The kernel warns of a device whose pool cannot be set up, and the device is unrestricted."""
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        not_bounced(mapping, buffer)
    logged(guest, f"probe-a: {FAILED}")
    attached(guest, types, "probe-a", None)


@pytest.mark.escape("G8")
def test_a_device_without_a_node_has_no_pool(guest: Guest, probe: Probe) -> None:
    """A struct device that a driver creates itself is not configured from the devicetree."""
    name, driver = "serial8250", "restricted-dma-probe-node"
    shell(
        guest,
        f"cd /sys/bus/platform && echo {name} > drivers/{name}/unbind && "
        f"echo {driver} > devices/{name}/driver_override && echo {name} > drivers/{driver}/bind",
    )

    check_unrestricted(probe.device(name), probe)


@pytest.mark.property("A13")
@pytest.mark.nightly("a kernel of its own")
@pytest.mark.needs("it is about such a kernel", config="DMA_RESTRICTED_POOL=n")
@pytest.mark.parametrize("flavour", ["no-pools"])
def test_a_kernel_without_the_feature_says_nothing(
    guest: Guest, device: Device, probe: Probe, pool: Pool, types: KernelTypes
) -> None:
    """Without CONFIG_DMA_RESTRICTED_POOL the kernel reserves the pool and prints nothing."""
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        not_bounced(mapping, buffer)
    all_reserved(types, pool)
    not_logged(guest, "restricted DMA pool")
    equal(assigned(guest, device.name), "", "the pool that the kernel log assigns")
    not_logged(guest, FAILED)
