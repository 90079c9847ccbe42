# SPDX-License-Identifier: Apache-2.0
"""Runs of the suite as data: what was asked for, on which kernel, and how every test ended.

==================  ==============================================================================
``SuiteRequest``    which kernel, QEMU and tests
``run_suite``       builds, runs them in a process of its own, returns a Run
``Run``             provenance, and a CaseOutcome for each test
``save_run``        and ``load_run``: as JSON
==================  ==============================================================================
"""

from harness.runs.outcomes import CaseOutcome, read_outcomes
from harness.runs.run import Provenance, Run, load_run, provenance, run_from, save_run
from harness.runs.suite import SuiteRequest, run_suite

__all__ = [
    "CaseOutcome",
    "Provenance",
    "Run",
    "SuiteRequest",
    "load_run",
    "provenance",
    "read_outcomes",
    "run_from",
    "run_suite",
    "save_run",
]
