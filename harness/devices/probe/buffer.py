# SPDX-License-Identifier: Apache-2.0
"""Memory of the CPU's that a driver maps."""

from dataclasses import dataclass

from harness.base.hex_repr import hex_repr
from harness.devices.probe import calls
from harness.devices.probe.held_memory import HeldMemory
from harness.devices.probe.values import BufferKind


@hex_repr
@dataclass(frozen=True)
class Buffer(HeldMemory):
    """A physically contiguous buffer; *virt* and *phys* are its kernel and physical address.

    If a part of it is mapped, the rest must not be touched. PAGES begin on a page,
    so an offset into them is the offset in the page. PEER ones are memory of another PCI device,
    which nothing but a mapping can use: reading or writing them is refused (UNREACHABLE).
    """

    kind: BufferKind
    virt: int
    phys: int

    def free(self) -> None:
        """Free it; refused (BUSY) while a part is mapped."""
        self.session.call(calls.buffer_free(self.handle))
        self.session.return_handle(self.space, self.handle)
