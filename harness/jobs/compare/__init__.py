# SPDX-License-Identifier: Apache-2.0
"""What a patch series does to the kernel's properties, and which change broke one.

===================  =============================================================================
``find_series``      reads a series from files, a range of commits or a mailing list
``Series``           its patches in order, its cover letter, and what was left out
``judge``            the same tests with and without it, of each patch if asked; a Verdict
``Verdict``          what it breaks and repairs, as data; its ``answer`` is the exit code
``verdict_text``     that in words, fit for a mail
``as_json``          and for programs
``mail_text``        for a reply; also ``pages`` of HTML, ``save_runs`` for ``harness report``
``patch_coverage``   which of the lines that it adds were run
===================  =============================================================================
"""

from harness.jobs.compare.coverage import patch_coverage
from harness.jobs.compare.per_patch import judge
from harness.jobs.compare.publish import mail_text, pages, save_runs
from harness.jobs.compare.text import verdict_text
from harness.jobs.compare.verdict import Answer, Verdict, as_json
from harness.kernel.patches.origin import find_series
from harness.kernel.patches.series import Series, store_prefix

__all__ = [
    "Answer",
    "Series",
    "Verdict",
    "as_json",
    "find_series",
    "judge",
    "mail_text",
    "pages",
    "patch_coverage",
    "save_runs",
    "store_prefix",
    "verdict_text",
]
