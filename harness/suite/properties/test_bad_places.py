# SPDX-License-Identifier: Apache-2.0
"""Properties A1, A2, A12, E5, E9 and E11: devicetrees that place a pool wrongly."""

from pathlib import Path

import pytest

from harness.devices.probe import Direction, Probe
from harness.machine.devicetree import Pool
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import boot
from harness.observe.memory import KernelTypes
from harness.suite.lib import second_kernel
from harness.suite.lib.attached import ASSIGNED, FAILED, assigned
from harness.suite.lib.expect import all_reserved, equal, in_pool, logged, not_logged
from harness.suite.lib.smoke import check_unrestricted

pytestmark = pytest.mark.nightly("known findings, with devicetrees that are wrong")

NO_CHECK = pytest.mark.finding("unchecked-place", kernels=">=5.15", ends=("FAIL", "CRASH"))


def refused(guest: Guest, name: str) -> bool:
    """Whether the kernel warns that device *name* does not get its pool."""
    return any(f"{name}: {FAILED}" in line for line in guest.kernel_log())


@pytest.mark.property("A12")
@NO_CHECK
@pytest.mark.parametrize(
    ("shape", "append"),
    [
        pytest.param("odd/outside-ram", "", id="behind RAM"),
        pytest.param("pool-platform", "mem=200M", id="behind mem="),
        pytest.param("odd/over-nomap", "", id="over no-map"),
        pytest.param("odd/over-kernel", "", id="over the kernel"),
    ],
)
def test_a_pool_that_the_kernel_cannot_write_to_is_refused(guest: Guest, probe: Probe) -> None:
    """The kernel refuses a pool in memory that is missing, unmapped or read-only, and warns."""
    logged(guest, f"probe-a: {FAILED}")
    check_unrestricted(probe.device("probe-a"), probe)


@pytest.mark.property("A12")
@pytest.mark.finding("unchecked-place", kernels=">=5.15", ends=("CRASH",))
@pytest.mark.parametrize("flavour", ["lifecycle"])
@pytest.mark.parametrize("append", [second_kernel.RESERVED])
def test_a_second_kernel_refuses_a_pool_outside_its_memory(
    machine: Machine, tmp_path: Path
) -> None:
    """After a crash, the kernel that saves the memory starts on a machine with a pool.

    It has the same devicetree, and for its memory what the first kernel reserved for it.
    """
    vmcore = tmp_path / "vmcore"
    with boot(second_kernel.with_second_kernel(machine, tmp_path)) as guest:
        second_kernel.load_for_crash(guest, vmcore)
        second_kernel.crash(guest)

    with vmcore.open("rb") as file:
        equal(file.read(4), b"\x7fELF", "the start of the file that the second kernel saved")


@pytest.mark.property("E5")
@NO_CHECK
@pytest.mark.parametrize("shape", ["odd/over-initrd"])
def test_a_pool_over_the_initial_ram_disk_is_nobody_elses(
    guest: Guest, probe: Probe, pool: Pool, types: KernelTypes
) -> None:
    """The kernel refuses a pool over the initial RAM disk, or keeps its memory reserved."""
    if refused(guest, "probe-a"):
        check_unrestricted(probe.device("probe-a"), probe)
    else:
        all_reserved(types, pool)


@pytest.mark.property("A2")
@NO_CHECK
@pytest.mark.parametrize("shape", ["odd/over-devicetree"])
def test_a_pool_over_the_devicetree_leaves_it_readable(guest: Guest, pool: Pool) -> None:
    """A pool over the devicetree is refused, or does not destroy it: later devices have it too."""
    for name in ("probe-a", "probe-b"):
        if not refused(guest, name):
            told = f"the pool that the kernel log assigns to {name}"
            equal(assigned(guest, name), pool.name, told)


@pytest.mark.property("E5", "E9")
@pytest.mark.finding("refused-frees-others", kernels=">=5.15")
@pytest.mark.parametrize("shape", ["odd/refused-over-pool"])
def test_a_refused_node_gives_back_no_memory_but_its_own(guest: Guest, types: KernelTypes) -> None:
    """A valid pool keeps all its pages when the kernel refuses a node over the same memory."""
    (pool,) = (pool for pool in guest.pools() if pool.users)

    equal(assigned(guest, "probe-a"), pool.name, "the pool that the kernel log assigns to probe-a")
    all_reserved(types, pool)


@pytest.mark.property("E5", "E9", control=True)
@pytest.mark.parametrize("shape", ["odd/several-reg"])
def test_a_pool_by_itself_keeps_all_its_pages(guest: Guest, types: KernelTypes) -> None:
    """Every page of a pool that overlaps nothing is reserved."""
    (pool,) = guest.pools()

    all_reserved(types, pool)


@pytest.mark.property("E11")
@pytest.mark.finding("unusable-place", kernels=">=6.9")
@pytest.mark.parametrize("shape", ["odd/no-alignment"])
def test_a_pool_is_placed_where_it_can_be_used(probe: Probe, pool: Pool, page: int) -> None:
    """A pool without an alignment, which the kernel places, has room for a mapping."""
    with probe.device("probe-a").map_single(probe.buffer(page), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, pool)


@pytest.mark.property("A12")
@pytest.mark.finding("second-compatible", kernels=">=5.15")
@pytest.mark.parametrize("shape", ["odd/second-compatible"])
def test_a_refused_node_is_not_logged_as_assigned(guest: Guest) -> None:
    """The kernel does not log that it assigned a node which it did not set up as a pool."""
    not_logged(guest, f"probe-a: {ASSIGNED}")
    logged(guest, f"probe-a: {FAILED}")


@pytest.mark.property("A1")
@pytest.mark.finding("empty-reg", kernels=">=6.12,<6.19")
@pytest.mark.parametrize("shape", ["odd/empty-reg"])
def test_a_pool_without_a_place_is_not_made(guest: Guest) -> None:
    """The kernel creates no pool for a node whose reg is empty."""
    not_logged(guest, "created restricted DMA pool")
