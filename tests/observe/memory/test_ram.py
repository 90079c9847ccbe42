# SPDX-License-Identifier: Apache-2.0
"""Reading and writing the RAM of a guest: files that it shares."""

import contextlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.address_range import AddressRange
from harness.base.errors import AddressError
from harness.observe.memory import LiveMemory, PausedMemory, RamSegment

BASE = 0x4000_0000
SIZE = 2 * mmap.PAGESIZE
POOL = BASE + SIZE


def memfd() -> Iterator[int]:
    file = os.memfd_create("ram")
    os.ftruncate(file, SIZE)
    yield file
    os.close(file)


first, second = pytest.fixture(name="first")(memfd), pytest.fixture(name="second")(memfd)


@pytest.fixture
def memory(first: int, second: int) -> Iterator[LiveMemory]:
    with LiveMemory([RamSegment(BASE, SIZE, first), RamSegment(POOL, SIZE, second)]) as memory:
        yield memory


def test_what_was_written_to_the_file_is_read(memory: LiveMemory, second: int) -> None:
    os.pwrite(second, b"hello", 100)

    assert memory.read(POOL + 100, 5) == b"hello"


def test_what_is_written_is_in_the_file(memory: LiveMemory, second: int) -> None:
    memory.write(POOL + 10, b"bounce")

    assert os.pread(second, 6, 10) == b"bounce"


def test_reading_allocates_nothing(memory: LiveMemory, first: int) -> None:
    memory.read(BASE, SIZE)

    assert os.fstat(first).st_blocks == 0


def test_parts_that_nobody_wrote_are_known_without_reading(memory: LiveMemory) -> None:
    memory.write(BASE + mmap.PAGESIZE + 8, b"x")
    memory.write(POOL, b"y")

    filled = list(memory.filled(AddressRange(BASE, 2 * SIZE)))

    page = mmap.PAGESIZE
    assert filled == [AddressRange(BASE + page, page), AddressRange(POOL, page)]


def test_a_paused_guests_pages_are_read_once(memory: LiveMemory) -> None:
    paused = PausedMemory(memory)
    before = [paused.read(BASE, 2), paused.read(POOL - 1, 2)]

    memory.write(BASE, b"xy")

    assert [paused.read(BASE, 2), paused.read(POOL - 1, 2)] == before == [bytes(2)] * 2


def test_later_changes_of_the_file_are_read(memory: LiveMemory, second: int) -> None:
    assert memory.read(POOL + 16, 4) != b"late"

    os.pwrite(second, b"late", 16)

    assert memory.read(POOL + 16, 4) == b"late"


def test_a_range_across_two_segments_is_read_and_written_whole(memory: LiveMemory) -> None:
    memory.write(POOL - 2, b"abcd")

    assert memory.read(POOL - 2, 4) == b"abcd"


@pytest.mark.parametrize("phys", [BASE - 1, POOL + SIZE - 1])
def test_a_range_that_leaves_ram_is_refused(memory: LiveMemory, phys: int) -> None:
    with pytest.raises(AddressError, match="is not RAM"):
        memory.read(phys, 2)


def test_nothing_is_written_when_a_range_leaves_ram(memory: LiveMemory) -> None:
    with pytest.raises(AddressError):
        memory.write(POOL + SIZE - 1, b"xy")

    assert memory.read(POOL + SIZE - 1, 1) == b"\0"


def test_a_file_that_is_too_short_is_an_error_not_a_signal(memory: LiveMemory, first: int) -> None:
    os.ftruncate(first, 0)

    with pytest.raises(AddressError, match="ends before"):
        memory.read(BASE, 4)


def test_closed_memory_has_no_ram(memory: LiveMemory) -> None:
    memory.close()

    with pytest.raises(AddressError, match="whose RAM is nothing"):
        memory.read(BASE, 1)


def open_times(file: int) -> int:
    """How often this process has the file open; a collector may close others meanwhile."""
    wanted, found = os.fstat(file), 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += os.path.samestat(os.fstat(int(link.name)), wanted)
    return found


def test_closed_memory_keeps_no_file_open(memory: LiveMemory, first: int, second: int) -> None:
    assert [open_times(first), open_times(second)] == [2, 2]

    memory.close()

    assert [open_times(first), open_times(second)] == [1, 1]
