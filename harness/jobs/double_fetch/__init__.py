# SPDX-License-Identifier: Apache-2.0
"""Double fetches: where the kernel reads the same bytes of a pool twice, seen by a QEMU plugin.

=================  ============================================================================
``watch_target``   make a driver's requests and report its double fetches
``Watched``        a guest under the plugin: what the kernel's accesses are while something is done
``TARGETS``        what can be watched: the probe and the table of drivers
``DoubleFetchReport``         the double fetches of some drivers, as text and as JSON
=================  ============================================================================
"""

from harness.jobs.double_fetch.analyse import DoubleFetch, Reader, double_fetches, second_looks
from harness.jobs.double_fetch.places import CodePlaces
from harness.jobs.double_fetch.report import DoubleFetchReport, DriverReport, LocatedDoubleFetch
from harness.jobs.double_fetch.ring import Access
from harness.jobs.double_fetch.session import watch_target
from harness.jobs.double_fetch.targets import (
    TARGETS,
    Operation,
    Target,
    available,
    find_target,
    operations,
)
from harness.jobs.double_fetch.watch import Watched
from harness.kernel.code import CodePlace

__all__ = [
    "TARGETS",
    "Access",
    "CodePlace",
    "CodePlaces",
    "DoubleFetch",
    "DoubleFetchReport",
    "DriverReport",
    "LocatedDoubleFetch",
    "Operation",
    "Reader",
    "Target",
    "Watched",
    "available",
    "double_fetches",
    "find_target",
    "operations",
    "second_looks",
    "watch_target",
]
