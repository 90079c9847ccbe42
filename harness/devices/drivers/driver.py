# SPDX-License-Identifier: Apache-2.0
"""The table of real drivers: for each, the kernel's option, QEMU's device, and the work for it."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.devices.drivers.work import DiskWork, EntropyWork, NetworkWork, Work
from harness.kernel import Kernel
from harness.kernel.abilities import abilities_of
from harness.machine.qemu.guest import Guest

CONTROLLER = "controller"
"""The id in QEMU of the device in the root port."""

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
class Part:
    """What the kernel needs for a device: its *option*, without ``CONFIG_``, and its *module*."""

    option: str
    module: str


VIRTIO_PCI, SCSI_DISK = Part("VIRTIO_PCI", "virtio_pci"), Part("BLK_DEV_SD", "sd_mod")


@dataclass(frozen=True)
class Driver:
    """A driver of Linux's and a device for it.

    *parts* are what the kernel needs for it, first the driver itself. *model* is QEMU's device for
    the root port, with *properties*; *pci_driver* the driver of it on Linux's PCI bus. *work* is
    done with that device, or with the *child* behind it, which appears in the guest as *node*: a
    glob, as a disk may come back with another name.
    """

    name: str
    parts: tuple[Part, ...]
    model: str
    pci_driver: str
    work: Callable[[Guest, str], Work]
    node: str
    properties: Properties = ()
    child: Child | None = None

    @property
    def option(self) -> str:
        """The kernel's option of the driver itself."""
        return self.parts[0].option

    @property
    def devices(self) -> tuple[str, ...]:
        """QEMU's devices that it needs."""
        return (self.model, self.child.model) if self.child else (self.model,)

    @property
    def sysfs(self) -> str:
        """The driver in the guest's sysfs."""
        return f"/sys/bus/pci/drivers/{self.pci_driver}"


DRIVERS: tuple[Driver, ...] = (
    Driver(
        "virtio-blk",
        (Part("VIRTIO_BLK", "virtio_blk"), VIRTIO_PCI),
        "virtio-blk-pci",
        "virtio-pci",
        DiskWork,
        "vd?",
        MODERN,
    ),
    Driver(
        "virtio-net",
        (Part("VIRTIO_NET", "virtio_net"), VIRTIO_PCI),
        "virtio-net-pci",
        "virtio-pci",
        NetworkWork,
        "eth?",
        MODERN + NO_ROM,
    ),
    Driver(
        "virtio-rng",
        (Part("HW_RANDOM_VIRTIO", "virtio_rng"), VIRTIO_PCI),
        "virtio-rng-pci",
        "virtio-pci",
        EntropyWork,
        "hwrng",
        MODERN,
    ),
    Driver(
        "nvme",
        (Part("BLK_DEV_NVME", "nvme"),),
        "nvme",
        "nvme",
        DiskWork,
        "nvme*n1",
        (("serial", "1"),),
    ),
    Driver("e1000e", (Part("E1000E", "e1000e"),), "e1000e", "e1000e", NetworkWork, "eth?", NO_ROM),
    Driver(
        "ahci",
        (Part("SATA_AHCI", "ahci"), SCSI_DISK),
        "ich9-ahci",
        "ahci",
        DiskWork,
        "sd?",
        child=Child("ide-hd", f"{CONTROLLER}.0", cold=True),
    ),
    Driver(
        "sdhci",
        (Part("MMC_SDHCI_PCI", "sdhci_pci"), Part("MMC_BLOCK", "mmc_block")),
        "sdhci-pci",
        "sdhci-pci",
        DiskWork,
        "mmcblk?",
        child=Child("sd-card", "sd-bus", cold=True),
    ),
    Driver(
        "xhci",
        (Part("USB_STORAGE", "usb_storage"), Part("USB_XHCI_PCI", "xhci_pci"), SCSI_DISK),
        "qemu-xhci",
        "xhci_hcd",
        DiskWork,
        "sd?",
        child=Child("usb-storage", f"{CONTROLLER}.0", cold=False),
    ),
)


def built_in(kernel: Kernel) -> tuple[Driver, ...]:
    """The drivers that *kernel* has."""
    abilities = abilities_of(kernel)
    return tuple(
        one for one in DRIVERS if all(abilities.has(f"{part.option}=y") for part in one.parts)
    )
