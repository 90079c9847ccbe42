# SPDX-License-Identifier: Apache-2.0
"""Bind and unbind drivers, and remove and rescan PCI devices, by the guest's sysfs."""

from harness.devices.probe import Bus, Device
from harness.devices.shell import shell
from harness.machine.qemu.guest import Guest

DRIVERS = {
    Bus.PLATFORM: "/sys/bus/platform/drivers/restricted-dma-probe-node",
    Bus.PCI: "/sys/bus/pci/drivers/restricted-dma-probe-pci",
}
"""guest/probe/drivers.c"""


def unbind(guest: Guest, device: Device) -> None:
    """Unbind the device from its driver."""
    shell(guest, f"echo {device.name} > {DRIVERS[device.bus]}/unbind")


def bind(guest: Guest, device: Device) -> None:
    """Bind the device to its driver again; the old Device is then invalid."""
    shell(guest, f"echo {device.name} > {DRIVERS[device.bus]}/bind")


def rebind(guest: Guest, device: Device, times: int) -> None:
    """Unbind and bind the device *times* times."""
    change = f"echo {device.name} > unbind && echo {device.name} > bind"
    repeat(guest, f"cd {DRIVERS[device.bus]} && {change}", times)


def replace(guest: Guest, device: Device, times: int) -> None:
    """Remove a PCI device and rescan the bus, *times* times."""
    change = f"echo 1 > devices/{device.name}/remove && echo 1 > rescan"
    repeat(guest, f"cd /sys/bus/pci && {change}", times)


def repeat(guest: Guest, command: str, times: int) -> None:
    """Run a shell command in the guest *times* times; stop if it fails."""
    shell(guest, f"for turn in $(seq {times}); do {command} || exit 1; done")
