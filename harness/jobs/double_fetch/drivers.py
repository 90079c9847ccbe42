# SPDX-License-Identifier: Apache-2.0
"""The drivers that can be watched, as data: a device for each, and requests made of it.

To add one, add an entry to ``DRIVERS``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.base.errors import GuestHang, InputError
from harness.devices.probe import Direction, Probe
from harness.devices.probe import Mapping as DmaMapping
from harness.kernel import Kernel
from harness.kernel.build.kconfig import read_config
from harness.machine.qemu.guest import Guest

PORT = "rp0"
"""The root port that a device is plugged into."""

DISK, DISK_SIZE = "disk", 4 << 20
"""The node, and its size in bytes, that every device with storage gets."""

NETWORK = "network"

SEND = "ping -c 1 -W 1 10.0.2.2 || true"
"""Frames to QEMU's user network; whether a ping is answered is the host's affair."""

PROBED_SIZE = 256

BIND_TRIES = 1000
"""Looks at 10 ms that a driver has to be bound; nothing in the guest tells of it."""


@dataclass(frozen=True)
class Operation:
    """One request of a driver; *work* makes it, and returns when it is done."""

    name: str
    work: Callable[[Guest], object]


def shell(command: str) -> Callable[[Guest], object]:
    """Work that is a shell command; raises InputError when it fails in the guest."""

    def work(guest: Guest) -> None:
        ran = guest.agent.run(command)
        if ran.status:
            raise InputError(
                f"'{command}' ended with {ran.status} in the guest: {ran.text.strip()}"
            )

    return work


@dataclass(frozen=True)
class Part:
    """A device of QEMU's, with its properties.

    *cold*: on its bus, QEMU lets nothing be plugged in once the machine is there.
    """

    model: str
    properties: Mapping[str, object] = field(default_factory=dict)
    cold: bool = False


@dataclass(frozen=True)
class Driver:
    """A driver: the kernel's *option* for it, its device, how it shows, what it is asked for.

    *option* is empty for what every kernel under test has. *parts* are plugged in order, the first
    into the root port. *ready* is a condition of the guest's shell. *back_end* is ``disk``,
    ``network`` or nothing.
    """

    name: str
    operations: tuple[Operation, ...]
    option: str = ""
    parts: tuple[Part, ...] = ()
    ready: str = "true"
    back_end: str = ""


def _probe(use: Callable[[DmaMapping], None]) -> Callable[[Guest], object]:
    """Work that is a mapping of the probe's: what a driver does that *use*s it, then unmaps it."""

    def work(guest: Guest) -> None:
        probe = Probe(guest.agent)
        buffer = probe.buffer(PROBED_SIZE)
        with probe.device("probe-a").map_single(buffer, Direction.FROM_DEVICE) as mapping:
            use(mapping)
        buffer.free()

    return work


VIRTIO = {"disable-legacy": "on", "iommu_platform": True}
NO_ROM = {"romfile": ""}


def _storage(node: str) -> tuple[Operation, ...]:
    """A read and a write of one page, past the page cache."""
    return (
        Operation(
            "read 4 KiB", shell(f"dd if=/dev/{node} of=/dev/null bs=4096 count=1 iflag=direct")
        ),
        Operation(
            "write 4 KiB", shell(f"dd if=/dev/zero of=/dev/{node} bs=4096 count=1 oflag=direct")
        ),
    )


CARD = (
    Operation("up", shell("ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up")),
    Operation("send", shell(SEND)),
)
"""A network card is switched on, and used."""


