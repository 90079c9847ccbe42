# SPDX-License-Identifier: Apache-2.0
"""What several files of the suite need: the device under test, in each of its shapes."""

import pytest

from harness.devices.probe import Device, Probe
from harness.devices.rogue import EduRogue
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.plugin.guests import Guests

PLATFORM, COHERENT, PCI = "probe-a", "probe-b", "pci"
DRIVERS = (PLATFORM, COHERENT, PCI)
"""A platform device that is not dma-coherent, one that is, and a hot-plugged PCI endpoint."""

PLATFORM_BY_DAY = (
    PLATFORM,
    COHERENT,
    pytest.param(PCI, marks=pytest.mark.nightly("a sync does not know what bus a device is on")),
)
"""For tests of syncs."""

DRIVERS_BY_NIGHT = (
    PLATFORM,
    *(
        pytest.param(name, marks=pytest.mark.nightly("the same code serves every kind of device"))
        for name in (COHERENT, PCI)
    ),
)
"""For tests of the allocator itself."""


@pytest.fixture
def driver() -> str:
    """Which device a test works with; parametrise it with DRIVERS for all kinds."""
    return PLATFORM


@pytest.fixture
def device(guest: Guest, probe: Probe, driver: str) -> Device:
    """The device under test, bound to the probe."""
    return probe.device(str(EduRogue(guest).bdf) if driver == PCI else driver)


@pytest.fixture
def stopped_guest(guests: Guests, machine: Machine) -> Guest:
    """A guest before its first instruction, to prepare its memory."""
    return guests.stopped(machine)
