# SPDX-License-Identifier: Apache-2.0
"""Properties C1 to C3 and C6 to C8: a sync copies exactly its range, in its direction."""

import pytest

from harness.devices.probe import (
    DIRECTIONS,
    READING,
    WRITING,
    Device,
    Direction,
    Mapping,
    Probe,
    Seed,
    Slice,
)
from harness.machine.shape import NO_POOL
from harness.observe.memory import LiveMemory
from harness.suite.conftest import COHERENT, PCI_NIGHTLY, PLATFORM
from harness.suite.lib.expect import equal, holds, same_bytes, unchanged
from harness.suite.lib.written import CPU, DEVICE

SIZE = 10_000
"""Bytes of a mapping: several slots, and not a multiple of one."""

RANGES = ((0, 1), (0, 2048), (1, 2047), (2047, 2), (2048, 100), (4095, 4098), (9999, 1))
"""Offset and length of partial syncs: at, across and between the borders of 2 KiB slots."""


NOT_COPIED_TO_CPU = (
    "dma_sync_single_for_cpu() did not copy what the device wrote to the CPU's buffer."
)
NOT_COPIED_TO_POOL = "dma_sync_single_for_device() did not copy the CPU's buffer into the pool."
OVERWRITTEN = "dma_sync_single_for_device() overwrote what the device wrote (FROM_DEVICE)."
TOO_EARLY = "The pool changed before the sync."
NOT_EXACT = "A partial sync did not copy exactly its range."
NEEDS_NO_SYNC = "dma_need_sync() is false for an address in the pool."


def needs_sync(mapping: Mapping) -> None:
    """dma_need_sync() is true for *mapping*."""
    equal(mapping.need_sync(), True, "dma_need_sync()", summary=NEEDS_NO_SYNC)


def patched(background: Seed, patch: Seed, offset: int, length: int) -> bytes:
    """SIZE bytes of *background* with *patch* in one range."""
    return (
        background.content(0, offset)
        + patch.content(offset, length)
        + background.content(offset + length, SIZE - offset - length)
    )


@pytest.mark.property("C1")
@pytest.mark.parametrize("driver", PCI_NIGHTLY)
@pytest.mark.parametrize("direction", WRITING, ids=lambda direction: direction.name)
def test_sync_for_cpu_brings_what_the_device_wrote(
    device: Device, probe: Probe, memory: LiveMemory, direction: Direction
) -> None:
    """sync_for_cpu of FROM_DEVICE and BIDIRECTIONAL copies the pool to the CPU's buffer."""
    buffer = probe.buffer(SIZE, content=CPU)

    with device.map_single(buffer, direction) as mapping:
        memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
        unchanged(buffer, CPU, summary="The CPU's buffer changed before the sync.")
        mapping.sync_for_cpu()
        holds(buffer, DEVICE, summary=NOT_COPIED_TO_CPU)


