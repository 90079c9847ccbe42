# SPDX-License-Identifier: Apache-2.0
"""Properties B, C and D: random calls on several devices, checked against the reference model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from harness.base.violation import PropertyViolated
from harness.devices.probe import Allocation, AllocCall, Attr, Device, Direction, MapCall, Mapping
from harness.kernel import Kernel
from harness.kernel.abilities import abilities_of
from harness.kernel.changes import has_change
from harness.machine.devicetree import Placement, Pool
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import LiveMemory
from harness.plugin.guests import Guests
from harness.shell import live_target
from harness.shell.python_prompt import PythonPrompt
from harness.suite.lib.expect import at_addresses
from harness.suite.lib.expect.kernel import OVERLAPS
from harness.suite.lib.model_driver import Driver
from harness.suite.lib.model_machine import Scope, run_calls
from harness.suite.lib.model_things import LARGEST
from harness.suite.lib.model_world import World

KIB = 1024

START = 20_260_711
"""The seed of the calls, unless ``--hypothesis-seed`` gives another."""

SMALL = {"pool": Placement(size=512 * KIB)}
"""A pool of two slot sets, which is soon full and fragmented."""

CHECKED = ("B1", "B2", "B3", "B5", "B7", "B8", "B9", "B10", "B11", "B12", "B13", "B14")
SYNCED = ("C1", "C2", "C3", "C4", "C8")
ALLOCATED = ("D1", "D2", "D3", "D6", "E1", "E17")

LONG = "several minutes of calls; the default tier has one run of seconds"


def placed(size: int, base: int | None = None) -> dict[str, Placement]:
    """A pool of *size* KiB, *base* KiB above its usual base."""
    return {"pool": Placement(base and 0x4F00_0000 + base * KIB, size * KIB)}


@pytest.fixture
def world(guests: Guests, machine: Machine) -> Iterator[World]:
    """Restores guests of the machine as the model needs them."""
    world = World(guests, machine)
    yield world
    world.close()


@pytest.fixture
def start(request: pytest.FixtureRequest) -> str:
    """The seed of the calls."""
    return str(request.config.getoption("--hypothesis-seed") or START)


@pytest.fixture
def scope(kernel: Kernel) -> Scope:
    """The calls for which the kernel under test has no known finding."""
    version = abilities_of(kernel).version
    return Scope(
        masks=version >= Version("6.10"),
        orders=version >= Version("6.9"),
        by_phys=has_change(kernel, "map-phys"),
    )


@pytest.mark.property(*CHECKED, *SYNCED, *ALLOCATED)
@pytest.mark.expects_report(OVERLAPS)
@pytest.mark.parametrize("placements", [SMALL], ids=["512K"])
def test_any_calls_keep_every_property(world: World, start: str, scope: Scope) -> None:
    """Any sequence of DMA API calls and device writes keeps memory and slots as the model says."""
    run_calls(world, start, scope, examples=25, steps=40)


@pytest.mark.nightly(LONG)
@pytest.mark.property(*CHECKED, *SYNCED, *ALLOCATED)
@pytest.mark.expects_report(OVERLAPS)
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    "placements", [SMALL, placed(256), placed(4096)], ids=["512K", "256K", "4M"]
)
def test_many_more_calls_keep_every_property(
    world: World, start: str, scope: Scope, number: int
) -> None:
    """Any sequence of DMA API calls and device writes keeps memory and slots as the model says."""
    run_calls(world, f"{start}-{number}", scope, examples=400, steps=100)


@pytest.mark.property("B1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_the_model_refuses_the_first_mapping(
    guest: Guest, memory: LiveMemory
) -> None:
    """The model finds the first mapping of a kernel that returns the buffer's own address."""
    pool = Pool(0x4F00_0000, 768 * KIB, "no-pool", "", ())
    driver = Driver(guest, memory, {"probe_a": ("probe-a", pool)})

    with pytest.raises(PropertyViolated, match="B1 violated: a mapping of 100 bytes"):
        driver.map(driver.targets[0], MapCall.SINGLE, (0, 100), Direction.TO_DEVICE)


@pytest.mark.property("B13", "D6")
@pytest.mark.finding("large-mask-skips-pages", kernels=">=6.1")
@pytest.mark.parametrize("placements", [placed(256)], ids=["256K"])
def test_a_page_that_is_freed_can_be_allocated_again_whatever_the_mask(
    device: Device, pool: Pool, page: int
) -> None:
    """A freed page of a full pool can be allocated again, with a larger min_align_mask too."""
    device.set_min_align_mask(16 * page - 1)
    held = [device.alloc_coherent(page) for _ in range(pool.size // page)]

    freed = held[min(5, len(held) // 2 - 1)]
    freed.free()

    at_addresses([device.alloc_coherent(page)], [freed.dma_addr])


@pytest.mark.parametrize("shape", ["pool-platform"])
@pytest.mark.parametrize("placements", [placed(256)], ids=["256K"])
def test_the_script_of_a_failure_makes_the_same_calls_in_another_guest(
    world: World, guests: Guests, machine: Machine, tmp_path: Path, page: int
) -> None:
    """The script of a failure, run in the shell's Python, gets the same addresses as the model."""
    driver = world.driver()
    (target,) = driver.targets
    driver.map(target, MapCall.SINGLE, (100, 5000), Direction.BIDIRECTIONAL, times=2)
    driver.map_sg(target, [(0, 1), (10, 2000)], Direction.FROM_DEVICE)
    driver.map(target, MapCall.PAGE, (0, 2 * LARGEST), Direction.TO_DEVICE)
    driver.unmap(driver.mappings[:1], Attr.SKIP_CPU_SYNC)
    driver.allocate(target, AllocCall.PAGES, page)
    script = tmp_path / "script.py"
    script.write_text(str(driver.script))

    shell = live_target(guests.restored(machine))
    prompt = PythonPrompt(shell)
    prompt.run(script)
    shell.close()

    mapping, allocation = prompt.names["m2"], prompt.names["a5"]
    assert isinstance(mapping, Mapping)
    assert isinstance(allocation, Allocation)
    expected = (driver.mappings[0].bounces[0].at, driver.allocations[0].held.at)
    at_addresses([mapping, allocation], [target.pool.base + at for at in expected])
