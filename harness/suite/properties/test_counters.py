# SPDX-License-Identifier: Apache-2.0
"""Property E17: debugfs counts slots, used slots and their peak."""

import errno

import pytest

from harness.base.errors import AgentError
from harness.devices.probe import Probe
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import counted, equal, require, slots_used

TRACKING_OOPSES = pytest.mark.finding(
    "track-hiwater-oops", kernels=">=7.3", config="CFI=y", ends=("CRASH",)
)


@pytest.mark.property("E17")
def test_debugfs_counts_the_slots_of_a_pool(pool: Pool, counters: PoolCounters) -> None:
    """debugfs counts one slot for each 2 KiB of the pool, and idle devices use none."""
    counted(counters.nslabs, pool.size // SLOT, "slots (io_tlb_nslabs)")
    slots_used(counters, 0)


@pytest.mark.property("E17")
def test_debugfs_follows_an_allocation(probe: Probe, counters: PoolCounters, page: int) -> None:
    """io_tlb_used counts the slots of allocations, until they are freed."""
    allocation = probe.device("probe-a").alloc_coherent(2 * page)

    slots_used(counters, 2 * page // SLOT)
    allocation.free()
    slots_used(counters, 0)


@pytest.mark.property("E17")
@pytest.mark.needs("debugfs has the peak", change="used-hiwater")
@TRACKING_OOPSES
@pytest.mark.parametrize("append", ["swiotlb=track_hiwater"])
def test_debugfs_keeps_the_peak(probe: Probe, counters: PoolCounters, page: int) -> None:
    """io_tlb_used_hiwater is the largest number of slots that were in use at once.

    7.3 counts it on request only (121f9fd1c308); earlier kernels do not know the option.
    """
    device = probe.device("probe-a")
    device.alloc_coherent(2 * page).free()
    peak = counters.hiwater

    device.alloc_coherent(page)

    least = 2 * page // SLOT
    require(peak >= least, f"io_tlb_used_hiwater of at least {least}", f"{peak}")
    counted(counters.hiwater, peak, "slots (io_tlb_used_hiwater)")


@pytest.mark.property("E17")
@pytest.mark.needs("debugfs has the peak", change="used-hiwater")
@pytest.mark.needs("since, only on request", before="track-hiwater")
def test_debugfs_keeps_the_peak_unasked(probe: Probe, counters: PoolCounters, page: int) -> None:
    """io_tlb_used_hiwater counts without an option on the command line."""
    probe.device("probe-a").alloc_coherent(2 * page).free()

    least = 2 * page // SLOT
    seen = counters.hiwater
    require(seen >= least, f"io_tlb_used_hiwater of at least {least}", f"{seen}")


@pytest.mark.property("E17")
@pytest.mark.needs("before, it was always kept", change="track-hiwater")
def test_debugfs_keeps_no_peak_unasked(probe: Probe, counters: PoolCounters, page: int) -> None:
    """io_tlb_used_hiwater stays 0 without swiotlb=track_hiwater; io_tlb_used does count."""
    probe.device("probe-a").alloc_coherent(2 * page)

    counted(counters.hiwater, 0, "slots (io_tlb_used_hiwater)")
    slots_used(counters, 2 * page // SLOT)


@pytest.mark.property("E17")
@pytest.mark.needs("debugfs has the peak", change="used-hiwater")
@TRACKING_OOPSES
@pytest.mark.parametrize("append", ["swiotlb=track_hiwater"])
def test_the_peak_can_be_forgotten_and_nothing_else(
    probe: Probe, counters: PoolCounters, page: int
) -> None:
    """Writing 0 to io_tlb_used_hiwater resets the peak; the kernel refuses any other number."""
    probe.device("probe-a").alloc_coherent(2 * page).free()
    peak = counters.hiwater

    with pytest.raises(AgentError) as refusal:
        counters.set_hiwater(peak + 1)
    equal(refusal.value.errno, errno.EINVAL, "the error of the write")
    counted(counters.hiwater, peak, "slots (io_tlb_used_hiwater)")

    counters.set_hiwater(0)
    counted(counters.hiwater, 0, "slots (io_tlb_used_hiwater)")
    probe.device("probe-a").alloc_coherent(page)
    counted(counters.hiwater, page // SLOT, "slots (io_tlb_used_hiwater)")


@pytest.mark.property("E17", control=True)
@pytest.mark.parametrize("shape", ["pool-platform"])
def test_a_device_without_a_pool_does_not_count_in_it(
    probe: Probe, counters: PoolCounters, page: int
) -> None:
    """The kernel does not count an unrestricted device's allocation in another device's pool."""
    probe.device("probe-b").alloc_coherent(2 * page)

    slots_used(counters, 0)
