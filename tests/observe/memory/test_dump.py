# SPDX-License-Identifier: Apache-2.0
"""Reading an ELF dump as QEMU's dump-guest-memory writes it."""

import struct
from pathlib import Path

import pytest

from harness.base.address_range import AddressRange
from harness.base.errors import AddressError, InputError
from harness.observe.memory import ElfDump

ET_REL, ET_CORE, PT_LOAD, PT_NOTE = 1, 4, 1, 4
HEAD, PROGRAM_HEAD = 64, 56


def write_dump(
    path: Path, blocks: dict[int, bytes], kind: int = ET_CORE, note: bytes = b""
) -> Path:
    """Write an AArch64 ELF with one PT_LOAD for each physical address of *blocks*, and a note."""
    parts = [(PT_LOAD, phys, data) for phys, data in blocks.items()]
    if note:
        parts.insert(0, (PT_NOTE, 0, note))
    at = HEAD + PROGRAM_HEAD * len(parts)
    heads = b""
    for part, phys, data in parts:
        heads += struct.pack("<IIQQQQQQ", part, 0, at, 0, phys, len(data), len(data), 0)
        at += len(data)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    sizes = (HEAD, PROGRAM_HEAD, len(parts), 0, 0, 0)
    head = ident + struct.pack("<HHIQQQI6H", kind, 183, 1, 0, HEAD, 0, 0, *sizes)
    path.write_bytes(head + heads + b"".join(data for _, _, data in parts))
    return path


def make_note(name: bytes, text: bytes) -> bytes:
    """A note of an ELF core file, its parts padded to four bytes."""
    padded = (part + bytes(-len(part) % 4) for part in (name, text))
    return struct.pack("<III", len(name), len(text), 0) + b"".join(padded)


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


def test_the_kernels_text_for_debuggers_is_a_note(tmp_path: Path) -> None:
    note = make_note(b"CPUCORE\0", b"registers") + make_note(b"VMCOREINFO\0", b"OSRELEASE=6.12\n")
    dump = ElfDump(write_dump(tmp_path / "ram.elf", {0x4000: b"kernel"}, note=note))

    assert dump.vmcoreinfo == b"OSRELEASE=6.12\n"
    assert dump.read(0x4000, 6) == b"kernel"


def test_a_dump_may_come_without_notes(tmp_path: Path) -> None:
    assert ElfDump(write_dump(tmp_path / "ram.elf", {0x4000: b"kernel"})).vmcoreinfo is None


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