DRIVERS = (
    Driver(
        name="probe",
        operations=(
            Operation("map, unmap", _probe(lambda _: None)),
            Operation("map, sync, unmap", _probe(lambda mapping: mapping.sync_for_cpu())),
        ),
    ),
    Driver(
        name="virtio-rng",
        option="HW_RANDOM_VIRTIO",
        parts=(Part("virtio-rng-pci", VIRTIO),),
        ready="grep -q virtio_rng /sys/class/misc/hw_random/rng_current",
        operations=(
            Operation("read 16 bytes", shell("dd if=/dev/hwrng of=/dev/null bs=16 count=1")),
            Operation("read 64 bytes", shell("dd if=/dev/hwrng of=/dev/null bs=64 count=1")),
        ),
    ),
    Driver(
        name="virtio-blk",
        option="VIRTIO_BLK",
        parts=(Part("virtio-blk-pci", {**VIRTIO, "drive": DISK}),),
        ready="[ -b /dev/vda ]",
        operations=_storage("vda"),
        back_end=DISK,
    ),
    Driver(
        name="virtio-net",
        option="VIRTIO_NET",
        parts=(Part("virtio-net-pci", {**VIRTIO, **NO_ROM, "netdev": NETWORK}),),
        ready="[ -e /sys/class/net/eth0 ]",
        operations=CARD,
        back_end=NETWORK,
    ),
    Driver(
        name="nvme",
        option="BLK_DEV_NVME",
        parts=(Part("nvme", {"serial": "watched", "drive": DISK}),),
        ready="[ -b /dev/nvme0n1 ]",
        operations=_storage("nvme0n1"),
        back_end=DISK,
    ),
    Driver(
        name="e1000e",
        option="E1000E",
        parts=(Part("e1000e", {**NO_ROM, "netdev": NETWORK}),),
        ready="[ -e /sys/class/net/eth0 ]",
        operations=CARD,
        back_end=NETWORK,
    ),
    Driver(
        name="ahci",
        option="SATA_AHCI",
        parts=(
            Part("ich9-ahci"),
            Part("ide-hd", {"bus": "ich9-ahci.0", "drive": DISK}, cold=True),
        ),
        ready="[ -b /dev/sda ]",
        operations=_storage("sda"),
        back_end=DISK,
    ),
    Driver(
        name="sdhci",
        option="MMC_SDHCI_PCI",
        parts=(
            Part("sdhci-pci"),
            Part("sd-card", {"bus": "sd-bus", "drive": DISK}, cold=True),
        ),
        ready="[ -b /dev/mmcblk0 ]",
        operations=_storage("mmcblk0"),
        back_end=DISK,
    ),
    Driver(
        name="xhci",
        option="USB_STORAGE",
        parts=(
            Part("qemu-xhci"),
            Part("usb-storage", {"bus": "qemu-xhci.0", "drive": DISK}),
        ),
        ready="[ -b /dev/sda ]",
        operations=_storage("sda"),
        back_end=DISK,
    ),
)


def find_driver(name: str) -> Driver:
    """The entry of that name; raises InputError if there is none."""
    for driver in DRIVERS:
        if driver.name == name:
            return driver
    known = ", ".join(driver.name for driver in DRIVERS)
    raise InputError(f"no driver '{name}' can be watched; known are {known}")


def built_in(kernel: Kernel) -> tuple[Driver, ...]:
    """The drivers that *kernel* has."""
    options = read_config(kernel.config)
    return tuple(one for one in DRIVERS if not one.option or options.get(one.option) == "y")


def plug(guest: Guest, driver: Driver) -> None:
    """Plug the driver's device into root port 0, and wait until it is bound.

    Raises QemuError when QEMU refuses, GuestHang when the driver does not come.
    """
    if driver.back_end == DISK:
        _add_disk(guest, guest.directory / "watched-disk")
    elif driver.back_end == NETWORK:
        guest.monitor.execute("netdev_add", {"type": "user", "id": NETWORK, "restrict": True})
    guest.pause()  # so that the guest sees the whole device, or nothing
    for number, part in enumerate(driver.parts):
        if part.cold:
            _open_bus(guest, driver.parts[0].model, str(part.properties["bus"]))
        bus = {"bus": PORT} if number == 0 else {}
        words = {"driver": part.model, "id": part.model, **bus, **part.properties}
        guest.monitor.execute("device_add", words)
    guest.resume()
    wait = f"n=0; until {driver.ready}; do usleep 10000; n=$((n+1)); [ $n -lt {BIND_TRIES} ]"
    bound = guest.agent.run(f"{wait} || exit 1; done", timeout=60.0)
    if bound.status:
        raise GuestHang(
            f"waited {BIND_TRIES / 100:g} s for the driver of {driver.name}: '{driver.ready}' did "
            f"not come true in the guest; last console line: {guest.console.last_line()}"
        )


def _add_disk(guest: Guest, file: Path) -> None:
    with file.open("wb") as disk:
        disk.truncate(DISK_SIZE)
    guest.monitor.execute(
        "blockdev-add", {"driver": "file", "node-name": DISK, "filename": str(file)}
    )


def _open_bus(guest: Guest, controller: str, bus: str) -> None:
    """Have QEMU let a device be plugged into a controller's bus.

    A bus without a hot-plug handler takes none (QEMU, softmmu/qdev-monitor.c:qdev_device_add, 7.2);
    the board as handler passes devices by that are none of its own.
    """
    path = f"/machine/peripheral/{controller}/{bus}"
    guest.monitor.execute("qom-set", path=path, property="hotplug-handler", value="/machine")
