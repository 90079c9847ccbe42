# SPDX-License-Identifier: Apache-2.0
"""Find the kernel image in guest RAM, and its slide."""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.base.errors import AddressError
from harness.base.hex_repr import hex_repr
from harness.observe.memory.ram import Memory
from harness.observe.memory.symbols import Symbols

ALIGNMENT = 2 << 20
"""Alignment of the image's base (Documentation/arch/arm64/booting.rst, "Call the kernel image");
QEMU's boot loader takes the second such block of RAM (hw/arm/boot.c:load_aarch64_image, 7.2)."""


@hex_repr
@dataclass(frozen=True)
class KernelImage:
    """The image's base in guest RAM and its length in bytes, its link address and its slide.

    *slide* is the offset by KASLR from link addresses to virtual addresses.
    """

    phys: int
    size: int
    link: int
    slide: int

    def __contains__(self, phys: int) -> bool:
        return self.phys <= phys < self.phys + self.size

    def to_phys(self, link_address: int) -> int:
        """The guest-physical address of a symbol at *link_address*."""
        return link_address - self.link + self.phys

    def virt_to_phys(self, address: int) -> int:
        """The guest-physical address of the image's byte at the virtual *address*."""
        return self.to_phys(address - self.slide)

    def to_link(self, phys: int) -> int:
        """The link address of the image's byte at *phys*."""
        return phys - self.phys + self.link


def locate(memory: Memory, symbols: Symbols) -> KernelImage:
    """Find the image of the kernel that *symbols* belong to, by its build id.

    Raises AddressError when RAM does not contain this kernel, or it has not started.
    """
    link = symbols.address("_text")
    size = symbols.address("_end") - link
    for base in _candidates(memory):
        if _carries(memory, base + symbols.build_id.address - link, symbols.build_id.value):
            voffset = _u64(memory, base + symbols.address("kimage_voffset") - link)
            return KernelImage(base, size, link, _slide(voffset, base, link))
    raise AddressError(
        f"the guest's RAM has no kernel with build id {symbols.build_id.value.hex()}: the guest "
        f"runs another kernel than {symbols.path}, or has not started"
    )


def _slide(voffset: int, base: int, link: int) -> int:
    """*voffset* is virtual minus physical (arch/arm64/kernel/head.S:__primary_switched, 6.12)."""
    if voffset == 0:
        raise AddressError("the guest's kernel is loaded, but has not started")
    return voffset + base - link


def _candidates(memory: Memory) -> Iterator[int]:
    """Possible base addresses of an image, QEMU's choice first."""
    bases = [
        base
        for span in memory.ranges
        for base in range(-(-span.base // ALIGNMENT) * ALIGNMENT, span.end, ALIGNMENT)
    ]
    yield from bases[1:2]
    yield from bases


def _carries(memory: Memory, phys: int, wanted: bytes) -> bool:
    try:
        return memory.read(phys, len(wanted)) == wanted
    except AddressError:
        return False


def _u64(memory: Memory, phys: int) -> int:
    return int.from_bytes(memory.read(phys, 8), "little")
