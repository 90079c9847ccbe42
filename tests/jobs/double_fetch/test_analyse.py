# SPDX-License-Identifier: Apache-2.0
"""What counts as reading the same bytes twice."""

from collections.abc import Iterable
from dataclasses import replace

from harness.base.address_range import AddressRange
from harness.jobs.double_fetch.analyse import DoubleFetch, Reader, double_fetches, second_looks
from harness.jobs.double_fetch.ring import Access

POOL = 0x4F00_0000

CHECK, USE, WRITE = 0x100, 0x200, 0x300
"""Instructions that load, and one that stores, for themselves."""

COPY, TAIL = 0x1000, 0x1010
"""Instructions of a copying function."""


def reader_of(access: Access) -> Reader:
    """The places behind COPY are memcpy's."""
    if access.pc >= COPY:
        return Reader(access.site, "memcpy", access.driver)
    return Reader(access.pc)


def load(offset: int, size: int, pc: int, *, site: int = 0, call: int = 0, cpu: int = 0) -> Access:
    return Access(0, cpu, False, size, POOL + offset, pc, site, call=call)


def store(offset: int, size: int) -> Access:
    return Access(0, 0, True, size, POOL + offset, WRITE)


def in_order(accesses: Iterable[Access]) -> list[Access]:
    """The same, numbered."""
    return [replace(access, number=number) for number, access in enumerate(accesses)]


def found(*accesses: Access) -> tuple[DoubleFetch, ...]:
    """The double fetches of these accesses, in this order."""
    return double_fetches(in_order(accesses), reader_of)


def test_two_loads_of_the_same_bytes_are_a_double_fetch() -> None:
    (double,) = found(load(0, 4, CHECK), load(0, 4, USE))

    assert (double.first, double.second) == (Reader(CHECK), Reader(USE))
    assert double.ranges() == (AddressRange(POOL, 4),)
    assert double.times == 1
    assert not double.poll


def test_loads_of_different_bytes_are_none() -> None:
    assert not found(load(0, 4, CHECK), load(4, 4, USE))


def test_only_the_bytes_in_common_count() -> None:
    (double,) = found(load(0, 8, CHECK), load(6, 4, USE))

    assert double.ranges() == (AddressRange(POOL + 6, 2),)


def test_a_store_in_between_makes_the_bytes_the_cpus_own() -> None:
    assert not found(load(0, 4, CHECK), store(0, 8), load(0, 4, USE))


def test_a_store_of_other_bytes_changes_nothing() -> None:
    (double,) = found(load(0, 4, CHECK), store(2, 8), load(0, 4, USE))

    assert double.ranges() == (AddressRange(POOL, 2),)


def test_the_same_instruction_again_is_a_poll() -> None:
    (double,) = found(*(load(0, 2, CHECK) for _ in range(3)))

    assert double.poll
    assert double.times == 2


def test_loads_on_two_cpus_are_a_double_fetch() -> None:
    (double,) = found(load(0, 4, CHECK, cpu=0), load(0, 4, CHECK, cpu=1))

    assert double.times == 1


def test_a_copy_that_loads_its_ends_twice_has_read_once() -> None:
    assert not found(
        load(0, 8, COPY, site=CHECK, call=1),
        load(4, 8, TAIL, site=CHECK, call=1),
    )


def test_two_copies_of_the_same_bytes_are_a_double_fetch_of_their_callers() -> None:
    (double,) = found(
        *(load(offset, 8, COPY, site=CHECK, call=1) for offset in (0, 8)),
        *(load(offset, 8, COPY, site=USE, call=2) for offset in (0, 8)),
    )

    assert double.first == Reader(CHECK, "memcpy")
    assert double.second == Reader(USE, "memcpy")
    assert double.ranges() == (AddressRange(POOL, 16),)
    assert double.times == 1


def test_a_header_read_before_all_of_it_is_copied_is_a_double_fetch() -> None:
    (double,) = found(
        load(0, 2, CHECK),
        *(load(offset, 8, COPY, site=USE, call=1) for offset in (0, 8)),
    )

    assert (double.first, double.second) == (Reader(CHECK), Reader(USE, "memcpy"))
    assert double.ranges() == (AddressRange(POOL, 2),)


def test_calls_with_the_same_number_on_two_cpus_are_two_copies() -> None:
    (double,) = found(
        load(0, 8, COPY, site=CHECK, call=1, cpu=0),
        load(0, 8, COPY, site=CHECK, call=1, cpu=1),
    )

    assert double.poll


def test_pairs_of_readers_are_reported_apart() -> None:
    doubles = found(load(0, 2, CHECK), load(0, 2, USE), load(0, 2, CHECK))

    assert [(d.first.pc, d.second.pc) for d in doubles] == [(CHECK, USE), (USE, CHECK)]


def test_ranges_that_do_not_touch_are_named_apart() -> None:
    (double,) = found(*(load(offset, 4, CHECK) for offset in (0, 16) * 2))

    assert double.ranges() == (AddressRange(POOL, 4), AddressRange(POOL + 16, 4))


def test_what_was_stored_and_is_loaded_is_read_back() -> None:
    (back,) = second_looks(in_order([store(0, 8), load(4, 2, USE)]), reader_of)

    assert back.stored
    assert (back.first, back.second) == (Reader(WRITE), Reader(USE))
    assert back.ranges() == (AddressRange(POOL + 4, 2),)


def test_a_copy_out_of_the_pool_reads_nothing_back() -> None:
    copy_out = Access(0, 0, False, 8, POOL, COPY, CHECK, driver=USE)

    assert not second_looks(in_order([store(0, 8), copy_out]), reader_of)


def test_what_was_stored_is_no_double_fetch() -> None:
    assert not found(store(0, 8), load(0, 8, USE))
