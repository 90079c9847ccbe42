# SPDX-License-Identifier: Apache-2.0
"""Every attack by its name."""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from harness.devices.attacks import kinds
from harness.devices.attacks.attack import Attack


@functools.cache
def attacks() -> Mapping[str, Attack]:
    """Every module of ``kinds/``: its ``ATTACK`` by the module's name, with dashes."""
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    found = {
        name.replace("_", "-"): importlib.import_module(f"{kinds.__name__}.{name}").ATTACK
        for name in names
    }
    return MappingProxyType(found)
