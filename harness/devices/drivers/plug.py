# SPDX-License-Identifier: Apache-2.0
"""Plug the device of a real driver into a guest, and bind and unbind the driver."""

from collections.abc import Mapping

from harness.base.errors import GuestHang
from harness.devices.drivers.driver import CONTROLLER, Driver
from harness.devices.drivers.work import Work
from harness.devices.shell import shell
from harness.machine.qemu.guest import Guest

PORT = "rp0"
ENDPOINT = "0000:01:00.0"
"""What is plugged into that root port, as Linux names it."""

CHILD = "child"
"""The id in QEMU of the device behind a controller."""

LOOKS = 1000
"""Polls, 10 ms apart, for a usable device; the guest sends no event."""


def plug(guest: Guest, driver: Driver, work: Work | None = None) -> Work:
    """Plug the driver's device, with its child, into root port 0 of the paused guest.

    *work* is what was made for the device, by default the driver's own. Raises QemuError when QEMU
    does not have the device, or does not plug it.
    """
    work = work or driver.work(guest, driver.node)
    connect(guest, driver, work.backend)
    return work


def connect(guest: Guest, driver: Driver, backend: Mapping[str, object]) -> None:
    """As :func:`plug`, with the properties by which the device has its disk or its network."""
    own = {} if driver.child else backend
    guest.pause()
    _add(guest, CONTROLLER, driver.model, PORT, {**dict(driver.properties), **own})
    if driver.child:
        if driver.child.cold:
            _open(guest, driver.child.bus)
        _add(guest, CHILD, driver.child.model, driver.child.bus, backend)
    guest.resume()


def wait_usable(guest: Guest, usable: str) -> None:
    """Wait until a driver has made its device *usable*, a condition for the guest's shell.

    Raises GuestHang. What a driver prints is no sign: it may do so before its device has a node.
    """
    wait = f"n=0; until {usable}; do usleep 10000; n=$((n+1)); [ $n -lt {LOOKS} ]"
    ran = guest.agent.run(f"{wait} || exit 1; done", timeout=60.0)
    if ran.status:
        raise GuestHang(
            f"waited {LOOKS / 100:g} s for a driver: '{usable}' did not come true in the "
            f"guest; last console line: {guest.console.last_line()}"
        )


def unbind(guest: Guest, driver: Driver) -> None:
    """Take the device away from its driver."""
    shell(guest, f"echo {ENDPOINT} > {driver.sysfs}/unbind")


def bind(guest: Guest, driver: Driver) -> None:
    """Bind the driver to the device again."""
    shell(guest, f"echo {ENDPOINT} > {driver.sysfs}/bind")


def is_bound(guest: Guest, driver: Driver) -> bool:
    """Whether the driver has the device."""
    return guest.agent.run(f"[ -e {driver.sysfs}/{ENDPOINT} ]").status == 0


def _add(guest: Guest, name: str, model: str, bus: str, properties: Mapping[str, object]) -> None:
    guest.monitor.execute("device_add", {"driver": model, "id": name, "bus": bus, **properties})


def _open(guest: Guest, bus: str) -> None:
    """Have QEMU let a device be plugged into a controller's bus.

    A bus without a hot-plug handler takes none (QEMU, softmmu/qdev-monitor.c:qdev_device_add, 7.2).
    The board as handler ignores devices of such buses; and the guest has not seen the controller
    yet, so that for it nothing is plugged in later.
    """
    path = f"/machine/peripheral/{CONTROLLER}/{bus}"
    guest.monitor.execute("qom-set", path=path, property="hotplug-handler", value="/machine")
