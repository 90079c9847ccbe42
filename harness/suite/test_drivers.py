# SPDX-License-Identifier: Apache-2.0
"""Real drivers at work behind a fence that is as large as their pool: whatever they do, it holds.

The fence refuses every access beside the pool, and QEMU writes each refusal down: a driver that is
refused nothing has all of its DMA there.
"""

import time
from collections.abc import Callable

import pytest

from harness.dma import Probe
from harness.fence import Refusal
from harness.suite.drivers import (
    DRIVERS,
    ENDPOINT,
    Driver,
    bind,
    ending,
    is_bound,
    plug,
    start,
    unbind,
    wait_usable,
)
from harness.suite.filling import SLOT_SET, fill_up, unmap
from harness.vm.guest import Guest
from harness.vm.shape import NO_POOL

pytestmark = [
    pytest.mark.nightly("a kernel of its own"),
    pytest.mark.parametrize("flavour", ["drivers"]),
    pytest.mark.parametrize("fence_name", ["smmu"]),
    pytest.mark.parametrize("real", DRIVERS, ids=[driver.model for driver in DRIVERS]),
]


Record = Callable[[str, object], None]

MOMENT = 3.0
"""Seconds for a driver to notice that its pool is full."""

TIMEOUT = 60.0


def refused(guest: Guest) -> list[Refusal]:
    """What the driver's device was refused."""
    return [one for one in guest.fence_refusals() if one.device == ENDPOINT]


def wait_refused(guest: Guest) -> None:
    """Wait until the device was refused something; QEMU's log has nobody told of a line."""
    deadline = time.monotonic() + TIMEOUT
    while not refused(guest):
        assert time.monotonic() < deadline, f"nothing was refused in {TIMEOUT:g} s"
        guest.watch.sleep(0.1)


@pytest.mark.property("A3", "A15", "B1", "D1")
def test_all_dma_of_a_driver_lies_in_its_pool(
    guest: Guest, real: Driver, record_property: Record
) -> None:
    """Data in all directions is right, after a second binding too, and nothing leaves the pool."""
    work = plug(guest, real)
    wait_usable(guest, work)
    moved = work.do()
    unbind(guest, real)
    bind(guest, real)
    wait_usable(guest, work)
    record_property("moved", moved + work.do())

    assert refused(guest) == []
    assert guest.fence_damage() == []


@pytest.mark.property("B1", "B12", "B13")
def test_a_driver_stays_within_a_full_pool(
    guest: Guest, probe: Probe, real: Driver, record_property: Record
) -> None:
    """A driver whose pool is full fails or waits, and is as good as new once there is room."""
    work = plug(guest, real)
    wait_usable(guest, work)
    work.do()

    taken = fill_up(probe.device("probe-a"), probe.buffer(SLOT_SET))
    start(guest, work.attempt)
    while_full = ending(guest, MOMENT)
    record_property("while full", "waits" if while_full is None else f"status {while_full}")
    unmap(probe.device("probe-a"), taken)
    if while_full is None:
        assert ending(guest, TIMEOUT) is not None, "it waits for ever"
    work.do()

    assert refused(guest) == []
    assert guest.fence_damage() == []


@pytest.mark.property("B1", "B12", "B13", "D4")
def test_a_driver_that_is_bound_to_a_full_pool_stays_within_it(
    guest: Guest, probe: Probe, real: Driver, record_property: Record
) -> None:
    """A driver that finds its pool full at its start takes no other memory, then or later."""
    work = plug(guest, real)
    wait_usable(guest, work)
    unbind(guest, real)

    taken = fill_up(probe.device("probe-a"), probe.buffer(SLOT_SET))
    start(guest, f"echo {ENDPOINT} > {real.sysfs}/bind")
    while_full = ending(guest, MOMENT)
    record_property("while full", "waits" if while_full is None else f"status {while_full}")
    unmap(probe.device("probe-a"), taken)
    if while_full is None:
        assert ending(guest, TIMEOUT) is not None, "it waits for ever"
    if is_bound(guest, real):
        unbind(guest, real)
    bind(guest, real)
    wait_usable(guest, work)
    work.do()

    assert refused(guest) == []
    assert guest.fence_damage() == []


@pytest.mark.property("A3", "B1", "B12", "D1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.tries("its DMA is not in the window")
def test_without_a_pool_the_fence_refuses_the_driver(guest: Guest, real: Driver) -> None:
    """The same device without a pool is refused: the fence does see what its driver has it do."""
    plug(guest, real)

    wait_refused(guest)
    assert guest.fence_damage() == []
