# SPDX-License-Identifier: Apache-2.0
"""Property A12: a pool whose first device comes late, when the kernel's own memory is in pieces."""

from collections.abc import Mapping

import pytest

from harness.devices.probe import Buffer, Direction, Probe, RequestRefused
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Placement, Pool
from harness.machine.qemu.guest import Guest
from harness.suite.lib.expect import in_pool, outside
from harness.suite.lib.filling import PAGE

KIB, MIB = 1024, 1 << 20

SIXTY_FOUR_MIB: Mapping[str, Placement] = {"pool": Placement(base=0x4C00_0000, size=64 * MIB)}
"""As much as ChromeOS boards have (mt8192-asurada.dtsi); its table of slots is 768 KiB."""

PIECE = 512 * KIB

pytestmark = [
    pytest.mark.nightly("fills all of the guest's memory, and reports it"),
    pytest.mark.parametrize("shape", ["pool-pci-child"]),
    pytest.mark.parametrize("placements", [SIXTY_FOUR_MIB], ids=["64M"]),
]


def take_all(probe: Probe, size: int) -> list[Buffer]:
    """Every piece of contiguous memory of that size that the kernel has."""
    taken = []
    while True:
        try:
            taken.append(probe.buffer(size))
        except RequestRefused:
            return taken


def fragment(probe: Probe) -> None:
    """Leave half of memory free, and nothing in it that is larger than a piece."""
    for piece in take_all(probe, PIECE):
        if piece.phys // PIECE % 2:
            piece.free()
    for larger in (4 * MIB, 2 * MIB, MIB):
        take_all(probe, larger)


@pytest.mark.property("A12")
def test_a_device_that_comes_when_memory_is_in_pieces_is_unrestricted(
    guest: Guest, probe: Probe, pool: Pool
) -> None:
    """A pool that finds no contiguous memory for its table is not set up; its device runs on."""
    fragment(probe)

    device = probe.device(str(EduRogue(guest).bdf))

    mapping = device.map_single(probe.buffer(PAGE), Direction.TO_DEVICE)
    outside(mapping, pool)
    said = f'{device.name}: failed to initialise "restricted-dma-pool" memory node'
    assert any(said in line for line in guest.console.lines)


@pytest.mark.property("A12", control=True)
def test_a_device_that_comes_when_memory_is_whole_is_restricted(
    guest: Guest, probe: Probe, pool: Pool
) -> None:
    """On that very machine the pool is set up, as long as nobody has cut memory into pieces."""
    for buffer in take_all(probe, PIECE):
        buffer.free()

    device = probe.device(str(EduRogue(guest).bdf))

    mapping = device.map_single(probe.buffer(PAGE), Direction.TO_DEVICE)
    in_pool(mapping, pool)
