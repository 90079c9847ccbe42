# SPDX-License-Identifier: Apache-2.0
"""Property A14 and the escapes G1 and G2: virtio devices use the pool of their parent."""

import hashlib
import os
from dataclasses import dataclass

import pytest

from harness.devices.drivers import wait_usable
from harness.devices.probe import Device, Probe
from harness.devices.shell import ENDED, ended, shell, start
from harness.kernel import SLOT
from harness.machine.capabilities import PACKED_RINGS, RINGS_IN_ORDER
from harness.machine.devicetree import Pool
from harness.machine.machine import BLOB
from harness.machine.qemu.guest import Guest
from harness.machine.virtio import VirtioDevice
from harness.observe.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import (
    equal,
    none_within,
    printed,
    require,
    slots_used,
    within,
)
from harness.suite.lib.filling import fill, fill_up, unmap
from harness.suite.lib.virtio_memory import QUEUES, read_entropy, touched

ENTROPY, DISK, OWN, FREE = (
    VirtioDevice("rng", 0),
    VirtioDevice("blk", 1),
    VirtioDevice("rng", 2),
    VirtioDevice("rng", 3),
)
"""Two devices on one pool, one on its own pool, and one on a transport without a pool."""

LAST_RNG = 2
"""FREE among the devices that give entropy, by the kernel's order."""

ON_TRANSPORTS = pytest.mark.parametrize(
    ("shape", "virtio"), [("pool-virtio-mmio", (ENTROPY, DISK, OWN, FREE))], ids=["mmio"]
)

MMIO_RNG = pytest.mark.needs("the entropy of the transports", qemu="virtio-rng-device")
MMIO_DISK = pytest.mark.needs("the disk of the transports", qemu="virtio-blk-device")
PCI_DISK = pytest.mark.needs("the disk", qemu="virtio-blk-pci")
BALLOON = pytest.mark.needs("the balloon", qemu="virtio-balloon-pci")


@dataclass(frozen=True)
class RingFeature:
    """A feature of a virtqueue: QEMU's *name* of it, and its *bit* (specification 1.2, 6)."""

    name: str
    bit: int


PACKED, IN_ORDER = RingFeature("packed", 34), RingFeature("in_order", 35)

HAS_PACKED = pytest.mark.needs("the ring's layout", qemu=PACKED_RINGS)
HAS_IN_ORDER = (
    pytest.mark.needs("the device offers it", qemu=RINGS_IN_ORDER),
    pytest.mark.needs("the driver accepts it", change="rings-in-order"),
)

PLUG_TIMEOUT = 30.0
"""Seconds of the guest's own time until a driver is bound to a new device; measured: 0.2."""

LARGE_READ = 4 << 20
"""Bytes that are read at once: many times the largest mapping, 256 KiB."""

READ = "dd if=/dev/vda of=/dev/null bs=512 count=4 iflag=direct status=none"

FULL = "swiotlb buffer is full"

BALLOONED = 200 << 20


@pytest.fixture
def disk_content(guest: Guest) -> bytes:
    """The content of the machine's virtio disk."""
    return guest.disk_content


def plug_disk(
    guest: Guest, access_platform: bool, content: str = BLOB, rings: tuple[RingFeature, ...] = ()
) -> str:
    """Plug a virtio-blk into root port 0 and wait for its driver; returns its name in QEMU.

    *content* is a file of the guest's directory.
    """
    guest.monitor.execute(
        "blockdev-add",
        {
            "driver": "file",
            "node-name": "disk",
            "filename": str(guest.directory / content),
            "read-only": True,
        },
    )
    plug(
        guest, "virtio-blk-pci", access_platform, drive="disk", **{one.name: True for one in rings}
    )
    wait_usable(guest, "[ -b /dev/vda ]")
    return "virtio-blk-pci"


def wait_scanned(guest: Guest) -> None:
    """Wait until the kernel has done with a disk that was plugged in: it reads its partitions.

    It does so with the lock that a rescan takes as well (pci_lock_rescan_remove()).
    """
    shell(guest, "echo 1 > /sys/bus/pci/rescan")


