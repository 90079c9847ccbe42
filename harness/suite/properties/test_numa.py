# SPDX-License-Identifier: Apache-2.0
"""Property F6: the pool decides where memory is, not the NUMA node of its device."""

import pytest

from harness.devices.probe import Direction, Probe
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory
from harness.suite.lib.expect import outside
from harness.suite.lib.filling import PAGE
from harness.suite.lib.smoke import check_restricted

pytestmark = [
    pytest.mark.nightly("a kernel of its own"),
    pytest.mark.parametrize("flavour", ["numa"]),
    pytest.mark.parametrize("shape", ["pool-numa"]),
]


def node_of(guest: Guest, path: str) -> int:
    """The NUMA node that the kernel's sysfs gives for a device or a memory block."""
    return int(guest.agent.read_file(f"{path}/numa_node"))


@pytest.mark.property("F6")
def test_a_device_uses_a_pool_of_another_node(
    guest: Guest, probe: Probe, memory: LiveMemory
) -> None:
    """A device of node 0 has all its DMA in its pool, which is memory of node 1."""
    (pool,) = guest.pools()
    assert node_of(guest, "/sys/devices/platform/probe-a") == 0
    assert guest.agent.read_file("/sys/devices/system/node/online").strip() == b"0-1"

    check_restricted(guest, probe.device("probe-a"), probe, memory, pool)


@pytest.mark.property("F6", control=True)
def test_a_device_without_a_pool_has_memory_of_its_own_node(guest: Guest, probe: Probe) -> None:
    """Beside it, an unrestricted device of node 0 is given memory that is not the pool's node's."""
    (pool,) = guest.pools()
    device = probe.device("probe-b")

    assert node_of(guest, "/sys/devices/platform/probe-b") == 0
    outside(device.alloc_coherent(PAGE), pool)
    with device.map_single(probe.buffer(PAGE), Direction.TO_DEVICE) as mapping:
        outside(mapping, pool)
