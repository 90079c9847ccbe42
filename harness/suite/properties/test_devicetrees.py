# SPDX-License-Identifier: Apache-2.0
"""Properties E9, E10, E12 and E13: nodes that are refused, overlap, or are too many.

The kernel answers a wrong devicetree with a message, and never crashes.
"""

import pytest

from harness.base.address_range import AddressRange
from harness.devices.probe import Direction, Probe
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, LiveMemory
from harness.suite.lib.attached import FAILED, assigned, log, pool_of
from harness.suite.lib.expect import (
    all_reserved,
    counted,
    equal,
    in_pool,
    logged,
    not_logged,
    not_reserved,
    refused,
    require,
)
from harness.suite.lib.paused import paused
from harness.suite.lib.smoke import check_restricted, check_unrestricted

MIB = 1 << 20

SECOND_ENTRY = AddressRange(0x4F80_0000, MIB)
"""The reg entry of dts/odd/several-reg.dtso that is not the pool."""

TOO_MANY = ("too many defined dynamic regions", "not enough space for all defined regions")
"""drivers/of/of_reserved_mem.c:fdt_scan_reserved_mem since 6.12, fdt_reserved_mem_save_node before.
"""

NO_MAP = "unmapped@46000000"
"""The pool of dts/odd/refused.dtso that has no-map."""

WITH_THE_POOL = ("probe-a", "probe-b", "probe-c")
WITHOUT_A_WORD = ("probe-d", "probe-e", "probe-f", "probe-g")
WARNED_OF = ("probe-h",)
"""The devices of dts/odd/references.dtso."""


@pytest.mark.property("E9", "A12")
@pytest.mark.finding("no-map-given-away", kernels=">=6.12", config="NUMA=y", ends=("CRASH",))
@pytest.mark.parametrize("shape", ["odd/refused"])
def test_a_refused_pool_is_given_back_and_its_device_unrestricted(
    guest: Guest, probe: Probe, types: KernelTypes
) -> None:
    """A no-map, reusable or linux,dma-default pool is refused; its device is unrestricted.

    Whether memory with no-map can be used after it was given back: test_pools.py.
    """
    pools = guest.pools()

    counted(len(pools), 4, "pools in the devicetree")
    counted(len(probe.devices()), 4, "devices")
    for pool in pools:
        logged(guest, f"node {pool.name} compatible matching fail")
        if pool.name != NO_MAP:
            with paused(guest):
                not_reserved(types, pool)
    for device in probe.devices():
        logged(guest, f"{device.name}: {FAILED}")
        equal(pool_of(types, device.name), "", f"the pool of {device.name}")
        check_unrestricted(device, probe)


@pytest.mark.property("E9", "E10", "E12", "E13", control=True)
def test_a_good_pool_is_neither_refused_nor_complained_of(
    guest: Guest, probe: Probe, memory: LiveMemory, pool: Pool
) -> None:
    """The kernel prints none of these messages for a valid pool."""
    check_restricted(guest, probe.device("probe-a"), probe, memory, pool)
    for message in ("compatible matching fail", "OVERLAP", "ignores", "too many", "not enough"):
        not_logged(guest, f"reserved mem: {message}")


@pytest.mark.property("E10")
@pytest.mark.parametrize("shape", ["odd/overlap"])
def test_pools_that_overlap_are_reported_and_work(
    guest: Guest, probe: Probe, memory: LiveMemory
) -> None:
    """The kernel reports two pools that overlap, and each device gets its pool."""
    low, high = guest.pools()

    logged(guest, "OF: reserved mem: OVERLAP DETECTED!")
    check_restricted(guest, probe.device("probe-a"), probe, memory, low)
    check_restricted(guest, probe.device("probe-b"), probe, memory, high)