def accepted(guest: Guest) -> str:
    """The features of the virtio disk that its driver has accepted: a digit a bit, from bit 0."""
    return guest.agent.read_file("/sys/block/vda/device/features").decode()


def plug(guest: Guest, driver: str, access_platform: bool, **properties: str | bool) -> None:
    """Plug a virtio device into root port 0."""
    guest.monitor.execute(
        "device_add",
        {
            "driver": driver,
            "id": driver,
            "bus": "rp0",
            "disable-legacy": "on",
            "iommu_platform": access_platform,
            **properties,
        },
    )


@pytest.mark.property("A14")
@ON_TRANSPORTS
@MMIO_RNG
@MMIO_DISK
def test_virtio_devices_use_the_pool_of_their_transport(
    guest: Guest, memory: LiveMemory, disk_content: bytes
) -> None:
    """Rings and buffers of a virtio device lie in the pool of its transport's node."""
    for number, source in enumerate((ENTROPY, OWN)):
        entropy = read_entropy(guest, number)
        require(len(set(entropy)) > 1, f"entropy from {source.name}", entropy.hex())
    equal(guest.agent.read_file("/dev/vda"), disk_content, "/dev/vda")

    tree = guest.machine.devicetree
    for device, label in ((ENTROPY, "shared_pool"), (DISK, "shared_pool"), (OWN, "own_pool")):
        pool = tree.pool(label)
        require(device.node in pool.users, f"{pool} for {device.node}", ", ".join(pool.users))
        within(touched(guest, memory, device.name), pool, QUEUES)


@pytest.mark.property("A14", control=True)
@ON_TRANSPORTS
@MMIO_RNG
@MMIO_DISK
def test_a_virtio_device_on_a_transport_without_a_pool_uses_none(
    guest: Guest, memory: LiveMemory
) -> None:
    """A virtio device whose transport names no pool uses ordinary memory."""
    read_entropy(guest, LAST_RNG)

    for pool in guest.pools():
        none_within(touched(guest, memory, FREE.name), pool, QUEUES)


@pytest.mark.property("A14")
@PCI_DISK
def test_a_virtio_device_on_pci_uses_the_pool_of_its_host_bridge(
    guest: Guest, memory: LiveMemory, pool: Pool, counters: PoolCounters, disk_content: bytes
) -> None:
    """A hot-plugged virtio disk returns the right data, and uses the host bridge's pool only."""
    disk = plug_disk(guest, access_platform=True)

    equal(guest.agent.read_file("/dev/vda"), disk_content, "/dev/vda")
    within(touched(guest, memory, disk), pool, QUEUES)
    require(counters.used, "slots in use", "0")


@pytest.mark.property("A14")
@PCI_DISK
@pytest.mark.parametrize(
    "rings",
    [
        pytest.param((PACKED,), marks=HAS_PACKED),
        pytest.param((IN_ORDER,), marks=HAS_IN_ORDER),
        pytest.param((PACKED, IN_ORDER), marks=(*HAS_IN_ORDER, HAS_PACKED)),
    ],
    ids=lambda rings: "-".join(one.name for one in rings),
)
def test_rings_of_another_layout_lie_in_the_pool(
    guest: Guest,
    memory: LiveMemory,
    pool: Pool,
    counters: PoolCounters,
    disk_content: bytes,
    rings: tuple[RingFeature, ...],
) -> None:
    """A disk with packed rings, or with rings in order, uses the pool only."""
    before = counters.used
    disk = plug_disk(guest, access_platform=True, rings=rings)
    for one in rings:
        equal(accepted(guest)[one.bit], "1", f"the feature {one.name}, as the driver accepted it")

    equal(guest.agent.read_file("/dev/vda"), disk_content, "/dev/vda")
    within(touched(guest, memory, disk, packed=PACKED in rings), pool, QUEUES)
    require(counters.used > before, "slots of the rings", str(counters.used))


