# SPDX-License-Identifier: Apache-2.0
"""Property A14: drivers survive mutated answers of their device, and all DMA is in the pool."""

import functools
from fractions import Fraction

import pytest

from harness.devices.rogue.vhost import Disk, VhostRogue, mutations
from harness.devices.shell import shell
from harness.machine.capabilities import RNG_MAY_HANG_UP
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import alive, equal, printed, require
from harness.suite.lib.tiers import in_default_tier
from harness.suite.lib.vhost_work import (
    DISK,
    ENTROPY,
    begin_reading,
    buffers_in_pool,
    in_background,
    page_of,
    read_device,
)

TRUE, FALSE = b"\x5a", 0xEE

NOT_A_HEAD, OUT_OF_RANGE = r"id \d+ is not a head!", r"id \d+ out of range"
"""What the kernel prints when it gives up a queue (drivers/virtio/virtio_ring.c, BAD_RING)."""

SERVED = {
    "rng-wrong-length": ("rng", mutations.wrong_length(0xFFFF_FFFF)),
    "rng-no-data": ("rng", mutations.no_data),
    "rng-late-data": ("rng", mutations.late_data(FALSE, 0.0)),
    "rng-duplicate": ("rng", mutations.duplicate()),
    "rng-available-ring": ("rng", mutations.scribble(0xFF, available=True)),
    "rng-delayed": ("rng", mutations.delayed(0.01)),
    "blk-length-zero": ("blk", mutations.wrong_length(0)),
    "blk-wrong-length": ("blk", mutations.wrong_length(0xFFFF_FFFF)),
    "blk-available-ring": ("blk", mutations.scribble(0xFF, available=True)),
    "blk-delayed": ("blk", mutations.delayed(0.01)),
}
"""Mutations that a driver does not notice: its request completes once."""

REFUSED = {
    "rng-other-id": ("rng", mutations.wrong_id(1), NOT_A_HEAD),
    "rng-no-id": ("rng", mutations.wrong_id(0xFFFF_FFFF), OUT_OF_RANGE),
    "blk-other-id": ("blk", mutations.wrong_id(1), NOT_A_HEAD),
    "blk-no-id": ("blk", mutations.wrong_id(0xFFFF_FFFF), OUT_OF_RANGE),
    "blk-index-jump": ("blk", mutations.index_jump(2), NOT_A_HEAD),
    "blk-index-back": ("blk", mutations.index_jump(0xFFFF), NOT_A_HEAD),
    "blk-duplicate": ("blk", mutations.duplicate(), NOT_A_HEAD),
}
"""Mutations that make a driver give up its queue, and the message that it prints."""

SILENT = {
    "rng-hold": ("rng", mutations.hold),
    "rng-hang-up": ("rng", mutations.hang_up),
    "rng-length-zero": ("rng", mutations.wrong_length(0)),
    "rng-index-stays": ("rng", mutations.index_jump(0)),
    "rng-index-jump": ("rng", mutations.index_jump(2)),
    "blk-hold": ("blk", mutations.hold),
    "blk-hang-up": ("blk", mutations.hang_up),
    "blk-index-stays": ("blk", mutations.index_jump(0)),
}
"""Mutations after which a driver waits, possibly forever."""


pytestmark = [
    pytest.mark.needs("its devices", qemu="vhost-user-blk-pci"),
    pytest.mark.needs("its devices", qemu="vhost-user-rng-pci"),
]

RNG_GOES = pytest.mark.needs("the device hangs up", qemu=RNG_MAY_HANG_UP)

IN_FLIGHT = "slots of the request in flight, as a fraction of both"
UNMAPPED = "virtio unmapped a request that is still in flight."


def honest(guest: Guest) -> bytes:
    """The content of a disk of one page."""
    return TRUE * page_of(guest)


def plug(guest: Guest, kind: str) -> tuple[VhostRogue, str]:
    """Plug in a device that answers correctly; returns it and its path in the guest."""
    if kind == "rng":
        return VhostRogue(guest, "rng"), ENTROPY
    return VhostRogue(guest, Disk(honest(guest))), DISK


