# SPDX-License-Identifier: Apache-2.0
"""Where a board's regions lie on QEMU's machine: what is kept, and what says so if it is not."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.base.space import GIB, KIB, MIB
from harness.machine.layout import LARGEST_RAM, RAM_BASE
from harness.machine.transfer.address_map import (
    STEP,
    AddressMap,
    map_addresses,
    taken,
)

LOW_BANK = AddressRange(0, 2 * GIB)


def ranges(*places: tuple[int, int]) -> list[AddressRange]:
    return [AddressRange(*one) for one in places]


def mapped(
    entries: list[AddressRange], banks: list[AddressRange], ram_size: int | None = None
) -> AddressMap:
    return map_addresses(entries, banks, ram_size)


def test_what_is_free_ram_of_the_machine_stays() -> None:
    pool = AddressRange(0xA000_0000, 64 * MIB)

    found = mapped([pool], ranges((0x4000_0000, 2 * GIB)))

    assert found.moved_range(pool) == pool
    assert found.ram_size >= pool.end - RAM_BASE


def test_a_board_whose_ram_begins_at_0_moves_with_its_bank() -> None:
    pool = AddressRange(0x1800_1000, MIB)

    assert mapped([pool], [LOW_BANK]).moved_range(pool).base == 0x1800_1000 + RAM_BASE


def test_what_lies_where_the_kernel_is_loaded_moves_and_keeps_its_alignment() -> None:
    pool = AddressRange(0x4020_0800, MIB)

    base = mapped([pool], ranges((0x4000_0000, GIB))).moved_range(pool).base

    assert base != pool.base
    assert (base - pool.base) % STEP == 0


@pytest.mark.parametrize("gap", [-4 * KIB, 0, 4 * KIB, 64 * KIB])
def test_regions_that_may_share_a_page_move_together(gap: int) -> None:
    first = AddressRange(0x1000_0000, 64 * KIB)
    second = AddressRange(first.end + gap, MIB)

    found = mapped([second, first], [LOW_BANK], 512 * MIB)

    moved = found.moved_range(first), found.moved_range(second)
    assert moved[1].base - moved[0].end == gap


def test_a_pool_above_4_gib_stays_above() -> None:
    pool = AddressRange(0x22_0000_0000, 64 * MIB)

    found = mapped([pool], ranges((0x22_0000_0000, 4 * GIB)))

    assert found.moved_range(pool).base >= 4 * GIB
    assert found.crossed == ()


def test_a_machine_too_small_for_that_says_so() -> None:
    pool = AddressRange(0x1_4000_0000, 64 * MIB)

    found = mapped([pool], ranges((0x1_4000_0000, 4 * GIB)), 512 * MIB)

    assert found.moved_range(pool).end <= RAM_BASE + 512 * MIB
    assert [one.base for one in found.crossed] == [pool.base]


def test_what_is_no_ram_on_the_board_is_none_on_the_machine() -> None:
    behind, over_the_end = AddressRange(0x5000_0000, MIB), AddressRange(0x4FF0_0000, 2 * MIB)
    banks = ranges((0x4000_0000, 256 * MIB))

    outside = mapped([behind], banks)
    edge = mapped([over_the_end], banks)

    ram_end = RAM_BASE + outside.ram_size
    assert outside.moved_range(behind).base >= ram_end
    assert edge.moved_range(over_the_end) == AddressRange(ram_end - MIB, 2 * MIB)


@pytest.mark.parametrize(
    ("size", "ram_size", "said"),
    [
        (9 * GIB, None, "does not fit into 9 GiB, the largest machine"),
        (400 * MIB, 512 * MIB, "does not fit into a machine with 512 MiB of RAM"),
    ],
)
def test_what_does_not_fit_is_an_error(size: int, ram_size: int | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        mapped([AddressRange(0x10_0000_0000, size)], [], ram_size)


def test_a_window_moves_with_the_pool_in_it() -> None:
    pool = AddressRange(0x1000_0000, MIB)
    found = mapped([pool], [LOW_BANK])

    (part,) = found.moved_window(AddressRange(0, GIB))

    assert (part.base, part.size, part.delta) == (0, GIB, RAM_BASE)


def test_a_window_over_pools_that_part_is_as_many_windows() -> None:
    low, high = AddressRange(0x4100_0000, MIB), AddressRange(0x6000_0000, MIB)
    found = mapped([low, high], ranges((0x4000_0000, 2 * GIB)))

    parts = found.moved_window(AddressRange(0x4000_0000, 2 * GIB))

    assert [one.place for one in parts] == [found.moved_range(low), found.moved_range(high)]


PLACES = st.builds(
    AddressRange,
    st.integers(0, 12 * GIB // (2 * KIB)).map(lambda number: number * 2 * KIB),
    st.integers(1, 64 * MIB),
)


@given(st.lists(PLACES, min_size=1, max_size=8))
def test_sizes_alignment_reach_and_distance_are_kept(entries: list[AddressRange]) -> None:
    found = map_addresses(entries, [AddressRange(0, 16 * GIB)], None)

    assert found.ram_size <= LARGEST_RAM
    moved = {one: found.moved_range(one) for one in entries}
    ram = AddressRange(RAM_BASE, found.ram_size)
    for old, new in moved.items():
        assert new.size == old.size
        assert (new.base - old.base) % STEP == 0
        assert ram.contains(new.base, new.size)
        assert not any(new.overlaps(one) for one in taken(ram))
    for one, other in combinations(entries, 2):
        assert moved[one].overlaps(moved[other]) == one.overlaps(other)
    for old, new in moved.items():
        if not found.crossed and (old.base >= 4 * GIB or old.end <= 4 * GIB):
            assert (new.base >= 4 * GIB) == (old.base >= 4 * GIB)
