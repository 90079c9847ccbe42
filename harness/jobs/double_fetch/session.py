# SPDX-License-Identifier: Apache-2.0
"""Watch one target, from plugging its device in to the report."""

from contextlib import closing

from harness.base.errors import QemuError
from harness.base.violation import PropertyViolated
from harness.jobs.double_fetch.analyse import second_looks
from harness.jobs.double_fetch.report import DriverReport
from harness.jobs.double_fetch.targets import Target, operations
from harness.jobs.double_fetch.watch import Watched
from harness.machine.qemu.snapshot import Snapshot


def watch_target(snapshot: Snapshot, target: Target) -> DriverReport:
    """Make the target's requests in a guest of its own.

    The report says if QEMU does not plug the device, or the guest cannot make a request. Raises
    as :class:`Watched`, and GuestHang when the driver does not come.
    """
    report = DriverReport(target.name)
    with closing(Watched(snapshot)) as watched:
        try:
            for operation in operations(watched.guest, target):
                accesses = watched.during(operation.work)
                report.accesses[operation.name] = len(accesses)
                doubles = second_looks(accesses, watched.places.reader)
                report.add(operation.name, doubles, watched.places)
        except (QemuError, PropertyViolated) as fault:
            report.fault = str(fault)
    return report
