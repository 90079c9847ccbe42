# SPDX-License-Identifier: Apache-2.0
"""Properties E11 and E15; and the main properties on every shape that users have."""

import pytest

from harness.base.address_range import AddressRange
from harness.devices.probe import Probe
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, LiveMemory, default_pool
from harness.suite.lib.expect import aligned, equal, logged, require, within
from harness.suite.lib.lint_reality import predict_loaded
from harness.suite.lib.shape_users import users_of_guest
from harness.suite.lib.smoke import check_restricted, check_unrestricted

COMBINED = pytest.mark.nightly("no property depends on both; the default tier tests each alone")
USED_ELSEWHERE = pytest.mark.nightly("other files test these shapes in the default tier")

SHAPES = (
    "pool-chromeos",
    "pool-dynamic",
    "pool-dynamic-range",
    "pool-pci-both",
    "pool-pci-child",
    "pool-several",
    *(
        pytest.param(shape, marks=USED_ELSEWHERE)
        for shape in ("pool-pci-host", "pool-pci-port", "pool-platforms", "pool-shared", "pool-two")
    ),
)
"""All shapes but those of virtio-mmio transports; they are in test_virtio.py."""

SLOTS_SMALL = 256

WITHOUT_DEFAULT_POOL = pytest.param(
    "swiotlb=noforce",
    marks=pytest.mark.finding(
        "dynamic-needs-default-pool", kernels=">=6.6", config="SWIOTLB_DYNAMIC=y"
    ),
)

ALLOC_RANGE = AddressRange(0x4C00_0000, 0x200_0000)
"""The second of the alloc-ranges of dts/pool-dynamic-range.dtso, rounded up to 1 MiB."""


def check_all(guest: Guest, probe: Probe, memory: LiveMemory, user: str = "") -> None:
    """The kernel logs each pool, and each device, or *user*, uses the pool of its node only."""
    loaded = predict_loaded(guest, memory)
    for pool in loaded.prediction.pools:
        logged(guest, f"created restricted DMA pool at {pool.base:#018x}")
    for one in users_of_guest(guest, probe, loaded.tree, loaded.prediction, user):
        one.check(memory)


@pytest.mark.property("A1", "B1", "B3", "B5", "B12", "B13", "C1", "C2", "D1", "D6")
@pytest.mark.any_shape(*SHAPES)
@pytest.mark.parametrize("cpus", [1, pytest.param(4, marks=COMBINED)])
def test_a_shape_keeps_the_properties(
    guest: Guest, probe: Probe, memory: LiveMemory, user: str
) -> None:
    """Every device of the machine has the pool of its devicetree node, and all properties hold."""
    check_all(guest, probe, memory, user)


@pytest.mark.property("B1", "D1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_no_device_is_restricted(probe: Probe) -> None:
    """On a machine without a pool, every device gets the buffer's own address."""
    for device in probe.devices():
        check_unrestricted(device, probe)


@pytest.mark.property("E15")
@pytest.mark.parametrize("shape", ["pool-platform", pytest.param("pool-pci-both", marks=COMBINED)])
@pytest.mark.parametrize("append", [WITHOUT_DEFAULT_POOL, "swiotlb=256"])
def test_the_default_pools_options_mean_nothing_to_a_restricted_device(
    guest: Guest, probe: Probe, memory: LiveMemory
) -> None:
    """A restricted device has all of its pool, without a default pool or with a small one."""
    check_all(guest, probe, memory)


@pytest.mark.property("E15")
@pytest.mark.parametrize("append", ["swiotlb=force"])
def test_forced_bouncing_does_not_take_a_device_out_of_its_pool(
    guest: Guest, probe: Probe, memory: LiveMemory, pool: Pool
) -> None:
    """With swiotlb=force restricted devices still bounce in their own pool."""
    for name in ("probe-a", "probe-b"):
        check_restricted(guest, probe.device(name), probe, memory, pool)


@pytest.mark.property("E15", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.parametrize(
    "append",
    [
        "swiotlb=noforce",
        pytest.param("swiotlb=force", marks=COMBINED),
        pytest.param("swiotlb=256", marks=COMBINED),
    ],
)
def test_the_default_pools_options_do_change_the_default_pool(
    types: KernelTypes, append: str
) -> None:
    """The same options remove, force and shrink the default pool."""
    pool = default_pool(types)

    match append:
        case "swiotlb=noforce":
            equal(pool, None, "the default pool")
        case "swiotlb=force":
            equal(pool and pool.force_bounce, True, "force_bounce of the default pool")
        case _:
            equal(pool and pool.nslabs, SLOTS_SMALL, "slots of the default pool")


@pytest.mark.property("E11")
@pytest.mark.parametrize("shape", ["pool-dynamic", "pool-dynamic-range"])
def test_the_kernel_places_a_pool_as_its_node_asks(guest: Guest, pool: Pool) -> None:
    """The kernel places a pool without an address in RAM, aligned, and in its alloc-ranges."""
    (asked,) = guest.machine.devicetree.dynamic
    ram = guest.machine.blocks

    equal(pool.size, asked.size, "the size of the pool in bytes")
    aligned(pool.base, asked.alignment, "the pool")
    in_ram = any(bank.base <= pool.base and pool.end <= bank.end for bank in ram)
    require(in_ram, "the pool in RAM", f"{pool}")
    if guest.machine.devicetree.overlays[-1] == "pool-dynamic-range":
        within([AddressRange(pool.base, pool.size)], ALLOC_RANGE, "a pool")


@pytest.mark.property("E11", control=True)
@pytest.mark.parametrize("shape", ["odd/no-room"])
def test_a_pool_that_fits_nowhere_is_not_made(guest: Guest) -> None:
    """The kernel reports a pool that is larger than RAM, and does not create it."""
    logged(guest, "failed to allocate memory for node 'restricted-dma'")
    equal(guest.pools(), (), "pools")
