# SPDX-License-Identifier: Apache-2.0
"""What is timed from the prompt to the verdict: kernels that no cache has, in bare boots."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kernel_trees import tiny_tree
from made_up_provenance import PLAIN
from validate_fakes import T, outcome

from harness.base.errors import HarnessError
from harness.jobs.bench import Measure, in_boots, measure_verdicts, prompt
from harness.jobs.mutants import Mutant
from harness.kernel.patches.apply import apply_series
from harness.kernel.patches.series import read_series
from harness.kernel.source.content import read_content
from harness.results import Run, SuiteRequest

BUG = Mutant(Path("01-escape-x.patch"), "x", "escape", ("B1", "C2"), "y", "default", "")

BOOT, RUN = 0.5, 6.0
"""Seconds of a bare boot and of a run, by the fake clock."""


@dataclass
class FakeSuite:
    """Takes RUN seconds for each run; a kernel with BUG fails."""

    clock: SimpleNamespace
    asked: list[SuiteRequest] = field(default_factory=list)
    patches: list[bytes] = field(default_factory=list)
    result: str = ""

    def __call__(self, request: SuiteRequest) -> Run:
        """Takes the place of run_tests()."""
        self.asked.append(request)
        self.patches += [path.read_bytes() for path in request.spec.series if path != BUG.path]
        self.clock.now += RUN
        result = self.result or ("FAIL" if BUG.path in request.spec.series else "PASS")
        return Run(PLAIN, "2026-01-05", RUN, (), (outcome(T, result),))


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSuite:
    clock = SimpleNamespace(now=0.0, number=0)
    suite = FakeSuite(clock)
    tree = tiny_tree(tmp_path / "tree")

    def number() -> int:
        clock.number += 1
        return int(clock.number)

    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "time_ns", number)
    monkeypatch.setattr(in_boots, "bare_boot", lambda _: BOOT)
    for module in (prompt, in_boots):
        monkeypatch.setattr(module, "run_tests", suite)
    monkeypatch.setattr(prompt, "_own_tree", lambda _: nullcontext(tree))
    monkeypatch.setattr(prompt, "read_mutants", lambda: [BUG])
    return suite


def measured() -> list[Measure]:
    machine: Any = None
    return [*measure_verdicts(SuiteRequest(), machine)]


def by_name(part: str) -> Callable[[Measure], bool]:
    return lambda one: part in one.name


def test_times_are_in_bare_boots(suite: FakeSuite) -> None:
    assert {one.median for one in measured()} == {RUN / BOOT}
    assert suite.asked


@pytest.mark.parametrize(
    ("name", "most"),
    [("whole verdict", 100), ("first failure", 25), ("one line edited", 20)],
)
def test_each_has_its_goal(suite: FakeSuite, name: str, most: float) -> None:
    assert {one.most for one in filter(by_name(name), measured())} == {most}
    assert suite.asked


def test_every_patch_and_edit_is_new(suite: FakeSuite, tmp_path: Path) -> None:
    measured()
    assert len({*suite.patches}) == len(suite.patches) == 3
    edited = (tmp_path / "tree/kernel/dma/swiotlb.c").read_text()
    measured()
    assert (tmp_path / "tree/kernel/dma/swiotlb.c").read_text() != edited


def test_an_edit_takes_the_place_of_the_one_before(suite: FakeSuite, tmp_path: Path) -> None:
    measured()
    lines = len((tmp_path / "tree/kernel/dma/swiotlb.c").read_text().splitlines())
    measured()
    assert len((tmp_path / "tree/kernel/dma/swiotlb.c").read_text().splitlines()) == lines
    assert suite.asked


def test_the_patch_applies_and_compiles_to_other_code(suite: FakeSuite, tmp_path: Path) -> None:
    tree = tiny_tree(tmp_path / "pristine")
    measured()
    (tmp_path / "new.patch").write_bytes(suite.patches[0])
    after = apply_series(
        read_series((tmp_path / "new.patch",)), lambda path: read_content(tree / path)
    )
    (content,) = after.values()
    assert content is not None
    assert b'\nstatic const char bench[] __attribute__((used)) = "1";\n' in content.data


def test_a_broken_kernel_is_stopped_at_its_first_failure(suite: FakeSuite) -> None:
    measured()
    broken = [one for one in suite.asked if BUG.path in one.spec.series]
    assert {one.max_failures for one in broken} == {1}


def test_each_property_that_a_mutant_breaks_is_measured_and_others_are_named(
    suite: FakeSuite, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [one.name for one in filter(by_name("first failure"), measured())]
    assert [name.partition(":")[0] for name in names] == [
        f"new patch with 01 ({one})" for one in ("B1", "C2")
    ]
    assert "no mutant breaks E6: it is not measured" in capfd.readouterr().err
    assert suite.asked


def test_a_run_that_ends_otherwise_is_not_timed(suite: FakeSuite) -> None:
    suite.result = "PASS"
    with pytest.raises(HarnessError, match=r"expected the verdict 'bad'.*PASS 1"):
        measured()
