# SPDX-License-Identifier: Apache-2.0
"""The base of a comparison is run once for all series, until something changes that decides it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_up_provenance import PLAIN
from validate_fakes import T, U, outcome

from harness.jobs.compare import known_base, run_base
from harness.results import Run, SuiteRequest

REQUEST = SuiteRequest(tests=(T,))

GOOD = Run(PLAIN, "2026-01-05T10:20:30.000+00:00", 9.0, (), (outcome(T, "PASS"),))


@dataclass
class FakeSuite:
    """Counts its runs; each ends as *run* does."""

    run: Run = GOOD
    asked: list[SuiteRequest] = field(default_factory=list)

    def __call__(self, request: SuiteRequest) -> Run:
        """Takes the place of run_suite()."""
        self.asked.append(request)
        return self.run


@pytest.fixture(autouse=True)
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The hashes of what decides the results."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    inputs = SimpleNamespace(kernel="kernel", qemu="qemu", basis="basis")
    monkeypatch.setattr(known_base, "find_kernel", lambda _: SimpleNamespace(key=inputs.kernel))
    monkeypatch.setattr(known_base, "find_qemu", lambda _: SimpleNamespace(key=inputs.qemu))
    monkeypatch.setattr(known_base, "basis_of", lambda _: inputs.basis)
    return inputs


def test_known_base_is_not_run_again(capfd: pytest.CaptureFixture[str]) -> None:
    suite = FakeSuite()

    runs = [run_base(REQUEST, suite) for _ in range(3)]

    assert (runs, suite.asked) == ([GOOD] * 3, [REQUEST])
    assert "those of its run of 2026-01-05 10:20 UTC (--again runs it)" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["kernel", "qemu", "basis"])
def test_what_decides_the_results_makes_the_base_run_again(
    inputs: SimpleNamespace, name: str
) -> None:
    suite = FakeSuite()
    run_base(REQUEST, suite)
    setattr(inputs, name, "another")
    run_base(REQUEST, suite)
    assert len(suite.asked) == 2


def test_other_ram_makes_the_base_run_again() -> None:
    suite = FakeSuite()
    run_base(REQUEST, suite)
    run_base(replace(REQUEST, ram_size=1 << 30), suite)
    assert len(suite.asked) == 2


def test_base_is_run_again_on_request_and_known_then() -> None:
    run_base(REQUEST, FakeSuite())
    newer = replace(GOOD, seconds=5.0)
    suite = FakeSuite(newer)
    assert run_base(REQUEST, suite, again=True) == newer
    assert (run_base(REQUEST, suite), len(suite.asked)) == (newer, 1)


@pytest.mark.parametrize(
    "run",
    [
        replace(GOOD, complete=False),
        replace(GOOD, tests=()),
        replace(GOOD, tests=(*GOOD.tests, outcome(U, "ERROR"))),
        replace(GOOD, tests=(*GOOD.tests, outcome(U, "NOT_JUDGED"))),
    ],
    ids=["incomplete", "no test", "error", "not judged"],
)
def test_run_that_says_too_little_is_not_kept(run: Run) -> None:
    suite = FakeSuite(run)
    assert [run_base(REQUEST, suite) for _ in range(2)] == [run, run]
    assert len(suite.asked) == 2


@pytest.mark.parametrize("result", ["FAIL", "CRASH", "HANG", "KNOWN", "SKIP"])
def test_base_may_fail(result: str) -> None:
    suite = FakeSuite(replace(GOOD, tests=(outcome(T, result),)))
    assert run_base(REQUEST, suite) == run_base(REQUEST, suite)
    assert len(suite.asked) == 1
