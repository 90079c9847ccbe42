# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the suite: the device under test, and a guest before its boot."""

from collections.abc import Mapping

import pytest

from harness.devices.probe import Device, Probe
from harness.devices.rogue import EduRogue
from harness.kernel import Geometry, Initramfs, Kernel
from harness.machine.binary import Qemu, find_qemu
from harness.machine.devicetree import Placement
from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.model import KernelVersion, predict
from harness.machine.devicetree.model.environment import NEWEST
from harness.machine.environment import Environment
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.shape import shaped_devicetree
from harness.plugin.guests import Guests
from harness.results.request import request_from
from harness.suite.lib.shape_users import user_paths


@pytest.hookimpl(trylast=True)  # after the marks: the names of tests begin with their parameters
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test of any shape its shapes, or the devices of the shape that ``--shape`` says."""
    mark = metafunc.definition.get_closest_marker("any_shape")
    if mark is None:
        return
    request = request_from(metafunc.config)
    if not request.shape:
        metafunc.parametrize("shape", mark.args)
    elif "user" in metafunc.fixturenames:
        qemu = find_qemu(request.qemu)
        tree = shaped_devicetree(qemu, request.shape, ram_size=request.ram_size)
        found = predict(read_blob(tree.blob), KernelVersion(NEWEST))
        metafunc.parametrize("user", user_paths(found))


POOL_BASE = 0x4F00_0000
"""Where the pool of most shapes is."""

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
def geometry(initramfs: Initramfs) -> Geometry:
    """The sizes that the kernel under test was built with."""
    return initramfs.geometry


@pytest.fixture
def page(geometry: Geometry) -> int:
    """Bytes of a page of the kernel under test."""
    return geometry.page


@pytest.fixture
def slot_set(geometry: Geometry) -> int:
    """Bytes of a slot set, the largest mapping, of the kernel under test."""
    return geometry.slot_set


@pytest.fixture
def sets() -> int:
    """How many slot sets the pool has, whatever their size; 0: it is as its overlay says."""
    return 0


@pytest.fixture
def quarters_up() -> int:
    """How many quarters of a slot set a pool of *sets* is above its usual base."""
    return 0


@pytest.fixture
def placements(
    request: pytest.FixtureRequest, sets: int, quarters_up: int
) -> Mapping[str, Placement]:
    """Where pools lie: as their overlays say, or one of some slot sets."""
    if not sets:
        return {}
    slot_set: int = request.getfixturevalue("slot_set")
    return {"pool": Placement(POOL_BASE + quarters_up * slot_set // 4, sets * slot_set)}


@pytest.fixture
def user() -> str:
    """The path of the one device of a shape that a test is about; empty for all."""
    return ""


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
