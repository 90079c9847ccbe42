# SPDX-License-Identifier: Apache-2.0
"""A vhost-user device of ours below a restricted host bridge: honest, lying, going away."""

import zlib

import pytest

from harness.devicetree import Pool
from harness.rogue.vhost import Disk, Entropy, VhostRogue
from harness.vm.guest import Guest

SECTOR = 512


def read_entropy(guest: Guest, size: int) -> bytes:
    """*size* bytes from the guest's hardware random number generator."""
    ran = guest.agent.run(f"dd if=/dev/hwrng of=/tmp/entropy bs={size} count=1 2> /dev/null")
    assert ran.status == 0, ran.text
    return guest.agent.read_file("/tmp/entropy")


def in_pool(rogue: VhostRogue, pool: Pool) -> bool:
    """Whether every buffer that the driver handed over lies in the pool."""
    return all(
        pool.contains(buffer.address, buffer.size)
        for request in rogue.requests
        for buffer in request.buffers
    )


@pytest.mark.property("A14")
def test_a_driver_gets_what_its_device_put_into_the_pool(guest: Guest, pool: Pool) -> None:
    """virtio-rng reads the device's own bytes, and hands it no buffer outside the pool."""
    rogue = VhostRogue(guest, "rng", device=Entropy(0xA7))

    assert read_entropy(guest, 64) == b"\xa7" * 64
    assert rogue.requests
    assert in_pool(rogue, pool)


@pytest.mark.property("A14")
def test_a_disk_reads_and_writes_through_the_pool(guest: Guest, pool: Pool) -> None:
    """What virtio-blk writes and reads is right to the byte, and all of it lies in the pool."""
    content = bytes(range(256)) * 4096
    disk = Disk(content)
    rogue = VhostRogue(guest, "blk", device=disk)
    written = bytes(reversed(content[: 64 * SECTOR]))
    guest.agent.write_file("/tmp/written", written)

    read = guest.agent.read_file("/dev/vda")
    ran = guest.agent.run("dd if=/tmp/written of=/dev/vda bs=4096 seek=8 conv=fsync 2> /dev/null")

    assert ran.status == 0, ran.text
    assert zlib.crc32(read) == zlib.crc32(content)
    assert disk.content[64 * SECTOR : 128 * SECTOR] == written
    assert in_pool(rogue, pool)
    assert not rogue.refusals()
