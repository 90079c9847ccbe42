# SPDX-License-Identifier: Apache-2.0
"""A session writes its run as it goes, and its exit code is the verdict on the run."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from python_process import start_python

from harness.base.result import Result
from harness.base.violation import Violation
from harness.kernel.spec import KernelRecord
from harness.results import Run, load_run
from harness.results.history import joined_history, list_runs
from harness.suite.lib.small_disk import can_mount, on_small_disk

SAMPLE = """
    import os, signal, subprocess, time
    from pathlib import Path
    import pytest
    from harness.base.errors import GuestCrash, HarnessError
    from harness.base.result import Result
    from harness.base.violation import violated

    def test_passes(): pass
    @pytest.mark.property("B12", "B2")
    def test_fails(): raise violated("slots overlap", "B12", "B2")
    def test_harness_breaks(): raise HarnessError("no disk\\nreally")
    @pytest.mark.property("B1")
    def test_skips(): pytest.skip("no such device")
    @pytest.mark.escape("G1")
    def test_known(): assert False
    def test_dies(): os.kill(os.getpid(), signal.SIGKILL)
    @pytest.mark.selftest("it tests the harness")
    def test_marked_selftest(): assert False
    def test_misses_a_program(): subprocess.run(["no-such-program"])
    def test_program_fails(): subprocess.run(["false"], check=True)
    @pytest.fixture
    def sour(): yield; raise HarnessError("cannot tidy up")
    def test_fail_and_ends_badly(sour): assert False
    def test_ends_badly(sour): pass
    def test_interrupted(): raise KeyboardInterrupt
    @pytest.fixture
    def cut(): yield; raise KeyboardInterrupt
    @pytest.mark.property("B1")
    def test_wrong_before_it_is_cut(cut): assert False
    def test_waits():
        Path("waits").touch()
        time.sleep(100)
"""

SELFTEST = "def test_of_the_harness(): assert False\n"

BROKEN_FILE = "import no_such_module\n"

FAULT = """
    import pytest

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop():
        yield
        raise RuntimeError("a fault of a plugin")
"""

KERNEL = """
    from pathlib import Path
    import pytest
    from harness.kernel import Kernel
    from harness.kernel import Initramfs
    from harness.plugin.session import initramfs_key, kernel_key, runs_in_worker

    def pytest_configure(config):
        folder = Path("kernel").absolute()
        kernel = Kernel("key", folder, "6.12.1", "ab", "debian x", (), "gcc")
        if not runs_in_worker(config):
            config.stash[kernel_key] = kernel
            config.stash[initramfs_key] = Initramfs(folder / "x", "key")
