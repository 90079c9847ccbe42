# SPDX-License-Identifier: Apache-2.0
"""Calls that only a buggy driver makes: twice, too long, in the wrong direction."""

from dataclasses import dataclass, field

from harness.devices.probe import calls
from harness.devices.probe.session import ProbeSession
from harness.devices.probe.values import Direction
from harness.devices.probe.wire import SyncTarget


@dataclass(frozen=True)
class Unchecked:
    """The probe passes these values on as they are, which may bring the kernel down."""

    session: ProbeSession = field(repr=False)
    device: int

    def sync_single_for_cpu(self, dma_addr: int, size: int, direction: Direction) -> None:
        """``dma_sync_single_for_cpu()``."""
        self.session.call(calls.raw_sync(self.device, SyncTarget.CPU, dma_addr, size, direction))

    def sync_single_for_device(self, dma_addr: int, size: int, direction: Direction) -> None:
        """``dma_sync_single_for_device()``."""
        self.session.call(calls.raw_sync(self.device, SyncTarget.DEVICE, dma_addr, size, direction))
