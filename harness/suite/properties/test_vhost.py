# SPDX-License-Identifier: Apache-2.0
"""Property A14 and FENCE: a vhost-user device below a restricted host bridge, and its reach."""

import os
import secrets

import pytest

from harness.base.address_range import AddressRange
from harness.devices.rogue.vhost import Answer, Disk, Entropy, Request, VhostRogue, mutations
from harness.devices.shell import shell
from harness.machine.capabilities import RNG_MAY_HANG_UP
from harness.machine.devicetree import Pool
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, LiveMemory, find
from harness.plugin.counters import PoolCounters
from harness.plugin.guests import Guests
from harness.suite.lib.expect import equal, fence_held, require, same_bytes, slots_used
from harness.suite.lib.kernel_data import release_string
from harness.suite.lib.vhost_work import (
    DISK,
    ENTROPY,
    begin_reading,
    buffers_in_pool,
    page_of,
    read_device,
)

pytestmark = [
    pytest.mark.needs("its devices", qemu="vhost-user-blk-pci"),
    pytest.mark.needs("its devices", qemu="vhost-user-rng-pci"),
]

SECTOR, SECTORS, BLOCK = 512, 128, 4096

REACH = "memory that the backend shares"


@pytest.fixture
def disk() -> Disk:
    """A disk of 64 KiB, no two sectors alike."""
    return Disk(b"".join(bytes([number]) * SECTOR for number in range(SECTORS)))


@pytest.mark.property("A14")
def test_a_driver_gets_what_its_device_put_into_the_pool(guest: Guest, pool: Pool) -> None:
    """virtio-rng returns the device's bytes, and gives the device only buffers in the pool."""
    rogue = VhostRogue(guest, Entropy(0xA7))

    content = read_device(guest, ENTROPY, 256)

    fence_held(guest)
    equal(content, b"\xa7" * 256, f"what the guest read from {ENTROPY}")
    buffers_in_pool(rogue, pool)


@pytest.mark.property("A14", control=True)
@pytest.mark.parametrize(("shape", "share_all"), [(NO_POOL, True)], ids=[NO_POOL])
def test_without_a_pool_a_driver_hands_out_ordinary_memory(guest: Guest) -> None:
    """The same driver without a pool gives the device buffers in ordinary memory."""
    rogue = VhostRogue(guest, Entropy(0xA7))

    equal(read_device(guest, ENTROPY, 256), b"\xa7" * 256, ENTROPY)
    require(rogue.requests, "requests of virtio-rng", "none")
    fence_held(guest)


@pytest.mark.property("A14")
def test_a_disk_reads_and_writes_through_the_pool(guest: Guest, pool: Pool, disk: Disk) -> None:
    """virtio-blk reads and writes the right bytes, and all its buffers lie in the pool."""
    rogue, content = VhostRogue(guest, disk), bytes(disk.content)
    written = content[::-1][:BLOCK]
    guest.agent.write_file("/tmp/written", written)

    read = read_device(guest, DISK, len(content))
    shell(guest, f"dd if=/tmp/written of={DISK} bs={BLOCK} seek=2 conv=fsync 2> /dev/null")

    fence_held(guest)
    expected = content[: 2 * BLOCK] + written + content[3 * BLOCK :]
    equal(read, content, f"what the guest read from {DISK}")
    equal(bytes(disk.content), expected, "the disk after the guest wrote")
    buffers_in_pool(rogue, pool)


@pytest.mark.property("FENCE")
def test_a_vhost_user_device_is_handed_the_pool_and_nothing_else(
    guest: Guest, pool: Pool, memory: LiveMemory, types: KernelTypes
) -> None:
    """A backend that shares only the pool gets the pool, and reaches no other memory."""
    rogue = VhostRogue(guest, "rng")
    place = release_string(types)
    before = memory.read(place, 8)

    stolen = rogue.read(place, 8)
    rogue.write(place, b"PWNED\0\0\0")

    equal(rogue.reach, (AddressRange(pool.base, pool.size),), "memory that the backend shares")
    equal(stolen, bytes(8), "what the backend read")
    same_bytes(memory, place, before)
    refused = [(r.device, r.address, r.access) for r in rogue.refusals()]
    expected = [("rogue0", place, "read"), ("rogue0", place, "write")]
    equal(refused, expected, "refused accesses")


