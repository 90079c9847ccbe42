# SPDX-License-Identifier: Apache-2.0
"""What the DMA API costs on a kernel, in instructions and copied bytes: with a pool and without.

==================  ==============================================================================
``measure_costs``   boots a machine that counts, for each kind of device; yields Costs
``measure_work``    counts one of ``WORKS`` from outside, end to end; yields Costs with a range
``Cost``            a call on a size, its instructions, and the bytes that it copies
``cost_table``      calls x kinds of devices; ``full_table``, ``work_table``: the others
``cost_plot``       SVG; ``cost_page``: one page of HTML
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
from harness.jobs.cost.cost_page import cost_page
from harness.jobs.cost.cost_plot import cost_plot
from harness.jobs.cost.cost_table import (
    change_lines,
    change_table,
    cost_table,
    full_table,
    work_table,
)
from harness.jobs.cost.measure import WORKS, Work, measure_costs, measure_work

__all__ = [
    "WORKS",
    "Cost",
    "CostChange",
    "Work",
    "beyond",
    "change_lines",
    "change_table",
    "compare_costs",
    "cost_page",
    "cost_plot",
    "cost_table",
    "full_table",
    "load_costs",
    "measure_costs",
    "measure_work",
    "save_costs",
    "work_table",
]
