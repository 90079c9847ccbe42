# SPDX-License-Identifier: Apache-2.0
"""What guests ran is known by function and property, and chooses the tests that run first."""

from pathlib import Path

import pytest
from packaging.version import Version

from harness.jobs.coverage.counts import save_counts
from harness.jobs.coverage.layout import Counters, Layout, ProfiledFunction, Unit
from harness.jobs.coverage.reached import Reached, find_reached, reached_by
from harness.observe.memory import Symbols
from harness.observe.memory.symbols import Symbol

NAMES = {64: "__gcov0.swiotlb_map", 80: "__gcov0.swiotlb_free.isra.0"}

FUNCTIONS = tuple(ProfiledFunction(1, 2, 3, (Counters(0, address, 2),)) for address in NAMES)

LAYOUT = Layout("key", (Unit("/x/a.gcda", 1, 2, 3, FUNCTIONS),))

MEASURED = Reached(
    "6.12.117",
    {
        "swiotlb_map": ("B1", "B2", "C1", "D3"),
        "dma_direct_map_sg": ("B2", "C1"),
        "swiotlb_free": ("D3",),
    },
)


class FakeSymbols(Symbols):
    """The symbols of NAMES, without a vmlinux."""

    def __init__(self) -> None:
        """Read no file."""

    def nearest(self, address: int) -> Symbol | None:
        """The symbol at *address*."""
        return Symbol(NAMES[address], address, 16)


def keep(directory: Path, name: str, *counts: int) -> None:
    path = directory / "counts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    save_counts(counts, path)


def test_function_is_reached_by_the_properties_of_the_tests_whose_guests_ran_it(
    tmp_path: Path,
) -> None:
    keep(tmp_path, "B2,D3/guest-1.json", 0, 1, 0, 0)
    keep(tmp_path, "D3/guest-2.json", 0, 0, 0, 2)
    keep(tmp_path, "none/guest-3.json", 1, 1, 1, 1)
    keep(tmp_path, "parked-x.json", 1, 1, 1, 1)

    found = reached_by(tmp_path, LAYOUT, FakeSymbols(), "6.12.117")

    assert found == Reached("6.12.117", {"swiotlb_free": ("D3",), "swiotlb_map": ("B2", "D3")})


def test_property_whose_tests_rarely_reach_a_function_does_not_count(tmp_path: Path) -> None:
    keep(tmp_path, "B1,C8/guest-everything.json", 1, 0, 0, 0)
    for number in range(2):
        keep(tmp_path, f"B1/guest-{number}.json", 0, 0, 0, 0)

    found = reached_by(tmp_path, LAYOUT, FakeSymbols(), "6.12.117")

    assert found.functions == {"swiotlb_map": ("C8",)}


def test_tests_of_the_rarest_function_come_first() -> None:
    assert MEASURED.order(["dma_direct_map_sg", "swiotlb_free"]) == (("D3",), ("B2", "C1"))


@pytest.mark.parametrize("function", ["swiotlb_map", "swiotlb_init_remap"])
def test_function_that_most_tests_reach_or_that_was_not_measured_chooses_none(
    function: str,
) -> None:
    assert MEASURED.order([function]) == ()


def test_largest_measurement_of_a_version_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    part = Reached("6.12.117", {"swiotlb_map": ("B1",)})
    other = Reached("6.1.1", {"swiotlb_map": ("B1", "B2", "B3", "B4", "B5")})
    for key, one in {"a": part, "b": MEASURED, "c": other}.items():
        (tmp_path / "coverage" / key).mkdir(parents=True)
        one.save(tmp_path / "coverage" / key)

    assert find_reached(Version("6.12.117")) == MEASURED
    assert find_reached(Version("7.3")) is None
