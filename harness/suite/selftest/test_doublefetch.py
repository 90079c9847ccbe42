# SPDX-License-Identifier: Apache-2.0
"""The detector of double fetches, on reads that the probe makes on purpose, and on a driver."""

from collections.abc import Callable

import pytest

from harness.base.address_range import AddressRange
from harness.devices.probe import Allocation, Device, Direction, Probe
from harness.jobs.double_fetch import (
    DoubleFetch,
    Watched,
    double_fetches,
    find_target,
    operations,
    second_looks,
)
from harness.machine.capabilities import PLUGINS
from harness.machine.devicetree import Pool
from harness.machine.machine import Machine
from harness.machine.qemu.snapshot import park
from harness.plugin.guests import Guests
from harness.suite.lib.tiers import in_default_tier

pytestmark = [
    pytest.mark.any_kernel("what the TCG plugin sees"),
    pytest.mark.needs("accesses are seen by a TCG plugin", qemu=PLUGINS),
    pytest.mark.needs("a read of the pool through /dev/mem calibrates it", config="DEVMEM=y"),
    pytest.mark.needs(
        "a read of the pool through /dev/mem calibrates it", config="STRICT_DEVMEM=n"
    ),
]

SIZE = 256


@pytest.fixture
def watched(guests: Guests, machine: Machine) -> Watched:
    """A guest whose accesses to the pool are seen."""
    watched = Watched(park(machine))
    guests.live.append(watched.guest)
    return watched


@pytest.fixture
def device(watched: Watched) -> Device:
    """A device that is not coherent: its memory has an address of its own for the CPU."""
    return Probe(watched.guest.agent).device("probe-a")


@pytest.fixture
def allocation(device: Device) -> Allocation:
    """Memory that the device could write at any time."""
    return device.alloc_coherent(SIZE)


def doubles(watched: Watched, work: Callable[[], object]) -> tuple[DoubleFetch, ...]:
    """The double fetches while *work* is done."""
    return double_fetches(watched.during(work), watched.places.reader)


def test_bytes_that_are_read_twice_are_a_double_fetch(
    watched: Watched, allocation: Allocation
) -> None:
    """Two reads of the same coherent memory are found, at its addresses, with their reader."""

    def read_twice() -> None:
        allocation.read()
        allocation.read(64, 32)

    (double,) = doubles(watched, read_twice)

    assert allocation.phys is not None
    assert double.ranges() == (AddressRange(allocation.phys + 64, 32),)
    place = watched.places.at(double.first.pc)
    assert (place.module, place.function) == ("probe", "call_read")


@pytest.mark.parametrize("size", in_default_tier([1, 3, 12, 40, 100, SIZE], "12"))
def test_bytes_that_are_read_once_are_none(
    watched: Watched, allocation: Allocation, size: int
) -> None:
    """One copy of coherent memory is one read, however the copying function goes about it."""
    assert not doubles(watched, lambda: allocation.read(0, size))


@pytest.mark.nightly("one of each by day")
def test_bytes_that_the_cpu_has_written_in_between_are_none(
    watched: Watched, allocation: Allocation
) -> None:
    """Memory that is read, written and read again by the CPU is not a double fetch."""

    def read_write_read() -> None:
        allocation.read()
        allocation.write(bytes(SIZE))
        allocation.read()

    assert not doubles(watched, read_write_read)


@pytest.mark.nightly("one of each by day")
def test_bytes_that_the_cpu_reads_back_are_found(watched: Watched, allocation: Allocation) -> None:
    """What the CPU has written to coherent memory and then reads may be the device's by then."""

    def write_and_read() -> None:
        allocation.write(bytes(16))
        allocation.read()

    (back,) = second_looks(watched.during(write_and_read), watched.places.reader)

    assert back.stored
    assert allocation.phys is not None
    assert back.ranges() == (AddressRange(allocation.phys, 16),)
    functions = [watched.places.at(one.pc).function for one in (back.first, back.second)]
    assert functions == ["call_write", "call_read"]


@pytest.mark.nightly("one of each by day")
def test_a_mapping_that_is_synced_and_unmapped_is_copied_twice(
    watched: Watched, device: Device
) -> None:
    """What sync_for_cpu has copied out of the pool, unmap copies again: both calls are named."""
    buffer = Probe(watched.guest.agent).buffer(SIZE)
    mapping = device.map_single(buffer, Direction.FROM_DEVICE)

    def sync_and_unmap() -> None:
        mapping.sync_for_cpu()
        mapping.unmap()

    (double,) = doubles(watched, sync_and_unmap)

    assert double.ranges() == (AddressRange(mapping.phys, SIZE),)
    assert watched.places.at(double.first.driver).module == "probe"
    assert watched.places.at(double.second.driver).module == "probe"
    assert double.first.driver != double.second.driver


def test_a_drivers_accesses_are_seen(watched: Watched, pool: Pool) -> None:
    """Every read of /dev/hwrng is accesses of virtio's to its pool, each at a known line."""
    read, _ = operations(watched.guest, find_target("virtio-rng"))
    places = watched.places

    for _ in range(4):  # whatever an earlier one has left in the buffers of the kernel
        accesses = watched.during(read.work)

        assert all(pool.contains(access.address, access.size) for access in accesses)
        read_at = [places.at(places.reader(one).pc) for one in accesses if not one.store]
        assert all(place.line for place in read_at)
        assert "virtqueue_get_buf_ctx" in {place.outer or place.function for place in read_at}
