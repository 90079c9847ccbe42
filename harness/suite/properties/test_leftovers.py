# SPDX-License-Identifier: Apache-2.0
"""Properties B6 and B14: memory that map and unmap do not change."""

from collections.abc import Callable

import pytest

from harness.devices.probe import DIRECTIONS, Attr, Byte, Device, Direction, Probe
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.shape import NO_POOL
from harness.observe.memory import LiveMemory
from harness.suite.conftest import MOSTLY_NIGHTLY
from harness.suite.lib.expect import counted, holds, same_bytes, unchanged
from harness.suite.lib.written import CPU, DEVICE

EARLIER = Byte(0x5E)
"""The content of earlier mappings in the pool."""

OTHER_SLOTS = "dma_map_single() wrote into slots that are not the mapping's."


@pytest.mark.property("B6")
def test_map_writes_into_no_slots_but_its_own(
    device: Device,
    probe: Probe,
    pool: Pool,
    memory: LiveMemory,
    record_property: Callable[[str, object], None],
    page: int,
) -> None:
    """Map writes nothing outside its slots; the report says how many stale bytes stay in them.

    A device can read bytes of earlier mappings in the slots of its mapping. The kernel does not
    guarantee otherwise (kernel/dma/swiotlb.c, comment above swiotlb_tbl_map_single, 6.12).
    """
    buffer = probe.buffer(4 * page, content=CPU)
    device.set_min_align_mask(page - 1)
    left = 0

    for offset, size in ((0, 1), (100, 1), (0, SLOT - 1), (2047, 2), (SLOT, 5000), (4095, page)):
        memory.write(pool.base, EARLIER.content(0, pool.size))
        with device.map_single(buffer, Direction.TO_DEVICE, offset=offset, size=size) as mapping:
            start, end = mapping.dma_addr, mapping.dma_addr + size
            first, last = start // SLOT * SLOT, -(-end // SLOT) * SLOT
            same_bytes(memory, start, CPU.content(offset, size))
            for base, length in ((pool.base, first - pool.base), (last, pool.end - last)):
                same_bytes(memory, base, EARLIER.content(0, length), summary=OTHER_SLOTS)
            around = memory.read(first, start - first) + memory.read(end, last - end)
        left += around.count(EARLIER.value)

    record_property("bytes of earlier mappings that stay in the slots of new ones", left)


@pytest.mark.property("B6", control=True)
def test_a_mapping_of_a_whole_slot_leaves_nothing_of_an_earlier_one(
    device: Device, probe: Probe, pool: Pool, memory: LiveMemory
) -> None:
    """A mapping that fills its slot leaves no bytes of an earlier mapping there."""
    buffer = probe.buffer(SLOT)
    memory.write(pool.base, EARLIER.content(0, pool.size))

    with device.map_single(buffer, Direction.FROM_DEVICE) as mapping:
        slot = mapping.dma_addr - mapping.dma_addr % SLOT
        left = memory.read(slot, SLOT).count(EARLIER.value)
        counted(left, 0, f"bytes of the earlier mapping in the slot at {slot:#x}")


@pytest.mark.property("B14")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_skip_cpu_sync_at_map_copies_in_all_the_same(
    device: Device, probe: Probe, memory: LiveMemory, page: int
) -> None:
    """With DMA_ATTR_SKIP_CPU_SYNC map still copies the CPU's buffer, in every direction."""
    buffer = probe.buffer(page, content=CPU)

    for direction in DIRECTIONS:
        mapping = device.map_single(buffer, direction, attrs=Attr.SKIP_CPU_SYNC)
        same_bytes(memory, mapping.dma_addr, CPU.content(0, page))
        mapping.unmap(Attr.SKIP_CPU_SYNC)


@pytest.mark.property("B14")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_skip_cpu_sync_at_unmap_brings_nothing(
    device: Device, probe: Probe, memory: LiveMemory, page: int
) -> None:
    """With DMA_ATTR_SKIP_CPU_SYNC unmap does not change the CPU's buffer."""
    buffer = probe.buffer(page, content=CPU)

    for direction in DIRECTIONS:
        mapping = device.map_single(buffer, direction)
        memory.write(mapping.dma_addr, DEVICE.content(0, page))
        mapping.unmap(Attr.SKIP_CPU_SYNC)
        unchanged(buffer, CPU)


@pytest.mark.property("B14", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_skip_cpu_sync_holds_nothing_back(
    device: Device, probe: Probe, memory: LiveMemory, page: int
) -> None:
    """An unrestricted device writes into the CPU's buffer, also with DMA_ATTR_SKIP_CPU_SYNC."""
    buffer = probe.buffer(page)

    mapping = device.map_single(buffer, Direction.FROM_DEVICE, attrs=Attr.SKIP_CPU_SYNC)
    memory.write(mapping.dma_addr, DEVICE.content(0, page))
    mapping.unmap(Attr.SKIP_CPU_SYNC)

    holds(buffer, DEVICE)
