# SPDX-License-Identifier: Apache-2.0
"""QEMU's ``edu``, whose registers say which memory it copies."""

from harness.devices.rogue.edu import EduRogue
from harness.devices.rogue.kind import RogueKind

KIND = RogueKind(
    "a PCI bus master that copies what its registers say", EduRogue, "smmu", True, "edu"
)
