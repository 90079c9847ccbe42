# SPDX-License-Identifier: Apache-2.0
"""Properties A14, B1, B15 and FENCE on any shape: a user's, or one of dts/.

What else runs on any shape: test_shapes.py, test_prediction.py.
"""

import pytest

from harness.base.address_range import AddressRange
from harness.devices.drivers import ENDPOINT, Driver, plug, wait_usable
from harness.devices.probe import Direction, Probe
from harness.jobs.check import find_driver
from harness.machine.devicetree.model import Restriction
from harness.machine.qemu.guest import Guest
from harness.machine.virtio import VirtioDevice
from harness.observe.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.results import SuiteRequest
from harness.suite.lib.expect import (
    equal,
    fence_held,
    none_within,
    refused,
    require,
    slots_used,
    within,
)
from harness.suite.lib.lint_reality import predict_loaded
from harness.suite.lib.shape_parts import parts_of_shape
from harness.suite.lib.shape_users import users_of_guest
from harness.suite.lib.virtio_memory import QUEUES, read_entropy, touched

TESTED_ELSEWHERE = pytest.mark.nightly("other files test these shapes in the default tier")

MASK_32, MASK_64 = (1 << 32) - 1, (1 << 64) - 1

SIZE = 64
"""Bytes of a mapping: it fits into any pool with a slot."""


@pytest.mark.property("B1", "B15", "B16")
@pytest.mark.expects_report("swiotlb_map")
@pytest.mark.any_shape("pool-dma-ranges", pytest.param("pool-two", marks=TESTED_ELSEWHERE))
def test_a_32_bit_device_uses_its_pool_if_it_reaches_it_and_else_nothing(
    guest: Guest, probe: Probe, memory: LiveMemory, user: str
) -> None:
    """A restricted device with a mask of 32 bits maps where it reaches all of its pool only."""
    loaded = predict_loaded(guest, memory)
    for one in users_of_guest(guest, probe, loaded.tree, loaded.prediction, user):
        if one.prediction.outcome is not Restriction.RESTRICTED:
            continue
        device = one.device()
        assert device is not None, "it is predicted to be restricted"
        base = one.reach.address(one.pool)
        assert base is not None, "else it is predicted that nothing, or not all, fits"
        buffer = probe.buffer(SIZE)
        device.set_dma_mask(MASK_32)
        if base + one.pool.size - 1 <= MASK_32:
            with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
                within([AddressRange(mapping.phys, SIZE)], one.pool, "a mapping")
                equal(mapping.dma_addr <= MASK_32, True, "its address has 32 bits")
        elif base > MASK_32:
            refused(device.map_single, buffer, Direction.TO_DEVICE)
        slots_used(PoolCounters(guest.agent, one.pool.name), 0)
        device.set_dma_mask(MASK_64)


@pytest.fixture
def transport() -> VirtioDevice:
    """A virtio-rng on a transport that refers to memory."""
    return VirtioDevice("rng", 0)


@pytest.fixture
def virtio(request: pytest.FixtureRequest) -> tuple[VirtioDevice, ...]:
    """The device of a test that has one; on all other transports there is none."""
    if "transport" not in request.fixturenames:
        return ()
    return (request.getfixturevalue("transport"),)


@pytest.mark.property("A14")
@pytest.mark.needs("entropy of a transport", qemu="virtio-rng-device")
@pytest.mark.any_shape(pytest.param("pool-virtio-mmio", marks=TESTED_ELSEWHERE))
def test_a_virtio_device_uses_the_pool_of_its_transport_and_no_other(
    guest: Guest, probe: Probe, memory: LiveMemory, transport: VirtioDevice
) -> None:
    """Rings and buffers of a virtio device lie in the pool of its transport, if it has one."""
    loaded = predict_loaded(guest, memory)
    (user,) = users_of_guest(guest, probe, loaded.tree, loaded.prediction, transport.node)
    if user.prediction.outcome is Restriction.NO_DEVICE:
        return
    entropy = read_entropy(guest, 0)
    require(len(set(entropy)) > 1, f"entropy from {transport.name}", entropy.hex())

    used = touched(guest, memory, transport.name)
    if user.prediction.outcome is Restriction.RESTRICTED:
        within(used, user.pool, QUEUES)
    else:
        for pool in guest.pools():
            none_within(used, pool, QUEUES)


@pytest.fixture
def windows(settings: SuiteRequest, shape: str, ram_size: int) -> tuple[AddressRange, ...]:
    """A window for each pool of PCI devices."""
    return parts_of_shape(settings.qemu, shape, ram_size).windows()


@pytest.fixture
def real() -> Driver:
    """The driver of the device in root port 0."""
    return find_driver("virtio-rng")


@pytest.mark.property("A3", "B1", "D1", "FENCE")
@pytest.mark.needs("the driver", config="HW_RANDOM_VIRTIO=y")
@pytest.mark.parametrize("fence_name", ["smmu"])
@pytest.mark.any_shape(pytest.param("pool-shared", marks=TESTED_ELSEWHERE))
def test_behind_a_fence_all_dma_of_a_driver_lies_in_the_pool(guest: Guest, real: Driver) -> None:
    """A driver moves data correctly, and the fence around PCI devices' pools refuses nothing."""
    work = plug(guest, real)
    wait_usable(guest, work.usable)
    work.do()

    fence_held(guest, ENDPOINT)
