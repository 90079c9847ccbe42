# SPDX-License-Identifier: Apache-2.0
"""A board's reserved memory, pools and users, as an overlay for QEMU's machine.

::

    Board ─► transfer_board() ─► Transfer: overlay (for --shape), moves, stand_ins, remarks

``address_map``  where its memory lies on the machine
``regions``      /reserved-memory as nodes of the overlay
``stand_ins``    the devices of the machine for those of the board
``windows``      dma-ranges, for the addresses of the machine
"""

from harness.machine.transfer.stand_ins import Kind, StandIn
from harness.machine.transfer.transfer import RegionMove, Transfer, transfer_board

__all__ = ["Kind", "RegionMove", "StandIn", "Transfer", "transfer_board"]
