# SPDX-License-Identifier: Apache-2.0
"""The database of all runs, and questions about them.

================  ================================================================================
``open_history``  a SQLite file in the cache directory, or a PostgreSQL server
``join_runs``     adds the runs of sessions that were killed; ``joined_history`` opens and joins
``History``       ``add`` a run once; ``run`` by its id, ``run_of`` a job
``last_results``  how each test ended the last time, on a kernel without a series
``list_runs``     the last runs, and their results in numbers
``appearances``   every time that a test was run
``standings``     since when a test fails, on each track of kernels that follow one another
``regressions``   what is different between the last good and the first bad run
``flaky``         tests that end differently on the same kernel
``durations``     what tests took; ``run_seconds`` what a run will take
================  ================================================================================
"""

from harness.results.history.failures import Regression, Standing, regressions, standings
from harness.results.history.history import History, open_history
from harness.results.history.join import join_runs, joined_history, run_path
from harness.results.history.last import LastResult, last_results
from harness.results.history.queries import (
    Appearance,
    RunHead,
    RunSummary,
    appearances,
    find_run,
    find_test,
    list_runs,
    list_tests,
)
from harness.results.history.tracks import ProvenanceChange, Track, differences, track_of
from harness.results.history.trends import (
    Duration,
    Flakiness,
    durations,
    flaky,
    not_counted,
    run_seconds,
)

__all__ = [
    "Appearance",
    "Duration",
    "Flakiness",
    "History",
    "LastResult",
    "ProvenanceChange",
    "Regression",
    "RunHead",
    "RunSummary",
    "Standing",
    "Track",
    "appearances",
    "differences",
    "durations",
    "find_run",
    "find_test",
    "flaky",
    "join_runs",
    "joined_history",
    "last_results",
    "list_runs",
    "list_tests",
    "not_counted",
    "open_history",
    "regressions",
    "run_path",
    "run_seconds",
    "standings",
    "track_of",
]
