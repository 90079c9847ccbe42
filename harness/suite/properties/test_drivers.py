# SPDX-License-Identifier: Apache-2.0
"""Properties A3, A15, B1, B12 and D1: real drivers behind a fence whose window is their pool.

The fence refuses every access outside the pool, and QEMU logs each refused access. If no access of
a driver's device was refused, all of its DMA is in the pool.
"""

from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import TypeVar

import pytest

from harness.base.address_range import AddressRange
from harness.devices.drivers import (
    DRIVERS,
    ENDPOINT,
    DiskWork,
    Driver,
    NetworkWork,
    bind,
    is_bound,
    plug,
    unbind,
    wait_usable,
)
from harness.devices.probe import Probe
from harness.devices.shell import shell
from harness.machine.devicetree import Placement
from harness.machine.fence import Refusal
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes
from harness.observe.quiet import Quiet
from harness.suite.lib.background import ending, start
from harness.suite.lib.expect import equal, fence_held, fence_intact, require
from harness.suite.lib.filling import fill_up, unmap
from harness.suite.lib.real_drivers import driver_parameter

pytestmark = [
    pytest.mark.nightly("a kernel of its own"),
    pytest.mark.parametrize("flavour", ["drivers"]),
    pytest.mark.parametrize("fence_name", ["smmu"]),
]


FULL = f"{ENDPOINT}: swiotlb buffer is full"

BASE, TINY, TIGHT, SMALL = 0x4F00_0000, 1 << 18, 1 << 20, 2 << 20
"""Base and sizes of small pools: too small for dma_max_mapping_size() beside the rings of a driver,
and for the receive buffers of a network card; too small for the block layer's largest request, of
1280 KiB; and large enough for one at a time."""

RNG_WAITS = pytest.mark.finding("virtio-rng-waits-for-ever", kernels=">=5.15")
BLK_RETRIES = pytest.mark.finding("virtio-blk-retries-for-ever", kernels=">=5.15")
SDHCI_WARNS = pytest.mark.finding("sdhci-warns", kernels=">=5.15")
NVME_RETRIES = pytest.mark.finding("nvme-retries-forever", kernels=">=6.1")
USB_SPINS = pytest.mark.finding("usb-retries-without-pause", kernels=">=6.1")
NET_REFILLS = pytest.mark.finding("virtio-net-refills-forever", kernels=">=6.1")

SDHCI_MAY_WARN = pytest.mark.expects_report(r"drivers/mmc/host/sdhci\.c")
"""sdhci may warn, by its state when the pool is full: docs/findings.md, sdhci-warns."""

FULL_POOL = {"virtio-rng-pci": RNG_WAITS, "sdhci-pci": SDHCI_WARNS}
SMALLER_POOL = {"virtio-blk-pci": BLK_RETRIES, "sdhci-pci": SDHCI_WARNS}

MOMENT = 3.0
"""Seconds that a driver has to fail in a full pool."""

TIMEOUT = 30.0
"""Seconds of the guest's own time after which a command counts as one that never ends."""

GIVEN = 2.0
"""Seconds that a request of a disk has: the block layer's io_timeout, normally 30."""

WAITS = f"it still runs after {TIMEOUT:g} s"
FOREVER = "A driver whose pool was full waits forever."
RETRIES = "A driver retries a request that can never fit its pool."
BUSY = "A driver whose pool is full keeps a CPU busy."

Test = TypeVar("Test", bound=Callable[..., None])
Note = Callable[[str, object], None]


def _known(
    driver: Driver, known: Mapping[str, pytest.MarkDecorator]
) -> Iterable[pytest.MarkDecorator]:
    return [known[driver.model]] if driver.model in known else []


def each(
    known: Mapping[str, pytest.MarkDecorator] = MappingProxyType({}),
    drivers: Iterable[Driver] = DRIVERS,
) -> pytest.MarkDecorator:
    """Parametrize by driver; *known* marks the drivers that violate the property."""
    one = [driver_parameter(driver, *_known(driver, known)) for driver in drivers]
    return pytest.mark.parametrize("real", one)


