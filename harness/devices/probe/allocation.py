# SPDX-License-Identifier: Apache-2.0
"""Memory that the DMA API allocates."""

from dataclasses import dataclass

from harness.base.hex_repr import hex_repr
from harness.devices.probe import calls
from harness.devices.probe.held_memory import HeldMemory
from harness.devices.probe.values import AllocCall


@hex_repr
@dataclass(frozen=True)
class Allocation(HeldMemory):
    """Memory for CPU and device: *virt* is the CPU's address, *phys* of the memory behind it."""

    call: AllocCall
    virt: int
    dma_addr: int
    phys: int | None

    def free(self) -> None:
        """Free it, by the function that belongs to the one that allocated it."""
        self.session.call(calls.free(self.handle))
        self.session.return_handle(self.space, self.handle)

    def forget(self) -> None:
        """Leak it: the driver forgets to free."""
        self.session.call(calls.forget(self.space, self.handle))
        self.session.return_handle(self.space, self.handle)
