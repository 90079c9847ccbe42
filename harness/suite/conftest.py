# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the suite: the device under test, and a guest before its boot."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from harness.devices.probe import Device, Probe
from harness.devices.rogue import EduRogue
from harness.kernel import Geometry, Initramfs, Kernel
from harness.machine.binary import Qemu
from harness.machine.devicetree import Placement, Pool
from harness.machine.environment import Environment
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory
from harness.plugin.guests import Guests
from harness.plugin.session import kernel_key
from harness.results.request import request_from
from harness.suite.lib.cache_watch import CacheWatch
from harness.suite.lib.real_drivers import driver_parameter
from harness.suite.lib.shape_parts import ShapeParts, parts_of_shape

PARTS: Mapping[str, Callable[[ShapeParts], Sequence[object]]] = {
    "user": lambda parts: [pytest.param(path, id=path) for path in parts.users()],
    "real": lambda parts: [driver_parameter(driver) for driver in parts.drivers()],
    "transport": lambda parts: [pytest.param(one, id=one.node) for one in parts.transports()],
}
"""The parts of a shape, by the fixture for one of them."""

NOTHING = pytest.param(None, marks=pytest.mark.absent())


@pytest.hookimpl(trylast=True)  # after the marks: the names of tests begin with their parameters
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test of any shape its shapes, or a part each of the shape that ``--shape`` says."""
    mark = metafunc.definition.get_closest_marker("any_shape")
    if mark is None:
        return
    request = request_from(metafunc.config)
    if not request.shape:
        metafunc.parametrize("shape", mark.args)
        return
    kernel = metafunc.config.stash.get(kernel_key, None)
    parts = parts_of_shape(request.qemu, request.shape, request.ram_size, kernel)
    for name in PARTS.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(name, PARTS[name](parts) or [NOTHING])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests of parts that the shape of ``--shape`` does not have."""
    absent = [item for item in items if item.get_closest_marker("absent")]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


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
def caches(guest: Guest, memory: LiveMemory, pool: Pool) -> CacheWatch:
    """The kernel's cache maintenance in the pool; its machine must log it: ``logs_caches``."""
    return CacheWatch(guest, memory, pool)


@pytest.fixture
def environment(qemu: Qemu, kernel: Kernel, initramfs: Initramfs) -> Environment:
    """What all guests of the run are made of, for work that boots its own."""
    return Environment(qemu, kernel, initramfs)


@pytest.fixture
def stopped_guest(guests: Guests, machine: Machine) -> Guest:
    """A guest that has not run an instruction, so that a test can write its memory."""
    return guests.stopped(machine)
