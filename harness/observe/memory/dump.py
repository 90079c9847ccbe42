# SPDX-License-Identifier: Apache-2.0
"""Guest RAM from a dump by QMP ``dump-guest-memory`` (``paging: false``, format ELF)."""

import mmap
from pathlib import Path
from typing import BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.observe.memory.ram import Memory
from harness.observe.memory.sources import MappedRam


class ElfDump(Memory):
    """A dump file: every PT_LOAD is a block of RAM at its physical address (QEMU dump/dump.c).

    Raises InputError when *path* is not a whole ELF core file with RAM in it.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            loads = _loads(path, file)
            end = max(offset + span.size for span, offset in loads)
            if end > path.stat().st_size:
                raise _bad(path, f"it ends before byte {end}, so it is truncated")
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        super().__init__(
            [span for span, _ in loads],
            [MappedRam(view[offset : offset + span.size]) for span, offset in loads],
        )


def _loads(path: Path, file: BinaryIO) -> list[tuple[AddressRange, int]]:
    """Every PT_LOAD: its guest-physical range and its offset in the file."""
    try:
        elf = ELFFile(file)
        core = elf["e_type"] == "ET_CORE"
        heads = [segment.header for segment in elf.iter_segments("PT_LOAD")]
    except ELFError as fault:
        raise _bad(path, f"it is not an ELF file ({fault})") from fault
    if not core or not heads:
        raise _bad(path, "it is an ELF file, but not a core file with RAM in it")
    return [(AddressRange(head["p_paddr"], head["p_filesz"]), head["p_offset"]) for head in heads]


def _bad(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path} is not a dump of guest RAM by QMP 'dump-guest-memory' with paging off: {reason}"
    )
