# SPDX-License-Identifier: Apache-2.0
"""Places where the kernel reads the same bytes of a pool twice, seen by a plugin in QEMU.

=================  ============================================================================
``watch_driver``   make a driver's requests and report its double fetches
``Watched``        a guest under the plugin: what the kernel's accesses are while something is done
``DRIVERS``        what can be watched, as data
``Report``         the double fetches of some drivers, as text and as JSON
=================  ============================================================================
"""

from harness.jobs.double_fetch.analyse import DoubleFetch, Reader, double_fetches, second_looks
from harness.jobs.double_fetch.drivers import (
    DRIVERS,
    Driver,
    Operation,
    built_in,
    find_driver,
    plug,
)
from harness.jobs.double_fetch.places import Place, Places
from harness.jobs.double_fetch.report import DriverReport, Finding, Report
from harness.jobs.double_fetch.ring import Access
from harness.jobs.double_fetch.session import watch_driver
from harness.jobs.double_fetch.watch import Watched

__all__ = [
    "DRIVERS",
    "Access",
    "DoubleFetch",
    "Driver",
    "DriverReport",
    "Finding",
    "Operation",
    "Place",
    "Places",
    "Reader",
    "Report",
    "Watched",
    "built_in",
    "double_fetches",
    "find_driver",
    "plug",
    "second_looks",
    "watch_driver",
]
