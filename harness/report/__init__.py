# SPDX-License-Identifier: Apache-2.0
"""Reports of a run, or of two that are compared.

=======================  =========================================================================
``Comparison``           two runs and what became of each test (``compare`` makes one of two runs)
=======================  =========================================================================
"""

from harness.report.comparison import Change, Comparison, Difference, change_of, compare

__all__ = ["Change", "Comparison", "Difference", "change_of", "compare"]
