# SPDX-License-Identifier: Apache-2.0
"""Property A9 and the escape G6: a device behind an IOMMU uses the IOMMU instead of its pool."""

import pytest

from harness.devices.probe import Direction, Probe
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes
from harness.suite.lib.attached import HOST_BRIDGE, assigned, pool_of
from harness.suite.lib.expect import attached, equal, in_pool, outside

SIZE = 4096
"""Bytes of a buffer."""
SECRET = b"a secret after the mapped bytes."

pytestmark = pytest.mark.parametrize("iommu", [True])


@pytest.mark.property("A9")
@pytest.mark.parametrize(
    "append",
    [
        pytest.param("", id="translated"),
        pytest.param(
            "iommu.passthrough=1",
            id="identity",
            marks=pytest.mark.nightly("the escape below has the same machine"),
        ),
    ],
)
def test_a_device_behind_an_iommu_ignores_its_pool(
    guest: Guest, probe: Probe, rogue: EduRogue, pool: Pool, types: KernelTypes
) -> None:
    """An endpoint behind the SMMU is not restricted, below a restricted host bridge too."""
    device = probe.device(str(rogue.bdf))

    with device.map_single(probe.buffer(SIZE), Direction.TO_DEVICE) as mapping:
        outside(mapping, pool)
    attached(guest, types, device.name, None)


@pytest.mark.property("A9", control=True)
def test_a_device_beside_the_iommu_has_its_pool(
    guest: Guest, probe: Probe, pool: Pool, types: KernelTypes
) -> None:
    """On the same machine, devices that are not behind the SMMU use their pool."""
    for device in (probe.device("probe-a"), probe.device("probe-b")):
        with device.map_single(probe.buffer(SIZE), Direction.TO_DEVICE) as mapping:
            in_pool(mapping, pool)
        equal(assigned(guest, device.name), pool.name, f"the pool assigned to {device.name}")
    equal(pool_of(types, HOST_BRIDGE), pool.name, "the pool of the host bridge")


@pytest.mark.escape("G6")
@pytest.mark.parametrize("append", ["iommu.passthrough=1"])
def test_an_identity_domain_opens_all_of_memory(probe: Probe, rogue: EduRogue) -> None:
    """An IOMMU with an identity domain replaces the pool, and stops no access."""
    buffer = probe.buffer(SIZE)
    buffer.write(SECRET, offset=SIZE // 2)

    with probe.device(str(rogue.bdf)).map_single(buffer, Direction.TO_DEVICE, size=64) as mapping:
        read = rogue.read(mapping.dma_addr + SIZE // 2, len(SECRET))
        equal(read, SECRET, "the bytes after the mapping, read by the device")
