# SPDX-License-Identifier: Apache-2.0
"""Accesses to a pool become bytes that were copied."""

from unittest.mock import Mock

import pytest

from harness.base.errors import InputError
from harness.jobs.cost import copied
from harness.jobs.cost.copied import copied_bytes, watch_pools
from harness.jobs.double_fetch.ring import Access, Function, Kind

MEMCPY = Function("memcpy", 0x1000, 0x100, Kind.COPYING)
UNMAP = Function("dma_unmap_page_attrs", 0x2000, 0x100, Kind.DMA_API)
FUNCTIONS = (MEMCPY, UNMAP)

POOL = 0x4F000000


def copy(call: int, *places: int, store: bool = True, cpu: int = 0) -> list[Access]:
    """Accesses of 8 bytes at *places* of the pool in one call of memcpy()."""
    return [Access(0, cpu, store, 8, POOL + at, MEMCPY.start + 4, call=call) for at in places]


def test_a_call_that_stores_bytes_twice_has_copied_them_once() -> None:
    assert copied_bytes(copy(1, 0, 8, 16, 12), FUNCTIONS) == 24


def test_each_call_that_copies_the_same_bytes_counts() -> None:
    assert copied_bytes(copy(1, 0, 8) + copy(2, 0, 8), FUNCTIONS) == 32
    assert copied_bytes(copy(1, 0, 8) + copy(1, 0, 8, cpu=1), FUNCTIONS) == 32


def test_what_a_call_loads_and_stores_is_both() -> None:
    assert copied_bytes(copy(1, 0, store=False) + copy(1, 0), FUNCTIONS) == 16


def test_each_access_outside_functions_that_copy_counts() -> None:
    loop = [Access(number, 0, True, 4, POOL, UNMAP.start, call=1) for number in range(3)]

    assert copied_bytes(loop, FUNCTIONS) == 12


def test_no_access_is_no_byte() -> None:
    assert copied_bytes((), FUNCTIONS) == 0


def test_why_accesses_are_not_seen_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(copied, "Watched", Mock(side_effect=InputError("Set CONFIG_DEVMEM=y")))

    assert watch_pools(Mock()) is None
    assert "copied bytes are not counted: Set CONFIG_DEVMEM=y" in capfd.readouterr().err
