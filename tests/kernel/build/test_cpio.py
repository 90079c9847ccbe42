# SPDX-License-Identifier: Apache-2.0
"""The archive for the guest is what the kernel and cpio itself expect, to the byte."""

import subprocess
from pathlib import Path

import pytest

from harness.kernel.build import cpio

NODES = [
    cpio.directory("bin"),
    cpio.character_device("console", 5, 1),
    cpio.program("bin/busybox", b"\x7fELF"),
]


def listing(archive: bytes, tmp_path: Path) -> list[list[str]]:
    path = tmp_path / "archive"
    path.write_bytes(archive)
    argv = ["cpio", "--list", "--verbose", "--numeric-uid-gid", "--quiet", "--file", path]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env={"TZ": "UTC"})
    return [line.split() for line in done.stdout.splitlines()]


def test_cpio_reads_the_archive(tmp_path: Path) -> None:
    names = [(line[0], line[-1]) for line in listing(cpio.pack(NODES), tmp_path)]
    assert names == [
        ("drwxr-xr-x", "bin"),
        ("crw-------", "console"),
        ("-rwxr-xr-x", "bin/busybox"),
    ]


def test_everything_belongs_to_root(tmp_path: Path) -> None:
    assert {tuple(line[2:4]) for line in listing(cpio.pack(NODES), tmp_path)} == {("0", "0")}


def test_device_numbers_are_kept(tmp_path: Path) -> None:
    console = listing(cpio.pack(NODES), tmp_path)[1]
    assert console[4:6] == ["5,", "1"]


@pytest.mark.parametrize("size", range(5))
def test_every_entry_is_aligned(size: int) -> None:
    assert len(cpio.pack([cpio.program("x" * size, bytes(size))])) % 4 == 0


def test_same_nodes_give_the_same_bytes() -> None:
    assert cpio.pack(NODES) == cpio.pack(iter(NODES))
