# SPDX-License-Identifier: Apache-2.0
"""Canaries of pools and guards of buffers are found wherever they must not be."""

from collections.abc import Iterator

import pytest
from oracle_scene import BASE, PAGE, POOL, RAM, SLOT, allocation, ids, mapping, memory, run

from harness.base.address_range import AddressRange
from harness.devices.oracles.canary import MAGIC, UNIT, Planted, changed, plant, stale
from harness.devices.oracles.guards import WORD, damaged_guards, neighbours_in_pools
from harness.devices.oracles.leftovers import in_new_memory
from harness.devices.probe import Held, Space
from harness.observe.memory import LiveMemory

ALL_RAM = [AddressRange(RAM, 64 * PAGE)]


@pytest.fixture
def ram() -> Iterator[LiveMemory]:
    """RAM of 256 KiB, and the pool's."""
    with memory((RAM, 64 * PAGE), (BASE, POOL.size)) as ram:
        yield ram


@pytest.fixture
def planted(ram: LiveMemory) -> Planted:
    """The pool, planted when it had slots 2 and 3 in use."""
    return plant(ram, 0, POOL, run(2, 2 * SLOT))


def guard(phys: int, size: int = 64) -> Held:
    return Held(0, Space.BUFFER, 0, 0, phys, size)


def test_free_slots_are_filled_and_others_are_not(ram: LiveMemory, planted: Planted) -> None:
    filled = [ram.read(BASE + n * SLOT, SLOT).count(MAGIC) for n in range(POOL.nslabs)]

    assert filled == [0 if n in (2, 3) else SLOT // UNIT.size for n in range(POOL.nslabs)]
    assert planted.slots == POOL.nslabs


def test_a_stale_byte_tells_its_pool_and_slot(ram: LiveMemory, planted: Planted) -> None:
    ram.write(RAM + 1001, ram.read(BASE + 7 * SLOT + 3, 13))

    (found,) = stale(ram, [planted], ALL_RAM)

    assert (found.pool, found.slot, found.phys) == (POOL, 7, RAM + 1001 + 5)


def test_pools_are_told_apart_by_their_number(ram: LiveMemory, planted: Planted) -> None:
    other = Planted(1, POOL)
    ram.write(RAM, UNIT.pack(MAGIC, 1 << 24 | 5))

    assert [found.slot for found in stale(ram, [planted, other], ALL_RAM)] == [5]
    assert not list(stale(ram, [planted], ALL_RAM))


def test_a_magic_word_alone_is_no_canary(ram: LiveMemory, planted: Planted) -> None:
    ram.write(RAM, MAGIC + b"\xff\xff\xff\xff")
    ram.write(RAM + 64 * PAGE - 4, MAGIC)

    assert not list(stale(ram, [planted], ALL_RAM))


def test_a_pool_as_planted_has_not_changed(ram: LiveMemory) -> None:
    planted = plant(ram, 0, POOL, [])

    assert not list(changed(ram, POOL, [planted]))


def test_what_was_written_has_changed(ram: LiveMemory) -> None:
    planted = plant(ram, 0, POOL, [])
    ram.write(BASE + 70_000, b"!")

    assert list(changed(ram, POOL, [planted])) == [AddressRange(BASE + (64 << 10), 64 << 10)]


def test_nothing_is_known_of_a_pool_that_was_not_planted(ram: LiveMemory) -> None:
    assert sum(span.size for span in changed(ram, POOL, [])) == POOL.size


@pytest.mark.parametrize(
    ("held", "broken"), [(mapping(9, 5000), ("B3",)), (allocation(10, PAGE), ("D1",))]
)
def test_old_bytes_in_new_memory_are_found(
    ram: LiveMemory, planted: Planted, held: Held, broken: tuple[str, ...]
) -> None:
    (violation,) = in_new_memory(ram, [planted], [held])

    assert violation.properties == broken
    assert f"pool@4f000000, slot {(held.phys - BASE) // SLOT}" in violation.summary


def test_a_mapping_that_was_copied_to_its_last_byte_shows_nothing(
    ram: LiveMemory, planted: Planted
) -> None:
    held = mapping(9, 5000, offset=100)
    ram.write(held.phys, bytes(held.size))

    assert not list(in_new_memory(ram, [planted], [held]))


def test_whole_guards_are_no_finding(ram: LiveMemory) -> None:
    ram.write(RAM + 101, WORD * 16)

    assert not list(damaged_guards(ram, [guard(RAM + 101), guard(RAM + 101, 63)]))


def test_a_damaged_guard_tells_where(ram: LiveMemory) -> None:
    ram.write(RAM, WORD * 16)
    ram.write(RAM + 9, b"\x99")

    (violation,) = damaged_guards(ram, [guard(RAM)])

    assert violation.properties == ("B5", "C3")
    assert "overwritten: 99 c1" in violation.summary
    assert "at 0x40000009, 9 bytes into a guard of 64" in violation.summary


@pytest.mark.parametrize("offset", [0, 4 * SLOT + 17, POOL.size - 4])
def test_four_bytes_of_a_guard_in_a_pool_are_found(ram: LiveMemory, offset: int) -> None:
    ram.write(BASE + offset, WORD)

    assert ids(neighbours_in_pools(ram, [POOL], [])) == [("B6", "C3")]


def test_a_guard_in_a_planted_pool_is_found(ram: LiveMemory, planted: Planted) -> None:
    assert not list(neighbours_in_pools(ram, [POOL], [planted]))
    ram.write(BASE + 33 * SLOT + 1000, WORD)

    (violation,) = neighbours_in_pools(ram, [POOL], [planted])

    assert f"{BASE + 33 * SLOT + 1000:#x}" in violation.summary
