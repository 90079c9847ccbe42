# SPDX-License-Identifier: Apache-2.0
"""Make an empty disk in which QEMU can keep states of a machine, without qemu-img."""

import struct
from pathlib import Path

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS

SIZE = 1 << 20
"""Bytes of the disk, which nobody uses; states lie beside it."""

_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
"""Version 2 (QEMU, docs/interop/qcow2.txt, "Header")."""


def write_empty_qcow2(path: Path) -> None:
    """Write a qcow2 image without any data.

    Its clusters are the header, the table of reference counts with one block, and the first-level
    table.
    """
    table, block, first_level = CLUSTER, 2 * CLUSTER, 3 * CLUSTER
    head = _HEADER.pack(b"QFI\xfb", 2, 0, 0, CLUSTER_BITS, SIZE, 0, 1, first_level, table, 1, 0, 0)
    image = bytearray(4 * CLUSTER)
    image[: len(head)] = head
    image[table : table + 8] = struct.pack(">Q", block)
    image[block : block + 8] = struct.pack(">4H", 1, 1, 1, 1)
    path.write_bytes(image)
