# SPDX-License-Identifier: Apache-2.0
"""Render a run, or a comparison of two; nothing here judges (see :mod:`harness.results.judge`).

=======================  =========================================================================
``artifacts_of``          the artifacts of the tests that failed, an input of the others
``terminal_table``       and ``terminal_lines``: the summary
``page``                 one page of HTML that needs nothing else
``mail``                 a block of text for a mailing list
``junit``                XML for other programs
``ktap``                 text for programs that read the kernel's own tests
``kcidb``                JSON for KernelCI's database
=======================  =========================================================================
"""

from harness.results.render.artifacts import Artifacts, artifacts_of
from harness.results.render.junit import junit
from harness.results.render.kcidb import kcidb
from harness.results.render.ktap import ktap
from harness.results.render.mail import mail
from harness.results.render.page import Inputs, page
from harness.results.render.summary import headline
from harness.results.render.terminal import terminal_lines, terminal_table

__all__ = [
    "Artifacts",
    "Inputs",
    "artifacts_of",
    "headline",
    "junit",
    "kcidb",
    "ktap",
    "mail",
    "page",
    "terminal_lines",
    "terminal_table",
]