@pytest.mark.property("C1")
@pytest.mark.parametrize("driver", PCI_NIGHTLY)
def test_sync_for_cpu_of_a_to_device_mapping_brings_nothing(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """sync_for_cpu of TO_DEVICE does not change the CPU's buffer."""
    buffer = probe.buffer(SIZE, content=CPU)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
        mapping.sync_for_cpu()
        unchanged(buffer, CPU, summary="dma_sync_single_for_cpu() copied a TO_DEVICE mapping back.")


@pytest.mark.property("C1", control=True)
@pytest.mark.property("C6", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_the_cpu_sees_the_device_without_a_sync(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """An unrestricted device writes into the CPU's buffer itself, without a sync."""
    buffer = probe.buffer(SIZE, content=CPU)

    with device.map_single(buffer, Direction.FROM_DEVICE) as mapping:
        memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
        holds(buffer, DEVICE)


@pytest.mark.property("C2")
@pytest.mark.parametrize("driver", PCI_NIGHTLY)
@pytest.mark.parametrize("direction", READING, ids=lambda direction: direction.name)
def test_sync_for_device_takes_what_the_cpu_wrote(
    device: Device, probe: Probe, memory: LiveMemory, direction: Direction
) -> None:
    """sync_for_device of TO_DEVICE and BIDIRECTIONAL copies the CPU's buffer to the pool."""
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, direction) as mapping:
        buffer.fill(CPU)
        same_bytes(memory, mapping.dma_addr, bytes(SIZE), summary=TOO_EARLY)
        mapping.sync_for_device()
        same_bytes(memory, mapping.dma_addr, CPU.content(0, SIZE), summary=NOT_COPIED_TO_POOL)


@pytest.mark.property("C2")
@pytest.mark.parametrize("driver", PCI_NIGHTLY)
def test_sync_for_device_of_a_from_device_mapping_takes_nothing(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """sync_for_device of FROM_DEVICE does not overwrite what the device wrote."""
    buffer = probe.buffer(SIZE, content=CPU)

    with device.map_single(buffer, Direction.FROM_DEVICE) as mapping:
        memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
        mapping.sync_for_device()
        same_bytes(memory, mapping.dma_addr, DEVICE.content(0, SIZE), summary=OVERWRITTEN)


@pytest.mark.property("C2", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_the_device_sees_the_cpu_without_a_sync(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """An unrestricted device reads the CPU's buffer itself, without a sync."""
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        buffer.fill(CPU)
        same_bytes(memory, mapping.dma_addr, CPU.content(0, SIZE))


@pytest.mark.property("C3")
@pytest.mark.parametrize("driver", PCI_NIGHTLY)
def test_a_partial_sync_for_cpu_copies_just_its_range(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """A partial sync_for_cpu changes exactly [offset, offset + length), at any offset."""
    buffer = probe.buffer(SIZE)

    for offset, length in RANGES:
        buffer.fill(CPU)
        with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
            memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
            mapping.sync_for_cpu(offset, length)
            same_bytes(buffer, 0, patched(CPU, DEVICE, offset, length), summary=NOT_EXACT)


@pytest.mark.property("C3")
@pytest.mark.parametrize("driver", PCI_NIGHTLY)
def test_a_partial_sync_for_device_copies_just_its_range(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """A partial sync_for_device changes exactly [offset, offset + length), at any offset."""
    buffer = probe.buffer(SIZE)

    for offset, length in RANGES:
        buffer.fill(DEVICE)
        with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
            buffer.fill(CPU)
            mapping.sync_for_device(offset, length)
            wanted = patched(DEVICE, CPU, offset, length)
            same_bytes(memory, mapping.dma_addr, wanted, summary=NOT_EXACT)


@pytest.mark.property("C3", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_no_range_is_held_back(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """An unrestricted device sees all bytes of the buffer, whatever range is synced."""
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
        buffer.fill(CPU)
        mapping.sync_for_device(0, 1)
        same_bytes(memory, mapping.dma_addr, CPU.content(0, SIZE))


@pytest.mark.property("C6")
@pytest.mark.parametrize("driver", [COHERENT])
def test_a_coherent_device_in_a_pool_needs_syncs(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """Syncs of a dma-coherent device copy, from its first bounced mapping on."""
    equal(device.info().coherent, True, "the device is dma-coherent")
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
        needs_sync(mapping)
        memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
        mapping.sync_for_cpu()
        holds(buffer, DEVICE, summary=NOT_COPIED_TO_CPU)


@pytest.mark.property("C6")
@pytest.mark.finding("set-mask-skips-syncs", kernels=">=6.10")
@pytest.mark.needs("with it the kernel never skips syncs", config="DMA_API_DEBUG=n")
@pytest.mark.parametrize("driver", [COHERENT])
def test_a_coherent_device_needs_syncs_after_its_mask_is_set_again(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """Syncs of a live mapping still copy after dma_set_mask()."""
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
        device.set_dma_mask((1 << 64) - 1)
        memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
        mapping.sync_for_cpu()
        holds(buffer, DEVICE, summary=NOT_COPIED_TO_CPU)


@pytest.mark.property("C7")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_every_mapping_in_a_pool_needs_syncs(device: Device, probe: Probe) -> None:
    """dma_need_sync() is true for a bounced mapping, on dma-coherent devices too."""
    buffer = probe.buffer(SIZE)

    for direction in DIRECTIONS:
        with device.map_single(buffer, direction) as mapping:
            needs_sync(mapping)


@pytest.mark.property("C7", control=True)
@pytest.mark.parametrize("driver", [COHERENT])
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_a_coherent_device_needs_no_sync(device: Device, probe: Probe) -> None:
    """dma_need_sync() is false for an unrestricted dma-coherent device."""
    with device.map_single(probe.buffer(SIZE), Direction.BIDIRECTIONAL) as mapping:
        equal(mapping.need_sync(), False, "dma_need_sync()")


@pytest.mark.property("C8")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_a_sync_of_a_scatterlist_covers_every_entry(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """dma_sync_sg copies all of each entry, in its direction, and no byte outside the entries."""
    buffer = probe.buffer(8 * SIZE)
    sizes = [SIZE // 2, SIZE, 100, SIZE + 100]
    parts = [Slice(buffer, 2 * n * SIZE + n, size) for n, size in enumerate(sizes)]

    with device.map_sg(parts, Direction.BIDIRECTIONAL) as mapping:
        entries = list(zip(parts, sizes, mapping.segments, strict=True))
        for _, size, segment in entries:
            memory.write(segment.dma_addr, DEVICE.content(0, size))
        buffer.fill(CPU)
        mapping.sync_for_cpu()
        wanted = bytearray(CPU.content(0, buffer.size))
        for part, size, _ in entries:
            wanted[part.offset : part.offset + size] = DEVICE.content(0, size)
        same_bytes(buffer, 0, wanted, summary="dma_sync_sgtable_for_cpu() missed an entry.")

        buffer.fill(CPU)
        mapping.sync_for_device()
        for part, size, segment in entries:
            taken = CPU.content(part.offset, size)
            missed = "dma_sync_sgtable_for_device() missed an entry."
            same_bytes(memory, segment.dma_addr, taken, summary=missed)


@pytest.mark.property("C8", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_no_entry_is_held_back(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """The entries of an unrestricted device's scatterlist are the CPU's buffers themselves."""
    buffers = [probe.buffer(SIZE) for _ in range(4)]

    with device.map_sg([Slice(buffer) for buffer in buffers], Direction.FROM_DEVICE) as mapping:
        for segment in mapping.segments:
            memory.write(segment.dma_addr, DEVICE.content(0, SIZE))
        for buffer in buffers:
            holds(buffer, DEVICE)
