# SPDX-License-Identifier: Apache-2.0
"""QEMU's ``nvme``, which moves megabytes to and from any address."""

from harness.devices.rogue.kind import RogueKind
from harness.devices.rogue.nvme import NvmeRogue

KIND = RogueKind("a PCI bus master that moves megabytes at once", NvmeRogue, "smmu", True, "nvme")
