# SPDX-License-Identifier: Apache-2.0
"""Every shape that users have keeps the properties in brief; properties E11 and E15."""

import pytest

from harness.devices.probe import Probe
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, LiveMemory, default_pool
from harness.suite.lib.expect import logged
from harness.suite.lib.smoke import (
    check_restricted,
    check_unrestricted,
    expected_pools,
    plug_everywhere,
)

BY_NIGHT = pytest.mark.nightly("no property depends on both at once; those apart run by day")
KNOWN_WELL = pytest.mark.nightly("other files work with these shapes by day")

SHAPES = (
    "pool-chromeos",
    "pool-dynamic",
    "pool-dynamic-range",
    "pool-pci-both",
    "pool-pci-child",
    "pool-several",
    *(
        pytest.param(shape, marks=KNOWN_WELL)
        for shape in ("pool-pci-host", "pool-pci-port", "pool-platforms", "pool-shared", "pool-two")
    ),
)
"""All but those of virtio-mmio transports, which test_virtio.py is about."""

SLOTS_SMALL = 256


def check_all(guest: Guest, probe: Probe, memory: LiveMemory) -> None:
    """Each pool is announced, and each device keeps to the one that the devicetree gives it."""
    for made in guest.pools():
        logged(guest, f"created restricted DMA pool at {made.base:#018x}")
    plug_everywhere(guest)
    for device, pool in expected_pools(guest, probe):
        if pool:
            check_restricted(guest, device, probe, memory, pool)
        else:
            check_unrestricted(device, probe)


@pytest.mark.property("A1", "B1", "B3", "B5", "B12", "B13", "C1", "C2", "D1", "D6")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cpus", [1, pytest.param(4, marks=BY_NIGHT)])
def test_a_shape_keeps_the_properties(guest: Guest, probe: Probe, memory: LiveMemory) -> None:
    """Every device of the machine has the pool that its devicetree says, whole and sound."""
    check_all(guest, probe, memory)


@pytest.mark.property("B1", "D1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_no_device_is_restricted(probe: Probe) -> None:
    """On a machine without a pool every device is handed the buffer itself."""
    for device in probe.devices():
        check_unrestricted(device, probe)


@pytest.mark.property("E15")
@pytest.mark.parametrize("shape", ["pool-platform", pytest.param("pool-pci-both", marks=BY_NIGHT)])
@pytest.mark.parametrize("append", ["swiotlb=noforce", "swiotlb=256"])
def test_the_default_pools_options_mean_nothing_to_a_restricted_device(
    guest: Guest, probe: Probe, memory: LiveMemory
) -> None:
    """Without a default pool, or with a small one, restricted devices have all that is theirs."""
    check_all(guest, probe, memory)


@pytest.mark.property("E15")
@pytest.mark.parametrize("append", ["swiotlb=force"])
def test_forced_bouncing_does_not_take_a_device_out_of_its_pool(
    guest: Guest, probe: Probe, memory: LiveMemory, pool: Pool
) -> None:
    """Where all devices must bounce, restricted ones still do so in their own pool."""
    for name in ("probe-a", "probe-b"):
        check_restricted(guest, probe.device(name), probe, memory, pool)


@pytest.mark.property("E15", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.parametrize(
    "append",
    [
        "swiotlb=noforce",
        pytest.param("swiotlb=force", marks=BY_NIGHT),
        pytest.param("swiotlb=256", marks=BY_NIGHT),
    ],
)
def test_the_default_pools_options_do_change_the_default_pool(
    types: KernelTypes, append: str
) -> None:
    """The same words on the command line remove, force and shrink the default pool."""
    pool = default_pool(types)

    match append:
        case "swiotlb=noforce":
            assert pool is None
        case "swiotlb=force":
            assert pool is not None
            assert pool.force_bounce
        case _:
            assert pool is not None
            assert pool.nslabs == SLOTS_SMALL


@pytest.mark.property("E11")
@pytest.mark.parametrize("shape", ["pool-dynamic", "pool-dynamic-range"])
def test_the_kernel_places_a_pool_as_its_node_asks(guest: Guest, pool: Pool) -> None:
    """A pool with a size but no address lies in RAM, aligned, and in the range that is given."""
    (asked,) = guest.machine.devicetree.dynamic
    ram = guest.machine.blocks

    assert pool.size == asked.size
    assert pool.base % asked.alignment == 0
    assert any(bank.base <= pool.base and pool.end <= bank.end for bank in ram)
    if guest.machine.devicetree.overlays[-1] == "pool-dynamic-range":
        assert pool.base >= 0x4C00_0000
        assert pool.end <= 0x4E00_0000


@pytest.mark.property("E11", control=True)
@pytest.mark.parametrize("shape", ["odd/no-room"])
def test_a_pool_that_fits_nowhere_is_not_made(guest: Guest) -> None:
    """Of a pool that is larger than RAM the kernel says that it could not be had."""
    logged(guest, "failed to allocate memory for node 'restricted-dma'")
    assert guest.pools() == ()
