# SPDX-License-Identifier: Apache-2.0
"""The SMMU window: programmed before the kernel's first instruction, absent from its devicetree.

The kernel could still write to the SMMU's registers; it cannot with the fence ``firmware``.
"""

from collections.abc import Sequence

from harness.base.address_range import AddressRange
from harness.machine.fence.fence import Constant, Fence
from harness.machine.fence.smmu import (
    BANK,
    BANK_BASE,
    EVENT_BITS,
    EVENTS,
    enforced,
    program,
    window_tables,
)


def fence(windows: Sequence[AddressRange], ports: int) -> Fence:
    """Only *windows* and the harness's scratch memory for devices behind *ports* root ports."""
    tables = window_tables(BANK_BASE, windows, ports)
    return Fence(
        "smmu",
        tuple(windows),
        board=",iommu=smmuv3",
        overlays=("fence-events",),
        flash=((BANK, tables.image),),
        setup=tuple(program(tables, EVENTS.base, EVENT_BITS)),
        standing=tuple(enforced(tables)),
        constants=(Constant(tables.base, tables.image),),
    )
