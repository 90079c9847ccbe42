# SPDX-License-Identifier: Apache-2.0
"""Sizes that a kernel was built with, and that its DMA API's limits and alignments follow from.

They are the kernel's, so they are read from what was built: the page size from the header of the
boot image, the slots of a slot set from the probe, which is compiled with the kernel's headers.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.base.errors import InputError
from harness.base.space import KIB
from harness.kernel.elf import open_elf

SLOT = 2 * KIB
"""Bytes of a slot of a bounce pool (include/linux/swiotlb.h, ``IO_TLB_SIZE``, 5.15 to 7.3)."""

IMAGE_SIZE, FLAGS = slice(16, 24), slice(24, 32)
"""Bytes of an image with its size in RAM, and with its flags, little-endian (Linux,
Documentation/arch/arm64/booting.rst)."""

PAGE_SIZES = (4 * KIB, 4 * KIB, 16 * KIB, 64 * KIB)
"""By bits 1 and 2 of the flags; 0 is "unspecified", as before 4.6."""

SECTION = ".probe.sizes"
"""The section of the probe with PAGE_SIZE, IO_TLB_SIZE and IO_TLB_SEGSIZE, 32 bits each
(guest/probe/sizes.c)."""


@dataclass(frozen=True)
class Geometry:
    """Bytes of a *page*, and of a *slot_set*: ``IO_TLB_SEGSIZE`` slots, the largest mapping."""

    page: int = 4 * KIB
    slot_set: int = 256 * KIB

    @property
    def slots_of_set(self) -> int:
        """``IO_TLB_SEGSIZE``."""
        return self.slot_set // SLOT


def page_size(image: Path) -> int:
    """Bytes of a page of the kernel of a boot image."""
    return PAGE_SIZES[_header(image, FLAGS) >> 1 & 0b11]


def image_size(image: Path) -> int:
    """Bytes of RAM that the kernel of a boot image takes, with its bss."""
    return _header(image, IMAGE_SIZE)


def _header(image: Path, field: slice) -> int:
    with image.open("rb") as file:
        return int.from_bytes(file.read(field.stop)[field], "little")


@cache
def read_geometry(probe: Path) -> Geometry:
    """The sizes that the module *probe* was compiled with; InputError if it does not tell them."""
    with open_elf(probe) as elf:
        section = elf.get_section_by_name(SECTION)
        content = b"" if section is None else section.data()
    sizes = [int.from_bytes(content[at : at + 4], "little") for at in (0, 4, 8)]
    page, slot, segment = sizes
    if not page or slot != SLOT or not segment:
        raise InputError(
            f"{probe} says that a page has {page} bytes, a slot of a bounce pool {slot}, and a "
            f"slot set {segment} slots; expected slots of {SLOT} bytes. Build the guest programs "
            "again, for a kernel with such slots."
        )
    return Geometry(page, segment * slot)
