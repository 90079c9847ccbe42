# SPDX-License-Identifier: Apache-2.0
"""Names for what a kernel reports about itself, the same from run to run.

=======================  =========================================================================
``Crash``                one report in a log: its kind, its title, and the lines that it takes
``crashes_in``           all reports in the lines of a console, without those that only follow
``boot_stop``            the title of a boot that came to nothing and reported nothing
``known_crash``          what is known of a title (known.toml), with links
=======================  =========================================================================
"""

from harness.base.kreport.known import Known, known_crash, known_crashes
from harness.base.kreport.log import Crash, boot_stop, crashes_in
from harness.base.kreport.title import Kind

__all__ = [
    "Crash",
    "Kind",
    "Known",
    "boot_stop",
    "crashes_in",
    "known_crash",
    "known_crashes",
]
