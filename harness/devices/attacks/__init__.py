# SPDX-License-Identifier: Apache-2.0
"""Attacks: named things that a rogue does, with what is expected under each protection.

==================  ==============================================================================
``attacks``         every attack by name: a module of ``kinds/`` each, with its ``ATTACK``
``Attack``          what it does, to what effect, and what should come of it
``Scene``           where it takes place
``Protection``      what stands between the rogue and memory
``Outcome``         stopped, contained in the pool, or succeeded
==================  ==============================================================================
"""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from harness.devices.attacks import kinds
from harness.devices.attacks.attack import Attack, Outcome, Protection, Result
from harness.devices.attacks.scene import Scene


@functools.cache
def attacks() -> Mapping[str, Attack]:
    """Every attack by its name, which is its module's with dashes."""
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    found = {
        name.replace("_", "-"): importlib.import_module(f"{kinds.__name__}.{name}").ATTACK
        for name in names
    }
    return MappingProxyType(found)


__all__ = ["Attack", "Outcome", "Protection", "Result", "Scene", "attacks"]
