# SPDX-License-Identifier: Apache-2.0
"""Find the first bad kernel: commits of a repository, patches of a series, or packages.

===================  =============================================================================
``bisect``           the first bad kernel of several; a Bisection
``find_commits``     a range of commits as candidates; also ``series_line``, ``kernels_line``
``bisection_text``   the result as text
===================  =============================================================================
"""

from harness.jobs.bisect.bisect import Bisection, bisect, kernels_to_ask
from harness.jobs.bisect.bisection_text import bisection_text
from harness.jobs.bisect.commits import find_commits
from harness.jobs.bisect.spaces import kernels_line, series_line

__all__ = [
    "Bisection",
    "bisect",
    "bisection_text",
    "find_commits",
    "kernels_line",
    "kernels_to_ask",
    "series_line",
]
