# SPDX-License-Identifier: Apache-2.0
"""``harness size`` on real guests: what a driver needs, and the same numbers each time."""

from dataclasses import replace

import pytest

from harness.base.space import KIB, MIB
from harness.jobs.check import find_driver
from harness.jobs.check.kernel_parts import KernelParts
from harness.jobs.size import Ending, SizeBench, Sizing, Trial, exit_code, measure
from harness.jobs.size.answers import Level
from harness.kernel import Kernel
from harness.machine.binary import Qemu

pytestmark = [
    pytest.mark.any_kernel("how the need of a driver is measured"),
    pytest.mark.needs("types of the kernel's memory", types=True),
]

BLK, RNG, NVME, NET = map(find_driver, ("virtio-blk", "virtio-rng", "nvme", "virtio-net"))

with_cards = pytest.mark.parametrize("flavour", ["drivers"])


@pytest.fixture
def bench(qemu: Qemu, kernel: Kernel) -> SizeBench:
    """Guests with one CPU."""
    return SizeBench(qemu, kernel, KernelParts(kernel), cpus=1)


def numbers(trial: Trial) -> Trial:
    """What shall be the same each time."""
    return replace(trial, said=(), holders=())


def test_the_slots_of_a_disk_are_counted_while_it_holds_its_answers(bench: SizeBench) -> None:
    """A request of 1 MiB needs its slots at once: the kernel's count is what memory shows."""
    first, second = (bench.try_size(BLK, 4 * MIB) for _ in range(2))

    assert first.outcome is Ending.WORKS, first
    assert first.peak >= MIB // (2 * KIB)
    assert sum(one.slots for one in first.holders) == first.peak
    assert all(one.callers for one in first.holders), first.holders
    assert first.waits
    assert not first.refused
    assert numbers(first) == numbers(second)


def test_a_disk_in_a_pool_that_is_too_small_is_told(bench: SizeBench) -> None:
    """The request holds nearly all slots of the pool when one of its mappings is refused."""
    trial = bench.try_size(BLK, 512 * KIB)

    assert trial.outcome is Ending.NEVER_ENDS, trial
    assert trial.refused
    assert sum(one.slots for one in trial.holders) > 200, trial.holders
    assert any("swiotlb buffer is full" in line for line in trial.said)
    assert exit_code([Sizing("virtio-blk", "", ample=replace(trial, outcome=Ending.WORKS))]) == 0


def test_the_smallest_pool_of_a_small_device_is_one_slot_set(bench: SizeBench) -> None:
    """virtio-rng does with the smallest pool; a driver that the kernel lacks is not judged."""
    rng, nvme = measure(bench, RNG), measure(bench, NVME)

    assert rng.smallest is not None
    assert rng.smallest[Level.FULL_SPEED] == 256 * KIB
    assert rng.verdict.exit_code == 0
    assert (nvme.reason, nvme.verdict.exit_code) == ("CONFIG_BLK_DEV_NVME is not set", 2)


@pytest.mark.nightly("a kernel of its own")
@with_cards
def test_a_card_that_cannot_send_makes_its_workload_fail(bench: SizeBench) -> None:
    """Its receive buffers take the whole pool; TCP gives up after some attempts, not the clock."""
    first, second = (bench.try_size(NET, 512 * KIB) for _ in range(2))

    assert first.outcome is Ending.FAILS, first
    assert "timed out" in first.detail
    assert (first.peak, first.exact) == (first.counted, False)
    assert first.peak == 512 * KIB // (2 * KIB)
    assert numbers(first) == numbers(second)


@pytest.mark.nightly("a kernel of its own")
@with_cards
def test_a_kernel_that_is_never_at_rest_after_the_workload_is_reported(bench: SizeBench) -> None:
    """virtio-net asks for receive buffers on and on while its pool has no room for them."""
    trial = bench.try_size(NET, 256 * KIB)

    assert trial.outcome is Ending.NEVER_RESTS, trial
    assert "is still busy" in trial.detail
