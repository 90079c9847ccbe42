# SPDX-License-Identifier: Apache-2.0
"""ELF files of a kernel: open them, and find their build id."""

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection

from harness.base.errors import InputError
from harness.base.hex_repr import hex_repr


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


def open_elf(path: Path) -> ELFFile:
    """Open *path*, to be closed by the caller; InputError if it is not an ELF file."""
    file = path.open("rb")
    try:
        return ELFFile(file)
    except ELFError as fault:
        file.close()
        raise InputError(f"{path} is not an ELF file: {fault}") from fault
