# SPDX-License-Identifier: Apache-2.0
"""Slots in use are told by the calls that gave them to the device."""

from harness.jobs.check.answers import DmaCall
from harness.jobs.size.answers import Holder
from harness.jobs.size.pool_watch import holders_of, largest_mapping
from harness.kernel import SLOT
from harness.observe.memory import Slot

BASE = 0x4F00_0000


def run(first: int, count: int, coherent: bool = False) -> tuple[Slot, ...]:
    """The slots of a mapping of *count* slots from slot *first* on."""
    return tuple(
        Slot(
            index=first + at,
            phys=BASE + (first + at) * SLOT,
            orig_addr=None if coherent else 0x4100_0000 + at * SLOT,
            alloc_size=(count - at) * SLOT,
            list=0,
            pad=0,
        )
        for at in range(count)
    )


def call(event: str, slot: int, *frames: str, offset: int = 0, size: int = SLOT) -> DmaCall:
    return DmaCall(event, BASE + slot * SLOT + offset, size, frames)


def test_slots_are_summed_by_who_made_the_mappings() -> None:
    runs = [run(0, 4, coherent=True), run(4, 2), run(8, 2), run(12, 1)]
    calls = [
        call("dma_alloc", 0, "vring_alloc_queue"),
        call("dma_map_page", 4, "vring_map_one_sg", "virtqueue_add"),
        call("dma_map_page", 8, "vring_map_one_sg", "virtqueue_add"),
    ]

    assert holders_of(runs, calls) == (
        Holder(("vring_alloc_queue",), "dma_alloc", True, 1, 4),
        Holder(("vring_map_one_sg", "virtqueue_add"), "dma_map_page", False, 2, 4),
        Holder((), "", False, 1, 1),
    )


def test_the_last_call_that_gave_a_slot_counts() -> None:
    calls = [call("dma_map_page", 4, "earlier"), call("dma_map_page", 4, "later")]

    (holder,) = holders_of([run(4, 1)], calls)

    assert holder.callers == ("later",)


def test_an_address_within_a_slot_is_found_behind_padding() -> None:
    (holder,) = holders_of([run(4, 3)], [call("dma_map_sg", 6, "nvme_map_data", offset=512)])

    assert holder.callers == ("nvme_map_data",)


def test_the_largest_mapping_is_no_allocation() -> None:
    calls = [
        call("dma_alloc", 0, "alloc", size=65536),
        call("dma_map_page", 40, "map", size=4096),
        call("dma_map_sg", 50, "map", size=8192),
    ]

    assert largest_mapping(calls) == 8192
    assert largest_mapping([]) == 0
