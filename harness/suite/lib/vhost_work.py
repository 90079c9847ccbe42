# SPDX-License-Identifier: Apache-2.0
"""Reads of a vhost-user device in the guest, and the buffers of its requests."""

import shlex

from harness.base.address_range import AddressRange
from harness.devices.rogue.vhost import VhostRogue
from harness.devices.shell import shell
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.suite.lib.expect import within

ENTROPY, DISK = "/dev/hwrng", "/dev/vda"


def page_of(guest: Guest) -> int:
    """Bytes of a page of the guest's kernel, which its page cache reads at once."""
    return guest.machine.geometry.page


def read_device(guest: Guest, path: str, size: int = 0) -> bytes:
    """Read *size* bytes, 0 for a page, from a device in the guest."""
    shell(guest, f"{_read(path, size or page_of(guest))} of=/tmp/read 2> /dev/null")
    return guest.agent.read_file("/tmp/read")


def begin_reading(guest: Guest, path: str) -> None:
    """Start to read a page from a device in the guest, and do not wait."""
    in_background(guest, f"{_read(path, page_of(guest))} of=/tmp/read && mv /tmp/read /tmp/done")


def in_background(guest: Guest, command: str) -> None:
    """Start a shell command in the guest, and do not wait."""
    shell(guest, f"sh -c {shlex.quote(command)} > /dev/null 2>&1 < /dev/null &")


def buffers_in_pool(rogue: VhostRogue, pool: Pool) -> None:
    """The driver made requests, and every buffer of them is in the pool."""
    buffers = (buffer for request in rogue.requests for buffer in request.buffers)
    within((AddressRange(one.address, one.size) for one in buffers), pool, "virtqueue buffers")


def _read(path: str, size: int) -> str:
    # a read of a stream may return fewer bytes than requested
    return f"dd if={path} bs={size} count=1 iflag=fullblock"
