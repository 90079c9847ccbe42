# SPDX-License-Identifier: Apache-2.0
"""A file of the host as a disk of a running guest."""

from pathlib import Path

from harness.machine.qemu.guest import Guest


def plug_file_disk(guest: Guest, file: Path, size: int) -> None:
    """Make *file*, of *size* bytes, and plug it into root port 0 as a virtio disk without a pool.

    The guest notices it some time later; a kernel that boots finds it there.
    """
    with file.open("wb") as disk:
        disk.truncate(size)
    node = {"driver": "file", "node-name": "disk", "filename": str(file)}
    guest.monitor.execute("blockdev-add", node)
    guest.monitor.execute("device_add", driver="virtio-blk-pci", drive="disk", bus="rp0")