@pytest.mark.property("E12")
@pytest.mark.parametrize("shape", ["odd/several-reg"])
def test_of_several_places_the_first_is_the_pool(
    guest: Guest, probe: Probe, memory: LiveMemory, pool: Pool
) -> None:
    """A pool whose node has two reg entries is the first one only."""
    equal(pool.size, MIB, "the size of the pool in bytes")
    logged(guest, f"created restricted DMA pool at {pool.base:#018x}, size 1 MiB")
    check_restricted(guest, probe.device("probe-a"), probe, memory, pool)


@pytest.mark.property("E5", "E12")
@pytest.mark.needs("before, all entries were reserved", change="one-reg")
@pytest.mark.parametrize("shape", ["odd/several-reg"])
def test_of_several_places_the_others_are_ordinary_memory(
    guest: Guest, pool: Pool, types: KernelTypes
) -> None:
    """The kernel reserves the first reg entry of a pool, and says that it ignores the others."""
    logged(guest, f"node '{pool.name}' has 2 <base size> entries, only the first is used")
    with paused(guest):
        all_reserved(types, pool)
        not_reserved(types, SECOND_ENTRY)


@pytest.mark.property("E5", "E12")
@pytest.mark.needs("since, only the first is", before="one-reg")
@pytest.mark.parametrize("shape", ["odd/several-reg"])
def test_of_several_places_all_are_reserved(types: KernelTypes, pool: Pool) -> None:
    """The kernel reserves all reg entries of a pool, although it uses the first only."""
    all_reserved(types, pool)
    all_reserved(types, SECOND_ENTRY)


@pytest.mark.property("E13", "A12")
@pytest.mark.parametrize("shape", ["odd/many"])
def test_more_pools_than_there_is_room_for_are_an_error(
    guest: Guest, probe: Probe, memory: LiveMemory
) -> None:
    """The kernel reports nodes beyond its limit and skips them; the others are pools."""
    log_lines = guest.kernel_log()
    found = any(text in line for line in log_lines for text in TOO_MANY)
    require(found, f"in the kernel log: {' or '.join(TOO_MANY)}", "neither")
    logged(guest, f"probe-b: {FAILED}")
    check_unrestricted(probe.device("probe-b"), probe)
    (mine,) = (pool for pool in guest.pools() if "/probe-a" in pool.users)
    with probe.device("probe-a").map_single(probe.buffer(SLOT), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, mine)
    equal(len(memory.read(mine.base, mine.size)), mine.size, "bytes of the pool in RAM")


@pytest.mark.property("A7", "A12")
@pytest.mark.parametrize("shape", ["odd/references"])
def test_references_that_lead_nowhere_do_no_harm(
    guest: Guest, probe: Probe, memory: LiveMemory, pool: Pool, types: KernelTypes
) -> None:
    """The kernel skips dangling references; a device without a valid one is unrestricted."""
    for name in WITH_THE_POOL:
        equal(pool_of(types, name), pool.name, f"the pool of {name}")
        check_restricted(guest, probe.device(name), probe, memory, pool)
    for name in (*WITHOUT_A_WORD, *WARNED_OF):
        equal(assigned(guest, name), "", f"the pool that the kernel log assigns to {name}")
        check_unrestricted(probe.device(name), probe)
    warned = {name for name in ("probe-d", "probe-h") if f"{name}: {FAILED}" in log(guest)}
    equal(warned, set(WARNED_OF), "devices that the kernel warns of")


@pytest.mark.property("E7")
@pytest.mark.parametrize("shape", ["odd/size-zero"])
def test_a_pool_of_no_size_lets_nothing_through(guest: Guest, probe: Probe, page: int) -> None:
    """A device whose pool has size 0 gets no mapping, and no other memory."""
    device, buffer = probe.device("probe-a"), probe.buffer(page)

    refused(device.map_single, buffer, Direction.TO_DEVICE)
    name = assigned(guest, "probe-a")
    equal(name, "restricted-dma", "the pool that the kernel log assigns to probe-a")
