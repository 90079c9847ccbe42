# SPDX-License-Identifier: Apache-2.0
"""The ring of accesses keeps what fits, and says what it lost."""

import struct
from pathlib import Path

import pytest

from harness.base.errors import HarnessError
from harness.jobs.double_fetch.ring import (
    CAPACITY,
    HEADER,
    Access,
    AccessRing,
    Function,
    Kind,
    WatchedRange,
)

RECORD = struct.Struct("<QQQQQIHBB")
"""``struct record`` of watch.c."""


def record(ring: AccessRing, order: int, number: int) -> None:
    """Write record *order* as the plugin does; a *number* of 0 means that it is not whole yet."""
    with Path(ring.path).open("r+b") as file:
        file.seek(HEADER + order % CAPACITY * RECORD.size)
        file.write(RECORD.pack(number, 0x4F000000, 0x100, 0x200, 0x300, 7, 1, 4, 1))
        file.seek(0)
        file.write(struct.pack("<Q", order + 1))


@pytest.fixture
def ring() -> AccessRing:
    return AccessRing()


def test_a_record_comes_out_as_it_was_written(ring: AccessRing) -> None:
    record(ring, 0, 1)

    assert ring.since(0) == (Access(0, 1, True, 4, 0x4F000000, 0x100, 0x200, 0x300, 7),)


def test_a_record_that_is_not_whole_yet_is_left_out(ring: AccessRing) -> None:
    record(ring, 0, 1)
    record(ring, 1, 0)

    assert [access.number for access in ring.since(0)] == [0]


def test_the_ring_goes_round(ring: AccessRing) -> None:
    record(ring, CAPACITY, CAPACITY + 1)

    assert [access.number for access in ring.since(CAPACITY)] == [CAPACITY]


def test_more_than_the_ring_holds_is_an_error(ring: AccessRing) -> None:
    record(ring, CAPACITY, CAPACITY + 1)

    with pytest.raises(HarnessError, match="smaller"):
        ring.since(0)


def test_more_than_the_plugin_can_watch_is_an_error(ring: AccessRing) -> None:
    one = Function("memcpy", 0x1000, 0x100, Kind.COPYING)

    with pytest.raises(HarnessError, match=r"9 pools and 1 functions"):
        ring.watch([WatchedRange(0, 1, 0)] * 9, [one])
