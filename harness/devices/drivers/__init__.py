# SPDX-License-Identifier: Apache-2.0
"""Real drivers of PCI devices: the one table of them, their devices, and what they are made to do.

==================  ==============================================================================
``DRIVERS``         the table; a driver more is an entry more, and its options in
                    kernel-config/flavours/drivers.config
``Driver``          an entry: kernel options, QEMU's device, Linux's driver, work
``plug``            plug a driver's device into a guest
``Work``            what the device is made to do, with a counterpart that checks all data
``HeldDisk``        a disk that keeps its answers until it is told to answer
``Cable``           the other end of a network card's cable, from which the guest is pinged
``built_in``        the entries that a kernel has a driver for
==================  ==============================================================================
"""

from harness.devices.drivers.cable import Cable
from harness.devices.drivers.driver import DRIVERS, Child, Driver, Part, built_in
from harness.devices.drivers.nbd import HeldDisk
from harness.devices.drivers.plug import (
    ENDPOINT,
    bind,
    connect,
    is_bound,
    plug,
    unbind,
    wait_usable,
)
from harness.devices.drivers.work import DiskWork, EntropyWork, NetworkWork, Work

__all__ = [
    "DRIVERS",
    "ENDPOINT",
    "Cable",
    "Child",
    "DiskWork",
    "Driver",
    "EntropyWork",
    "HeldDisk",
    "NetworkWork",
    "Part",
    "Work",
    "bind",
    "built_in",
    "connect",
    "is_bound",
    "plug",
    "unbind",
    "wait_usable",
]
