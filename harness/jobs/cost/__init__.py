# SPDX-License-Identifier: Apache-2.0
"""What the DMA API costs on a kernel, in instructions: with a pool, without, behind an IOMMU.

==================  ==============================================================================
``measure_costs``   boots a machine that counts, for each kind of device; yields Costs
``Cost``            a call on a size, and its instructions
``cost_table``      calls x kinds of devices
``compare_costs``   what changed between two lists of them; ``beyond``: by more than a limit
==================  ==============================================================================
"""

from harness.jobs.cost.cost import (
    Cost,
    CostChange,
    beyond,
    compare_costs,
    load_costs,
    save_costs,
)
from harness.jobs.cost.cost_table import change_lines, change_table, cost_table
from harness.jobs.cost.measure import measure_costs

__all__ = [
    "Cost",
    "CostChange",
    "beyond",
    "change_lines",
    "change_table",
    "compare_costs",
    "cost_table",
    "load_costs",
    "measure_costs",
    "save_costs",
]
