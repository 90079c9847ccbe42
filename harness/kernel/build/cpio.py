# SPDX-License-Identifier: Apache-2.0
"""Write an initial RAM file system: the same input always gives the same bytes.

The format is "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst), written
here because a normal user can then make device nodes. All files belong to root.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_ALIGN = 4


@dataclass(frozen=True)
class CpioFile:
    """One file: its path without a leading slash, its mode with type bits, its data.

    *device* is the (major, minor) of a device node.
    """

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(path: str) -> CpioFile:
    """Return a directory that everyone can enter."""
    return CpioFile(path, stat.S_IFDIR | 0o755)


def program(path: str, data: bytes) -> CpioFile:
    """Return an executable file."""
    return CpioFile(path, stat.S_IFREG | 0o755, data)


def character_device(path: str, major: int, minor: int) -> CpioFile:
    """Return a character device node for root alone."""
    return CpioFile(path, stat.S_IFCHR | 0o600, device=(major, minor))


def pack(nodes: Iterable[CpioFile]) -> bytes:
    """Return the archive of *nodes*, in their order; a directory must precede its content."""
    entries = [*nodes, CpioFile("TRAILER!!!", 0)]
    return b"".join(_entry(number, node) for number, node in enumerate(entries, 1))


def _entry(inode: int, node: CpioFile) -> bytes:
    name = node.path.encode() + b"\0"
    fields = (
        inode,
        node.mode,
        *(0, 0),  # owner and group
        1,  # links
        0,  # modification time
        len(node.data),
        *(0, 0),  # device that holds the archive
        *node.device,
        len(name),
        0,  # check sum, of another format
    )
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _pad(header + name) + _pad(node.data)


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGN)
