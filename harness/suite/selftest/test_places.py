# SPDX-License-Identifier: Apache-2.0
"""A failure explains its addresses: what lies there in a real guest, running or stopped."""

import pytest

from harness.devices.probe import Direction, Probe
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Pool
from harness.machine.fence import SCRATCH
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes
from harness.observe.memory.places import Places, explain

pytestmark = pytest.mark.any_kernel("what addresses are called")

SIZE = 4096
"""Bytes of a buffer."""

PAGE_ALLOCATOR = "kernel page (page allocator), not in any pool"


def test_every_kind_of_address_is_explained(
    guest: Guest, probe: Probe, pool: Pool, types: KernelTypes
) -> None:
    """Slots, pages, kernel text, the harness's own memory and a device's BAR have names."""
    rogue = EduRogue(guest)
    buffer = probe.buffer(SIZE)
    mapping = probe.device("probe-a").map_single(buffer, Direction.TO_DEVICE)
    text = types.image.to_phys(types.symbols.address("swiotlb_map"))
    slot = (mapping.dma_addr - pool.base) // 2048
    borders = f"[{pool.base:#x}, {pool.end:#x})"
    guest.pause()

    describe = Places(guest, types).describe

    assert describe(mapping.dma_addr + 5) == f"slot {slot} of pool {pool.name} {borders}"
    assert describe(buffer.phys) == PAGE_ALLOCATOR
    assert describe(buffer.virt) == (
        f"kernel virtual address of {buffer.phys:#x}: {PAGE_ALLOCATOR}"
    )
    assert describe(text + 8) == "kernel text, swiotlb_map+0x8, not in any pool"
    assert describe(SCRATCH.base) == f"the harness's scratch memory {SCRATCH}"
    assert describe(rogue.config.bar0()) == "BAR 0 of PCI device 01:00.0, not RAM"
    assert describe(0xDEAD_BEEF_0000) is None
    assert explain(Places(guest, types), [f"no {0xDEAD_BEEF_0000:#x}, {buffer.phys:#x}"]) == (
        f"{buffer.phys:#x} {PAGE_ALLOCATOR}",
    )


def test_calls_and_accesses_are_kept_in_one_time_line(guest: Guest, probe: Probe) -> None:
    """The journal has the driver's calls as C and the rogue's accesses, in the order they had."""
    rogue = EduRogue(guest)
    device = probe.device("probe-a")
    buffer = probe.buffer(SIZE)

    mapping = device.map_single(buffer, Direction.TO_DEVICE)
    rogue.write(mapping.dma_addr, bytes(16))
    mapping.unmap()

    place = f"{mapping.dma_addr:#x}"
    assert guest.agent.journal.last(3) == (
        f"dma_map_single(probe-a, {buffer.phys:#x}, 4096, DMA_TO_DEVICE) = {place}",
        f"[rogue0 writes 16 bytes at {place}]",
        f"dma_unmap_single(probe-a, {place}, 4096, DMA_TO_DEVICE)",
    )
