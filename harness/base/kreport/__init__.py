# SPDX-License-Identifier: Apache-2.0
"""Kernel reports: one table of their first lines, and one reader for consoles and logs.

=================  =========================================================================
``Report``         one report: detector, title, first line, functions, how the guest ends
``reports_in``     all reports in the lines of a log
``ReportReader``   the same, line by line, for a console that is still running
``StackFrame``          a place on its stack
``Detector``       what in the kernel found the fault
``FORMS``          the table: a row for each first line (table.py)
``boot_stop``      the title of a boot that came to nothing and reported nothing
``known_report``   what is known of a title (known.toml), with links
=================  =========================================================================

printk.py says which lines of a console are the kernel's.
"""

from harness.base.kreport.known import KnownReport, known_report, known_reports
from harness.base.kreport.reader import Report, ReportReader, boot_stop, reports_in
from harness.base.kreport.symbols import StackFrame
from harness.base.kreport.table import FORMS, Detector

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
