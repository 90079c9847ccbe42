# SPDX-License-Identifier: Apache-2.0
"""Rogue: the interface of all rogue devices, so that an attack is written once."""

from typing import Protocol

from harness.devices.rogue.pci import Bdf


class Rogue(Protocol):
    """A device under the harness's control, in a root port of a running guest.

    Addresses are guest-physical. If a fence refuses an access, a read returns
    other bytes and a write changes nothing: like a real device, a rogue gets no error.
    """

    name: str
    """Its id in QEMU."""

    bdf: Bdf
    """Its address on the guest's PCI bus."""

    def read(self, address: int, size: int) -> bytes:
        """Read guest memory by DMA."""

    def write(self, address: int, data: bytes) -> None:
        """Write guest memory by DMA."""

    def detach(self) -> None:
        """Pull it out of the running guest, and wait until it is gone."""