@pytest.mark.property("FENCE", control=True)
@pytest.mark.parametrize("share_all", [True], ids=["all-shared"])
def test_where_all_memory_is_shared_a_vhost_user_device_reads_a_secret(
    guest: Guest, memory: LiveMemory
) -> None:
    """The same backend, which shares all RAM, reads a file from the kernel's memory."""
    rogue = VhostRogue(guest, "rng")
    secret = secrets.token_bytes(32)
    guest.agent.write_file("/tmp/secret", secret)
    places = list(find(memory, secret))

    stolen = [rogue.read(place, len(secret)) for place in places]

    require(places, "the file's content in memory", "it is not there")
    equal(stolen, [secret] * len(places), "what the backend read")
    fence_held(guest)


@pytest.mark.property("FENCE", control=True)
@pytest.mark.parametrize("share_all", [True], ids=["all-shared"])
@pytest.mark.nightly("the default tier tests reads")
def test_where_all_memory_is_shared_a_vhost_user_device_rewrites_the_kernel(
    guest: Guest, types: KernelTypes
) -> None:
    """The same backend, which shares all RAM, overwrites kernel data, and uname(2) shows it."""
    rogue = VhostRogue(guest, "rng")

    rogue.write(release_string(types), b"PWNED\0")

    equal(shell(guest, "uname -r"), "PWNED\n", "uname -r")


@pytest.mark.property("F1")
@pytest.mark.parametrize(
    ("kind", "path"),
    [
        pytest.param("blk", DISK, id="blk"),
        pytest.param(
            "rng", ENTROPY, id="rng", marks=pytest.mark.needs("it hangs up", qemu=RNG_MAY_HANG_UP)
        ),
    ],
)
@pytest.mark.nightly("the default tier tests a device that stays")
def test_a_device_that_comes_back_answers_what_it_left(
    guest: Guest, pool: Pool, kind: str, path: str
) -> None:
    """A device that disconnects with a request in flight serves it after it reconnects."""
    rogue = VhostRogue(guest, Entropy() if kind == "rng" else Disk(b"\x5a" * page_of(guest)))
    rogue.on_request = mutations.hang_up
    begin_reading(guest, path)
    rogue.wait_for("the device to be gone", lambda: not rogue.connected)

    rogue.on_request = None
    rogue.reconnect()
    shell(guest, "until [ -e /tmp/done ]; do :; done")

    equal(
        guest.agent.read_file("/tmp/done"),
        b"\x5a" * page_of(guest),
        f"what the guest read from {path}",
    )
    buffers_in_pool(rogue, pool)


def test_an_error_on_the_way_reaches_the_test(guest: Guest) -> None:
    """An exception of a request's handler is raised by wait_for()."""
    rogue = VhostRogue(guest, "blk")

    def broken(request: Request, _: Answer) -> Answer:
        raise ValueError(f"request {request.number}")

    rogue.on_request = broken
    begin_reading(guest, DISK)

    with pytest.raises(ValueError, match=r"request \d"):
        rogue.wait_for("an error", lambda: False)
    assert not rogue.connected


@pytest.mark.property("F1")
@pytest.mark.nightly("a slot takes a second to switch off")
def test_a_device_that_went_away_can_be_unplugged(guest: Guest, counters: PoolCounters) -> None:
    """A device whose backend has disconnected can be unplugged, and leaves no slot in use."""
    rogue = VhostRogue(guest, "blk")
    rogue.hang_up()

    rogue.detach()

    slots_used(counters, 0)
    equal(rogue.reach, (), REACH)


@pytest.mark.property("F1")
@pytest.mark.nightly("a slot takes a second to switch off")
@pytest.mark.parametrize("kind", ["rng", "blk", "net"])
def test_a_device_that_is_gone_leaves_the_pool_empty(
    guest: Guest, kind: str, counters: PoolCounters
) -> None:
    """The driver ends its mappings when its device is unplugged, also for the next device."""
    for _ in range(2):
        rogue = VhostRogue(guest, kind, driver=kind != "net")  # type: ignore[arg-type] # a Kind

        rogue.detach()

        slots_used(counters, 0)
        equal(rogue.reach, (), REACH)


@pytest.mark.nightly("two guests")
def test_a_guest_thrown_away_takes_the_device_along(guests: Guests, machine: Machine) -> None:
    """The harness closes all files of a device when it discards the guest."""
    guests.discard(guests.restored(machine))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 # not paths, a number
    guest = guests.restored(machine)
    rogue = VhostRogue(guest, "rng")

    guests.discard(guest)

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert rogue.reach == ()
