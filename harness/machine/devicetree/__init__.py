# SPDX-License-Identifier: Apache-2.0
"""Devicetrees with restricted DMA pools: QEMU's own blob, overlays from dts/, varied and checked.

::

    base_blob(qemu, args) ─► compose(base, ["pool-pci-host"]) ─► Devicetree(blob, pools)
"""

from harness.machine.devicetree.complete import complete
from harness.machine.devicetree.compose import Devicetree, compose
from harness.machine.devicetree.payload import BootPayload
from harness.machine.devicetree.qemu import base_blob
from harness.machine.devicetree.region import DynamicPool, Placement, Pool, Region

__all__ = [
    "BootPayload",
    "Devicetree",
    "DynamicPool",
    "Placement",
    "Pool",
    "Region",
    "base_blob",
    "complete",
    "compose",
]
