# SPDX-License-Identifier: Apache-2.0
"""Calls that only a buggy driver makes: twice, too long, in the wrong direction."""

from dataclasses import dataclass, field

from harness.devices.probe import calls
from harness.devices.probe.session import Session
from harness.devices.probe.values import Attr, Direction
from harness.devices.probe.wire import SyncTarget


@dataclass(frozen=True)
class Unchecked:
    """The probe passes these values on as they are, which may bring the kernel down.

    It does not know what they did: a mapping that was unmapped here needs
    :meth:`~harness.devices.probe.mapping.AnyMapping.forget`.
    """

    session: Session = field(repr=False)
    device: int

    def unmap_single(
        self, dma_addr: int, size: int, direction: Direction, attrs: Attr = Attr.DEFAULT
    ) -> None:
        """``dma_unmap_single_attrs()``."""
        self.session.call(calls.raw_unmap(self.device, dma_addr, size, direction, attrs))

    def sync_single_for_cpu(self, dma_addr: int, size: int, direction: Direction) -> None:
        """``dma_sync_single_for_cpu()``."""
        self.session.call(calls.raw_sync(self.device, SyncTarget.CPU, dma_addr, size, direction))

    def sync_single_for_device(self, dma_addr: int, size: int, direction: Direction) -> None:
        """``dma_sync_single_for_device()``."""
        self.session.call(calls.raw_sync(self.device, SyncTarget.DEVICE, dma_addr, size, direction))
