# SPDX-License-Identifier: Apache-2.0
"""Properties E9, E10, E12 and E13: nodes that are refused, contradict each other, or are too many.

A devicetree that makes no sense is answered with a message, and never brings the kernel down.
"""

import pytest

from harness.devices.probe import Direction, Probe
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, LiveMemory, MemoryUse, page_uses
from harness.suite.lib.attached import FAILED, assigned, log, pool_of
from harness.suite.lib.expect import in_pool, logged, not_logged, refused
from harness.suite.lib.filling import PAGE
from harness.suite.lib.smoke import check_restricted, check_unrestricted
from harness.suite.lib.standstill import still

MIB = 1 << 20

TOO_MANY = r"too many defined dynamic regions|not enough space for all defined regions"
"""drivers/of/of_reserved_mem.c:fdt_scan_reserved_mem since 6.12, fdt_reserved_mem_save_node before.
"""

WITH_THE_POOL = ("probe-a", "probe-b", "probe-c")
WITHOUT_A_WORD = ("probe-d", "probe-e", "probe-f", "probe-g")
WARNED_OF = ("probe-h",)
"""The devices of dts/odd/references.dtso."""


@pytest.mark.property("E9", "A12")
@pytest.mark.parametrize("shape", ["odd/refused"])
def test_a_refused_pool_is_given_back_and_its_device_unrestricted(
    guest: Guest, probe: Probe, types: KernelTypes
) -> None:
    """A pool with no-map, reusable or a default of Linux's is ordinary memory, and none at all."""
    pools = guest.pools()

    assert len(pools) == len(probe.devices()) == 4
    for pool in pools:
        logged(guest, f"node {pool.name} compatible matching fail")
        with still(guest):
            assert MemoryUse.RESERVED not in page_uses(types, pool.base, pool.size // PAGE)
    for device in probe.devices():
        logged(guest, f"{device.name}: {FAILED}")
        assert pool_of(types, device.name) == ""
        check_unrestricted(device, probe)


@pytest.mark.property("E9", "E10", "E12", "E13", control=True)
def test_a_good_pool_is_neither_refused_nor_complained_of(
    guest: Guest, probe: Probe, memory: LiveMemory, pool: Pool
) -> None:
    """None of the complaints about odd nodes is made of a good one."""
    check_restricted(guest, probe.device("probe-a"), probe, memory, pool)
    for complaint in ("compatible matching fail", "OVERLAP", "ignores", "too many", "not enough"):
        not_logged(guest, f"reserved mem: {complaint}")


@pytest.mark.property("E10")
@pytest.mark.parametrize("shape", ["odd/overlap"])
def test_pools_that_overlap_are_reported_and_work(
    guest: Guest, probe: Probe, memory: LiveMemory
) -> None:
    """Of two nodes with memory in common the kernel says so; each is a pool for its device."""
    low, high = guest.pools()

    logged(guest, "OF: reserved mem: OVERLAP DETECTED!")
    check_restricted(guest, probe.device("probe-a"), probe, memory, low)
    check_restricted(guest, probe.device("probe-b"), probe, memory, high)


@pytest.mark.property("E12")
@pytest.mark.parametrize("shape", ["odd/several-reg"])
def test_of_several_places_the_first_is_the_pool(
    guest: Guest, probe: Probe, memory: LiveMemory, pool: Pool
) -> None:
    """A pool whose node gives two places is at the first one, and no larger than that."""
    assert pool.size == MIB
    logged(guest, f"created restricted DMA pool at {pool.base:#018x}, size 1 MiB")
    check_restricted(guest, probe.device("probe-a"), probe, memory, pool)


@pytest.mark.property("E13", "A12")
@pytest.mark.parametrize("shape", ["odd/many"])
def test_more_pools_than_there_is_room_for_are_an_error(
    guest: Guest, probe: Probe, memory: LiveMemory
) -> None:
    """Nodes beyond the kernel's limit are complained of and skipped; the others are pools."""
    assert any(line for line in guest.kernel_log() if _complains(line))
    logged(guest, f"probe-b: {FAILED}")
    check_unrestricted(probe.device("probe-b"), probe)
    (mine,) = (pool for pool in guest.pools() if "/probe-a" in pool.users)
    with probe.device("probe-a").map_single(probe.buffer(PAGE), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, mine)
    assert memory.read(mine.base, mine.size)


@pytest.mark.property("A7", "A12")
@pytest.mark.parametrize("shape", ["odd/references"])
def test_references_that_lead_nowhere_do_no_harm(
    guest: Guest, probe: Probe, memory: LiveMemory, pool: Pool, types: KernelTypes
) -> None:
    """A pool is found behind dead references; where there is none the device is unrestricted."""
    for name in WITH_THE_POOL:
        assert pool_of(types, name) == pool.name
        check_restricted(guest, probe.device(name), probe, memory, pool)
    for name in (*WITHOUT_A_WORD, *WARNED_OF):
        assert assigned(guest, name) == ""
        check_unrestricted(probe.device(name), probe)
    warned = {name for name in ("probe-d", "probe-h") if f"{name}: {FAILED}" in log(guest)}
    assert warned == set(WARNED_OF)


@pytest.mark.property("E7")
@pytest.mark.parametrize("shape", ["odd/size-zero"])
def test_a_pool_of_no_size_lets_nothing_through(guest: Guest, probe: Probe) -> None:
    """A device whose pool has no size gets no mapping, from its pool or from anywhere else."""
    device, buffer = probe.device("probe-a"), probe.buffer(PAGE)

    refused(device.map_single, buffer, Direction.TO_DEVICE)
    assert assigned(guest, "probe-a") == "restricted-dma"


def _complains(line: str) -> bool:
    return any(words in line for words in TOO_MANY.split("|"))