@pytest.mark.property("B11", "A14")
@PCI_DISK
def test_a_large_request_is_cut_into_pieces_that_fit(guest: Guest, slot_set: int) -> None:
    """A disk that is read in requests of any size asks for no mapping larger than fits a pool."""
    content = os.urandom(LARGE_READ)
    (guest.directory / "large").write_bytes(content)
    plug_disk(guest, access_platform=True, content="large")

    largest = int(guest.agent.read_file("/sys/block/vda/queue/max_segment_size"))
    equal(largest <= slot_set, True, f"whether segments of {largest} bytes fit into a pool")
    ran = guest.agent.run(f"dd if=/dev/vda of=/tmp/read bs={LARGE_READ} count=1 iflag=direct 2>&1")
    equal(ran.status, 0, f"the exit code of the read, which said {ran.text!r}")
    found = guest.agent.run("sha256sum /tmp/read").text.split()[0]
    equal(found, hashlib.sha256(content).hexdigest(), "the SHA-256 of what was read")


@pytest.mark.property("A14", "B13")
@PCI_DISK
def test_a_disk_gives_back_what_its_requests_used(guest: Guest, counters: PoolCounters) -> None:
    """A request of a disk that has ended holds no slot."""
    plug_disk(guest, access_platform=True)
    wait_scanned(guest)
    before = counters.used

    for _ in range(3):
        shell(guest, READ)
        slots_used(counters, before)


@pytest.mark.property("A14", "B13")
@PCI_DISK
def test_a_request_that_does_not_fit_keeps_nothing_of_what_did(
    guest: Guest, device: Device, probe: Probe, counters: PoolCounters, slot_set: int
) -> None:
    """A request of which a later part does not fit gives back the slots of the parts that did."""
    plug_disk(guest, access_platform=True)
    wait_scanned(guest)
    before = counters.used
    filled = list(fill_up(device, probe.buffer(slot_set)))
    unmap(device, filled[-1:])
    filled[-1:] = fill(device, probe.buffer(SLOT), SLOT, attempts=slot_set // SLOT)
    unmap(device, filled[-1:])

    start(guest, READ)
    printed(guest, FULL)
    unmap(device, filled[:-1])
    wait_usable(guest, f"[ -e {ENDED} ]")

    equal(ended(guest), (0, ""), "the end of the read when there is room again")
    slots_used(counters, before)


@pytest.mark.escape("G1")
@PCI_DISK
def test_virtio_without_access_platform_passes_the_pool_by(
    guest: Guest, memory: LiveMemory, pool: Pool, counters: PoolCounters, disk_content: bytes
) -> None:
    """A virtio device that does not offer ACCESS_PLATFORM gets ordinary memory."""
    disk = plug_disk(guest, access_platform=False)

    equal(guest.agent.read_file("/dev/vda"), disk_content, "/dev/vda")
    none_within(touched(guest, memory, disk), pool, QUEUES)
    slots_used(counters, 0)


@pytest.mark.escape("G2")
@BALLOON
def test_a_balloon_passes_the_pool_by(guest: Guest, memory: LiveMemory, pool: Pool) -> None:
    """virtio-balloon gives its device ordinary memory, below a restricted host bridge too."""
    plug(guest, "virtio-balloon-pci", access_platform=False)
    begin = guest.monitor.mark
    guest.monitor.execute("balloon", value=BALLOONED)
    guest.monitor.wait_event("BALLOON_CHANGE", timeout=PLUG_TIMEOUT, since=begin)

    none_within(touched(guest, memory, "virtio-balloon-pci"), pool, QUEUES)


@pytest.mark.escape("G2")
@pytest.mark.nightly("it is the reason for the result of the test above")
@BALLOON
def test_a_balloon_never_takes_access_platform(guest: Guest) -> None:
    """virtio-balloon declines ACCESS_PLATFORM, and a device that requires it refuses the driver."""
    plug(guest, "virtio-balloon-pci", access_platform=True)

    printed(guest, "virtio_balloon .*: device refuses features", PLUG_TIMEOUT)
