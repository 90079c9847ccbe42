# SPDX-License-Identifier: Apache-2.0
"""Attachment: which pool a device has, by the kernel's log and by its structures."""

import re

from harness.machine.qemu.guest import Guest
from harness.observe.memory import DEFAULT_POOL, KernelTypes, device_pool

ASSIGNED = "assigned reserved memory node"
FAILED = 'failed to initialise "restricted-dma-pool" memory node'

HOST_BRIDGE = "4010000000.pcie"


def log(guest: Guest) -> str:
    """The guest's kernel log since its boot."""
    return "\n".join(guest.kernel_log())


def assigned(guest: Guest, device: str) -> str:
    """The node that the kernel log assigns to *device* last; empty if there is none."""
    names = re.findall(rf" {re.escape(device)}: {ASSIGNED} (\S*)", log(guest))
    return names[-1] if names else ""


def pool_of(types: KernelTypes, device: str) -> str:
    """The name of the restricted pool of *device*; empty if it has none."""
    pool = device_pool(types, device)
    return "" if pool is None or pool.name == DEFAULT_POOL else pool.name


def allocator_of(types: KernelTypes, device: str) -> int:
    """The address of the io_tlb_mem of *device*; 0 if it has none."""
    pool = device_pool(types, device)
    return pool.address if pool else 0
