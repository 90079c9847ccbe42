# SPDX-License-Identifier: Apache-2.0
"""Real drivers of PCI devices: what is plugged in for each, and what it is made to do.

A driver more is one more entry of DRIVERS, and what it needs in kernel-config/flavours/drivers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.machine.qemu.guest import Guest
from harness.suite.lib.binding import do
from harness.suite.lib.driver_work import Disk, Entropy, Network, Work

PORT = "rp0"
ENDPOINT = "0000:01:00.0"
"""What is plugged into that root port, as Linux names it."""

CONTROLLER, CHILD = "controller", "child"
"""Ids in QEMU."""

Properties = tuple[tuple[str, object], ...]

MODERN: Properties = (("disable-legacy", "on"), ("iommu_platform", True))
NO_ROM: Properties = (("romfile", ""),)


@dataclass(frozen=True)
class Child:
    """A device behind a controller, on its *bus*.

    *cold*: QEMU lets nothing be plugged into that bus once the machine is there.
    """

    model: str
    bus: str
    cold: bool


@dataclass(frozen=True)
class Driver:
    """*name* is the driver on Linux's PCI bus of QEMU's device *model* with *properties*.

    What it works with is the device's own, or that of the *child* behind it.
    """

    model: str
    name: str
    work: Callable[[Guest], Work]
    properties: Properties = ()
    child: Child | None = None

    @property
    def sysfs(self) -> str:
        """The driver in the guest's sysfs."""
        return f"/sys/bus/pci/drivers/{self.name}"


DRIVERS: tuple[Driver, ...] = (
    Driver("virtio-blk-pci", "virtio-pci", Disk, MODERN),
    Driver("virtio-net-pci", "virtio-pci", Network, MODERN + NO_ROM),
    Driver("virtio-rng-pci", "virtio-pci", Entropy, MODERN),
    Driver("nvme", "nvme", Disk, (("serial", "1"),)),
    Driver("e1000e", "e1000e", Network, NO_ROM),
    Driver("ich9-ahci", "ahci", Disk, child=Child("ide-hd", f"{CONTROLLER}.0", cold=True)),
    Driver("sdhci-pci", "sdhci-pci", Disk, child=Child("sd-card", "sd-bus", cold=True)),
    Driver("qemu-xhci", "xhci_hcd", Disk, child=Child("usb-storage", f"{CONTROLLER}.0", False)),
)


def plug(guest: Guest, driver: Driver) -> Work:
    """Plug the driver's device into a root port, all of it before the guest sees any."""
    work = driver.work(guest)
    own = {} if driver.child else work.backend
    guest.pause()
    _add(guest, CONTROLLER, driver.model, PORT, {**dict(driver.properties), **own})
    if driver.child:
        if driver.child.cold:
            _open(guest, driver.child.bus)
        _add(guest, CHILD, driver.child.model, driver.child.bus, work.backend)
    guest.resume()
    return work


def wait_usable(guest: Guest, work: Work) -> None:
    """Wait until the driver has made of its device what the work needs.

    The guest looks every 20 ms: no program there is told of devices.
    """
    do(guest, f"until {work.usable}; do usleep 20000; done")


def unbind(guest: Guest, driver: Driver) -> None:
    """Take the device away from its driver."""
    do(guest, f"echo {ENDPOINT} > {driver.sysfs}/unbind")


def bind(guest: Guest, driver: Driver) -> None:
    """Give it back."""
    do(guest, f"echo {ENDPOINT} > {driver.sysfs}/bind")


def is_bound(guest: Guest, driver: Driver) -> bool:
    """Whether the driver has the device."""
    return guest.agent.run(f"[ -e {driver.sysfs}/{ENDPOINT} ]").status == 0


def start(guest: Guest, command: str) -> None:
    """Start a shell command of the guest's; a FIFO has its exit status when it is over."""
    do(guest, f"rm -f {FIFO}; mkfifo {FIFO}")
    do(guest, f"({{ {command}; }}; echo $? > {FIFO}) > /dev/null 2>&1 &")


def ending(guest: Guest, timeout: float) -> int | None:
    """The exit status of the command that was started; None if it has none after *timeout* s."""
    ran = guest.agent.run(f"cat {FIFO}", timeout)
    return None if ran.timed_out else int(ran.text)


FIFO = "/tmp/ending"


def _add(guest: Guest, name: str, model: str, bus: str, properties: Mapping[str, object]) -> None:
    guest.monitor.execute("device_add", {"driver": model, "id": name, "bus": bus, **properties})


def _open(guest: Guest, bus: str) -> None:
    """Have QEMU let a device be plugged into a controller's bus.

    It wants somebody who handles that, and has nobody for this kind of bus (qdev_device_add in
    softmmu/qdev-monitor.c). The board will do, which has nothing to do with such devices; and the
    guest has not seen the controller yet, so that for it nothing is plugged in later.
    """
    path = f"/machine/peripheral/{CONTROLLER}/{bus}"
    guest.monitor.execute("qom-set", path=path, property="hotplug-handler", value="/machine")
