# SPDX-License-Identifier: Apache-2.0
"""One driver from plugging its device in to the report."""

from harness.doublefetch.analyse import double_fetches
from harness.doublefetch.drivers import Driver, Operation, plug
from harness.doublefetch.report import DriverReport
from harness.doublefetch.ring import Access
from harness.doublefetch.watch import Watched
from harness.errors import InputError, QemuError
from harness.vm.snapshot import Snapshot


def watch_driver(snapshot: Snapshot, driver: Driver) -> DriverReport:
    """Make the driver's requests in a guest of its own.

    That QEMU does not have or plug the device is said in the report. Raises as :class:`Watched`
    and :func:`plug`, and InputError when the guest can not do what is asked for.
    """
    report = DriverReport(driver.name)
    with Watched(snapshot) as watched:
        try:
            plug(watched.guest, driver)
        except QemuError as fault:
            report.fault = str(fault)
            return report
        for operation in driver.operations:
            accesses = watch_operation(watched, operation)
            report.accesses[operation.name] = len(accesses)
            doubles = double_fetches(accesses, watched.places.reader)
            report.add(operation.name, doubles, watched.places)
    return report


def watch_operation(watched: Watched, operation: Operation) -> tuple[Access, ...]:
    """The accesses to the pool while the guest does *operation*."""

    def work() -> None:
        ran = watched.guest.agent.run(operation.command)
        if ran.status:
            raise InputError(
                f"'{operation.command}' ended with {ran.status} in the guest: {ran.text.strip()}"
            )

    return watched.during(work)