"""

ALONE, XDIST = (), ("-n", "2")


@dataclass(frozen=True)
class Session:
    """A folder with tests of the suite that need no guest, and a cache of its own."""

    root: Path

    def start(self, chosen: str, *options: str) -> "subprocess.Popen[str]":
        """Begin a run of the tests that are chosen as with ``-k``."""
        words = ("-m", "pytest", "-p", "no:cacheprovider", "-k", chosen, *options, "harness")
        env = {**os.environ, "HARNESS_CACHE": str(self.root / "cache")}
        return start_python(words, cwd=self.root, env=env, merged=True)

    def run(self, chosen: str, *options: str) -> tuple[int, Run, str]:
        """Its exit code, its run, and what it printed."""
        file = self.root / "run.jsonl"
        process = self.start(chosen, f"--run-file={file}", *options)
        said, _ = process.communicate()
        return process.wait(), load_run(file), said


@pytest.fixture
def session(tmp_path: Path) -> Session:
    for name, text in (
        ("suite/test_sample.py", SAMPLE),
        ("suite/selftest/test_own.py", SELFTEST),
    ):
        path = tmp_path / "harness" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    (tmp_path / "cache").mkdir()
    return Session(tmp_path)


def results(run: Run) -> dict[str, Result]:
    return {one.test.partition("::")[2]: one.result for one in run.tests}


@pytest.mark.parametrize(
    ("chosen", "options", "code"),
    [
        ("passes or skips or known", ALONE, 0),
        ("passes or fails", ALONE, 1),
        ("passes or fails", ("-x", *XDIST), 1),
        ("harness_breaks", ("-x", *XDIST), 2),
        ("harness_breaks or test_fails", ALONE, 1),
        ("of_the_harness or passes", ALONE, 2),
        ("no_such_test", ALONE, 2),
        ("no_such_test", XDIST, 2),
    ],
)
def test_the_exit_code_is_the_verdict(
    session: Session, chosen: str, options: Sequence[str], code: int
) -> None:
    assert session.run(chosen, *options)[0] == code


def test_a_good_kernel_does_not_hide_a_failure_outside_the_suite(session: Session) -> None:
    (session.root / "other").mkdir()
    (session.root / "other/test_other.py").write_text("def test_elsewhere(): assert False")

    code, run, _ = session.run("passes or elsewhere", "other")

    assert (code, results(run)) == (1, {"test_passes": Result.PASS})


def test_whose_fault_a_test_is(session: Session) -> None:
    _, run, _ = session.run("selftest or of_the_harness or program or badly")

    assert results(run) == {
        "test_of_the_harness": Result.ERROR,
        "test_marked_selftest": Result.ERROR,
        "test_misses_a_program": Result.ERROR,
        "test_program_fails": Result.ERROR,
        "test_fail_and_ends_badly": Result.FAIL,
        "test_ends_badly": Result.ERROR,
    }


def test_a_file_that_cannot_be_read_is_an_error(session: Session) -> None:
    (session.root / "harness/suite/test_broken.py").write_text(BROKEN_FILE)

    code, run, said = session.run("passes")

    (case,) = run.tests
    assert (code, case.result, run.complete) == (2, Result.ERROR, False)
    assert case.message == "E   ModuleNotFoundError: No module named 'no_such_module'"
    assert "results: PASS 0  FAIL 0  CRASH 0  HANG 0  KNOWN 0  SKIP 0  ERROR 1\n" in said
    assert "the run ended before its last test\n" in said


def test_an_interrupted_run_is_not_judged(session: Session) -> None:
    code, run, _ = session.run("passes or interrupted")

    assert (code, run.complete, results(run)) == (2, False, {"test_passes": Result.PASS})


@pytest.mark.parametrize(("chosen", "code"), [("passes", 2), ("passes or test_fails", 1)])
def test_an_internal_error_after_the_last_test_is_no_good_end(
    session: Session, chosen: str, code: int
) -> None:
    (session.root / "harness/conftest.py").write_text(textwrap.dedent(FAULT))

    found, run, said = session.run(chosen)

    assert (found, run.complete) == (code, False)
    assert "INTERNALERROR> RuntimeError: a fault of a plugin" in said


def test_what_spoke_against_the_kernel_before_an_interrupt_counts(session: Session) -> None:
    assert session.run("test_fails or interrupted")[0] == 1


def test_a_failure_counts_whose_tear_down_was_interrupted(session: Session) -> None:
    code, run, _ = session.run("wrong_before")

    assert (code, results(run)) == (1, {"test_wrong_before_it_is_cut": Result.FAIL})


@pytest.mark.parametrize("workers", [ALONE, XDIST], ids=["alone", "xdist"])
def test_a_case_has_all_that_a_test_says(session: Session, workers: Sequence[str]) -> None:
    _, run, said = session.run("passes or test_fails or skips or known", *workers)

    cases = {one.test.partition("::test_")[2]: one for one in run.tests}
    failed = cases["fails"]
    assert (failed.violated, failed.properties) == (("B2", "B12"), ("B2", "B12"))
    assert failed.message == "B12 B2 violated: slots overlap"
    (violation,) = failed.violations
    assert isinstance(violation, Violation)
    assert (violation.summary, violation.properties) == ("slots overlap", ("B12", "B2"))
    assert cases["skips"].message == "no such device"
    assert run.complete
    assert "results: PASS 1  FAIL 1  CRASH 0  HANG 0  KNOWN 1  SKIP 1  ERROR 0\n" in said
    assert "violated properties: B2 B12\n" in said


def test_a_worker_that_dies_costs_one_test(session: Session) -> None:
    code, run, said = session.run("passes or dies or skips or known", *XDIST)

    (dead,) = (one for one in run.tests if one.result is Result.ERROR)
    assert (code, len(run.tests), run.complete) == (2, 4, True)
    assert dead.message == "the process that ran the test was killed by SIGKILL"
    assert "results: PASS 1  FAIL 0  CRASH 0  HANG 0  KNOWN 1  SKIP 1  ERROR 1\n" in said


def test_a_dead_worker_does_not_hide_the_kernels_fault(session: Session) -> None:
    assert session.run("test_fails or dies", *XDIST)[0] == 1


@pytest.fixture
def kernel(session: Session) -> None:
    """The session has a kernel, so that its run belongs into the history."""
    (session.root / "harness/conftest.py").write_text(textwrap.dedent(KERNEL))
    (session.root / "kernel").mkdir()
    (session.root / "kernel/config").write_text("CONFIG_A=y\n")
    record = KernelRecord("6.12.1", "ab", "debian x", (), "gcc", (), "", ())
    record.save(session.root / "kernel")


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("workers", [ALONE, XDIST], ids=["alone", "xdist"])
def test_every_run_joins_the_history(
    session: Session, workers: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session.start("passes or test_fails", *workers).communicate()

    assert not list((session.root / "cache/runs").iterdir())
    monkeypatch.setenv("HARNESS_CACHE", str(session.root / "cache"))
    (found,) = list_runs(joined_history())
    assert (found.results, found.head.complete) == ({"PASS": 1, "FAIL": 1}, True)
    assert found.head.provenance.release == "6.12.1"


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("workers", [ALONE, XDIST], ids=["alone", "xdist"])
def test_a_run_without_a_test_is_not_in_the_history(
    session: Session, workers: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session.start("no_such_test", *workers).communicate()

    assert not list((session.root / "cache/runs").iterdir())
    monkeypatch.setenv("HARNESS_CACHE", str(session.root / "cache"))
    assert list_runs(joined_history()) == []


@pytest.mark.usefixtures("kernel")
def test_a_killed_run_joins_the_history_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = session.start("passes or test_fails or waits")
    while not (session.root / "waits").exists():
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    monkeypatch.setenv("HARNESS_CACHE", str(session.root / "cache"))

    for _ in range(2):
        (found,) = list_runs(joined_history())
        assert (found.results, found.head.complete) == ({"PASS": 1, "FAIL": 1}, False)


@pytest.mark.usefixtures("kernel")
def test_a_run_that_goes_on_is_not_joined(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = session.start("passes or waits")
    while not (session.root / "waits").exists():
        time.sleep(0.05)
    monkeypatch.setenv("HARNESS_CACHE", str(session.root / "cache"))

    assert list_runs(joined_history()) == []

    process.kill()
    process.communicate()
    assert len(list_runs(joined_history())) == 1


FULL = """
    import contextlib, os
    from pathlib import Path
    import pytest

    def test_fills():
        with Path(os.environ["HARNESS_CACHE"], "filler").open("wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while file.write(bytes(4096)): pass

    @pytest.mark.parametrize("number", range(40))  # the file's last page has room for a few
    def test_after(number): pass
"""


@pytest.mark.usefixtures("kernel")
@pytest.mark.skipif(not can_mount(), reason="this user may not mount in a namespace")
def test_a_full_disk_below_the_run_is_an_error_that_names_it(session: Session) -> None:
    (session.root / "harness/suite/test_full.py").write_text(textwrap.dedent(FULL))
    cache = session.root / "cache"
    pytest_ = f"cd {session.root} && exec {sys.executable} -m pytest -k 'fills or after' harness"
    env = {**os.environ, "HARNESS_CACHE": str(cache)}

    done = on_small_disk("4M", cache, ["sh", "-c", pytest_], env)

    assert done.returncode == 2
    assert "results: PASS 41 " in done.stdout
    assert "\nERROR: cannot write the file of this run: no space left on device" in done.stdout
    assert f"(the file system at {cache}, 0 of 4 MiB free)" in done.stdout
