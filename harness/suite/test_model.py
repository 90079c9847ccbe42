# SPDX-License-Identifier: Apache-2.0
"""The reference model against the kernel: any calls, in any order, on several devices."""

from collections.abc import Iterator

import pytest

from harness.devicetree import Placement, Pool
from harness.dma import Direction, MapCall
from harness.errors import BrokenPromise
from harness.memory import LiveMemory
from harness.plugin.guests import Guests
from harness.suite.model_driver import Driver
from harness.suite.model_machine import run_calls
from harness.suite.model_world import World
from harness.vm.guest import Guest
from harness.vm.machine import Machine
from harness.vm.shape import NO_POOL

KIB = 1024

START = 20_260_711
"""Where the choice of calls begins, unless ``--hypothesis-seed`` says otherwise."""

SMALL = {"pool": Placement(size=512 * KIB)}
"""Two sets of slots: soon full, soon fragmented."""

CHECKED = ("B1", "B2", "B3", "B5", "B7", "B8", "B9", "B10", "B11", "B13", "B14")
SYNCED = ("C1", "C2", "C3", "C4", "C8")
ALLOCATED = ("D1", "D2", "D3", "D6", "E1", "E17")

LONG = "several minutes of calls; the default set has one run of seconds"


def placed(size: int, base: int | None = None) -> dict[str, Placement]:
    """A pool of *size* KiB, *base* KiB from where it lies otherwise."""
    return {"pool": Placement(base and 0x4F00_0000 + base * KIB, size * KIB)}


@pytest.fixture
def world(guests: Guests, machine: Machine) -> Iterator[World]:
    """Guests of the machine, as many as it takes."""
    world = World(guests, machine)
    yield world
    world.close()


@pytest.fixture
def start(request: pytest.FixtureRequest) -> str:
    """Where the choice of calls begins."""
    return str(request.config.getoption("--hypothesis-seed") or START)


@pytest.mark.property(*CHECKED, *SYNCED, *ALLOCATED)
@pytest.mark.parametrize("placements", [SMALL], ids=["512K"])
def test_any_calls_keep_every_promise(world: World, start: str) -> None:
    """Whatever drivers call and devices write, memory holds what it must and slots come back."""
    run_calls(world, start, examples=25, steps=40)


@pytest.mark.nightly(LONG)
@pytest.mark.property(*CHECKED, *SYNCED, *ALLOCATED)
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    "placements", [SMALL, placed(256), placed(4096)], ids=["512K", "256K", "4M"]
)
def test_many_more_calls_keep_every_promise(world: World, start: str, number: int) -> None:
    """Whatever drivers call and devices write, memory holds what it must and slots come back."""
    run_calls(world, f"{start}-{number}", examples=400, steps=100)


@pytest.mark.property("B1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_the_model_refuses_the_first_mapping(
    guest: Guest, memory: LiveMemory
) -> None:
    """A kernel that hands out the buffer's own address is found at once."""
    pool = Pool("no-pool", 0x4F00_0000, 768 * KIB, "", ())
    driver = Driver(guest, memory, {"probe_a": ("probe-a", pool)})

    with pytest.raises(BrokenPromise, match="B1: a mapping of 100 bytes"):
        driver.map(driver.targets[0], MapCall.SINGLE, (0, 100), Direction.TO_DEVICE)
