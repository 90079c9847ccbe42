# SPDX-License-Identifier: Apache-2.0
"""Property A14 and the escapes G1 and G2: virtio devices, whose DMA their transport does."""

import pytest

from harness.base.address_range import AddressRange
from harness.machine.devicetree import Pool
from harness.machine.machine import BLOB
from harness.machine.qemu.guest import Guest
from harness.machine.virtio import VirtioDevice
from harness.observe.memory import LiveMemory, buffers, virtqueue
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import none_within, slots_used, within

ENTROPY, DISK, OWN, FREE = (
    VirtioDevice("rng", 0),
    VirtioDevice("blk", 1),
    VirtioDevice("rng", 2),
    VirtioDevice("rng", 3),
)
"""Two devices on one pool, one on a pool of its own, and one on a transport without any."""

ON_TRANSPORTS = pytest.mark.parametrize(
    ("shape", "virtio"), [("pool-virtio-mmio", (ENTROPY, DISK, OWN, FREE))], ids=["mmio"]
)

PLUG_TIMEOUT = 30.0
"""Seconds until a driver is bound to a device that was plugged in; measured: 0.2."""

BALLOONED = 200 << 20


@pytest.fixture
def disk_content(guest: Guest) -> bytes:
    """What the machine's virtio disk holds."""
    content = (guest.directory / BLOB).read_bytes()
    return content.ljust(-(-len(content) // 512) * 512, b"\0")


QUEUES = "virtqueue memory"


def touched(guest: Guest, memory: LiveMemory, device: str) -> tuple[AddressRange, ...]:
    """All memory that the driver has told virtio *device* to use."""
    queue = virtqueue(guest, device)
    return (*queue.rings, *buffers(memory, queue))


def read_entropy(guest: Guest, device: VirtioDevice) -> bytes:
    """64 bytes from a virtio-rng of the machine's."""
    number = (ENTROPY, OWN, FREE).index(device)
    ran = guest.agent.run(
        f"echo virtio_rng.{number} > /sys/class/misc/hw_random/rng_current && "
        "dd if=/dev/hwrng of=/tmp/entropy bs=64 count=1 2> /dev/null"
    )
    assert ran.status == 0
    return guest.agent.read_file("/tmp/entropy")


def plug_disk(guest: Guest, access_platform: bool) -> str:
    """Plug a virtio-blk into root port 0, wait for its driver; returns its name in QEMU."""
    guest.monitor.execute(
        "blockdev-add",
        {
            "driver": "file",
            "node-name": "disk",
            "filename": str(guest.directory / BLOB),
            "read-only": True,
        },
    )
    mark = guest.console.mark
    plug(guest, "virtio-blk-pci", access_platform, drive="disk")
    guest.console.wait_for(r"virtio_blk virtio\d+: \[vda\]", PLUG_TIMEOUT, since=mark)
    return "virtio-blk-pci"


def plug(guest: Guest, driver: str, access_platform: bool, **properties: str) -> None:
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
def test_virtio_devices_use_the_pool_of_their_transport(
    guest: Guest, memory: LiveMemory, disk_content: bytes
) -> None:
    """Rings and buffers of a virtio device lie in the pool that its transport's node names."""
    assert len(set(read_entropy(guest, ENTROPY))) > 1
    assert len(set(read_entropy(guest, OWN))) > 1
    assert guest.agent.read_file("/dev/vda") == disk_content

    tree = guest.machine.devicetree
    for device, label in ((ENTROPY, "shared_pool"), (DISK, "shared_pool"), (OWN, "own_pool")):
        pool = tree.pool(label)
        assert device.node in pool.users
        within(touched(guest, memory, device.name), pool, QUEUES)


@pytest.mark.property("A14", control=True)
@ON_TRANSPORTS
def test_a_virtio_device_on_a_transport_without_a_pool_uses_none(
    guest: Guest, memory: LiveMemory
) -> None:
    """Beside them, a virtio device whose transport names no pool uses ordinary memory."""
    read_entropy(guest, FREE)

    for pool in guest.pools():
        none_within(touched(guest, memory, FREE.name), pool, QUEUES)


@pytest.mark.property("A14")
def test_a_virtio_device_on_pci_uses_the_pool_of_its_host_bridge(
    guest: Guest, memory: LiveMemory, pool: Pool, counters: PoolCounters, disk_content: bytes
) -> None:
    """A hot-plugged virtio disk works, right data and all, within the host bridge's pool."""
    disk = plug_disk(guest, access_platform=True)

    assert guest.agent.read_file("/dev/vda") == disk_content
    within(touched(guest, memory, disk), pool, QUEUES)
    assert counters.used > 0


@pytest.mark.escape("G1")
def test_virtio_without_access_platform_passes_the_pool_by(
    guest: Guest, memory: LiveMemory, pool: Pool, counters: PoolCounters, disk_content: bytes
) -> None:
    """A virtio device that does not offer ACCESS_PLATFORM is handed ordinary memory."""
    disk = plug_disk(guest, access_platform=False)

    assert guest.agent.read_file("/dev/vda") == disk_content
    none_within(touched(guest, memory, disk), pool, QUEUES)
    slots_used(counters, 0)


@pytest.mark.escape("G2")
def test_a_balloon_passes_the_pool_by(guest: Guest, memory: LiveMemory, pool: Pool) -> None:
    """virtio-balloon tells its device of ordinary memory, below a restricted host bridge."""
    plug(guest, "virtio-balloon-pci", access_platform=False)
    begin = guest.monitor.mark
    guest.monitor.execute("balloon", value=BALLOONED)
    guest.monitor.wait_event("BALLOON_CHANGE", timeout=PLUG_TIMEOUT, since=begin)

    assert not any(
        pool.contains(span.base) for span in touched(guest, memory, "virtio-balloon-pci")
    )


@pytest.mark.escape("G2")
@pytest.mark.nightly("the balloon above has its rings outside because of this")
def test_a_balloon_never_takes_access_platform(guest: Guest) -> None:
    """Offered ACCESS_PLATFORM, virtio-balloon declines it, and a device that insists refuses."""
    plug(guest, "virtio-balloon-pci", access_platform=True)

    guest.console.wait_for("virtio_balloon .*: device refuses features", PLUG_TIMEOUT)
