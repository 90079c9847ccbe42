# SPDX-License-Identifier: Apache-2.0
"""Property F6: the pool decides where memory is, not the device's NUMA node."""

import pytest

from harness.devices.probe import Direction, Probe
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory
from harness.suite.lib.expect import equal, outside
from harness.suite.lib.smoke import check_restricted

pytestmark = [
    pytest.mark.nightly("a kernel of its own"),
    pytest.mark.parametrize("flavour", ["numa"]),
    pytest.mark.parametrize("shape", ["pool-numa"]),
]


def node_of(guest: Guest, path: str) -> int:
    """The NUMA node of a device or a memory block, by sysfs."""
    return int(guest.agent.read_file(f"{path}/numa_node"))


@pytest.mark.property("F6")
def test_a_device_uses_a_pool_of_another_node(
    guest: Guest, probe: Probe, memory: LiveMemory
) -> None:
    """A device of node 0 has all its DMA in its pool, which is on node 1."""
    (pool,) = guest.pools()
    equal(node_of(guest, "/sys/devices/platform/probe-a"), 0, "the NUMA node of probe-a")
    online = guest.agent.read_file("/sys/devices/system/node/online").strip()
    equal(online, b"0-1", "online NUMA nodes")

    check_restricted(guest, probe.device("probe-a"), probe, memory, pool)


@pytest.mark.property("F6", control=True)
def test_a_device_without_a_pool_has_memory_of_its_own_node(
    guest: Guest, probe: Probe, page: int
) -> None:
    """An unrestricted device of node 0 gets memory outside the pool."""
    (pool,) = guest.pools()
    device = probe.device("probe-b")

    equal(node_of(guest, "/sys/devices/platform/probe-b"), 0, "the NUMA node of probe-b")
    outside(device.alloc_coherent(page), pool)
    with device.map_single(probe.buffer(page), Direction.TO_DEVICE) as mapping:
        outside(mapping, pool)
