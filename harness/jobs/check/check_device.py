# SPDX-License-Identifier: Apache-2.0
"""Check one device: plug it in, have its driver use it, and see what the fence refused."""

import re
from contextlib import suppress
from dataclasses import replace

from harness.base.errors import GuestError, GuestHang, HarnessError, QemuError
from harness.base.violation import PropertyViolated
from harness.devices.drivers import ENDPOINT, Driver, Work, plug
from harness.devices.shell import ENDED, ended, start
from harness.devices.shell import TIMEOUT as SHELL_TIMEOUT
from harness.jobs.check.answers import DeviceAnswer, DeviceState, Escape
from harness.jobs.check.kernel_parts import driver_name
from harness.jobs.check.origin import TRACE_FROM_BOOT, find_origin, start_trace
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import Snapshot, restore

BINDING, USING = 20.0, 40.0
"""Seconds of the guest's own time for a driver to make its device usable, and for a small transfer.
Measured with Debian's 6.12 on a busy host: 2, and 5 for a network card."""

POLL = 0.1
"""Seconds between two looks; neither QEMU's log nor the guest sends an event."""

BOOT_LOOKS, BOOT_LOOK = 12, 10.0
"""How often, and for how many seconds of the guest's own time, a boot is waited for."""

KILLED = "137"
"""The status of a command that was killed at its time-out: 128 and SIGKILL."""

_ENDED = re.compile(r"'.*' ended with (\d+) in the guest: ?(.*)", re.DOTALL)
"""The summary of :func:`harness.devices.shell.shell`."""

LAST_LINES = 4
"""The kernel's lines about a device that an answer keeps."""


def check_device(snapshot: Snapshot, driver: Driver) -> DeviceAnswer:
    """Check the device of *driver* in a guest of its own.

    Raises QemuError when QEMU does not plug it, and what :func:`restore` does.
    """
    with restore(snapshot) as guest:
        start_trace(guest)
        return _answer(guest, driver, *_judge(guest, plug(guest, driver)))


def check_device_at_boot(machine: Machine, driver: Driver) -> DeviceAnswer:
    """Check the device of *driver* in a guest that boots with it; for a kernel without hot-plug.

    Raises QemuError when QEMU does not plug it.
    """
    traced = replace(machine, append=f"{machine.append} {TRACE_FROM_BOOT}".strip())
    with Guest(traced) as guest:
        work = plug(guest, driver)
        guest.reset()  # a root port whose slot was empty at the last reset is off
        fault = _boots(guest)
        if fault is not None:
            return _answer(guest, driver, DeviceState.UNBOUND, str(fault), ready=False)
        return _answer(guest, driver, *_judge(guest, work))


def _boots(guest: Guest) -> GuestError | None:
    """Wait for the agent; why it does not come. A built-in driver may wait for its device forever.

    Gives up early when the fence has refused something.
    """
    for _ in range(BOOT_LOOKS):
        try:
            guest.wait_ready(BOOT_LOOK)
        except GuestError as fault:
            if guest.ending or guest.fence_refusals():
                return fault
        else:
            return None
    return GuestHang(f"the guest did not boot in {BOOT_LOOKS * BOOT_LOOK:g} s")


def _answer(
    guest: Guest, driver: Driver, state: DeviceState, detail: str, ready: bool = True
) -> DeviceAnswer:
    """The answer for a device that is in *state*, unless the fence refused something.

    *ready*: whether the agent can be asked.
    """
    escape = _escape(guest, ready)
    if escape is not None:
        state, detail = DeviceState.OUTSIDE, escape.text
    elif damage := _damage(guest):
        raise QemuError(f"the fence is not intact after a check: {'; '.join(damage)}")
    lines = [line for line in guest.console.lines if _is_about(line, driver)]
    last = tuple(lines[-LAST_LINES:])
    return DeviceAnswer(driver.name, driver_name(driver), state, detail, escape, last)


def _judge(guest: Guest, work: Work) -> tuple[DeviceState, str]:
    """Use the device; the state holds if the fence refuses nothing."""
    try:
        usable = _comes_true(guest, work.usable, BINDING)
    except GuestError as fault:
        return DeviceState.UNBOUND, str(fault)
    if not usable:
        return DeviceState.UNBOUND, f"its driver did not make it usable in {BINDING:g} s"
    try:
        return _use(guest, work)
    except PropertyViolated as fault:
        return DeviceState.BROKEN, why_broken(fault)
    except GuestError as fault:
        return DeviceState.BROKEN, str(fault)


def _use(guest: Guest, work: Work) -> tuple[DeviceState, str]:
    """A small transfer in the background, where a refusal ends the wait for it; then large ones."""
    start(guest, work.attempt)
    in_time = _comes_true(guest, f"[ -s {ENDED} ]", USING)
    if guest.fence_refusals():
        return DeviceState.OUTSIDE, ""
    end = ended(guest) if in_time else None
    if end is None:
        return DeviceState.BROKEN, f"a small transfer did not end in {USING:g} s"
    status, said = end
    if status:
        return DeviceState.BROKEN, f"a small transfer failed: {said}"
    return DeviceState.INSIDE, f"{work.do() / (1 << 20):.3g} MiB moved and compared"


def why_broken(fault: PropertyViolated) -> str:
    """What went wrong in a larger transfer, without the command that made it."""
    said = fault.violations[0].summary
    ended = _ENDED.fullmatch(said)
    if ended is None:
        return said
    if ended[1] == KILLED:
        return f"a larger transfer did not end in {SHELL_TIMEOUT:g} s"
    return f"a larger transfer failed: {ended[2] or f'status {ended[1]}'}"


def _comes_true(guest: Guest, condition: str, seconds: float) -> bool:
    """Whether a condition for the guest's shell comes true in time, and before a refusal."""
    patience = guest.watch.patience(seconds)
    while not guest.fence_refusals():
        if guest.agent.run(condition).status == 0:
            return True
        if patience.left() <= 0:
            return False
        guest.watch.sleep(POLL)
    return False


def _escape(guest: Guest, ready: bool) -> Escape | None:
    """What the fence refused, and where the first address came from."""
    refused = guest.fence_refusals()
    if not refused:
        return None
    origin = None
    with suppress(GuestError, HarnessError):  # a guest that is dead or hangs tells no more
        origin = find_origin(guest, refused[0].address) if ready else None
    return Escape(refused[0], len(refused), origin)


def _damage(guest: Guest) -> list[str]:
    return [] if guest.ending else guest.fence_damage()


def _is_about(line: str, driver: Driver) -> bool:
    """Whether *line* is a driver's; those of the PCI core say only that the device is there."""
    words = (f" {ENDPOINT}", driver.parts[0].module, driver.pci_driver)
    return f"pci {ENDPOINT}" not in line and any(word in line for word in words)
