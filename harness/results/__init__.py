# SPDX-License-Identifier: Apache-2.0
"""Runs of the suite as data: what was asked for, on which kernel, and how every test ended.

==================  ==============================================================================
``SuiteRequest``    which kernel, QEMU and tests
``arguments_of``    a request as arguments of pytest; ``request_from`` the way back
``command_of``      a request as a person types it
``run_suite``       builds, runs them in a process of its own, returns a Run
``Run``             provenance, and a Case for each test
``verdict_of``      what a Run says of its kernel: good, bad or not judged, and the exit code
``save_run``        and ``load_run``: as JSON
==================  ==============================================================================
"""

from harness.results.case import Case, read_cases
from harness.results.request import SuiteRequest, arguments_of, command_of, request_from
from harness.results.run import Provenance, Run, load_run, provenance, run_from, save_run
from harness.results.suite import run_suite
from harness.results.verdict import Verdict, verdict_of

__all__ = [
    "Case",
    "Provenance",
    "Run",
    "SuiteRequest",
    "Verdict",
    "arguments_of",
    "command_of",
    "load_run",
    "provenance",
    "read_cases",
    "request_from",
    "run_from",
    "run_suite",
    "save_run",
    "verdict_of",
]
