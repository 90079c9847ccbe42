# SPDX-License-Identifier: Apache-2.0
"""ELF files of a kernel: open them, and find their build id."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection

from harness.base.errors import InputError
from harness.base.hex_repr import hex_repr

MAGIC = b"\x7fELF"


@hex_repr
@dataclass(frozen=True)
class BuildId:
    """The bytes of a GNU build id, and the link address at which the kernel carries them."""

    value: bytes
    address: int


def build_id(elf: ELFFile) -> BuildId | None:
    """The build id of *elf*; None if it was linked without ``--build-id``."""
    notes = (section for section in elf.iter_sections() if isinstance(section, NoteSection))
    for section in notes:
        for note in section.iter_notes():
            if note["n_type"] == "NT_GNU_BUILD_ID":
                value = bytes.fromhex(note["n_desc"])
                return BuildId(value, section["sh_addr"] + section.data().index(value))
    return None


@contextmanager
def open_elf(path: Path) -> Iterator[ELFFile]:
    """Open *path* for the block; InputError if it is not an ELF file, or damaged where it is read.

    What the library says of a damaged part may be a ValueError: the block is for its calls only.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise InputError(f"{path} is not an ELF file. Build it again.")
        try:
            yield ELFFile(file)
        except (ELFError, ValueError) as fault:
            raise InputError(f"{path} is damaged: {fault}. Build it again.") from fault
