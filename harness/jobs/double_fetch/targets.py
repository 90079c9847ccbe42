# SPDX-License-Identifier: Apache-2.0
"""Targets of a search for double fetches: the probe, and all real drivers of the table."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from harness.base.errors import InputError
from harness.devices.drivers import DRIVERS, Driver, built_in, plug, wait_usable
from harness.devices.probe import Direction, Mapping, Probe
from harness.devices.shell import shell
from harness.kernel import Kernel
from harness.machine.qemu.guest import Guest

PROBED_SIZE = 256


@dataclass(frozen=True)
class Operation:
    """One request of a driver; *work* makes it, and returns when it is done."""

    name: str
    work: Callable[[], object]


@dataclass(frozen=True)
class Target:
    """A *driver* to be watched; the probe if None."""

    name: str
    driver: Driver | None = None

    @property
    def option(self) -> str:
        """The kernel's option for it; empty for what every kernel under test has."""
        return self.driver.option if self.driver else ""


PROBE = Target("probe")

TARGETS = (PROBE, *(Target(driver.name, driver) for driver in DRIVERS))


def find_target(name: str) -> Target:
    """The target of that name; raises InputError if there is none."""
    for target in TARGETS:
        if target.name == name:
            return target
    known = ", ".join(target.name for target in TARGETS)
    raise InputError(f"unknown driver '{name}': expected one of {known}")


def available(kernel: Kernel) -> tuple[Target, ...]:
    """The targets that *kernel* has."""
    there = built_in(kernel)
    return tuple(one for one in TARGETS if one.driver is None or one.driver in there)


def operations(guest: Guest, target: Target) -> tuple[Operation, ...]:
    """Plug the target's device in, wait for its driver, and return the requests to make.

    Raises QemuError when QEMU does not plug it, GuestHang when the driver does not come.
    """
    if target.driver is None:
        return (
            Operation("map, unmap", lambda: _map(guest, lambda _: None)),
            Operation("map, sync, unmap", lambda: _map(guest, lambda one: one.sync_for_cpu())),
        )
    work = plug(guest, target.driver)
    wait_usable(guest, work.usable)
    return tuple(Operation(one.name, partial(shell, guest, one.command)) for one in work.operations)


def _map(guest: Guest, use: Callable[[Mapping], None]) -> None:
    """What a driver does that maps a buffer, *use*s the mapping, and unmaps it."""
    probe = Probe(guest.agent)
    buffer = probe.buffer(PROBED_SIZE)
    with probe.device("probe-a").map_single(buffer, Direction.FROM_DEVICE) as mapping:
        use(mapping)
    buffer.free()
