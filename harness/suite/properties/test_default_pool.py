# SPDX-License-Identifier: Apache-2.0
"""Property E3: the bounce buffer of all other devices is not used for restricted ones."""

import pytest

from harness.devices.probe import AllocCall, Device, Direction, Probe
from harness.observe.memory import KernelTypes, default_pool
from harness.suite.conftest import COHERENT, PLATFORM
from harness.suite.lib.filling import SLOT, SLOT_SET, allocate, fill, free, unmap

BOUNCE_ALL = "swiotlb=512,force"
"""One MiB for the devices without a pool of their own, and all of their mappings bounce."""

pytestmark = [
    pytest.mark.parametrize("shape", ["pool-platform"]),
    pytest.mark.parametrize("append", [BOUNCE_ALL]),
]


def work(device: Device, probe: Probe) -> None:
    """Map, allocate, exhaust, and begin anew; some of it stays mapped."""
    buffer = probe.buffer(SLOT_SET)
    unmap(device, fill(device, buffer, SLOT_SET, attempts=100))
    for call in AllocCall:
        free(device, allocate(device, SLOT_SET, attempts=100, call=call))
    device.map_single(buffer, Direction.BIDIRECTIONAL)


@pytest.mark.property("E3")
@pytest.mark.parametrize("driver", [PLATFORM])
def test_a_restricted_device_leaves_the_default_pool_alone(
    device: Device, probe: Probe, types: KernelTypes
) -> None:
    """Not a slot of it is taken, neither for mappings nor allocations nor when the pool is full."""
    before = default_pool(types)

    work(device, probe)

    assert before is not None
    assert default_pool(types) == before


@pytest.mark.property("E3", control=True)
@pytest.mark.parametrize("driver", [COHERENT])
def test_an_unrestricted_device_uses_the_default_pool(
    device: Device, probe: Probe, types: KernelTypes
) -> None:
    """The same work by a device without a pool takes slots of the default one."""
    before = default_pool(types)

    work(device, probe)

    after = default_pool(types)
    assert before is not None
    assert after is not None
    assert after.used == before.used + SLOT_SET // SLOT
