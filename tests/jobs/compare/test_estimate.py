# SPDX-License-Identifier: Apache-2.0
"""Before a comparison, how long it will take is told from the history."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from kernel_trees import SLOTS_PATCH, tiny_tree
from made_up_provenance import provenance
from validate_fakes import FULL_POOL, T, outcome

from harness.base.kernel_code import properties_of
from harness.cli import main
from harness.jobs.compare import estimate, estimate_text
from harness.jobs.compare.kernel_runs import Kernels
from harness.jobs.compare.stages import Stage
from harness.kernel import KernelSpec, build_kernel
from harness.kernel.spec import cached_kernels
from harness.results import Run, SuiteRequest
from harness.results.history import open_history
from harness.results.reached import Reached
from harness.results.request import choice_of

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def kernels(tmp_path: Path) -> Kernels:
    """A tree without and with a patch."""
    fragment, patch = tmp_path / "a.config", tmp_path / "a.patch"
    fragment.write_text("CONFIG_PCI=y\n")
    patch.write_text(
        "--- a/kernel/fork.c\n+++ b/kernel/fork.c\n@@ -1 +1 @@\n-int children;\n+int x;\n"
    )
    spec = KernelSpec(str(tiny_tree(tmp_path / "linux")), (), (fragment,))
    base = SuiteRequest(spec)
    patched = replace(base, spec=replace(spec, series=(patch,)))
    return Kernels({0: base, 1: patched}, {0: "the base", 1: "patch 1/1"})


def ran(request: SuiteRequest, seconds: float) -> None:
    """A run of these tests in the history."""
    words = choice_of(request)
    begin = "2026-01-05T10:00:00.000+00:00"
    open_history().add(Run(provenance(), begin, seconds, words, (outcome(T, "PASS"),)))


def test_without_a_history_nothing_is_known(kernels: Kernels) -> None:
    stages = estimate(kernels)

    assert [one.title for one in stages] == [
        *("build of the base", "tests on the base", "build of the series", "tests on the series"),
    ]
    assert {one.seconds for one in stages} == {None}


def test_what_is_built_and_was_run_is_known(kernels: Kernels) -> None:
    ran(kernels.requests[0], 120.0)
    build_kernel(kernels.requests[0].spec)

    stages = estimate(kernels)

    assert [(one.title, one.seconds) for one in stages] == [
        ("tests on the base", 120.0),
        ("build of the series", None),
        ("tests on the series", 120.0),
    ]


def test_a_rebuild_takes_as_long_as_others_with_a_series(kernels: Kernels, tmp_path: Path) -> None:
    build_kernel(kernels.requests[1].spec)
    (built,) = cached_kernels().values()
    record = built.directory / "kernel.json"
    record = record if record.exists() else next(built.directory.glob("*.json"))
    stored = json.loads(record.read_text())
    assert stored["seconds"] > 0

    other = tmp_path / "b.patch"
    other.write_text("--- a/README\n+++ b/README\n@@ -1 +1 @@\n-a tree\n+trees\n")
    spec = replace(kernels.requests[1].spec, series=(other,))
    more = Kernels({**kernels.requests, 1: replace(kernels.requests[1], spec=spec)}, kernels.labels)

    assert estimate(more)[2].seconds == stored["seconds"]


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ((), "everything is known already"),
        ((Stage("tests", 61.0),), "tests 61 s; in all 61 s"),
        (
            (Stage("build", None), Stage("tests", 150.0)),
            "build (not known), tests 2 min; in all 2 min and what is not known",
        ),
    ],
)
def test_it_is_one_line(stages: tuple[Stage, ...], said: str) -> None:
    assert estimate_text(stages) == said


@pytest.mark.parametrize("again", [False, True])
def test_a_known_base_takes_no_time(
    kernels: Kernels, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    monkeypatch.setattr("harness.jobs.compare.stages.is_known", lambda _: True)

    titles = [one.title for one in estimate(kernels, again=again)]

    assert ("tests on the base" in titles) is again


@pytest.mark.parametrize(("series", "code"), [("fits", 0), ("full-pool", 2)])
def test_a_dry_run_builds_and_runs_nothing(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    series: str,
    code: int,
) -> None:
    monkeypatch.setattr("harness.cli.choice.run_suite", None)
    (tmp_path / "fits").write_bytes(SLOTS_PATCH)
    patches = tmp_path / "fits" if series == "fits" else FULL_POOL
    words = ["validate", str(patches), f"--kernel={tiny_tree(tmp_path / 'linux')}", "--dry-run"]

    assert main(words) == code
    out, err = capfd.readouterr()
    assert cached_kernels() == {}
    assert ("does not apply" in out) is (code == 2)
    assert ("estimate: build of the base (not known)" in err) is (code == 0)


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        (
            b"--- a/README\n+++ b/README\n@@ -1 +1 @@\n-another\n+a tree\n",
            "the kernel has all of it",
        ),
        (b"--- a/README\n+++ b/README\n@@ -1 +1 @@\n-a tree\n+trees\n", "not compiled for arm64"),
        (
            b"--- a/kernel/fork.c\n+++ b/kernel/fork.c\n@@ -1 +1,2 @@\n+/* x */\n int children;\n",
            "only comments change",
        ),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_of_a_series_that_runs_nothing_a_dry_run_says_so_too(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    patch: bytes,
    said: str,
    dry: bool,
) -> None:
    monkeypatch.setattr("harness.cli.choice.run_suite", None)
    (tmp_path / "x.patch").write_bytes(patch)
    words = ["validate", str(tmp_path / "x.patch"), f"--kernel={tiny_tree(tmp_path / 'linux')}"]

    code = main([*words, "--coverage", "--cost", *(["--dry-run"] if dry else [])])

    out, err = capfd.readouterr()
    assert code == 2
    assert said in out
    assert "estimate" not in err
    assert cached_kernels() == {}


def test_what_else_is_measured_is_part_of_the_estimate(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "x.patch").write_bytes(SLOTS_PATCH)
    words = ["validate", str(tmp_path / "x.patch"), f"--kernel={tiny_tree(tmp_path / 'linux')}"]

    main([*words, "--dry-run", "--coverage", "--cost-limit=5"])

    err = capfd.readouterr().err
    assert "tests on the series (not known), coverage (not known), cost (not known); in all" in err


def test_a_dry_run_says_what_is_missing_and_what_the_series_needs(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mail = b"Subject: [PATCH 2/3] dma: x\n\nWhy.\n---\nDepends on the other series.\n\n"
    (tmp_path / "x.eml").write_bytes(mail + SLOTS_PATCH)
    words = ["validate", str(tmp_path / "x.eml"), f"--kernel={tiny_tree(tmp_path / 'linux')}"]

    assert main([*words, "--dry-run"]) == 0
    err = capfd.readouterr().err
    assert "series: missing, by the subjects' numbers: patch 1, 3\n" in err
    assert 'series: the series says that it needs: "Depends on the other series."\n' in err


def test_properties_are_found_by_their_functions() -> None:
    assert properties_of(["swiotlb_release_slots"]) == ("B13",)
    assert properties_of(["release_slots"]) == ()


TWO_FUNCTIONS = """\
void swiotlb_release_slots(void)
{
\tused = 0;
}
void swiotlb_free(void)
{
\tused = 0;
}
"""

BOTH_CHANGED = """\
--- a/kernel/dma/swiotlb.c
+++ b/kernel/dma/swiotlb.c
@@ -2,7 +2,7 @@
 {
-\tused = 0;
+\tused = 1;
 }
 void swiotlb_free(void)
 {
-\tused = 0;
+\tused = 1;
 }
