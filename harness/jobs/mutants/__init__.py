# SPDX-License-Identifier: Apache-2.0
"""Bugs put into the kernel on purpose: the suite must fail on each, and for the right reason.

=================  ============================================================================
``Mutant``         one patch of tests/mutants/: what it breaks, and what it takes to see it
``read_mutants``   all of them, or those whose names match
``try_mutant``     build one, run the suite on it, return its MutantTrial; cached
``MutantTrial``    its judgement, and the tests that failed
``Judgement``      killed, killed for the wrong reason, survived; passed or failed if harmless
``kill_table``     which test kills each mutant
``kills_json``     the same for programs
=================  ============================================================================
"""

from harness.jobs.mutants.kill_table import kill_table, kills_json
from harness.jobs.mutants.mutant import Mutant, read_mutants
from harness.jobs.mutants.mutant_trial import Judgement, MutantTrial
from harness.jobs.mutants.trial import try_mutant

__all__ = [
    "Judgement",
    "Mutant",
    "MutantTrial",
    "kill_table",
    "kills_json",
    "read_mutants",
    "try_mutant",
]
