# SPDX-License-Identifier: Apache-2.0
"""Oracles: they read a guest's memory after a test and say what is not as promised.

Each is a function of the memory, the kernel's structures in it and the probe's list of what it
holds; a dump will do as well as a guest that stands still.

====================  ============================================================================
``survey, prepare``   before the test: where the pools are; their free slots get a canary
``inspect``           after it: every finding of every oracle
``Finding``           what is broken, by the ids of promises, and what was seen
====================  ============================================================================
"""

from harness.devices.oracles.finding import Finding, broken_promise
from harness.devices.oracles.inspection import NOTHING, Before, Ground, inspect, prepare, survey

__all__ = [
    "NOTHING",
    "Before",
    "Finding",
    "Ground",
    "broken_promise",
    "inspect",
    "prepare",
    "survey",
]
