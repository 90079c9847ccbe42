# SPDX-License-Identifier: Apache-2.0
"""Scratch memory of the harness in a guest, by the address that a device uses."""

from dataclasses import dataclass

from harness.base.hex_repr import hex_repr
from harness.devices.probe import Direction, Probe
from harness.devices.rogue.pci import Bdf
from harness.machine.fence import SCRATCH
from harness.machine.qemu.guest import Guest

CONTEXT = 63
"""The probe's context for the mapping: the last one, which no test takes."""


@hex_repr
@dataclass(frozen=True)
class Scratch:
    """Memory at guest-physical *phys*, which a device reaches at address *device*."""

    phys: int
    device: int

    def part(self, offset: int) -> "Scratch":
        """The same from byte *offset* on."""
        return Scratch(self.phys + offset, self.device + offset)


def scratch_for(guest: Guest, bdf: Bdf) -> Scratch:
    """64 KiB for the device at *bdf*: reserved memory (dts/rogue-scratch.dtso).

    Behind an IOMMU that the kernel drives a device reaches nothing but what is mapped for it, so
    there it is a buffer of the probe's.
    """
    if not guest.machine.iommu:
        return Scratch(SCRATCH.base, SCRATCH.base)
    probe = Probe(guest.agent, CONTEXT)
    buffer = probe.buffer(SCRATCH.size)
    mapping = probe.device(str(bdf)).map_single(buffer, Direction.BIDIRECTIONAL)
    return Scratch(buffer.phys, mapping.dma_addr)
