# SPDX-License-Identifier: Apache-2.0
"""Where the kernel image lies in guest RAM, and which addresses it runs at."""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.base.errors import AddressError
from harness.base.hex_repr import hex_repr
from harness.observe.memory.ram import Memory
from harness.observe.memory.symbols import Symbols

ALIGNMENT = 2 << 20
"""The image's base is so aligned (Documentation/arch/arm64/booting.rst, "Call the kernel image");
QEMU's boot loader takes the second such block of RAM (hw/arm/boot.c:load_aarch64_image, 7.2)."""


@hex_repr
@dataclass(frozen=True)
class KernelImage:
    """The image's base in guest RAM and its length in bytes, its link address and its slide.

    *slide* is what KASLR adds to link addresses to get those that the kernel runs at.
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

    def to_link(self, phys: int) -> int:
        """The link address of the image's byte at *phys*."""
        return phys - self.phys + self.link


def locate(memory: Memory, symbols: Symbols) -> KernelImage:
    """Find the image of the kernel that *symbols* belong to, by its build id.

    Raises AddressError when RAM holds no such kernel, or it has not begun to run.
    """
    link = symbols.address("_text")
    size = symbols.address("_end") - link
    for base in _candidates(memory):
        if _carries(memory, base + symbols.build_id.address - link, symbols.build_id.value):
            voffset = _u64(memory, base + symbols.address("kimage_voffset") - link)
            return KernelImage(base, size, link, _slide(voffset, base, link))
    raise AddressError(
        f"no kernel with build id {symbols.build_id.value.hex()} lies in the guest's RAM: the "
        f"guest runs another kernel than {symbols.path}, or has not been started"
    )


def _slide(voffset: int, base: int, link: int) -> int:
    """*voffset* is virtual minus physical (arch/arm64/kernel/head.S:__primary_switched, 6.12)."""
    if voffset == 0:
        raise AddressError("the guest's kernel is loaded, but has not begun to run")
    return voffset + base - link


def _candidates(memory: Memory) -> Iterator[int]:
    """Every address where an image may begin, QEMU's own choice first."""
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
