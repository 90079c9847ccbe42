# SPDX-License-Identifier: Apache-2.0
"""The guests of one test: started and examined on request, kept if the test fails."""

import functools
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.base.errors import GuestError, HarnessError, QemuError
from harness.base.violation import Violation
from harness.devices.oracles import NO_BASELINE, Baseline
from harness.devices.oracles.examiner import Examiner
from harness.machine.machine import Machine
from harness.machine.qemu.artifacts import TRACES, keep, reopen_command
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import Snapshot, boot, park, restore
from harness.plugin.results import reported


@dataclass
class Guests:
    """All guests of the running test; *watch* is called with each new one."""

    watch: Callable[[Guest], None] = lambda _: None
    live: list[Guest] = field(default_factory=list)
    examiner: Examiner = field(default_factory=Examiner)
    _before: dict[Guest, Baseline] = field(default_factory=dict)

    def restored(self, machine: Machine) -> Guest:
        """A guest restored from the machine's parked one: a fraction of a second."""
        snapshot = _parked(machine)

        def prepare(guest: Guest) -> None:
            self._before[guest] = self.examiner.prepare(guest, snapshot.identity.boot_id)

        return self._add(_fenced(restore(snapshot, prepare)))

    def booted(self, machine: Machine) -> Guest:
        """A guest that has just booted, for tests of the boot itself."""
        return self._add(_fenced(boot(machine)))

    def stopped(self, machine: Machine) -> Guest:
        """A guest that has not run yet; the test resumes it."""
        return self._add(Guest(machine))

    def discard(self, guest: Guest) -> None:
        """Discard one of the guests, with its artifacts."""
        self.live.remove(guest)
        self._before.pop(guest, None)
        guest.close()

    def before(self, guest: Guest) -> Baseline:
        """The state of one of the guests before it ran."""
        return self._before.get(guest, NO_BASELINE)

    def examine(self, guest: Guest) -> list[Violation]:
        """The violations that the oracles see in *guest*; raises as :meth:`Examiner.examine`."""
        return self.examiner.examine(guest, self.before(guest))

    def close(self) -> None:
        """Discard all guests."""
        for guest in self.live:
            guest.close()
        self.live.clear()
        self._before.clear()

    def _add(self, guest: Guest) -> Guest:
        self.live.append(guest)
        self.watch(guest)
        return guest


def _fenced(guest: Guest) -> Guest:
    """Return *guest*; raise QemuError if its fence is not intact.

    At the end of a test that is a failure, see fences.py; at the start it is an error.
    """
    damage = guest.fence_damage()
    if damage:
        guest.close()
        raise QemuError(f"the fence is not intact before the test begins: {'; '.join(damage)}")
    return guest


def _parked(machine: Machine) -> Snapshot:
    """Return the machine's parked guest, or raise why it cannot be parked.

    It is tried once in a session: a boot that hangs costs one time-out, not one for each test.
    """
    outcome = _try_to_park(machine)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@functools.cache
def _try_to_park(machine: Machine) -> Snapshot | GuestError | HarnessError:
    try:
        return park(machine)
    except (GuestError, HarnessError) as error:
        return error


guests_key = pytest.StashKey[Guests]()
CALLS, DEBUG = "the driver's last calls", "debug"
"""Sections of a failed test's report; a violation says both itself."""

STACK = "the kernel's stack"
"""The section with the stacks of the kernel's reports, in files and lines."""

kept_key = pytest.StashKey[list[Path]]()
"""The directories with the artifacts of a test's guests."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the artifacts of the test's guests, and add the debug command to the report."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, GuestError) and error.artifacts:
        _note(item, report, Path(error.artifacts))
    guests = item.stash.get(guests_key, None)
    if guests is not None and _shall_keep(item.config, report, call.when):
        for guest in guests.live:
            if not guest.closed:
                _keep(item, report, guest)
    return report


def _shall_keep(config: pytest.Config, report: pytest.TestReport, phase: str) -> bool:
    keep = config.getoption("--keep")
    result = reported(report)
    failed = result is not None and result.at_fault
    return (keep == "failed" and failed) or (keep == "all" and phase == "call")


def _note(item: pytest.Item, report: pytest.TestReport, directory: Path) -> None:
    """Name the directory of artifacts in the report, and in JUnit."""
    item.stash.setdefault(kept_key, []).append(directory)
    noted = ("artifacts", str(directory))
    report.user_properties.append(noted)
    item.user_properties.append(noted)  # JUnit takes the last report's


def _keep(item: pytest.Item, report: pytest.TestReport, guest: Guest) -> None:
    """Keep the guest's artifacts; the report and JUnit name their directory."""
    try:
        directory = keep(guest, re.sub(r"\W+", "-", item.name).strip("-"))
    except HarnessError as fault:
        report.sections.append(("artifacts", str(fault)))
        return
    _note(item, report, directory)
    if guest.agent.journal:
        report.sections.append((CALLS, "\n".join(guest.agent.journal.last())))
    traces = directory / TRACES
    if traces.exists():
        report.sections.append((STACK, traces.read_text()))
    report.sections.append((DEBUG, reopen_command(directory)))
