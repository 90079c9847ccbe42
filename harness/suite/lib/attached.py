# SPDX-License-Identifier: Apache-2.0
"""What tests ask about attachment: which pool a device has, by the kernel's log and structures."""

import re

from harness.machine.qemu.guest import Guest
from harness.observe.memory import DEFAULT_POOL, KernelTypes, device_pool

ASSIGNED = "assigned reserved memory node"
FAILED = 'failed to initialise "restricted-dma-pool" memory node'

HOST_BRIDGE = "4010000000.pcie"


def log(guest: Guest) -> str:
    """All that the guest's kernel has said since the boot."""
    return "\n".join(guest.kernel_log())


def assigned(guest: Guest, device: str) -> str:
    """The name of the node that the kernel assigned to *device* last; empty if it never did."""
    names = re.findall(rf" {re.escape(device)}: {ASSIGNED} (\S*)", log(guest))
    return names[-1] if names else ""


def pool_of(types: KernelTypes, device: str) -> str:
    """The name of the restricted pool that *device* bounces through now; empty if none."""
    pool = device_pool(types, device)
    return "" if pool is None or pool.name == DEFAULT_POOL else pool.name


def allocator_of(types: KernelTypes, device: str) -> int:
    """The kernel's address of the pool that *device* bounces through now; 0 if it has none."""
    pool = device_pool(types, device)
    return pool.address if pool else 0
