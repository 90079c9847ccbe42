# SPDX-License-Identifier: Apache-2.0
"""Reading and writing the RAM of another process, and of a shared file."""

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from harness.base.errors import AddressError, InputError, QemuError
from harness.observe.memory import LiveMemory, RamSegment

BASE = 0x4000_0000
SIZE = 2 * mmap.PAGESIZE
POOL = BASE + SIZE

CHILD = f"""
import ctypes, mmap, sys
ram = mmap.mmap(-1, {SIZE})
ram[100:105] = b"hello"
print(ctypes.addressof(ctypes.c_char.from_buffer(ram)), flush=True)
sys.stdin.readline()
print(ram[200:205].decode())
"""


@dataclass(frozen=True)
class Child:
    """A process that owns private memory, as QEMU does."""

    process: subprocess.Popen[str]
    host: int

    def own_view(self) -> str:
        """Let the child end and say what it sees at offset 200 of its memory."""
        return self.process.communicate("\n")[0].strip()


@pytest.fixture
def child() -> Iterator[Child]:
    command = [sys.executable, "-c", CHILD]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield Child(process, int(process.stdout.readline()))
        process.kill()


@pytest.fixture
def shared() -> Iterator[int]:
    file = os.memfd_create("pool")
    os.ftruncate(file, SIZE)
    yield file
    os.close(file)


@pytest.fixture
def memory(child: Child, shared: int) -> Iterator[LiveMemory]:
    segments = [RamSegment(BASE, SIZE, host=child.host), RamSegment(POOL, SIZE, fd=shared)]
    with LiveMemory(child.process.pid, segments) as memory:
        yield memory


def test_private_memory_of_a_running_process_is_read(memory: LiveMemory) -> None:
    assert memory.read(BASE + 100, 5) == b"hello"


def test_what_is_written_to_private_memory_the_process_sees(
    memory: LiveMemory, child: Child
) -> None:
    memory.write(BASE + 200, b"WORLD")

    assert child.own_view() == "WORLD"


def test_what_is_written_to_a_shared_segment_is_in_its_file(
    memory: LiveMemory, shared: int
) -> None:
    memory.write(POOL + 10, b"bounce")

    assert os.pread(shared, 6, 10) == b"bounce"


def test_a_view_shows_later_changes_of_the_file(memory: LiveMemory, shared: int) -> None:
    view = memory.view(POOL + 16, 4)

    os.pwrite(shared, b"late", 16)

    assert view.tobytes() == b"late"


def test_a_view_is_not_given_of_private_memory(memory: LiveMemory) -> None:
    with pytest.raises(AddressError, match="cannot be mapped"):
        memory.view(BASE, 4)


def test_a_view_across_two_files_is_not_given(child: Child, shared: int) -> None:
    segments = [RamSegment(BASE, SIZE, fd=shared), RamSegment(POOL, SIZE, fd=shared)]
    memory = LiveMemory(child.process.pid, segments)

    with pytest.raises(AddressError, match="cannot be mapped"):
        memory.view(POOL - 2, 4)


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


def test_a_dead_process_is_reported_as_qemu_gone(memory: LiveMemory, child: Child) -> None:
    child.process.kill()
    child.process.wait()

    with pytest.raises(QemuError, match="QEMU has ended"):
        memory.read(BASE, 4)


def test_an_unmapped_host_address_is_reported(child: Child) -> None:
    memory = LiveMemory(child.process.pid, [RamSegment(BASE, SIZE, host=0x1000)])

    with pytest.raises(QemuError, match="nothing is mapped there"):
        memory.read(BASE, 4)


def test_closed_memory_has_no_ram(memory: LiveMemory) -> None:
    memory.close()

    with pytest.raises(AddressError, match="whose RAM is nothing"):
        memory.read(BASE, 1)


@pytest.mark.parametrize("where", [{}, {"host": 1, "fd": 1}])
def test_a_segment_has_exactly_one_source(where: dict[str, int]) -> None:
    with pytest.raises(InputError, match="either a host address or a file"):
        RamSegment(BASE, SIZE, **where)
