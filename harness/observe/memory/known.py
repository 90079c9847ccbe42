# SPDX-License-Identifier: Apache-2.0
"""A cache of kernel types, to read DWARF once for each kernel."""

from harness.base.errors import NoDebugInformation
from harness.kernel import Kernel
from harness.observe.memory.kernel import KernelTypes
from harness.observe.memory.ram import Memory
from harness.observe.memory.symbols import Symbols


class KnownTypes:
    """The types of each kernel; they read the memory of the last call of :meth:`on`."""

    def __init__(self) -> None:
        self._types: dict[str, KernelTypes] = {}

    def on(self, kernel: Kernel, memory: Memory) -> KernelTypes:
        """The types of *kernel*, which now read *memory*.

        Raises NoDebugInformation for a kernel without them.
        """
        if not kernel.types:
            raise NoDebugInformation(
                f"{kernel.source} has no debugging information, from which the harness takes the "
                "types of the kernel's memory. Set CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y"
            )
        if kernel.key in self._types:
            self._types[kernel.key].move_to(memory)
        else:
            self._types[kernel.key] = KernelTypes(memory, Symbols(kernel.vmlinux))
        return self._types[kernel.key]
