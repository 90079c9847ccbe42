# SPDX-License-Identifier: Apache-2.0
"""RAM from an ELF core file: of QMP ``dump-guest-memory`` (``paging: false``), or of kdump."""

import mmap
from pathlib import Path
from typing import BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.observe.memory.ram import Memory
from harness.observe.memory.sources import MappedRam

NOTE = "VMCOREINFO"
"""The name of the note with the kernel's text for debuggers."""


class ElfDump(Memory):
    """A dump file: every PT_LOAD is a block of RAM at its physical address.

    QEMU writes it so (dump/dump.c), and so does the kernel, which names its own text twice
    (kernel/crash_core.c:crash_prepare_elf64_headers, 6.12). Raises InputError when *path* is not a
    whole ELF core file with RAM in it.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            loads, note = _parts(path, file)
            end = max(offset + span.size for span, offset in loads)
            if end > path.stat().st_size:
                raise _bad(path, f"it ends before byte {end}, so it is truncated")
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        super().__init__(
            [span for span, _ in loads],
            [MappedRam(view[offset : offset + span.size]) for span, offset in loads],
        )
        self.vmcoreinfo = note


def _parts(path: Path, file: BinaryIO) -> tuple[list[tuple[AddressRange, int]], bytes | None]:
    """Every PT_LOAD, its guest-physical range and its offset in the file; and the note."""
    try:
        elf = ELFFile(file)
        core = elf["e_type"] == "ET_CORE"
        heads = [segment.header for segment in elf.iter_segments("PT_LOAD")]
        parts = (part for part in elf.iter_segments() if isinstance(part, NoteSegment))
        notes = [note for part in parts for note in part.iter_notes()]
    except ELFError as fault:
        raise _bad(path, f"it is not an ELF file ({fault})") from fault
    if not core or not heads:
        raise _bad(path, "it is an ELF file, but not a core file with RAM in it")
    found = (one["n_descdata"] for one in notes if one["n_name"] == NOTE)
    loads = [(AddressRange(head["p_paddr"], head["p_filesz"]), head["p_offset"]) for head in heads]
    return loads, next(found, None)


def _bad(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path} is not an ELF dump of RAM (of QMP 'dump-guest-memory' with paging off, or an "
        f"uncompressed vmcore of kdump): {reason}"
    )
