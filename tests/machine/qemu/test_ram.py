# SPDX-License-Identifier: Apache-2.0
"""The RAM of a guest: shared through links, saved without its zeros, loaded again."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.errors import HostError
from harness.machine.layout import PAGE, RamBlock
from harness.machine.qemu.ram import INDEX, PAGES, GuestRam

BLOCKS = (
    RamBlock(0x4000_0000, 64 * PAGE, handed_over=False),
    RamBlock(0x4F00_0000, PAGE, handed_over=True),
)


def make() -> Iterator[GuestRam]:
    ram = GuestRam.make(BLOCKS)
    yield ram
    ram.close()


ram, other = pytest.fixture(name="ram")(make), pytest.fixture(name="other")(make)


def test_fresh_ram_reads_as_zeros_and_takes_no_memory(ram: GuestRam) -> None:
    assert [os.pread(file, 1 << 20, 0) for file in ram.files] == [bytes(64 * PAGE), bytes(PAGE)]
    assert [os.fstat(file).st_blocks for file in ram.files] == [0, 0]


def test_a_process_that_inherits_the_files_opens_them_by_the_links(
    ram: GuestRam, tmp_path: Path
) -> None:
    paths = [tmp_path / "low", tmp_path / "pool"]
    ram.link(paths)

    subprocess.run(["sh", "-c", f"printf hello 1<>{paths[1]}"], pass_fds=ram.files, check=True)

    assert os.pread(ram.files[1], 5, 0) == b"hello"


def test_what_is_saved_is_loaded(ram: GuestRam, other: GuestRam, tmp_path: Path) -> None:
    os.pwrite(ram.files[0], b"a", 0)
    os.pwrite(ram.files[0], b"bc", 3 * PAGE - 1)
    os.pwrite(ram.files[0], b"z", 64 * PAGE - 1)
    os.pwrite(ram.files[1], b"pool", 7)

    ram.save(tmp_path)
    other.load(tmp_path)

    for before, after in zip(ram.files, other.files, strict=True):
        assert os.pread(before, 64 * PAGE, 0) == os.pread(after, 64 * PAGE, 0)


def test_pages_of_zeros_are_not_saved(ram: GuestRam, other: GuestRam, tmp_path: Path) -> None:
    os.pwrite(ram.files[0], b"x" * PAGE + bytes(2 * PAGE) + b"y", 0)

    ram.save(tmp_path)
    other.load(tmp_path)

    assert (tmp_path / PAGES).stat().st_size == 2 * PAGE
    assert os.fstat(other.files[0]).st_blocks * 512 == 2 * PAGE


def test_ram_that_was_never_touched_is_saved_and_loaded(
    ram: GuestRam, other: GuestRam, tmp_path: Path
) -> None:
    ram.save(tmp_path)
    other.load(tmp_path)

    assert (tmp_path / INDEX).read_text() == "[]"


def test_saved_ram_that_was_cut_is_refused(ram: GuestRam, other: GuestRam, tmp_path: Path) -> None:
    os.pwrite(ram.files[0], b"x" * 2 * PAGE, 0)
    ram.save(tmp_path)
    os.truncate(tmp_path / PAGES, PAGE)

    with pytest.raises(HostError, match="ends too early"):
        other.load(tmp_path)
