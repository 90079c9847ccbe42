# SPDX-License-Identifier: Apache-2.0
"""A series whose kernel cannot be tested has the right exit code, told in one screen."""

from dataclasses import replace
from pathlib import Path

import pytest
from judgements import fits
from patch_trees import tree_for
from validate_fakes import FAIL, PASS, REQUEST, WHY, FakeSuite

from harness.base.errors import BuildError, ConfigError, InputError
from harness.base.result import Result
from harness.jobs.compare import Series, SeriesJudgement, as_json, judge_series, judgement_text
from harness.jobs.compare.per_patch import why_not_run
from harness.kernel import Kernel, KernelSpec
from harness.kernel.build.flavours import needed_flavour
from harness.kernel.build.series_notes import series_notes
from harness.kernel.patches.apply import Attempt, Fit
from harness.kernel.patches.fit import fit_series, reach_series
from harness.kernel.patches.reach import Reach
from harness.results import Case
from harness.results.judge import Change

pytestmark = pytest.mark.usefixtures("cache")

SWIOTLB = "kernel/dma/swiotlb.c"

SCREEN = 50
"""Lines."""

TESTS = [f"harness/suite/properties/test_sync.py::test_{number:03}" for number in range(400)]

COMPLAINT = """\
the kernel in /c/src does not build:
kernel/dma/swiotlb.c:12:9: error: 'slots' undeclared
   12 |  return slots;
      |         ^~~~~
The whole log is /c/harness-build.log."""

LACKS = "the kernel configuration lacks wanted options. CONFIG_DMA_RESTRICTED_POOL=y (dma.config:5)"


def judged(
    series: Series, before: list[str], after: list[str]
) -> tuple[SeriesJudgement, FakeSuite]:
    """All tests pass on the base; with the series the first ends as *before*, the rest so."""
    results = {test: [PASS, *[[]] * 4, after] for test in TESTS}
    results[TESTS[0]] = [PASS, *[[]] * 4, before]
    suite = FakeSuite(results)
    return judge_series(REQUEST, series, fits(), suite), suite


def failed(series: Series, fault: InputError) -> SeriesJudgement:
    """A judgement on a series of which no kernel comes, for that reason."""
    suite = FakeSuite({TESTS[0]: [PASS] * 6}, unbuildable=frozenset({5}), fault=fault)
    return judge_series(REQUEST, series, fits(), suite)


def test_a_kernel_that_does_not_boot_is_one_crash_and_one_reason(series: Series) -> None:
    judgement, suite = judged(series, ["CRASH"], ["NOT_JUDGED"])

    text = judgement_text(judgement)
    assert judgement.verdict.exit_code == 1
    assert suite.asked == [(0, ()), (5, ()), *[(0, (TESTS[0],)), (5, (TESTS[0],))] * 2]
    assert len(text.splitlines()) <= SCREEN
    assert f"399 tests are not judged: {WHY['NOT_JUDGED']}." in " ".join(text.split())
    assert text.count("test_sync.py") == 1


def test_a_kernel_that_cannot_be_read_is_not_judged_and_says_what_it_lacks(series: Series) -> None:
    judgement, suite = judged(series, ["ERROR"], ["ERROR"])

    text = judgement_text(judgement)
    assert judgement.verdict.exit_code == 2
    assert {tests for _, tests in suite.asked} == {(), (TESTS[0],)}
    assert f"400 tests are not judged: {WHY['ERROR']}." in " ".join(text.split())
    assert len(text.splitlines()) <= SCREEN


def test_an_error_of_its_own_is_run_again(series: Series) -> None:
    judgement, _ = judged(series, ["ERROR", "PASS"], PASS)

    assert judgement.verdict.exit_code == 0


def test_a_series_that_breaks_everything_is_told_in_one_screen(series: Series) -> None:
    judgement, _ = judged(series, FAIL, FAIL)

    text = judgement_text(judgement)
    assert judgement.verdict.exit_code == 1
    assert len(judgement.whole.having(Change.BROKEN)) == 400
    assert len(text.splitlines()) <= SCREEN
    assert "and 392 more (--html=FILE, --json=FILE: all)" in text
    assert text.count("harness debug") == 2


def test_what_the_compiler_said_is_shown_as_it_was(series: Series) -> None:
    judgement = failed(series, BuildError(COMPLAINT))

    text = judgement_text(judgement)
    assert judgement.verdict.exit_code == 1
    assert "The series: it does not build.\n" in text
    assert "\n     12 |  return slots;\n        |         ^~~~~\n" in text


@pytest.mark.parametrize(
    ("option", "code", "said"),
    [
        ("DMA_RESTRICTED_POOL", 1, "it removes the feature, CONFIG_DMA_RESTRICTED_POOL."),
        ("PCI_QUIRKS", 2, "it cannot be configured."),
    ],
)
def test_a_series_without_restricted_pools_is_bad_and_one_without_another_option_is_not_judged(
    series: Series, option: str, code: int, said: str
) -> None:
    judgement = failed(series, ConfigError(LACKS, (option,)))

    text = judgement_text(judgement)
    assert judgement.verdict.exit_code == code
    assert f"The series: {said}\n  {LACKS}" in text


