# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the suite: the device under test, and a guest before its boot."""

import pytest

from harness.devices.probe import Device, Probe
from harness.devices.rogue import EduRogue
from harness.kernel import Initramfs, Kernel
from harness.machine.binary import Qemu
from harness.machine.environment import Environment
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.plugin.guests import Guests

PLATFORM, COHERENT, PCI = "probe-a", "probe-b", "pci"
DRIVERS = (PLATFORM, COHERENT, PCI)
"""A platform device that is not dma-coherent, one that is, and a hot-plugged PCI endpoint."""

PCI_NIGHTLY = (
    PLATFORM,
    COHERENT,
    pytest.param(PCI, marks=pytest.mark.nightly("a sync does not depend on the device's bus")),
)
"""DRIVERS for tests of syncs: the default tier has the platform devices."""

MOSTLY_NIGHTLY = (
    PLATFORM,
    *(
        pytest.param(name, marks=pytest.mark.nightly("the allocator does not depend on the device"))
        for name in (COHERENT, PCI)
    ),
)
"""DRIVERS for tests of the slot allocator: the default tier has PLATFORM only."""


@pytest.fixture
def driver() -> str:
    """The name of the device under test; parametrize it with DRIVERS for all kinds."""
    return PLATFORM


@pytest.fixture
def device(guest: Guest, probe: Probe, driver: str) -> Device:
    """The device under test, bound to the probe."""
    return probe.device(str(EduRogue(guest).bdf) if driver == PCI else driver)


@pytest.fixture
def environment(qemu: Qemu, kernel: Kernel, initramfs: Initramfs) -> Environment:
    """What all guests of the run are made of, for work that boots its own."""
    return Environment(qemu, kernel, initramfs)


@pytest.fixture
def stopped_guest(guests: Guests, machine: Machine) -> Guest:
    """A guest that has not run an instruction, so that a test can write its memory."""
    return guests.stopped(machine)
