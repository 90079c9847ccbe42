# SPDX-License-Identifier: Apache-2.0
"""Properties B12 and B13: a full pool says no, and is as good as new when it is empty again."""

import pytest

from harness.devicetree import Pool
from harness.dma import Attr, Buffer, Device, Direction, Mapping, MappingError, Probe, calls
from harness.dma import MapCall as How
from harness.memory import KernelTypes, default_pool
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import DRIVERS
from harness.vm.guest import Guest
from harness.vm.shape import NO_POOL

SLOT = 2048
LARGEST = 256 * 1024
"""Bytes of the largest mapping: 128 slots (include/linux/swiotlb.h, IO_TLB_SEGSIZE)."""

FULL = r"swiotlb buffer is full \(sz: (\d+) bytes\), total (\d+) \(slots\), used (\d+) \(slots\)"


def fill(device: Device, buffer: Buffer, size: int) -> list[Mapping]:
    """Map *buffer* again and again until the kernel says no."""
    mappings = []
    while True:
        try:
            mappings.append(
                device.map_single(buffer, Direction.TO_DEVICE, size=size, attrs=Attr.NO_WARN)
            )
        except MappingError:
            return mappings


@pytest.mark.property("B12")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_full_pool_refuses_and_does_not_fall_back(
    device: Device, probe: Probe, pool: Pool, types: KernelTypes, counters: PoolCounters
) -> None:
    """A mapping that finds the pool full fails; nothing is taken from any other memory."""
    outside = default_pool(types)
    buffer = probe.buffer(LARGEST)

    mappings = fill(device, buffer, LARGEST)

    assert len(mappings) == pool.size // LARGEST
    assert all(pool.contains(mapping.dma_addr, mapping.size) for mapping in mappings)
    assert counters.used == pool.size // SLOT
    assert default_pool(types) == outside


@pytest.mark.property("B12")
def test_a_full_pool_is_reported_with_its_numbers(
    guest: Guest, device: Device, probe: Probe, pool: Pool
) -> None:
    """The kernel logs the size it could not map, the pool's slots and how many are used."""
    buffer = probe.buffer(LARGEST)
    fill(device, buffer, LARGEST)
    mark = guest.console.mark

    with pytest.raises(MappingError):
        device.map_single(buffer, Direction.TO_DEVICE, size=3000)

    said = guest.console.wait_for(FULL, timeout=5, since=mark)
    slots = str(pool.size // SLOT)
    assert said.groups() == ("3000", slots, slots)


@pytest.mark.property("B12")
def test_no_warn_keeps_the_kernel_quiet_about_a_full_pool(
    guest: Guest, device: Device, probe: Probe
) -> None:
    """With DMA_ATTR_NO_WARN a full pool refuses without a word."""
    mark = guest.console.mark
    fill(device, probe.buffer(LARGEST), LARGEST)
    guest.agent.write_file("/dev/kmsg", b"end of the test\n")

    guest.console.wait_for("end of the test", timeout=5, since=mark)

    assert not any("swiotlb buffer is full" in line for line in guest.console.lines)


@pytest.mark.property("B12", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_there_is_no_such_limit(device: Device, probe: Probe) -> None:
    """An unrestricted device maps far more than a pool of the usual size holds."""
    buffer = probe.buffer(LARGEST)

    with probe.batch() as batch:
        mapped = [
            batch.add(
                calls.map_buffer(
                    handle,
                    device.id,
                    How.SINGLE,
                    buffer.handle,
                    0,
                    LARGEST,
                    Direction.TO_DEVICE,
                    Attr.DEFAULT,
                )
            )
            for handle in range(200)
        ]

    assert all(pending.result.dma_addr == buffer.phys for pending in mapped)


@pytest.mark.property("B13")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("order", ["first", "last", "every other"])
def test_a_pool_that_was_full_is_as_good_as_new(
    device: Device, probe: Probe, pool: Pool, counters: PoolCounters, order: str
) -> None:
    """After unmap in any order every slot is free and the largest mappings fit again."""
    buffer = probe.buffer(LARGEST)
    baseline = counters.used
    mappings = fill(device, buffer, LARGEST // 4)
    if order == "last":
        mappings.reverse()
    elif order == "every other":
        mappings = mappings[::2] + mappings[1::2]

    for mapping in mappings:
        mapping.unmap()

    assert counters.used == baseline
    assert len(fill(device, buffer, LARGEST)) == pool.size // LARGEST


@pytest.mark.property("B13", control=True)
def test_a_leaked_mapping_does_take_its_slots_away(
    device: Device, probe: Probe, pool: Pool, counters: PoolCounters
) -> None:
    """A driver that forgets to unmap leaves its slots in use: the count would tell."""
    buffer = probe.buffer(LARGEST)
    device.map_single(buffer, Direction.TO_DEVICE).forget()

    assert counters.used == LARGEST // SLOT
    assert len(fill(device, buffer, LARGEST)) == pool.size // LARGEST - 1
