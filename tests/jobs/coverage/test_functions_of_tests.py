# SPDX-License-Identifier: Apache-2.0
"""What guests ran is known by function and test."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.cache import digest
from harness.cli import main
from harness.jobs.coverage import Measurement, collector
from harness.jobs.coverage.collector import COUNTS, Collector
from harness.jobs.coverage.counts import Counts, load_counts, total
from harness.jobs.coverage.functions_of_tests import reached_by
from harness.jobs.coverage.layout import Counters, Layout, ProfiledFunction, Unit
from harness.observe.memory import Symbols
from harness.observe.memory.symbols import Symbol
from harness.results import Verdict
from harness.results.reached import Reached

NAMES = {64: "__gcov0.swiotlb_map", 80: "__gcov0.swiotlb_free.isra.0"}

FUNCTIONS = tuple(ProfiledFunction(1, 2, 3, (Counters(0, address, 2),)) for address in NAMES)

LAYOUT = Layout("key", (Unit("/x/a.gcda", 1, 2, 3, FUNCTIONS),))

MAPS, FREES = "harness/suite/test_a.py::test_maps", "harness/suite/test_a.py::test_frees"


class FakeSymbols(Symbols):
    """The symbols of NAMES, without a vmlinux."""

    def __init__(self, _: Path = Path()) -> None:
        """Read no file."""

    def nearest(self, address: int) -> Symbol | None:
        """The symbol at *address*."""
        return Symbol(NAMES[address], address, 16)


class FakeGuest:
    """A guest with the counts *begin* when it starts, None if it was booted, and *end* then."""

    def __init__(self, begin: Counts | None, end: Counts) -> None:
        self.machine = SimpleNamespace(kernel=SimpleNamespace(key=LAYOUT.kernel), key="machine")
        self.boot_log = None if begin is None else "log"
        self.counts = begin or end
        self.end = end

    def at_close(self, keep: Callable[[], None]) -> None:
        """Let it run, and end."""
        self.counts = self.end
        keep()

    def __enter__(self) -> "FakeGuest":
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def collect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collector:
    LAYOUT.save(tmp_path)
    monkeypatch.setattr(collector, "Symbols", FakeSymbols)
    monkeypatch.setattr(collector, "live_memory", lambda guest: guest)
    monkeypatch.setattr(collector, "read_counts", lambda guest, *_: guest.counts)
    return Collector(tmp_path, tmp_path / "vmlinux")


def watch(collect: Collector, test: str, begin: Counts | None, end: Counts) -> None:
    guest: Any = FakeGuest(begin, end)
    collect.watch(guest, test)


def reached(directory: Path) -> dict[str, frozenset[str]]:
    return dict(reached_by(directory, LAYOUT, FakeSymbols(), "6.12.117").functions)


def test_function_is_reached_by_the_tests_whose_guests_ran_it(
    tmp_path: Path, collect: Collector
) -> None:
    watch(collect, f"{MAPS}[probe-a]", None, (0, 1, 0, 0))
    watch(collect, f"{MAPS}[probe-b]", None, (2, 0, 0, 0))
    watch(collect, FREES, None, (1, 1, 0, 2))

    assert reached(tmp_path) == {
        "swiotlb_map": frozenset({MAPS, FREES}),
        "swiotlb_free": frozenset({FREES}),
    }


def test_what_the_parked_guest_ran_does_not_count_for_the_test(
    tmp_path: Path, collect: Collector
) -> None:
    watch(collect, MAPS, (5, 5, 5, 5), (5, 6, 5, 5))

    assert reached(tmp_path) == {"swiotlb_map": frozenset({MAPS})}


def test_counts_of_all_lines_are_those_of_before(tmp_path: Path, collect: Collector) -> None:
    watch(collect, MAPS, (5, 5, 5, 5), (5, 6, 5, 5))
    watch(collect, FREES, (5, 5, 5, 5), (5, 5, 5, 7))

    assert total(load_counts(tmp_path / COUNTS), LAYOUT) == (5, 6, 5, 7)
    assert (tmp_path / COUNTS / digest(MAPS) / "test").read_text() == MAPS


def test_release_is_kept(tmp_path: Path) -> None:
    (tmp_path / COUNTS).mkdir()

    assert reached_by(tmp_path, LAYOUT, FakeSymbols(), "6.12.1") == Reached("6.12.1", {})


@pytest.mark.parametrize("words", [["--series=x.patch"], ["--add"], ["--", "-k", "B1"]])
def test_a_part_of_the_tests_earlier_ones_or_another_kernel_are_not_kept(
    words: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cli.coverage.measure", None)

    assert main(["coverage", "--keep-reached", *words]) == 2
    assert "leave out --series, --add and options for pytest" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("verdict", "kept"), [(Verdict.GOOD, True), (Verdict.BAD, False), (Verdict.NOT_JUDGED, False)]
)
def test_what_tests_reach_is_kept_if_all_of_them_passed(
    verdict: Verdict, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel: Any = SimpleNamespace(directory=tmp_path, release="6.12.117")
    (tmp_path / "coverage").mkdir()
    (tmp_path / "coverage/added.json").write_text("{}")
    tests = {f"swiotlb_{name}": frozenset({name}) for name in ("map", "free", "alloc", "bounce")}
    measured = Measurement(kernel, {}, Reached("6.12.117", tests), verdict)
    file = tmp_path / "reached.json"
    monkeypatch.setattr("harness.results.reached.REACHED", file)
    monkeypatch.setattr("harness.cli.coverage.measure", lambda *_: measured)

    code = main(["coverage", "--keep-reached", f"--html={tmp_path / 'page.html'}"])

    assert (code, file.exists()) == (verdict.exit_code, kept)
