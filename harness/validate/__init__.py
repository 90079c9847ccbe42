# SPDX-License-Identifier: Apache-2.0
"""What a patch series does to the kernel's promises, and which change broke one.

===================  =============================================================================
``find_series``      reads a series from files, a range of commits or a mailing list
``Series``           its patches in order, its cover letter, and what was left out
``judge``            the same tests with and without it, of each patch if asked; a Verdict
``Verdict``          what it breaks and repairs, as data; its ``answer`` is the exit code
``verdict_text``     that in words, fit for a mail
``as_json``          and for programs
``mail_text``        for a reply; also ``pages`` of HTML, ``save_runs`` for ``harness report``
``patch_coverage``   which of the lines that it adds were run
``bisect``           the first bad kernel of several; a Bisection
``find_commits``     those are a range of commits; also ``series_line``, ``kernels_line``
``bisection_text``   what was found in words
===================  =============================================================================
"""

from harness.validate.bisect import Bisection, bisect
from harness.validate.commits import find_commits
from harness.validate.coverage import patch_coverage
from harness.validate.origin import find_series
from harness.validate.per_patch import judge
from harness.validate.publish import mail_text, pages, save_runs
from harness.validate.series import Series, store_prefix
from harness.validate.spaces import kernels_line, series_line
from harness.validate.text import bisection_text, verdict_text
from harness.validate.verdict import Answer, Verdict, as_json

__all__ = [
    "Answer",
    "Bisection",
    "Series",
    "Verdict",
    "as_json",
    "bisect",
    "bisection_text",
    "find_commits",
    "find_series",
    "judge",
    "kernels_line",
    "mail_text",
    "pages",
    "patch_coverage",
    "save_runs",
    "series_line",
    "store_prefix",
    "verdict_text",
]
