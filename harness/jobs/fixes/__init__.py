# SPDX-License-Identifier: Apache-2.0
"""Prove the repairs of docs/fixes: each ends its finding and changes nothing else.

==================  ==============================================================================
``read_fixes``      the repairs, in the order in which they apply as one series
``Fix``             a repair: its finding, and its patch for each kernel
``try_fix``         runs the finding's tests and the default suite with and without it
``FixTrial``        what came out: its ``outcome``, and the tests that changed
``fix_table``       finding, kernel, before, after
==================  ==============================================================================
"""

from harness.jobs.fixes.fix import Fix, Fixes, read_fixes
from harness.jobs.fixes.fix_table import fix_table, fixes_json
from harness.jobs.fixes.fix_trial import FixOutcome, FixTrial, estimate_trial, try_fix, try_together

__all__ = [
    "Fix",
    "FixOutcome",
    "FixTrial",
    "Fixes",
    "estimate_trial",
    "fix_table",
    "fixes_json",
    "read_fixes",
    "try_fix",
    "try_together",
]