def in_pool_of(size: int) -> Callable[[Test], Test]:
    """A machine whose pool and fence window have *size* bytes."""
    pool = pytest.mark.parametrize("placements", [{"pool": Placement(size=size)}], ids=[""])
    window = pytest.mark.parametrize(
        "windows",
        [(AddressRange(BASE, size),)],
        ids=[f"{size >> 20}M" if size >> 20 else f"{size >> 10}K"],
    )
    return lambda test: pool(window(test))


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Adds a value to the test's record in ``--junitxml``; nothing depends on it."""

    def add(name: str, value: object) -> None:
        request.node.user_properties.append((name, value))

    return add


def refused(guest: Guest) -> list[Refusal]:
    """Accesses of the driver's device that the fence refused."""
    return [one for one in guest.fence_refusals() if one.device == ENDPOINT]


def wait_refused(guest: Guest) -> None:
    """Poll until the fence refused an access of the device: QEMU has no event for its log."""
    patience = guest.watch.patience(TIMEOUT)
    while not refused(guest):
        require(patience.left() > 0, "a refused access", f"none in {TIMEOUT:g} s")
        guest.watch.sleep(0.1)


@pytest.mark.property("A3", "A15", "B1", "D1")
@each()
def test_all_dma_of_a_driver_lies_in_its_pool(guest: Guest, real: Driver, note: Note) -> None:
    """A driver moves data correctly, also after unbind and bind, with all DMA in the pool."""
    work = plug(guest, real)
    wait_usable(guest, work.usable)
    moved = work.do()
    unbind(guest, real)
    bind(guest, real)
    wait_usable(guest, work.usable)
    note("moved", moved + work.do())

    fence_held(guest, ENDPOINT)


@pytest.mark.property("B1", "B12", "B13")
@each(FULL_POOL)
def test_a_driver_stays_within_a_full_pool(
    guest: Guest, probe: Probe, real: Driver, note: Note, slot_set: int
) -> None:
    """A driver whose pool is full fails or waits, and works again once there is room."""
    work = plug(guest, real)
    wait_usable(guest, work.usable)
    work.do()

    taken = fill_up(probe.device("probe-a"), probe.buffer(slot_set))
    start(guest, work.attempt)
    while_full = ending(guest, MOMENT)
    note("while full", "waits" if while_full is None else f"status {while_full}")
    unmap(probe.device("probe-a"), taken)
    if while_full is None:
        require(ending(guest, TIMEOUT) is not None, "the command ends", WAITS, summary=FOREVER)
    work.do()

    fence_held(guest, ENDPOINT)


@pytest.mark.property("B1", "B12", "B13")
@in_pool_of(SMALL)
@each()
def test_a_driver_makes_do_with_a_small_pool(guest: Guest, real: Driver, note: Note) -> None:
    """A driver moves data correctly in a pool that is too small for several requests at once."""
    work = plug(guest, real)
    wait_usable(guest, work.usable)
    work.do()
    note("full", sum(FULL in line for line in guest.console.lines))

    fence_held(guest, ENDPOINT)


@pytest.mark.property("B1", "B12")
@in_pool_of(TIGHT)
@each(SMALLER_POOL, [driver for driver in DRIVERS if driver.work is DiskWork])
def test_a_large_request_ends_in_a_pool_that_is_smaller(guest: Guest, real: Driver) -> None:
    """A disk driver makes requests that fit its pool, or fails them."""
    wait_usable(guest, plug(guest, real).usable)

    start(guest, f"dd if=$(echo /dev/{real.node}) of=/dev/null bs=2M count=4 iflag=direct")
    require(ending(guest, TIMEOUT) is not None, "the command ends", WAITS, summary=RETRIES)

    equal([str(one) for one in refused(guest)], [], "accesses that the fence refused")


OF_MAX_SIZE = [driver for driver in DRIVERS if driver.name == "nvme"]
"""Disk drivers that use such a pool and whose largest request is dma_max_mapping_size(). ahci does
not; usb-storage makes six attempts, of at least that time (docs/findings.md)."""


