# SPDX-License-Identifier: Apache-2.0
"""The table of attacks, protections and rogues: who is safe when, a measured cell at a time."""

from harness.devices.attacks.cell import Cell, CellResult, cells
from harness.devices.attacks.machines import Ground
from harness.devices.attacks.run import run_cells

__all__ = ["Cell", "CellResult", "Ground", "cells", "run_cells"]
