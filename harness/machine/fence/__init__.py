# SPDX-License-Identifier: Apache-2.0
"""Fences as data: emulated trusted firmware that confines devices, set up before the kernel.

==================  ==============================================================================
``Fence``           what to add to a machine, and what must stay unchanged
``fence_named``     a fence by name (a module of ``kinds/``) around some allowed windows
``Refusal``         an access that a fence refused
``smmu_refusals``   accesses that an SMMU refused, from QEMU's log
``cpu_refusals``    accesses of CPUs that firmware refused, from its records
``CacheOperation``  cache maintenance of the kernel, which firmware logged
==================  ==============================================================================
"""

import importlib
import pkgutil
from collections.abc import Sequence
from typing import cast

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.machine.fence import kinds
from harness.machine.fence.cache_log import CacheLog, CacheOperation, CacheOps, cache_log
from harness.machine.fence.fence import (
    SCRATCH,
    Constant,
    Fence,
    Firmware,
    Refusal,
    Register,
)
from harness.machine.fence.firmware_log import CpuRefusal, CpuRefusals, cpu_refusals
from harness.machine.fence.smmu_log import smmu_refusals

FENCES = tuple(sorted(module.name for module in pkgutil.iter_modules(kinds.__path__)))
"""The names of all fences."""


def fence_named(
    name: str, windows: Sequence[AddressRange], ports: int, *, logs_caches: bool = False
) -> Fence:
    """The fence of that *name* around *windows*, on a machine with *ports* root ports.

    With *logs_caches* it logs the kernel's cache maintenance. Raises InputError for a name that is
    not in FENCES, and where something else than ``firmware`` shall log.
    """
    if name not in FENCES:
        raise InputError(f"unknown fence '{name}': expected one of {', '.join(FENCES)}")
    module = importlib.import_module(f"{kinds.__name__}.{name}")
    if not logs_caches:
        return cast(Fence, module.fence(tuple(windows), ports))
    if name != "firmware":
        raise InputError(f"the fence '{name}' logs no cache maintenance: use 'firmware'")
    return cast(Fence, module.fence(tuple(windows), ports, logs_caches=True))


__all__ = [
    "FENCES",
    "SCRATCH",
    "AddressRange",
    "CacheLog",
    "CacheOperation",
    "CacheOps",
    "Constant",
    "CpuRefusal",
    "CpuRefusals",
    "Fence",
    "Firmware",
    "Refusal",
    "Register",
    "cache_log",
    "cpu_refusals",
    "fence_named",
    "smmu_refusals",
]
