# SPDX-License-Identifier: Apache-2.0
"""Oracles: they read a guest's memory after a test and say what is not as guaranteed.

Each is a function of the memory, the kernel's structures in it and the probe's list of what it
holds; a dump will do as well as a guest that stands still.

====================  ============================================================================
``survey, prepare``   before the test: where the pools are; their free slots get a canary
``inspect``           after it: every violation of every oracle
====================  ============================================================================
"""

from harness.devices.oracles.inspection import NOTHING, Before, Ground, inspect, prepare, survey

__all__ = [
    "NOTHING",
    "Before",
    "Ground",
    "inspect",
    "prepare",
    "survey",
]
