# SPDX-License-Identifier: Apache-2.0
"""What every rogue can do, so that an attack is written once."""

from typing import Protocol

from harness.devices.rogue.pci import Bdf


class Rogue(Protocol):
    """A device under the harness's control, in a root port of a running guest.

    Addresses are guest-physical. What a fence refuses, a read answers with bytes that are not
    the memory's, and a write does not change: no rogue is told, as no real device would be.
    """

    name: str
    """Its id in QEMU."""

    bdf: Bdf
    """Where the guest's PCI bus has it."""

    def read(self, address: int, size: int) -> bytes:
        """Read guest memory by DMA."""

    def write(self, address: int, data: bytes) -> None:
        """Write guest memory by DMA."""

    def detach(self) -> None:
        """Pull it out of the running guest, and wait until it is gone."""
