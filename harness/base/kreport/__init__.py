# SPDX-License-Identifier: Apache-2.0
"""Kernel reports: one table of their first lines, and one reader for consoles and logs.

=================  =========================================================================
``Report``         one report: detector, title, first line, functions, how the guest ends
``reports_in``     every report in the lines of a log
``ReportReader``   the same, line by line, for a running guest
``StackFrame``          a function on the stack of a report
``Detector``       what in the kernel found the fault
``FORMS``          the table: a row for each first line (table.py)
``boot_stop``      the title of a boot that stopped without a report
``known_report``   an explanation of a title, with links (known.toml)
=================  =========================================================================

printk.py decides which lines of a console the kernel wrote.
"""

from harness.base.kreport.form import Detector
from harness.base.kreport.known import KnownReport, known_report, known_reports
from harness.base.kreport.reader import Report, ReportReader, boot_stop, reports_in
from harness.base.kreport.symbols import StackFrame
from harness.base.kreport.table import FORMS

__all__ = [
    "FORMS",
    "Detector",
    "KnownReport",
    "Report",
    "ReportReader",
    "StackFrame",
    "boot_stop",
    "known_report",
    "known_reports",
    "reports_in",
]
