# SPDX-License-Identifier: Apache-2.0
"""Properties B12 and B13: a full pool refuses mappings, and can be used again once it is empty."""

from collections.abc import Callable, Mapping

import pytest

from harness.devices.probe import Attr, Buffer, Device, Direction, Probe
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, default_pool
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import DRIVERS
from harness.suite.lib.expect import (
    counted,
    equal,
    in_pool,
    not_logged,
    printed,
    refused,
    slots_used,
)
from harness.suite.lib.filling import fill, unmap

ORDERS: Mapping[str, Callable[[list[int]], list[int]]] = {
    "first": lambda handles: handles,
    "last": lambda handles: handles[::-1],
    "every other": lambda handles: handles[::2] + handles[1::2],
}
"""The order in which mappings are unmapped: oldest first, newest first, every other one first."""

FULL = r"swiotlb buffer is full \(sz: (\d+) bytes\), total (\d+) \(slots\), used (\d+) \(slots\)"


def fills(device: Device, buffer: Buffer, pool: Pool, attempts: int) -> None:
    """Map *buffer*, of a slot set, until the pool is full; more mappings must fail."""
    slot_set = buffer.size
    mapped = fill(device, buffer, slot_set, attempts)
    in_pool(mapped.values(), pool, slot_set, summary="A full pool fell back to other memory.")
    counted(len(mapped), pool.size // slot_set, "mappings of a slot set in the pool")


@pytest.mark.property("B12")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_full_pool_refuses_and_does_not_fall_back(
    device: Device,
    probe: Probe,
    pool: Pool,
    types: KernelTypes,
    counters: PoolCounters,
    slot_set: int,
) -> None:
    """A mapping fails when the pool is full; the kernel uses no other memory."""
    outside, capacity = default_pool(types), pool.size // slot_set

    fills(device, probe.buffer(slot_set), pool, attempts=capacity + 8)

    slots_used(counters, pool.size // SLOT)
    equal(default_pool(types), outside, "the default pool", summary="A full pool fell back to it.")


@pytest.mark.property("B12")
def test_a_full_pool_is_reported_with_its_numbers(
    guest: Guest, device: Device, probe: Probe, pool: Pool, slot_set: int
) -> None:
    """The kernel logs the size that it could not map, the pool's slots, and the slots in use."""
    buffer = probe.buffer(slot_set)
    fills(device, buffer, pool, attempts=pool.size // slot_set)
    mark = guest.console.mark

    refused(device.map_single, probe.buffer(3000), Direction.TO_DEVICE)

    logged_numbers = printed(guest, FULL, since=mark).groups()
    slots = str(pool.size // SLOT)
    equal(logged_numbers, ("3000", slots, slots), "bytes, slots and used slots in the message")


@pytest.mark.property("B12")
def test_no_warn_keeps_the_kernel_quiet_about_a_full_pool(
    guest: Guest, device: Device, probe: Probe, pool: Pool, slot_set: int
) -> None:
    """With DMA_ATTR_NO_WARN a full pool refuses a mapping, and the kernel logs nothing."""
    buffer, mark = probe.buffer(slot_set), guest.console.mark
    fills(device, buffer, pool, attempts=pool.size // slot_set + 8)
    refused(device.map_single, buffer, Direction.TO_DEVICE, attrs=Attr.NO_WARN)
    guest.agent.write_file("/dev/kmsg", b"end of the test\n")

    printed(guest, "end of the test", since=mark)

    not_logged(guest, "swiotlb buffer is full")


@pytest.mark.property("B12", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_there_is_no_such_limit(device: Device, probe: Probe, slot_set: int) -> None:
    """An unrestricted device can map far more than the size of the pool."""
    mapped = fill(device, probe.buffer(slot_set), slot_set, attempts=200)

    counted(len(mapped), 200, "mappings")


@pytest.mark.property("B13")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("order", ORDERS)
def test_a_pool_that_was_full_is_as_good_as_new(
    device: Device, probe: Probe, pool: Pool, counters: PoolCounters, order: str, slot_set: int
) -> None:
    """After unmap in any order, all slots are free and the largest mappings fit again."""
    buffer, baseline, capacity = probe.buffer(slot_set), counters.used, pool.size // slot_set
    handles = list(fill(device, buffer, slot_set // 4, attempts=4 * capacity))

    unmap(device, ORDERS[order](handles))

    counted(len(handles), 4 * capacity, "mappings of 64 KiB in the pool")
    slots_used(counters, baseline)
    again = fill(device, buffer, slot_set, attempts=capacity)
    counted(len(again), capacity, "mappings of a slot set in the pool that was full")


@pytest.mark.property("B13", control=True)
def test_a_leaked_mapping_does_take_its_slots_away(
    device: Device, probe: Probe, pool: Pool, counters: PoolCounters, slot_set: int
) -> None:
    """A driver that does not unmap leaves its slots in use: the counter shows it."""
    buffer, capacity = probe.buffer(slot_set), pool.size // slot_set
    device.map_single(buffer, Direction.TO_DEVICE).forget()

    slots_used(counters, slot_set // SLOT)
    mapped = fill(device, buffer, slot_set, attempts=capacity)
    counted(len(mapped), capacity - 1, "mappings of a slot set in the pool")
