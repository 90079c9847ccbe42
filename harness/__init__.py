# SPDX-License-Identifier: Apache-2.0
"""Boot a kernel with a restricted DMA pool, attack it with a rogue device, prove its reach."""

import os

os.environ.setdefault("PYTHON_BASIC_REPL", "1")
"""Importing drgn replaces the terminal's input() by that of Python 3.13's prompt, which redraws the
line, unless this is set (drgn 0.3, drgn/internal/repl.py)."""
