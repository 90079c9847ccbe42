# SPDX-License-Identifier: Apache-2.0
"""Fences: what stands in for trusted firmware, set up before the kernel, as data for a machine.

====================  ============================================================================
``Fence``             what a machine must be given for it, and what must stay as it was
``memory_split``      the windows are the only memory in shared files: confines vhost-user
``smmu_window``       an SMMU with constant tables in flash, unknown to the kernel: PCI masters
``Refusal``           an access that a fence did not let through
====================  ============================================================================
"""

from harness.fence.fence import SCRATCH, Constant, Fence, Refusal, Register, Window

__all__ = ["SCRATCH", "Constant", "Fence", "Refusal", "Register", "Window"]
