# SPDX-License-Identifier: Apache-2.0
"""Properties B12 and B13: a full pool refuses mappings, and serves again once it is empty."""

from collections.abc import Callable, Mapping

import pytest

from harness.devices.probe import Attr, Buffer, Device, Direction, Probe
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, default_pool
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import DRIVERS
from harness.suite.lib.expect import counted, in_pool, refused, slots_used
from harness.suite.lib.filling import SLOT, SLOT_SET, fill, unmap

ORDERS: Mapping[str, Callable[[list[int]], list[int]]] = {
    "first": lambda handles: handles,
    "last": lambda handles: handles[::-1],
    "every other": lambda handles: handles[::2] + handles[1::2],
}
"""In which order mappings are unmapped: the oldest first, the newest first, with holes."""

FULL = r"swiotlb buffer is full \(sz: (\d+) bytes\), total (\d+) \(slots\), used (\d+) \(slots\)"


def fills(device: Device, buffer: Buffer, pool: Pool, attempts: int) -> None:
    """Map *buffer*, of a slot set, until the pool is full; the kernel refuses what is too much."""
    mapped = fill(device, buffer, SLOT_SET, attempts)
    in_pool(mapped.values(), pool, SLOT_SET, summary="A full pool fell back to other memory.")
    counted(len(mapped), pool.size // SLOT_SET, "mappings of 256 KiB in the pool")


@pytest.mark.property("B12")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_full_pool_refuses_and_does_not_fall_back(
    device: Device, probe: Probe, pool: Pool, types: KernelTypes, counters: PoolCounters
) -> None:
    """A mapping that finds the pool full fails; nothing is taken from any other memory."""
    outside, capacity = default_pool(types), pool.size // SLOT_SET

    fills(device, probe.buffer(SLOT_SET), pool, attempts=capacity + 8)

    slots_used(counters, pool.size // SLOT)
    assert default_pool(types) == outside


@pytest.mark.property("B12")
def test_a_full_pool_is_reported_with_its_numbers(
    guest: Guest, device: Device, probe: Probe, pool: Pool
) -> None:
    """The kernel logs the size it could not map, the pool's slots and how many are used."""
    buffer = probe.buffer(SLOT_SET)
    fills(device, buffer, pool, attempts=pool.size // SLOT_SET)
    mark = guest.console.mark

    refused(device.map_single, probe.buffer(3000), Direction.TO_DEVICE)

    said = guest.console.wait_for(FULL, timeout=5, since=mark)
    slots = str(pool.size // SLOT)
    assert said.groups() == ("3000", slots, slots)


@pytest.mark.property("B12")
def test_no_warn_keeps_the_kernel_quiet_about_a_full_pool(
    guest: Guest, device: Device, probe: Probe, pool: Pool
) -> None:
    """With DMA_ATTR_NO_WARN a full pool refuses a mapping, and the kernel logs nothing."""
    buffer, mark = probe.buffer(SLOT_SET), guest.console.mark
    fills(device, buffer, pool, attempts=pool.size // SLOT_SET + 8)
    refused(device.map_single, buffer, Direction.TO_DEVICE, attrs=Attr.NO_WARN)
    guest.agent.write_file("/dev/kmsg", b"end of the test\n")

    guest.console.wait_for("end of the test", timeout=5, since=mark)

    assert not any("swiotlb buffer is full" in line for line in guest.console.lines)


@pytest.mark.property("B12", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_there_is_no_such_limit(device: Device, probe: Probe) -> None:
    """An unrestricted device maps far more than a pool of the usual size holds."""
    mapped = fill(device, probe.buffer(SLOT_SET), SLOT_SET, attempts=200)

    counted(len(mapped), 200, "mappings")


@pytest.mark.property("B13")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("order", ORDERS)
def test_a_pool_that_was_full_is_as_good_as_new(
    device: Device, probe: Probe, pool: Pool, counters: PoolCounters, order: str
) -> None:
    """After unmap in any order every slot is free and the largest mappings fit again."""
    buffer, baseline, capacity = probe.buffer(SLOT_SET), counters.used, pool.size // SLOT_SET
    handles = list(fill(device, buffer, SLOT_SET // 4, attempts=4 * capacity))

    unmap(device, ORDERS[order](handles))

    counted(len(handles), 4 * capacity, "mappings of 64 KiB in the pool")
    slots_used(counters, baseline)
    again = fill(device, buffer, SLOT_SET, attempts=capacity)
    counted(len(again), capacity, "mappings of 256 KiB in the pool that was full")


@pytest.mark.property("B13", control=True)
def test_a_leaked_mapping_does_take_its_slots_away(
    device: Device, probe: Probe, pool: Pool, counters: PoolCounters
) -> None:
    """A driver that forgets to unmap leaves its slots in use: the count would tell."""
    buffer, capacity = probe.buffer(SLOT_SET), pool.size // SLOT_SET
    device.map_single(buffer, Direction.TO_DEVICE).forget()

    slots_used(counters, SLOT_SET // SLOT)
    assert len(fill(device, buffer, SLOT_SET, attempts=capacity)) == capacity - 1
