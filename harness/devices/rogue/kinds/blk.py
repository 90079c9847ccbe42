# SPDX-License-Identifier: Apache-2.0
"""A disk whose backend is the harness (vhost-user)."""

from harness.devices.rogue.kind import RogueKind
from harness.devices.rogue.vhost import VhostRogue

KIND = RogueKind(
    "a virtio-blk device in another process, which is handed memory",
    lambda guest, port: VhostRogue(guest, "blk", port),
    fence="split",
    behind_iommu=False,
    device="vhost-user-blk-pci",
)
