# SPDX-License-Identifier: Apache-2.0
"""One driver from plugging its device in to the report."""

from functools import partial

from harness.base.errors import QemuError
from harness.jobs.double_fetch.analyse import second_looks
from harness.jobs.double_fetch.drivers import Driver, plug
from harness.jobs.double_fetch.report import DriverReport
from harness.jobs.double_fetch.watch import Watched
from harness.machine.qemu.snapshot import Snapshot


def watch_driver(snapshot: Snapshot, driver: Driver) -> DriverReport:
    """Make the driver's requests in a guest of its own.

    That QEMU does not have, or does not plug, the device is said in the report. Raises as
    :class:`Watched` and :func:`plug`, and InputError when the guest cannot do what is asked for.
    """
    report = DriverReport(driver.name)
    with Watched(snapshot) as watched:
        try:
            plug(watched.guest, driver)
        except QemuError as fault:
            report.fault = str(fault)
            return report
        for operation in driver.operations:
            accesses = watched.during(partial(operation.work, watched.guest))
            report.accesses[operation.name] = len(accesses)
            doubles = second_looks(accesses, watched.places.reader)
            report.add(operation.name, doubles, watched.places)
    return report