@pytest.mark.property("A14")
@pytest.mark.parametrize("name", in_default_tier(SERVED.keys(), "rng-wrong-length"))
def test_a_driver_survives_a_mutation_that_it_believes(guest: Guest, pool: Pool, name: str) -> None:
    """A driver that trusts a mutated answer completes, and gives its device only the pool."""
    kind, mutation = SERVED[name]
    rogue, path = plug(guest, kind)

    rogue.on_request = mutation
    content = read_device(guest, path)

    equal(len(content), page_of(guest), f"bytes that the guest read from {path}")
    if kind == "blk":
        equal(content, honest(guest), f"what the guest read from {path}")
    buffers_in_pool(rogue, pool)


@pytest.mark.property("A14")
@pytest.mark.parametrize("name", in_default_tier(REFUSED.keys(), "blk-index-jump"))
def test_a_driver_gives_up_a_ring_that_is_inconsistent(guest: Guest, pool: Pool, name: str) -> None:
    """The kernel reports an inconsistent used ring, and goes on without the device."""
    kind, mutation, message = REFUSED[name]
    rogue, path = plug(guest, kind)
    mark = guest.console.mark

    rogue.on_request = mutation
    begin_reading(guest, path)
    printed(guest, message, since=mark)

    alive(guest)
    buffers_in_pool(rogue, pool)


@pytest.mark.property("A14")
@pytest.mark.parametrize(
    "name", in_default_tier(SILENT.keys(), "rng-hold", marks={"rng-hang-up": RNG_GOES})
)
def test_a_guest_lives_on_while_a_driver_waits(guest: Guest, pool: Pool, name: str) -> None:
    """A device that never answers blocks the process that uses it, and no other."""
    kind, mutation = SILENT[name]
    rogue, path = plug(guest, kind)
    before = len(rogue.requests)

    rogue.on_request = mutation
    begin_reading(guest, path)
    rogue.wait_for("a request", lambda: len(rogue.requests) > before)

    alive(guest)
    buffers_in_pool(rogue, pool)


@pytest.mark.property("A14")
def test_what_was_held_is_served_when_it_is_released(guest: Guest) -> None:
    """The driver accepts the answer of a request that the device held for some time."""
    rogue, path = plug(guest, "blk")
    rogue.on_request = mutations.hold
    begin_reading(guest, path)
    rogue.wait_for("a held request", lambda: bool(rogue.held))

    rogue.release()
    shell(guest, "until [ -e /tmp/done ]; do :; done")

    equal(guest.agent.read_file("/tmp/done"), honest(guest), f"what the guest read from {path}")


def left_in_flight(guest: Guest, counters: PoolCounters, mutation: mutations.Mutation) -> Fraction:
    """Complete the first of two equal requests with a *mutation*.

    Returns the slots still in use as a fraction of the slots of both.
    """
    rogue = VhostRogue(guest, Disk(2 * honest(guest)))
    idle, first = counters.used, len(rogue.requests)
    rogue.on_request = mutations.hold
    for number in range(2):
        read = f"dd if={DISK} bs={page_of(guest)} count=1 skip={number} iflag=direct"
        in_background(
            guest, f"{read} of=/tmp/read{number} && mv /tmp/read{number} /tmp/done{number}"
        )
        rogue.wait_for("a held request", functools.partial(holds, rogue, number + 1))
    both = counters.used - idle

    held = mutations.only(mutations.hold, {first + 1})
    rogue.release(mutations.both(mutations.only(mutation, {first}), held))
    shell(guest, "until [ -e /tmp/done0 ]; do :; done")

    require(holds(rogue, 1), "1 request held", f"{len(rogue.held)}")
    return Fraction(counters.used - idle, both)


def holds(rogue: VhostRogue, number: int) -> bool:
    """Whether the device holds *number* requests."""
    return len(rogue.held) == number


