# SPDX-License-Identifier: Apache-2.0
"""Runs of the suite as data: what was asked for, on which kernel, and how every test ended.

==================  ==============================================================================
``SuiteRequest``    which kernel, QEMU and tests
``run_suite``       builds, runs them in a process of its own, returns a Run
``Run``             provenance, and a Case for each test
``verdict_of``      what a Run says of its kernel: good, bad or not judged, and the exit code
``save_run``        and ``load_run``: as JSON
==================  ==============================================================================
"""

from harness.results.case import Case, read_cases
from harness.results.request import SuiteRequest, run_suite
from harness.results.run import Provenance, Run, load_run, provenance, run_from, save_run
from harness.results.verdict import Verdict, verdict_of

__all__ = [
    "Case",
    "Provenance",
    "Run",
    "SuiteRequest",
    "Verdict",
    "load_run",
    "provenance",
    "read_cases",
    "run_from",
    "run_suite",
    "save_run",
    "verdict_of",
]
