# SPDX-License-Identifier: Apache-2.0
"""Runs of the suite night by night: over a list of kernels, on one machine or many.

================  ================================================================================
``read_plan``     a plan's file into a NightPlan: what to cross with what
``expand``        a NightPlan into jobs, each named by all that decides how it ends
``open_night``    the current night, which survives a kill
``sort_out``      which jobs are settled already
``run_night``     run the others, by a Executor, in order and in time
``Alone``         the Executor that is this machine; ``cluster`` has the other one
``Runner``        how a job's work is done
================  ================================================================================
"""

from harness.jobs.nightly.entry import Ended, Entry, Fate
from harness.jobs.nightly.executor import Alone, Executor
from harness.jobs.nightly.expand import Expansion, Lost, expand
from harness.jobs.nightly.job import Job
from harness.jobs.nightly.plan import NightPlan, read_plan
from harness.jobs.nightly.run_night import run_night, sort_out
from harness.jobs.nightly.runner import Runner, find_runner
from harness.jobs.nightly.state import Night, open_night

__all__ = [
    "Alone",
    "Ended",
    "Entry",
    "Executor",
    "Expansion",
    "Fate",
    "Job",
    "Lost",
    "Night",
    "NightPlan",
    "Runner",
    "expand",
    "find_runner",
    "open_night",
    "read_plan",
    "run_night",
    "sort_out",
]