@pytest.mark.property("B1", "B12")
@in_pool_of(TINY)
@each({"nvme": NVME_RETRIES}, OF_MAX_SIZE)
def test_a_request_that_never_fits_its_pool_fails(guest: Guest, real: Driver) -> None:
    """A disk driver fails a request that finds no room in the time that requests have."""
    wait_usable(guest, plug(guest, real).usable)
    node = f"$(cd /dev && echo {real.node})"
    shell(guest, f"echo {GIVEN * 1000:.0f} > /sys/block/{node}/queue/io_timeout")

    start(guest, f"dd if=/dev/{node} of=/dev/null bs=1M count=1 iflag=direct")
    require(ending(guest, TIMEOUT) is not None, "the command ends", WAITS, summary=RETRIES)

    equal([str(one) for one in refused(guest)], [], "accesses that the fence refused")


@pytest.mark.property("B1", "B12")
@in_pool_of(TINY)
@each({"qemu-xhci": USB_SPINS}, [driver for driver in DRIVERS if driver.name == "xhci"])
def test_a_thread_that_waits_for_room_leaves_the_cpu_alone(guest: Guest, real: Driver) -> None:
    """The thread of usb-storage sleeps before it tries again to map a request."""
    wait_usable(guest, plug(guest, real).usable)

    start(guest, f"dd if=$(echo /dev/{real.node}) of=/dev/null bs=1M count=1 iflag=direct")
    guest.console.wait_for(FULL, TIMEOUT)
    thread = shell(guest, "grep -l ^usb-storage$ /proc/[0-9]*/comm").strip().removesuffix("/comm")
    slept = f"awk '/^voluntary/ {{ print $2 }}' {thread}/status"
    before, after = map(int, shell(guest, f"{slept}; sleep {MOMENT:g}; {slept}").split())
    seen = f"{after - before} times in {MOMENT:g} s"
    require(after > before, "the thread sleeps", seen, summary=BUSY)

    equal([str(one) for one in refused(guest)], [], "accesses that the fence refused")


@pytest.mark.property("B1", "B12")
@pytest.mark.needs("types of the kernel's memory", types=True)
@in_pool_of(TINY)
@each({"virtio-net-pci": NET_REFILLS}, [one for one in DRIVERS if one.work is NetworkWork])
def test_a_card_that_fills_its_pool_leaves_the_cpu_alone(
    guest: Guest, real: Driver, types: KernelTypes
) -> None:
    """A network driver that finds no room for all receive buffers does not ask on and on."""
    work = plug(guest, real)
    wait_usable(guest, work.usable)

    (up, *_) = work.operations
    shell(guest, up.command)
    rests = Quiet(guest, types, Lock()).wait(MOMENT, lambda: 0)
    require(rests, f"the guest is at rest within {MOMENT:g} s", "it is busy", summary=BUSY)

    fence_held(guest, ENDPOINT)


@pytest.mark.property("B1", "B12", "B13", "D4")
@each({"sdhci-pci": SDHCI_MAY_WARN})
def test_a_driver_that_is_bound_to_a_full_pool_stays_within_it(
    guest: Guest, probe: Probe, real: Driver, note: Note, slot_set: int
) -> None:
    """A driver that finds its pool full at probe uses no other memory, then or later."""
    work = plug(guest, real)
    wait_usable(guest, work.usable)
    unbind(guest, real)

    taken = fill_up(probe.device("probe-a"), probe.buffer(slot_set))
    start(guest, f"echo {ENDPOINT} > {real.sysfs}/bind")
    while_full = ending(guest, MOMENT)
    note("while full", "waits" if while_full is None else f"status {while_full}")
    unmap(probe.device("probe-a"), taken)
    if while_full is None:
        require(ending(guest, TIMEOUT) is not None, "the command ends", WAITS, summary=FOREVER)
    if is_bound(guest, real):
        unbind(guest, real)
    bind(guest, real)
    wait_usable(guest, work.usable)
    work.do()

    fence_held(guest, ENDPOINT)


@pytest.mark.property("A3", "B1", "B12", "D1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.tries("its DMA is outside the window")
@each()
def test_without_a_pool_the_fence_refuses_the_driver(guest: Guest, real: Driver) -> None:
    """The fence refuses the DMA of the same device without a pool."""
    work = plug(guest, real)
    start(guest, f"until {work.usable}; do usleep 20000; done; {work.attempt}")

    wait_refused(guest)
    fence_intact(guest)
