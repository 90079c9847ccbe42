# SPDX-License-Identifier: Apache-2.0
"""Work of a guest with a vhost-user device: read entropy, read and write a disk."""

import shlex

from harness.base.address_range import AddressRange
from harness.devices.rogue.vhost import VhostRogue
from harness.devices.shell import shell
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.suite.lib.expect import within

PAGE = 4096

ENTROPY, DISK = "/dev/hwrng", "/dev/vda"


def read_device(guest: Guest, path: str, size: int = PAGE, skip: int = 0) -> bytes:
    """Read *size* bytes from a device in the guest, after skipping *skip* times as many."""
    shell(guest, f"{_read(path, size, skip)} of=/tmp/read 2> /dev/null")
    return guest.agent.read_file("/tmp/read")


def begin_reading(guest: Guest, path: str) -> None:
    """Start a process in the guest that reads a page from a device; do not wait for it."""
    in_background(guest, f"{_read(path, PAGE, 0)} of=/tmp/read && mv /tmp/read /tmp/done")


def in_background(guest: Guest, command: str) -> None:
    """Begin a shell command in the guest."""
    shell(guest, f"sh -c {shlex.quote(command)} > /dev/null 2>&1 < /dev/null &")


def buffers_in_pool(rogue: VhostRogue, pool: Pool) -> None:
    """There were requests, and every buffer that a driver handed over lies in the pool."""
    buffers = (buffer for request in rogue.requests for buffer in request.buffers)
    within((AddressRange(one.address, one.size) for one in buffers), pool, "virtqueue buffers")


def _read(path: str, size: int, skip: int) -> str:
    # a stream may give less at once than was asked for
    return f"dd if={path} bs={size} count=1 skip={skip} iflag=fullblock"