"""

BY_TABLE = "(by the table of properties)"
MEASURED = "(measured on Linux 6.12.3)"


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (["swiotlb_map"], f"tests of B13 D6 {BY_TABLE} run"),
        (
            ["swiotlb_free"],
            f"tests that reach swiotlb_free() {MEASURED} and tests of B13 {BY_TABLE} run",
        ),
        (
            ["swiotlb_free", "swiotlb_release_slots"],
            f"tests that reach swiotlb_release_slots(), swiotlb_free() {MEASURED} run",
        ),
    ],
)
def test_tests_that_reach_the_series_are_named_with_the_origin_of_that(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    measured: Sequence[str],
    said: str,
) -> None:
    reaching = frozenset({"harness/suite/test_a.py::test_a"})
    known = Reached("6.12.3", dict.fromkeys(measured, reaching))
    monkeypatch.setattr("harness.cli.validate.read_reached", lambda: known)
    tree = tiny_tree(tmp_path / "linux")
    (tree / "kernel/dma/swiotlb.c").write_text(TWO_FUNCTIONS)
    (tmp_path / "x.patch").write_text(BOTH_CHANGED)

    main(["validate", str(tmp_path / "x.patch"), f"--kernel={tree}", "--dry-run"])

    lines = capfd.readouterr().err.splitlines()
    assert f"{said} first: they reach what the series changes" in lines
