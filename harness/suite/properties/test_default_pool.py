# SPDX-License-Identifier: Apache-2.0
"""Property E3: restricted devices do not use the default pool."""

import pytest

from harness.devices.probe import AllocCall, Device, Direction, Probe
from harness.kernel import SLOT
from harness.observe.memory import KernelTypes, default_pool
from harness.suite.conftest import COHERENT, PLATFORM
from harness.suite.lib.expect import equal, require
from harness.suite.lib.filling import allocate, fill, free, unmap

BOUNCE_ALL = "swiotlb=512,force"
"""A default pool of 1 MiB, and unrestricted devices bounce all mappings there."""

pytestmark = [
    pytest.mark.parametrize("shape", ["pool-platform"]),
    pytest.mark.parametrize("append", [BOUNCE_ALL]),
]


def work(device: Device, probe: Probe, slot_set: int) -> None:
    """Map and allocate until the pool is full, free all, and leave one mapping."""
    buffer = probe.buffer(slot_set)
    unmap(device, fill(device, buffer, slot_set, attempts=100))
    for call in AllocCall:
        free(device, allocate(device, slot_set, attempts=100, call=call))
    device.map_single(buffer, Direction.BIDIRECTIONAL)


@pytest.mark.property("E3")
@pytest.mark.parametrize("driver", [PLATFORM])
def test_a_restricted_device_leaves_the_default_pool_alone(
    device: Device, probe: Probe, types: KernelTypes, slot_set: int
) -> None:
    """A restricted device uses no slot of the default pool, even when its own pool is full."""
    before = default_pool(types)

    work(device, probe, slot_set)

    require(before, "a default pool", "none")
    equal(default_pool(types), before, "the default pool")


@pytest.mark.property("E3", control=True)
@pytest.mark.parametrize("driver", [COHERENT])
def test_an_unrestricted_device_uses_the_default_pool(
    device: Device, probe: Probe, types: KernelTypes, slot_set: int
) -> None:
    """The same work by an unrestricted device uses slots of the default pool."""
    before = default_pool(types)

    work(device, probe, slot_set)

    after = default_pool(types)
    used = before and after and after.used - before.used
    equal(used, slot_set // SLOT, "slots of the default pool that the mapping uses")
