# SPDX-License-Identifier: Apache-2.0
"""Oracles: read a guest's memory after a test and report violated properties.

Each is a function of the memory, the kernel's structures in it and the probe's list of what it
holds. They read the dump of a guest as well as a paused guest.

====================  ============================================================================
``survey, prepare``   before the test: where the pools are; their free slots get a canary
``inspect``           after it: every violation of every oracle
====================  ============================================================================
"""

from harness.devices.oracles.inspection import (
    NO_BASELINE,
    Baseline,
    PoolLayout,
    inspect,
    prepare,
    survey,
)

__all__ = [
    "NO_BASELINE",
    "Baseline",
    "PoolLayout",
    "inspect",
    "prepare",
    "survey",
]
