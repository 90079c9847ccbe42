# SPDX-License-Identifier: Apache-2.0
"""How large a pool a driver needs: its peak, the smallest pool that does, and what happens below.

================  ============================================================================
``measure``       the answer for one driver: boots guests with pools of different sizes
``Sizing``        that answer: the trial with the largest pool, the smallest pools, what is below
``Trial``         what one driver did in a pool of one size
``size_table``    a row a device; ``size_details``: all that is known about each
``as_json``       the answers for a program
================  ============================================================================
"""

from harness.jobs.size.answers import Ending, Holder, Sizing, Trial, as_json, exit_code
from harness.jobs.size.measure import SizeBench, measure
from harness.jobs.size.size_text import size_details, size_table

__all__ = [
    "Ending",
    "Holder",
    "SizeBench",
    "Sizing",
    "Trial",
    "as_json",
    "exit_code",
    "measure",
    "size_details",
    "size_table",
]
