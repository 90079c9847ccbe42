# SPDX-License-Identifier: Apache-2.0
"""Properties A1, A2, A8, A12 and A13: which pools the kernel makes, and who is attached when."""

import pytest

from harness.devices.probe import Device, Direction, Probe
from harness.devices.shell import shell
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, MemoryUse, device_pool, page_uses
from harness.suite.lib.attached import FAILED, assigned, pool_of
from harness.suite.lib.expect import all_reserved, attached, logged, not_bounced, not_logged
from harness.suite.lib.smoke import check_unrestricted
from harness.suite.lib.standstill import still

MIB = 1 << 20
PAGE = 4096

DISABLED_POOL = (0x4600_0000, 0x40_0000)
"""Base and size of the pool that dts/pool-several.dtso switches off, far from what the kernel
takes for itself at boot."""


@pytest.mark.property("A1")
@pytest.mark.parametrize("shape", ["pool-two"])
def test_every_valid_node_becomes_a_pool(guest: Guest) -> None:
    """Each restricted-dma-pool node is created at boot, at its address and with its size."""
    for pool in guest.pools():
        size = f"size {pool.size // MIB} MiB"
        logged(guest, f"created restricted DMA pool at {pool.base:#018x}, {size}")


@pytest.mark.property("A1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_node_there_is_no_pool(guest: Guest) -> None:
    """A devicetree without a restricted-dma-pool node makes no pool."""
    not_logged(guest, "restricted DMA pool")


@pytest.mark.property("A2")
@pytest.mark.property("A12", control=True)
def test_a_device_gets_its_pool_when_its_driver_binds(
    guest: Guest, pool: Pool, types: KernelTypes
) -> None:
    """A device with a memory-region is attached to that pool when a driver binds to it."""
    attached = device_pool(types, "probe-a")

    assert assigned(guest, "probe-a") == pool.name
    assert attached is not None
    assert (attached.name, attached.base) == (pool.name, pool.base)
    assert attached.force_bounce
    assert attached.for_alloc
    not_logged(guest, FAILED)


@pytest.mark.property("A2", control=True)
@pytest.mark.parametrize("shape", ["pool-platform"])
def test_a_device_without_a_memory_region_stays_on_the_default_pool(
    guest: Guest, types: KernelTypes
) -> None:
    """A device whose node names no pool keeps the default one, beside a device that has one."""
    attached(guest, types, "probe-b", None)


@pytest.mark.property("A8")
@pytest.mark.parametrize("shape", ["pool-several"])
def test_a_disabled_pool_is_neither_made_nor_reserved_nor_assigned(
    guest: Guest, types: KernelTypes
) -> None:
    """A pool that is switched off is ordinary memory, and its device is silently unrestricted."""
    base, size = DISABLED_POOL

    not_logged(guest, f"created restricted DMA pool at {base:#018x}")
    with still(guest):
        assert MemoryUse.RESERVED not in page_uses(types, base, size // PAGE)
    attached(guest, types, "probe-b", None)
    not_logged(guest, FAILED)


@pytest.mark.property("A8", control=True)
@pytest.mark.parametrize("shape", ["pool-several"])
def test_a_pool_beside_a_disabled_one_is_reserved_and_assigned(
    guest: Guest, types: KernelTypes
) -> None:
    """The pools that are not switched off are reserved to the last page, and have their device."""
    pool = guest.machine.devicetree.pool("first_pool")

    all_reserved(types, pool)
    assert pool_of(types, "probe-a") == pool.name


@pytest.mark.property("A12")
@pytest.mark.parametrize("shape", ["odd/no-room"])
def test_a_pool_that_cannot_be_set_up_is_warned_of(
    guest: Guest, device: Device, probe: Probe, types: KernelTypes
) -> None:
    """A device whose pool could not be set up is named in a warning and runs unrestricted."""
    buffer = probe.buffer(PAGE)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        not_bounced(mapping, buffer)
    logged(guest, f"probe-a: {FAILED}")
    attached(guest, types, "probe-a", None)


@pytest.mark.escape("G8")
def test_a_device_without_a_node_has_no_pool(guest: Guest, probe: Probe) -> None:
    """A struct device that the kernel made for itself was never configured from the devicetree."""
    name, driver = "serial8250", "restricted-dma-probe-node"
    shell(
        guest,
        f"cd /sys/bus/platform && echo {name} > drivers/{name}/unbind && "
        f"echo {driver} > devices/{name}/driver_override && echo {name} > drivers/{driver}/bind",
    )

    check_unrestricted(probe.device(name), probe)


@pytest.mark.property("A13")
@pytest.mark.nightly("a kernel of its own")
@pytest.mark.parametrize("flavour", ["no-pools"])
def test_a_kernel_without_the_feature_says_nothing(
    guest: Guest, device: Device, probe: Probe, pool: Pool, types: KernelTypes
) -> None:
    """Without CONFIG_DMA_RESTRICTED_POOL the node is plain reserved memory, without a word."""
    buffer = probe.buffer(PAGE)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        not_bounced(mapping, buffer)
    all_reserved(types, pool)
    not_logged(guest, "restricted DMA pool")
    assert assigned(guest, device.name) == ""
    not_logged(guest, FAILED)
