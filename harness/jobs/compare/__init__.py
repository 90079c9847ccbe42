# SPDX-License-Identifier: Apache-2.0
"""Judge a patch series: run the same tests with and without it, and compare.

===================  =============================================================================
``find_series``      reads a series from files, a range of commits or a mailing list
``Series``           its patches in order, its cover letter, and what was left out
``run_base``         the run on the base; from the cache if it is known
``estimate``         how long that takes, from the history
``judge_series``     runs the tests on all kernels, compares, returns a SeriesJudgement
``SeriesJudgement``  what the series breaks and repairs, as data; its ``verdict``
``judgement_text``   the same as text of 72 columns
``as_json``          the same for programs
``mail_text``        for a reply; also ``pages`` of HTML, ``save_runs`` for ``harness report``
``patch_coverage``   which of the lines that it adds were run
``run_kunit``        the KUnit tests in its files, run in a guest
``new_warnings``     what its build warns of
``series_notes``     what of it is not in the kernel that was tested
``series_costs``     what it changes in the costs of DMA API calls
===================  =============================================================================
"""

from harness.jobs.compare.known_base import run_base
from harness.jobs.compare.kunit_tests import run_kunit
from harness.jobs.compare.per_patch import judge_series
from harness.jobs.compare.publish import mail_text, pages, save_runs
from harness.jobs.compare.series_costs import series_costs
from harness.jobs.compare.series_coverage import patch_coverage
from harness.jobs.compare.series_judgement import SeriesJudgement, as_json
from harness.jobs.compare.series_text import judgement_text
from harness.jobs.compare.stages import Stage, estimate, estimate_text, sum_text, usual_time
from harness.kernel.build.series_notes import new_warnings, series_notes
from harness.kernel.patches.origin import find_series
from harness.kernel.patches.series import Series, store_prefix

__all__ = [
    "Series",
    "SeriesJudgement",
    "Stage",
    "as_json",
    "estimate",
    "estimate_text",
    "find_series",
    "judge_series",
    "judgement_text",
    "mail_text",
    "new_warnings",
    "pages",
    "patch_coverage",
    "run_base",
    "run_kunit",
    "save_runs",
    "series_costs",
    "series_notes",
    "store_prefix",
    "sum_text",
    "usual_time",
]
