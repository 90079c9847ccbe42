# SPDX-License-Identifier: Apache-2.0
"""The commands of the shell, a family in each module; a module's ``COMMANDS`` are found here."""

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from harness.shell.command import Command, by_name


@functools.cache
def commands() -> Mapping[str, Command]:
    """Every command by its name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return by_name(command for module in modules for command in module.COMMANDS)
