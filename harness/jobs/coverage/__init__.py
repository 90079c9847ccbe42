# SPDX-License-Identifier: Apache-2.0
"""Which lines of the restricted DMA code the suite runs.

==================  =========================================================================
``measure``         run the suite on a kernel that counts its lines; returns all lines
``make_report``     coverage of the restricted DMA paths, and of a series
``CoverageReport``          the result of that; ``table`` and ``page`` show it
``Collector``       keeps the counters of the guests of a run
==================  =========================================================================
"""

from harness.jobs.coverage.collector import Collector
from harness.jobs.coverage.coverage_page import page
from harness.jobs.coverage.coverage_report import CoverageReport, make_report
from harness.jobs.coverage.coverage_table import lines_never_run, patch_lines, table
from harness.jobs.coverage.measure import Measurement, measure

__all__ = [
    "Collector",
    "CoverageReport",
    "Measurement",
    "lines_never_run",
    "make_report",
    "measure",
    "page",
    "patch_lines",
    "table",
]
