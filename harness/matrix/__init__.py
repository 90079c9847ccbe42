# SPDX-License-Identifier: Apache-2.0
"""The table of attacks, protections and rogues: who is safe when, a measured cell at a time."""

from harness.matrix.cell import Cell, CellResult, cells
from harness.matrix.machines import Ground
from harness.matrix.run import run_cells

__all__ = ["Cell", "CellResult", "Ground", "cells", "run_cells"]
