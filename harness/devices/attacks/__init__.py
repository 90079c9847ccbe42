# SPDX-License-Identifier: Apache-2.0
"""Attacks by rogue devices, and the attack matrix: what each one achieves under each protection.

==================  ==============================================================================
``attacks``         every attack by name: a module of ``kinds/`` each, with its ``ATTACK``
``Attack``          what it does, and the effect expected under each protection
``Protection``      what stands between the rogue and memory
``Effect``          stopped, contained in the pool, or succeeded
``Context``         the guest, the rogue and the victim of a running attack
``Cell``            one attack by one rogue under one protection
``cells``           all of them, or those of some attacks
``run_cells``       measure cells, several at a time, each in a guest of its own
==================  ==============================================================================
"""

from harness.devices.attacks.attack import Attack, Effect, Observation, Protection
from harness.devices.attacks.context import Context
from harness.devices.attacks.matrix import Cell, MeasuredCell, cells
from harness.devices.attacks.registry import attacks
from harness.devices.attacks.run import measure_cell, run_cells

__all__ = [
    "Attack",
    "Cell",
    "Context",
    "Effect",
    "MeasuredCell",
    "Observation",
    "Protection",
    "attacks",
    "cells",
    "measure_cell",
    "run_cells",
]
