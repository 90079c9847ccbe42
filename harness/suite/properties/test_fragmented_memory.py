# SPDX-License-Identifier: Apache-2.0
"""Property A12: a pool whose first device is attached when the kernel's memory is fragmented."""

from collections.abc import Mapping

import pytest

from harness.devices.probe import Buffer, Direction, Probe, RequestRefused
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Placement, Pool
from harness.machine.qemu.guest import Guest
from harness.suite.lib.attached import FAILED
from harness.suite.lib.expect import in_pool, logged, outside

KIB, MIB = 1024, 1 << 20

SIXTY_FOUR_MIB: Mapping[str, Placement] = {"pool": Placement(base=0x4C00_0000, size=64 * MIB)}
"""The pool of ChromeOS boards (mt8192-asurada.dtsi); its slot table has 768 KiB."""

PIECE = 512 * KIB

pytestmark = [
    pytest.mark.nightly("it fills all of the guest's memory"),
    pytest.mark.parametrize("shape", ["pool-pci-child"]),
    pytest.mark.parametrize("placements", [SIXTY_FOUR_MIB], ids=["64M"]),
]


def take_all(probe: Probe, size: int) -> list[Buffer]:
    """Allocate buffers of *size* bytes until the kernel has no more; returns them."""
    taken = []
    while True:
        try:
            taken.append(probe.buffer(size))
        except RequestRefused:
            return taken


def fragment(probe: Probe) -> None:
    """Leave half of memory free, in ranges that are no larger than PIECE."""
    for piece in take_all(probe, PIECE):
        if piece.phys // PIECE % 2:
            piece.free()
    for larger in (4 * MIB, 2 * MIB, MIB):
        take_all(probe, larger)


@pytest.mark.property("A12")
def test_a_device_that_comes_when_memory_is_in_pieces_is_unrestricted(
    guest: Guest, probe: Probe, pool: Pool, page: int
) -> None:
    """A pool whose slot table cannot be allocated is not set up, and its device is unrestricted."""
    fragment(probe)

    device = probe.device(str(EduRogue(guest).bdf))

    mapping = device.map_single(probe.buffer(page), Direction.TO_DEVICE)
    outside(mapping, pool)
    logged(guest, f"{device.name}: {FAILED}")


@pytest.mark.property("A12", control=True)
def test_a_device_that_comes_when_memory_is_whole_is_restricted(
    guest: Guest, probe: Probe, pool: Pool, page: int
) -> None:
    """On the same machine the pool is set up when memory is not fragmented."""
    for buffer in take_all(probe, PIECE):
        buffer.free()

    device = probe.device(str(EduRogue(guest).bdf))

    mapping = device.map_single(probe.buffer(page), Direction.TO_DEVICE)
    in_pool(mapping, pool)
