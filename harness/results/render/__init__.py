# SPDX-License-Identifier: Apache-2.0
"""Reports of a run, or of two that are compared.

=======================  =========================================================================
``Comparison``           two runs and what became of each test (``compare`` makes one of two runs)
``artifacts_of``          what is kept of the tests that failed, for all of the following
``terminal_table``       and ``terminal_lines``: the summary
``page``                 one page of HTML that needs nothing else
``mail``                 a block of text for a mailing list
``junit``                XML for other programs
``kcidb``                JSON for KernelCI's database
=======================  =========================================================================
"""

from harness.results.judge import Change, Comparison, Difference, change_of, compare
from harness.results.render.artifacts import Artifacts, artifacts_of
from harness.results.render.html import Inputs, page
from harness.results.render.junit import junit
from harness.results.render.kcidb import kcidb
from harness.results.render.mail import mail
from harness.results.render.summary import headline, is_good
from harness.results.render.terminal import terminal_lines, terminal_table

__all__ = [
    "Artifacts",
    "Change",
    "Comparison",
    "Difference",
    "Inputs",
    "artifacts_of",
    "change_of",
    "compare",
    "headline",
    "is_good",
    "junit",
    "kcidb",
    "mail",
    "page",
    "terminal_lines",
    "terminal_table",
]
