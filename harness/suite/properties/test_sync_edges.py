# SPDX-License-Identifier: Apache-2.0
"""Properties C4, C5 and C9: syncs with min_align_mask, beyond a mapping, and with DMA_NONE."""

import pytest

from harness.base.errors import GuestCrash
from harness.devices.probe import (
    Buffer,
    Device,
    Direction,
    Mapping,
    Probe,
    Seed,
    SyncTarget,
    calls,
)
from harness.kernel import SLOT
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import LiveMemory
from harness.suite.conftest import COHERENT, MOSTLY_NIGHTLY
from harness.suite.lib.expect import alive, printed, same_bytes, unchanged
from harness.suite.lib.expect.kernel import SYNC_WARNING
from harness.suite.lib.written import CPU, DEVICE

PHASES = (1, 100, 2047, 2048, 2049, 4000, 4095)
"""Offsets of a buffer in its page, which min_align_mask keeps."""

SIZE = 3 * SLOT + 700
"""Bytes of a mapping: in four slots or five, by its offset."""

BEYOND = Seed(0xBE)

OVERFLOW = "Buffer overflow detected"

NOT_EXACT = "A partial sync of a mapping with min_align_mask did not copy exactly its range."
NOT_CUT = "A sync larger than its mapping copied beyond the mapping."


@pytest.fixture
def buffer(probe: Probe, page: int) -> Buffer:
    """Four pages of the CPU's bytes."""
    return probe.buffer(4 * page, content=CPU)


def ranges(phase: int) -> list[tuple[int, int]]:
    """Offset and length of syncs around each slot boundary, and around *phase* bytes after it."""
    borders = [slot - phase % SLOT for slot in range(SLOT, SIZE + phase % SLOT, SLOT)]
    starts = [at + step for at in borders for step in (-1, 0, 1, phase % SLOT - 1, phase % SLOT)]
    return [(start, length) for start in starts for length in (1, 64) if 0 <= start < SIZE - 64]


def sync_ranges(mapping: Mapping, target: SyncTarget, phase: int) -> None:
    """Make every sync of :func:`ranges`."""
    mapping.session.call_all(
        calls.sync(mapping.handle, target, offset, length) for offset, length in ranges(phase)
    )


@pytest.mark.property("C4")
@pytest.mark.finding("6.1-partial-sync", kernels=">=6.1,<6.10")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_partial_syncs_are_exact_with_min_align_mask(
    device: Device, buffer: Buffer, memory: LiveMemory, page: int
) -> None:
    """Each sync copies exactly its range, also in the first bytes of a mapping's later slots."""
    device.set_min_align_mask(page - 1)
    for phase in PHASES:
        buffer.fill(CPU)
        with device.map_single(buffer, Direction.BIDIRECTIONAL, offset=phase, size=SIZE) as mapping:
            memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
            sync_ranges(mapping, SyncTarget.CPU, phase)
            wanted = bytearray(CPU.content(0, buffer.size))
            for offset, length in ranges(phase):
                at = phase + offset
                wanted[at : at + length] = DEVICE.content(offset, length)
            same_bytes(buffer, 0, wanted, summary=NOT_EXACT)

            buffer.fill(CPU)
            sync_ranges(mapping, SyncTarget.DEVICE, phase)
            shown = bytearray(DEVICE.content(0, SIZE))
            for offset, length in ranges(phase):
                shown[offset : offset + length] = CPU.content(phase + offset, length)
            same_bytes(memory, mapping.dma_addr, shown, summary=NOT_EXACT)


