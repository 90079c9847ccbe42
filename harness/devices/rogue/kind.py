# SPDX-License-Identifier: Apache-2.0
"""Kinds of rogue by name: each is a module of ``kinds/`` with its ``KIND``."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.devices.rogue import kinds
from harness.devices.rogue.rogue import Rogue
from harness.machine.qemu.guest import Guest


@dataclass(frozen=True)
class RogueKind:
    """A kind of rogue. *plug* puts one into a root port (0, 1, …) of a guest.

    *fence* is the name of the fence that confines it, *behind_iommu* whether an IOMMU stands
    between it and memory, *device* is QEMU's name of it.
    """

    does: str
    plug: Callable[[Guest, int], Rogue]
    fence: str
    behind_iommu: bool
    device: str


@functools.cache
def rogue_kinds() -> Mapping[str, RogueKind]:
    """Every kind of rogue, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    found = {name: importlib.import_module(f"{kinds.__name__}.{name}").KIND for name in names}
    return MappingProxyType(found)
