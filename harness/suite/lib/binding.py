# SPDX-License-Identifier: Apache-2.0
"""Drivers and devices that come and go, by the guest's sysfs."""

from harness.devices.probe import Bus, Device
from harness.devices.shell import shell
from harness.machine.qemu.guest import Guest

DRIVERS = {
    Bus.PLATFORM: "/sys/bus/platform/drivers/restricted-dma-probe-node",
    Bus.PCI: "/sys/bus/pci/drivers/restricted-dma-probe-pci",
}
"""guest/probe/drivers.c"""


def unbind(guest: Guest, device: Device) -> None:
    """Take the device away from its driver."""
    shell(guest, f"echo {device.name} > {DRIVERS[device.bus]}/unbind")


def bind(guest: Guest, device: Device) -> None:
    """Bind the device to its driver again; what was known of it as a Device is void."""
    shell(guest, f"echo {device.name} > {DRIVERS[device.bus]}/bind")


def rebind(guest: Guest, device: Device, times: int) -> None:
    """Unbind and bind the device so many times."""
    change = f"echo {device.name} > unbind && echo {device.name} > bind"
    repeat(guest, f"cd {DRIVERS[device.bus]} && {change}", times)


def replace(guest: Guest, device: Device, times: int) -> None:
    """Have the kernel forget a PCI device, and find it anew, so many times."""
    change = f"echo 1 > devices/{device.name}/remove && echo 1 > rescan"
    repeat(guest, f"cd /sys/bus/pci && {change}", times)


def repeat(guest: Guest, command: str, times: int) -> None:
    """Run a shell command of the guest's so many times, as long as it succeeds."""
    shell(guest, f"for turn in $(seq {times}); do {command} || exit 1; done")
