# SPDX-License-Identifier: Apache-2.0
"""Properties A3 to A7: which node's memory-region, and which of its entries, a device uses."""

import pytest

from harness.devices.probe import Direction, Probe
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes
from harness.suite.lib.attached import FAILED, HOST_BRIDGE, assigned
from harness.suite.lib.expect import attached, equal, in_pool, not_bounced, not_logged

SIZE = 4096
"""Bytes of a buffer."""


@pytest.mark.property("A3")
@pytest.mark.property("A4", control=True)
@pytest.mark.property("A5", control=True)
@pytest.mark.property("A9", control=True)
@pytest.mark.parametrize("shape", ["pool-pci-host"])
def test_a_pci_endpoint_inherits_the_pool_of_its_host_bridge(
    guest: Guest, rogue: EduRogue, pool: Pool, types: KernelTypes
) -> None:
    """A hot-plugged PCI device without a node of its own gets the host bridge's pool."""
    attached(guest, types, str(rogue.bdf), pool)


@pytest.mark.property("A3", control=True)
@pytest.mark.parametrize("shape", ["pool-platform"])
def test_a_pci_endpoint_inherits_nothing_from_a_bridge_without_a_pool(
    guest: Guest, rogue: EduRogue, types: KernelTypes
) -> None:
    """A hot-plugged PCI device below a bridge without a memory-region is not restricted."""
    attached(guest, types, str(rogue.bdf), None)


@pytest.mark.property("A3", "A4")
@pytest.mark.parametrize("shape", ["pool-pci-port"])
def test_a_root_port_does_not_hand_its_pool_down(
    guest: Guest, rogue: EduRogue, pool: Pool, types: KernelTypes
) -> None:
    """Only the host bridge's pool is inherited, not that of a root port."""
    equal(assigned(guest, "0000:00:01.0"), pool.name, "the pool of the root port")
    attached(guest, types, str(rogue.bdf), None)


@pytest.mark.property("A4")
@pytest.mark.parametrize("shape", ["pool-pci-both"])
def test_the_pool_of_an_endpoints_own_node_wins(
    guest: Guest, probe: Probe, rogue: EduRogue, types: KernelTypes
) -> None:
    """An endpoint whose node names a pool uses it instead of the host bridge's pool."""
    pool, device = guest.machine.devicetree.pool("own_pool"), probe.device(str(rogue.bdf))

    with device.map_single(probe.buffer(SIZE), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, pool)
    attached(guest, types, device.name, pool)


@pytest.mark.property("A5")
@pytest.mark.parametrize("shape", ["pool-pci-both"])
def test_an_endpoint_with_another_memory_region_does_not_inherit(
    guest: Guest, probe: Probe, types: KernelTypes
) -> None:
    """A device whose node has only other memory regions has no restricted pool."""
    device = probe.device(str(EduRogue(guest, port=1).bdf))
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        not_bounced(mapping, buffer)
    attached(guest, types, device.name, None)


REFERENCES = pytest.mark.parametrize(("shape", "ports"), [("odd/pci-references", 3)], ids=[""])
"""Devices whose nodes have no memory-region (port 0), an empty (1) and a malformed one (2)."""

NO_REGION, EMPTY, MALFORMED = 0, 1, 2


@pytest.mark.property("A3")
@REFERENCES
def test_an_endpoint_whose_node_has_no_memory_region_inherits(
    guest: Guest, probe: Probe, pool: Pool, types: KernelTypes
) -> None:
    """A PCI endpoint with a node that has no memory-region gets the host bridge's pool."""
    device = probe.device(str(EduRogue(guest, port=NO_REGION).bdf))
    equal(device.of_path.endswith("/device@0,0"), True, f"{device.name} has a node of its own")

    with device.map_single(probe.buffer(SIZE), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, pool)
    attached(guest, types, device.name, pool)


@pytest.mark.property("A5")
@pytest.mark.needs("before, such a node counted as one without", change="absent-region-inherits")
@REFERENCES
@pytest.mark.parametrize("port", [EMPTY, MALFORMED], ids=["empty", "malformed"])
def test_an_endpoint_whose_memory_region_names_nothing_does_not_inherit(
    guest: Guest, probe: Probe, types: KernelTypes, port: int
) -> None:
    """A device whose memory-region is empty or malformed is not restricted, and nothing is said."""
    device = probe.device(str(EduRogue(guest, port=port).bdf))
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        not_bounced(mapping, buffer)
    attached(guest, types, device.name, None)
    not_logged(guest, f"{device.name}: {FAILED}")


@pytest.mark.property("A5")
@pytest.mark.needs("since, such a node inherits nothing", before="absent-region-inherits")
@REFERENCES
@pytest.mark.parametrize("port", [EMPTY, MALFORMED], ids=["empty", "malformed"])
def test_an_endpoint_whose_memory_region_names_nothing_inherits(
    guest: Guest, probe: Probe, pool: Pool, types: KernelTypes, port: int
) -> None:
    """A device whose memory-region is empty or malformed has the host bridge's pool."""
    device = probe.device(str(EduRogue(guest, port=port).bdf))

    with device.map_single(probe.buffer(SIZE), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, pool)
    attached(guest, types, device.name, pool)


@pytest.mark.property("A6")
@pytest.mark.parametrize("shape", ["pool-pci-host"])
def test_the_host_bridge_is_attached_itself(guest: Guest, pool: Pool, types: KernelTypes) -> None:
    """The PCI host bridge's own platform device is attached to the pool its node names."""
    attached(guest, types, HOST_BRIDGE, pool)


@pytest.mark.property("A6", control=True)
@pytest.mark.parametrize("shape", ["pool-pci-child"])
def test_a_host_bridge_without_a_memory_region_is_not_attached(
    guest: Guest, types: KernelTypes
) -> None:
    """A pool on a child node of the bridge does not restrict the bridge."""
    attached(guest, types, HOST_BRIDGE, None)


@pytest.mark.property("A7")
@pytest.mark.parametrize("shape", ["pool-several"])
def test_the_first_available_restricted_region_is_taken(
    guest: Guest, probe: Probe, types: KernelTypes
) -> None:
    """Of a plain region, a disabled pool and two pools a device gets the first usable pool."""
    pool, device = guest.machine.devicetree.pool("first_pool"), probe.device("probe-a")

    with device.map_single(probe.buffer(SIZE), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, pool)
    attached(guest, types, "probe-a", pool)


@pytest.mark.property("A7", control=True)
@pytest.mark.parametrize("shape", ["pool-several"])
def test_the_pool_that_was_not_taken_could_have_been(guest: Guest, types: KernelTypes) -> None:
    """The second pool in the list of one device is usable: another device has it."""
    pool = guest.machine.devicetree.pool("second_pool")

    attached(guest, types, "probe-c", pool)
