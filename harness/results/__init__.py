# SPDX-License-Identifier: Apache-2.0
"""Runs of the suite as data: the request, the kernel, and how each test ended.

==================  ==============================================================================
``SuiteRequest``    which kernel, QEMU and tests; ``TIERS``: sets of tests
``arguments_of``    a request as arguments of pytest; ``request_from`` the way back
``command_of``      the same as a command line for a person
``run_suite``       builds, runs them in a process of its own, returns a Run
``Run``             provenance, and a Case for each test
``verdict_of``      the verdict on a Run: good, bad or not judged; and the exit code
``RunFile``         the file of a run, written as it goes; ``save_run``, ``load_run``
==================  ==============================================================================
"""

from harness.results.case import Case
from harness.results.file import RunFile, load_run, save_run
from harness.results.foreign import read_cases, read_foreign
from harness.results.request import TIERS, SuiteRequest, arguments_of, command_of, request_from
from harness.results.run import Provenance, Run, no_kernel, provenance, run_from
from harness.results.suite import run_suite, run_tests
from harness.results.summary import summary_lines, violated_properties
from harness.results.verdict import Verdict, verdict_of

__all__ = [
    "TIERS",
    "Case",
    "Provenance",
    "Run",
    "RunFile",
    "SuiteRequest",
    "Verdict",
    "arguments_of",
    "command_of",
    "load_run",
    "no_kernel",
    "provenance",
    "read_cases",
    "read_foreign",
    "request_from",
    "run_from",
    "run_suite",
    "run_tests",
    "save_run",
    "summary_lines",
    "verdict_of",
    "violated_properties",
]
