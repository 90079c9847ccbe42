# SPDX-License-Identifier: Apache-2.0
"""Reading an ELF dump as QEMU's dump-guest-memory writes it."""

import struct
from pathlib import Path

import pytest

from harness.base.address_range import AddressRange
from harness.base.errors import AddressError, InputError
from harness.observe.memory import ElfDump

ET_REL, ET_CORE, PT_LOAD = 1, 4, 1
HEAD, PROGRAM_HEAD = 64, 56


def write_dump(path: Path, blocks: dict[int, bytes], kind: int = ET_CORE) -> Path:
    """Write an AArch64 ELF with one PT_LOAD for each physical address of *blocks*."""
    at = HEAD + PROGRAM_HEAD * len(blocks)
    heads = b""
    for phys, data in blocks.items():
        heads += struct.pack("<IIQQQQQQ", PT_LOAD, 0, at, 0, phys, len(data), len(data), 0)
        at += len(data)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    sizes = (HEAD, PROGRAM_HEAD, len(blocks), 0, 0, 0)
    head = ident + struct.pack("<HHIQQQI6H", kind, 183, 1, 0, HEAD, 0, 0, *sizes)
    path.write_bytes(head + heads + b"".join(blocks.values()))
    return path


def test_every_load_segment_is_ram_at_its_physical_address(tmp_path: Path) -> None:
    dump = ElfDump(write_dump(tmp_path / "ram.elf", {0x4000: b"kernel", 0x8000: b"pool"}))

    assert dump.ranges == (AddressRange(0x4000, 6), AddressRange(0x8000, 4))


def test_bytes_of_each_segment_are_read(tmp_path: Path) -> None:
    dump = ElfDump(write_dump(tmp_path / "ram.elf", {0x4000: b"kernel", 0x8000: b"pool"}))

    assert (dump.read(0x4001, 3), dump.read(0x8000, 4)) == (b"ern", b"pool")


def test_segments_that_touch_are_read_as_one(tmp_path: Path) -> None:
    dump = ElfDump(write_dump(tmp_path / "ram.elf", {0x4000: b"kernel", 0x4006: b"pool"}))

    assert dump.read(0x4004, 4) == b"elpo"


def test_a_gap_between_segments_is_not_ram(tmp_path: Path) -> None:
    dump = ElfDump(write_dump(tmp_path / "ram.elf", {0x4000: b"kernel", 0x8000: b"pool"}))

    with pytest.raises(AddressError, match="0x4006 is not RAM"):
        dump.read(0x4004, 4)


def test_a_dump_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_dump(tmp_path / "ram.elf", {0x4000: b"kernel"})
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(InputError, match="it is truncated"):
        ElfDump(path)


def test_a_file_that_is_not_elf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ram.elf"
    path.write_text("no dump")

    with pytest.raises(InputError, match="not an ELF file"):
        ElfDump(path)


def test_an_elf_file_that_is_no_core_is_refused(tmp_path: Path) -> None:
    path = write_dump(tmp_path / "ram.elf", {0x4000: b"kernel"}, kind=ET_REL)

    with pytest.raises(InputError, match="not a core file"):
        ElfDump(path)
