# SPDX-License-Identifier: Apache-2.0
"""Fixtures that start the guest of a test, and views of it."""

import functools
from collections.abc import Iterator

import pytest

from harness.devices.oracles.examiner import Examiner
from harness.devices.probe import Probe
from harness.devices.rogue import EduRogue
from harness.kernel import Kernel
from harness.machine.devicetree import Pool
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.journal import Act
from harness.observe.memory import KernelTypes, KnownTypes, LiveMemory, live_memory
from harness.plugin.counters import PoolCounters
from harness.plugin.coverage import watch
from harness.plugin.failures import types_of_session
from harness.plugin.guests import Guests, guests_key


@pytest.fixture(scope="session")
def examiner() -> Examiner:
    """The oracles, which examine every guest before and after its test."""
    return Examiner()


@pytest.fixture
def guests(request: pytest.FixtureRequest, examiner: Examiner) -> Iterator[Guests]:
    """Starts guests for tests that need several, or machines of their own."""
    watching = functools.partial(watch, request.node)
    started = request.node.stash[guests_key] = Guests(watching, examiner=examiner)
    yield started
    started.close()


@pytest.fixture
def guest(guests: Guests, machine: Machine) -> Guest:
    """A guest that is restored from the machine's parked one."""
    return guests.restored(machine)


@pytest.fixture
def booted_guest(guests: Guests, machine: Machine) -> Guest:
    """A guest that has booted for this test alone."""
    return guests.booted(machine)


# --- views of the restored guest ---


@pytest.fixture
def probe(guest: Guest) -> Probe:
    """DMA API calls in the guest."""
    return Probe(guest.agent)


@pytest.fixture
def memory(guest: Guest) -> Iterator[LiveMemory]:
    """A live view of the guest's RAM; a test can write to it in place of a device."""

    def note(phys: int, data: bytes) -> None:
        guest.agent.journal.record(Act("dma", "device", phys, data))
        guest.agent.journal.append(f"[device writes {len(data)} bytes at {phys:#x}]")

    with live_memory(guest) as memory:
        memory.on_write = note
        yield memory


@pytest.fixture(scope="session")
def known_types(pytestconfig: pytest.Config) -> KnownTypes:
    """The types of kernels, each read once in a session."""
    return types_of_session(pytestconfig)


@pytest.fixture
def types(memory: LiveMemory, kernel: Kernel, known_types: KnownTypes) -> KernelTypes:
    """The kernel's own structures in the guest's RAM."""
    return known_types.on(kernel, memory)


@pytest.fixture
def counters(guest: Guest, pool: Pool) -> PoolCounters:
    """What the kernel's debugfs says about the machine's only pool."""
    return PoolCounters(guest.agent, pool.name)


@pytest.fixture
def rogue(guest: Guest) -> EduRogue:
    """A rogue device in root port 0."""
    return EduRogue(guest)
