# SPDX-License-Identifier: Apache-2.0
"""Devices under the harness's control, hot-plugged into a running guest.

====================  =======================================================================
``EduRogue``          QEMU's ``edu``: any address, up to 4095 bytes a transfer, forged MSIs
``NvmeRogue``         QEMU's ``nvme``: any address and size, hundreds of MB a second
``Rogue``             what each of them can do
``rogue_kinds``       all of them, by name
``plug_peer_memory``  a device whose own memory others may use, by P2PDMA
``Bdf``               a PCI bus, device and function number
====================  =======================================================================
"""

from harness.devices.rogue.edu import EduRogue
from harness.devices.rogue.kind import RogueKind, rogue_kinds
from harness.devices.rogue.nvme import NvmeRogue
from harness.devices.rogue.pci import Bdf
from harness.devices.rogue.peer import plug_peer_memory
from harness.devices.rogue.rogue import Rogue

__all__ = ["Bdf", "EduRogue", "NvmeRogue", "Rogue", "RogueKind", "plug_peer_memory", "rogue_kinds"]
