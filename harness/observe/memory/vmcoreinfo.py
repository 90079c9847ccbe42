# SPDX-License-Identifier: Apache-2.0
"""Read the kernel's vmcoreinfo, its description for debuggers, from guest memory."""

from harness.base.errors import AddressError
from harness.observe.memory.image import KernelImage
from harness.observe.memory.ram import Memory
from harness.observe.memory.symbols import Symbols
from harness.observe.memory.tags import untagged

MAGIC = b"OSRELEASE="
"""The start of the text (kernel/vmcore_info.c:crash_save_vmcoreinfo_init, 6.12)."""

VA_BITS = (52, 48, 47, 42, 39, 36)
"""CONFIG_ARM64_VA_BITS (arch/arm64/Kconfig): with pages of 4 KiB 39 to 52, of 16 KiB 36 to 52, of
64 KiB 42 to 52. It decides where the linear map begins, and is written in the text itself, so each
is tried."""

U64 = (1 << 64) - 1


def read_vmcoreinfo(memory: Memory, symbols: Symbols, image: KernelImage) -> bytes:
    """Return the text that the kernel keeps for crash dumps (``CONFIG_VMCORE_INFO``).

    A dump has it as a note, which is the one to use: after a crash the kernel points to a copy that
    it has mapped elsewhere (kernel/vmcore_info.c:crash_save_vmcoreinfo). Raises NotInKernel when
    the kernel was built without it, AddressError before a subsys_initcall has written it.
    """
    if memory.vmcoreinfo is not None:
        return memory.vmcoreinfo

    def variable(name: str) -> int:
        phys = image.to_phys(symbols.address(name))
        return int.from_bytes(memory.read(phys, 8), "little")

    pointer, size = variable("vmcoreinfo_data"), variable("vmcoreinfo_size")
    memstart = variable("memstart_addr")
    for bits in VA_BITS:
        text = _text_at(memory, (untagged(pointer) + (1 << bits) + memstart) & U64, size)
        if text is not None:
            return text
    raise AddressError(
        f"cannot read the kernel's structures: it has no vmcoreinfo yet (vmcoreinfo_data is "
        f"{pointer:#x}), because it ended or was stopped early in its boot"
    )


def _text_at(memory: Memory, phys: int, size: int) -> bytes | None:
    """Return the text at *phys*, by ``__lm_to_phys()`` (asm/memory.h), if it is there."""
    try:
        text = memory.read(phys, size)
    except AddressError:
        return None
    return text if text.startswith(MAGIC) else None
