# SPDX-License-Identifier: Apache-2.0
"""Measurements of the harness itself, against bare QEMU and plain memory."""

from harness.jobs.bench.bench_table import save, table
from harness.jobs.bench.measure import Measure
from harness.jobs.bench.prompt import measure_verdicts
from harness.jobs.bench.workloads import measure_machine, measure_suite

__all__ = ["Measure", "measure_machine", "measure_suite", "measure_verdicts", "save", "table"]
