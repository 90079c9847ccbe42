# SPDX-License-Identifier: Apache-2.0
"""Bugs put into the kernel on purpose: the suite must fail on each, and for the right reason.

=================  ============================================================================
``Mutant``         one patch of tests/mutants/: what it breaks, and what it takes to see it
``read_mutants``   all of them, or those whose names match
``judge``          build one, run the suite on it, return the verdict; cached
``Verdict``        whether the suite noticed it
``Judgement``      killed, killed for the wrong reason, survived; passed or failed if harmless
``verdict_table``  the kill table
``verdict_json``   the same for programs
=================  ============================================================================
"""

from harness.jobs.mutants.mutant import Mutant, read_mutants
from harness.jobs.mutants.report import verdict_json, verdict_table
from harness.jobs.mutants.trial import judge
from harness.jobs.mutants.verdict import Judgement, Verdict

__all__ = [
    "Judgement",
    "Mutant",
    "Verdict",
    "judge",
    "read_mutants",
    "verdict_json",
    "verdict_table",
]