def test_a_series_that_is_in_the_kernel_already_runs_nothing(series: Series) -> None:
    suite = FakeSuite({})
    attempts = [Attempt(f"{number}.patch", Fit.ALREADY) for number in range(5)]

    judgement = judge_series(REQUEST, series, attempts, suite)

    text = " ".join(judgement_text(judgement).split())
    assert (suite.asked, judgement.verdict.exit_code) == ([], 2)
    assert text.count("is already applied (all hunks, reversed)") == 5
    assert "The series: the kernel has all of it; no test was run." in text


@pytest.mark.parametrize("per_patch", [True, False])
def test_a_series_that_changes_no_code_of_the_guest_runs_nothing(
    series: Series, per_patch: bool
) -> None:
    suite = FakeSuite({})
    reach = Reach((), ("arch/x86/kernel/setup.c", "MAINTAINERS"), ("kernel/dma/swiotlb.c",))

    judgement = judge_series(REQUEST, series, fits(), suite, per_patch=per_patch, reach=reach)

    text = judgement_text(judgement)
    assert (suite.asked, judgement.verdict.exit_code) == ([], 2)
    assert "nothing of this runs in the guest; no test was run.\n" in text
    assert "  only comments change: kernel/dma/swiotlb.c\n" in text
    assert "  not compiled for arm64: arch/x86/kernel/setup.c, MAINTAINERS\n" in text


@pytest.mark.parametrize(
    ("result", "code"), [("PASS", 0), ("SKIP", 0), ("FAIL", 1), ("CRASH", 1), ("NOT_JUDGED", 2)]
)
def test_kunit_tests_count_and_stand_beside_ours(series: Series, result: str, code: int) -> None:
    judgement, _ = judged(series, PASS, PASS)
    case = Case("kunit::slots.test_two", Result(result), message="EXPECTATION FAILED")

    found = replace(judgement, kunit=(Case("kunit::slots.test_one", Result.PASS), case))

    text = judgement_text(found)
    assert found.verdict.exit_code == code
    assert "KUnit tests in files of the series: " in text
    assert ("  kunit::slots.test_two " in text) is (code > 0)
    assert len(as_json(found)["kunit"]) == 2


def test_new_warnings_and_what_never_ran_are_told(series: Series) -> None:
    warnings = tuple(f"kernel/dma/swiotlb.c:{line}:5: warning: unused" for line in range(9))
    judgement, _ = judged(series, PASS, PASS)

    text = judgement_text(replace(judgement, warnings=warnings, notes=("It is off.",)))

    assert f"It builds with new warnings:\n  {warnings[0]}\n" in text
    assert "  and 1 more\n\nIt is off.\n" in text


def test_kunit_tests_alone_judge_a_series_that_changes_nothing_else(series: Series) -> None:
    suite = FakeSuite({TESTS[0]: [PASS] * 6}, same_build=True)
    judgement = judge_series(REQUEST, series, fits(), suite)

    tested = replace(judgement, kunit=(Case("kunit::slots.test_one", Result.PASS),))

    assert (judgement.verdict.exit_code, tested.verdict.exit_code) == (2, 0)


SERIES = Path(__file__).parents[2] / "series/bad-kernels"
DYNAMIC = {SWIOTLB: ("#ifdef CONFIG_SWIOTLB_DYNAMIC", "#endif")}
"""What is around the lines that dynamic-only.patch changes (Linux 6.12)."""

SAID = {
    "new-warnings": "",
    "version-changed": "",
    "option-off": "It adds CONFIG_SWIOTLB_CLEAR, which is off: neither the default nor the "
    "harness's fragments turn it on, and what it compiles never ran. --kernel-config=FILE with "
    "CONFIG_SWIOTLB_CLEAR=y in FILE turns it on.",
    "other-architecture": "nothing of this runs in the guest; no test was run.\n"
    "not compiled for arm64: arch/x86/kernel/setup.c",
    "comment-only": "nothing of this runs in the guest; no test was run.\n"
    f"only comments change: {SWIOTLB}",
    "dynamic-only": "None of the 2 changed lines is compiled: CONFIG_SWIOTLB_DYNAMIC is off. "
    "--flavour=dynamic compiles them (--flavour=auto takes it).",
}
"""What is said of a series before its kernel is built, and once it is."""


@pytest.mark.parametrize("name", SAID)
def test_what_of_a_series_no_test_reaches_is_known_from_its_text(tmp_path: Path, name: str) -> None:
    patch = SERIES / f"{name}.patch"
    tree = tree_for(
        patch.read_text(), tmp_path / "linux", DYNAMIC if name == "dynamic-only" else {}
    )
    base = KernelSpec(str(tree))
    (tmp_path / "config").write_text("CONFIG_SWIOTLB=y\n")
    kernel = Kernel("key", tmp_path, "6.12.3", "c0ffee", "a tree", (), "gcc")

    attempts = fit_series(replace(base, series=(patch,)))
    reach = reach_series(base, replace(base, series=(patch,)))

    idle = why_not_run(attempts, reach)
    notes = series_notes(reach, kernel, needed_flavour(base, reach))
    assert (idle.reason if idle else " ".join(notes)) == SAID[name]