@pytest.mark.property("C4", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_a_partial_sync_holds_nothing_back(
    device: Device, buffer: Buffer, memory: LiveMemory, page: int
) -> None:
    """The CPU sees all that an unrestricted device wrote, whatever range is synced."""
    device.set_min_align_mask(page - 1)

    with device.map_single(buffer, Direction.BIDIRECTIONAL, offset=100, size=SIZE) as mapping:
        memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
        mapping.sync_for_cpu(0, 1)
        same_bytes(buffer, 100, DEVICE.content(0, SIZE))


@pytest.mark.property("C5")
@pytest.mark.expects_report(SYNC_WARNING)
@pytest.mark.expects_report("sync DMA memory it has not allocated")  # with DMA_API_DEBUG
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_a_sync_of_more_than_the_mapping_is_cut_and_warned_of(
    guest: Guest, device: Device, buffer: Buffer, memory: LiveMemory
) -> None:
    """The kernel cuts a sync at the mapping's end, in both directions, and warns."""
    mapping = device.map_single(buffer, Direction.BIDIRECTIONAL, size=SIZE)
    memory.write(mapping.dma_addr, DEVICE.content(0, SIZE) + BEYOND.content(0, SLOT))

    device.unchecked.sync_single_for_cpu(mapping.dma_addr, SIZE + SLOT, mapping.direction)
    cut = DEVICE.content(0, SIZE) + CPU.content(SIZE, buffer.size - SIZE)
    same_bytes(buffer, 0, cut, summary=NOT_CUT)

    buffer.fill(CPU)
    device.unchecked.sync_single_for_device(mapping.dma_addr, SIZE + SLOT, mapping.direction)
    cut = CPU.content(0, SIZE) + BEYOND.content(0, SLOT)
    same_bytes(memory, mapping.dma_addr, cut, summary=NOT_CUT)
    printed(guest, OVERFLOW)


@pytest.mark.property("C5")
@pytest.mark.finding("sync-behind-mapping", kernels=">=6.10")
@pytest.mark.expects_report(SYNC_WARNING)
def test_a_sync_that_begins_behind_its_mapping_copies_nothing(
    device: Device, buffer: Buffer, memory: LiveMemory
) -> None:
    """A sync that begins after its mapping's end copies nothing from the padding of the slot."""
    mapping = device.map_single(buffer, Direction.FROM_DEVICE, size=100)
    memory.write(mapping.dma_addr, BEYOND.content(0, SLOT))

    device.unchecked.sync_single_for_cpu(mapping.dma_addr + 200, 64, mapping.direction)

    unchanged(buffer, CPU, summary="A sync behind the end of its mapping copied bytes.")


@pytest.mark.property("C5", control=True)
@pytest.mark.expects_report("sync DMA memory it has not allocated")  # with DMA_API_DEBUG
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_no_sync_is_cut(device: Device, buffer: Buffer, memory: LiveMemory) -> None:
    """For an unrestricted device the kernel neither cuts a longer sync nor warns."""
    mapping = device.map_single(buffer, Direction.BIDIRECTIONAL, size=SIZE)
    memory.write(mapping.dma_addr + SIZE, BEYOND.content(0, SLOT))

    device.unchecked.sync_single_for_cpu(mapping.dma_addr, SIZE + SLOT, mapping.direction)

    same_bytes(buffer, SIZE, BEYOND.content(0, SLOT))


@pytest.mark.property("C9")
@pytest.mark.expects_report("BUG|Oops|panic")
@pytest.mark.parametrize("driver", [COHERENT])
@pytest.mark.parametrize("target", ["cpu", "device"])
def test_a_sync_in_no_direction_is_a_bug(
    device: Device, buffer: Buffer, target: str, page: int
) -> None:
    """A sync with DMA_NONE is a BUG(), on a dma-coherent device too."""
    mapping = device.map_single(buffer, Direction.BIDIRECTIONAL)
    unchecked = device.unchecked
    sync = unchecked.sync_single_for_cpu if target == "cpu" else unchecked.sync_single_for_device

    with pytest.raises(GuestCrash, match=r"kernel BUG at (\S*/)?kernel/dma/"):
        sync(mapping.dma_addr, page, Direction.NONE)


@pytest.mark.property("C9", control=True)
@pytest.mark.needs("before, every sync was checked", change="skip-sync")
@pytest.mark.needs("with it the kernel checks every sync", config="DMA_API_DEBUG=n")
@pytest.mark.parametrize("driver", [COHERENT])
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_a_coherent_device_does_no_sync_at_all(
    guest: Guest, device: Device, buffer: Buffer, page: int
) -> None:
    """For an unrestricted dma-coherent device a sync does nothing, in any direction."""
    mapping = device.map_single(buffer, Direction.BIDIRECTIONAL)

    device.unchecked.sync_single_for_cpu(mapping.dma_addr, page, Direction.NONE)

    alive(guest)