@pytest.mark.property("B7")
@pytest.mark.finding("chain-ends-where-ring-says", kernels=">=6.1")
def test_a_chain_that_runs_on_frees_no_slot_of_another_request(
    guest: Guest, counters: PoolCounters
) -> None:
    """The kernel does not unmap a request in flight because of what a device writes to the ring."""
    left = left_in_flight(guest, counters, mutations.run_on)
    equal(left, Fraction(1, 2), IN_FLIGHT, summary=UNMAPPED)


@pytest.mark.property("B7", control=True)
def test_a_chain_that_ends_frees_its_own_slots(guest: Guest, counters: PoolCounters) -> None:
    """Each of two equal requests in flight holds half of the slots until it completes."""
    equal(left_in_flight(guest, counters, mutations.delayed(0.0)), Fraction(1, 2), IN_FLIGHT)


@pytest.mark.property("B7")
@pytest.mark.finding("chain-ends-where-ring-says", kernels=">=6.1", ends=("HANG",))
@pytest.mark.nightly("it waits for a guest that hangs")
@pytest.mark.unexamined("it hangs")
def test_a_chain_without_an_end_does_not_hang_the_guest(guest: Guest) -> None:
    """A device that sets NEXT in every descriptor does not make the kernel loop forever."""
    rogue, path = plug(guest, "rng")
    before = len(rogue.requests)

    rogue.on_request = mutations.scribble(0xFF)
    begin_reading(guest, path)
    rogue.wait_for("a request", lambda: len(rogue.requests) > before)

    assert guest.agent.hello(timeout=5)


def late_write(guest: Guest) -> bytes:
    """Have a disk write to a page after its request completed; returns the page cache's page."""
    rogue, path = plug(guest, "blk")
    before = len(rogue.requests)
    in_background(
        guest,
        f"exec 3< {path}; dd bs={page_of(guest)} count=1 <&3 of=/tmp/first; touch /tmp/have; "
        f"until [ -e /tmp/go ]; do :; done; "
        f"dd if={path} bs={page_of(guest)} count=1 of=/tmp/second && mv /tmp/second /tmp/done",
    )
    shell(guest, "until [ -e /tmp/have ]; do :; done")
    requests = rogue.requests[before:]
    for buffer in (buffer for request in requests for buffer in request.writable):
        rogue.write(buffer.address, bytes([FALSE]) * buffer.size)
    shell(guest, "touch /tmp/go; until [ -e /tmp/done ]; do :; done")
    equal(len(rogue.requests), before + len(requests), "requests: the page is in the page cache")
    return guest.agent.read_file("/tmp/done")


@pytest.mark.property("B5")
def test_data_after_completion_do_not_reach_the_page_cache(guest: Guest) -> None:
    """A disk that writes after its request completed does not change the page cache."""
    equal(late_write(guest), honest(guest), "the page in the page cache")


@pytest.mark.property("B5", control=True)
@pytest.mark.parametrize(("shape", "share_all"), [(NO_POOL, True)], ids=[NO_POOL])
def test_without_a_pool_data_after_completion_change_the_page_cache(guest: Guest) -> None:
    """The same disk without a pool changes a page that the guest read before."""
    equal(late_write(guest), bytes([FALSE]) * page_of(guest), "the page in the page cache")


@pytest.mark.property("A14")
def test_a_disk_that_grew_beyond_its_content_is_an_io_error(guest: Guest) -> None:
    """The kernel believes a wrong capacity, and reads beyond the disk's content fail."""
    rogue, path = plug(guest, "blk")
    mark = guest.console.mark

    rogue.change_config(mutations.capacity(1024))
    sectors = page_of(guest) // 512
    printed(guest, f"detected capacity change from {sectors} to 1024", since=mark)
    ran = guest.agent.run(f"dd if={path} bs={page_of(guest)} skip=1 count=1 of=/tmp/read")

    require(ran.status, "an error from dd", "status 0")
    equal(read_device(guest, path), honest(guest), f"what the guest read from {path}")
