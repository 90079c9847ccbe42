# SPDX-License-Identifier: Apache-2.0
"""A vhost-user device reaches the regions that it was handed, and is refused everything else."""

import os
from collections.abc import Iterator

import pytest

from harness.base.address_range import AddressRange
from harness.devices.rogue.vhost.table import MemoryTable, TableEntry

PAGE = 4096
FIRST, SECOND = 0x4000_0000, 0x4800_0000


@pytest.fixture
def file() -> Iterator[int]:
    """Four pages, each full of its number."""
    file = os.memfd_create("guest")
    os.write(file, b"".join(bytes([number]) * PAGE for number in range(4)))
    yield file
    os.close(file)


@pytest.fixture
def table(file: int) -> Iterator[MemoryTable]:
    """Page 3 of the file, then page 1, far apart."""
    table = MemoryTable("rogue")
    second, first = (
        TableEntry(SECOND, PAGE, 0x9000, PAGE),
        TableEntry(FIRST, PAGE, 0x1000, 3 * PAGE),
    )
    table.replace([second, first], [file, file])
    yield table
    table.close()


def test_a_region_begins_at_its_offset_in_the_file(table: MemoryTable) -> None:
    assert table.read(FIRST, PAGE) == b"\3" * PAGE
    assert table.read(SECOND + PAGE - 2, 2) == b"\1\1"
    assert table.refusals == []


def test_what_is_written_is_in_the_file(table: MemoryTable, file: int) -> None:
    table.write(SECOND + 8, b"data")

    assert os.pread(file, 6, PAGE + 7) == b"\1data\1"


def test_an_access_outside_is_refused_once_and_recorded(table: MemoryTable, file: int) -> None:
    assert table.read(0x4400_0000, 2 * PAGE) == bytes(2 * PAGE)
    table.write(FIRST - 4, b"nope")

    recorded = [(r.device, r.address, r.access) for r in table.refusals]
    assert recorded == [("rogue", 0x4400_0000, "read"), ("rogue", FIRST - 4, "write")]
    assert os.pread(file, PAGE, 3 * PAGE) == b"\3" * PAGE


def test_an_access_across_a_border_does_its_inner_part(table: MemoryTable, file: int) -> None:
    assert table.read(FIRST - 2, 4) == b"\0\0\3\3"
    table.write(FIRST + PAGE - 2, b"abcd")

    assert os.pread(file, PAGE, 3 * PAGE).endswith(b"\3ab")
    assert [r.address for r in table.refusals] == [FIRST - 2, FIRST + PAGE]


def test_a_span_of_two_regions_and_the_gaps_around_is_one_refusal(table: MemoryTable) -> None:
    data = table.read(FIRST - 1, SECOND + PAGE - FIRST + 2)

    assert data.startswith(b"\0" + b"\3" * PAGE + b"\0")
    assert data.endswith(b"\0" + b"\1" * PAGE + b"\0")
    assert [r.address for r in table.refusals] == [FIRST - 1]


def test_addresses_of_qemu_are_translated(table: MemoryTable) -> None:
    assert table.from_user(0x9010) == SECOND + 0x10
    assert table.from_user(0x1000 + PAGE) is None


def test_reach_is_in_ascending_order(table: MemoryTable) -> None:
    assert table.reach == (AddressRange(FIRST, PAGE), AddressRange(SECOND, PAGE))


def test_a_closed_table_reaches_nothing(table: MemoryTable) -> None:
    table.close()

    assert table.reach == ()
    assert table.read(FIRST, 4) == bytes(4)


def test_only_what_is_allowed_of_the_regions_is_reached(file: int) -> None:
    table = MemoryTable("rogue", allowed=[AddressRange(FIRST + PAGE, PAGE)])

    table.replace([TableEntry(FIRST, 3 * PAGE, 0x1000, PAGE)], [file])

    assert table.reach == (AddressRange(FIRST + PAGE, PAGE),)
    assert table.read(FIRST, 3 * PAGE) == bytes(PAGE) + b"\2" * PAGE + bytes(PAGE)
    assert table.from_user(0x1000 + PAGE) == FIRST + PAGE
    assert table.from_user(0x1000) is None
    table.close()
