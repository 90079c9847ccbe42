# SPDX-License-Identifier: Apache-2.0
"""Judge a devicetree's restricted pools, by the model of the kernel.

::

    Prediction ─► find_faults() ─► BoardJudgement ─► BoardResult ─► text, JSON, SARIF, ...
"""

from harness.machine.devicetree.lint.fault import Fault
from harness.machine.devicetree.lint.faults import find_faults
from harness.machine.devicetree.lint.judgement import BoardJudgement, Expectation, Status, judge
from harness.machine.devicetree.lint.measures import Measures, measure
from harness.machine.devicetree.lint.rows import (
    BoardResult,
    DeviceRow,
    FaultRow,
    KernelRows,
    PoolRow,
)

__all__ = [
    "BoardJudgement",
    "BoardResult",
    "DeviceRow",
    "Expectation",
    "Fault",
    "FaultRow",
    "KernelRows",
    "Measures",
    "PoolRow",
    "Status",
    "find_faults",
    "judge",
    "measure",
]
