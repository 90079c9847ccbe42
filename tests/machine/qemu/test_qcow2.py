# SPDX-License-Identifier: Apache-2.0
"""An empty disk is one that QEMU takes (harness debug --record shows it); here its parts."""

import struct
from pathlib import Path

from harness.machine.qemu.qcow2 import CLUSTER, write_empty_qcow2


def test_every_cluster_of_an_empty_disk_is_counted_once(tmp_path: Path) -> None:
    disk = tmp_path / "disk.qcow2"
    write_empty_qcow2(disk)
    data = disk.read_bytes()

    (table,) = struct.unpack_from(">Q", data, 48)
    (block,) = struct.unpack_from(">Q", data, table)
    counts = struct.unpack_from(f">{CLUSTER // 2}H", data, block)

    assert data[:8] == b"QFI\xfb\0\0\0\x02"
    assert len(data) == sum(counts) * CLUSTER
    assert set(counts[: sum(counts)]) == {1}
