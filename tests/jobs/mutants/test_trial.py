# SPDX-License-Identifier: Apache-2.0
"""A trial: bugs are judged by their own tests first, verdicts are kept, kernels are not."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from history_scene import run_on

from harness.base.cache import Cache
from harness.base.errors import BuildError, HarnessError
from harness.base.result import Result
from harness.cli import main
from harness.jobs.mutants import Judgement, Mutant, try_mutant
from harness.kernel import Kernel, KernelSpec
from harness.results import Case, save_run
from harness.results.kills import read_kills

BUG = Mutant(Path("07-overlap-x.patch"), "x", "overlap", ("B7", "E1"), "y", "default", "")
HARMLESS = Mutant(Path("90-harmless-x.patch"), "x", "harmless", (), "y", "nightly", "numa")

PASS, RIGHT, WRONG, ERROR = ("PASS",), ("FAIL", "B7"), ("FAIL", "B1"), ("ERROR",)
"""A test's result and the properties that it found broken."""

KEY = "0123456789abcdef01234567"


@dataclass
class FakePytest:
    """Answers each run of the suite with the next list of results."""

    runs: list[list[tuple[str, ...]]]
    commands: list[list[str]] = field(default_factory=list)

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        """Takes the place of subprocess.run()."""
        self.commands.append(command)
        results = self.runs.pop(0)
        (file,) = (word.partition("=")[2] for word in command if "--run-file" in word)
        save_run(replace(run_on(1), tests=cases(results)), Path(file))
        return subprocess.CompletedProcess(command, 0 if set(results) == {PASS} else 1)


def cases(results: Sequence[tuple[str, ...]]) -> tuple[Case, ...]:
    return tuple(
        Case(f"harness/suite/test_a.py::t{number}", Result(result), tuple(violated))
        for number, (result, *violated) in enumerate(results)
    )


@pytest.fixture(autouse=True)
def kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for what killed the mutants, in place of the project's."""
    path = tmp_path / "kills.json"
    monkeypatch.setattr("harness.results.kills.KILLS", path)
    return path


@pytest.fixture(autouse=True)
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel in the cache in place of a build."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))

    def build(_: KernelSpec) -> Kernel:
        directory = Cache("kernels").get(KEY, lambda _: None)
        return Kernel(KEY, directory, "6.12", "ab", "debian", (), "gcc")

    monkeypatch.setattr("harness.jobs.mutants.trial.build_kernel", build)
    monkeypatch.setattr("harness.jobs.mutants.trial.build_initramfs", lambda *_: None)
    monkeypatch.setattr(
        "harness.jobs.mutants.trial.plan_kernel", lambda _: SimpleNamespace(key=KEY)
    )
    return Cache("kernels").root / KEY


def fake(monkeypatch: pytest.MonkeyPatch, *runs: list[tuple[str, ...]]) -> FakePytest:
    suite = FakePytest(list(runs))
    monkeypatch.setattr("harness.results.suite.subprocess.run", suite.run)
    return suite


def test_the_tests_of_what_is_broken_run_first(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = fake(monkeypatch, [PASS, RIGHT])

    verdict = try_mutant(BUG)

    (command,) = suite.commands
    assert verdict.judgement is Judgement.KILLED
    assert {
        "--maxfail=1",
        "--property=B7",
        "--property=E1",
        f"--series={BUG.path.absolute()}",
    } < set(command)


def test_tests_that_ask_for_the_kernels_flavour_run_before_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suite = fake(monkeypatch, [PASS], [RIGHT])

    try_mutant(replace(BUG, flavour="kcsan"))

    assert ["-k=kcsan" in command for command in suite.commands] == [True, False]
    assert all("--property=B7" in command for command in suite.commands)


def test_what_they_do_not_see_is_left_to_all_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = fake(monkeypatch, [PASS], [PASS, RIGHT])

    assert try_mutant(BUG).judgement is Judgement.KILLED
    assert not any("--property" in word for word in suite.commands[1])


def test_a_bug_that_no_test_sees_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, [PASS], [PASS])

    assert try_mutant(BUG).judgement is Judgement.SURVIVED


def test_a_wrong_reason_does_not_hide_a_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = fake(monkeypatch, [WRONG], [WRONG, RIGHT])

    assert try_mutant(BUG).judgement is Judgement.KILLED
    assert ["--maxfail=1" in command for command in suite.commands] == [True, False]


def test_a_harness_error_does_not_hide_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, [ERROR], [ERROR, RIGHT])

    assert try_mutant(BUG).judgement is Judgement.KILLED


def test_a_harness_error_among_a_few_tests_leaves_it_to_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake(monkeypatch, [ERROR], [ERROR], [RIGHT])

    assert try_mutant(BUG).judgement is Judgement.KILLED


def test_harness_errors_alone_are_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, *[[ERROR], [ERROR, PASS]] * 2)

    with pytest.raises(HarnessError, match="1 tests could not be run"):
        try_mutant(BUG)


def test_a_harmless_one_meets_all_tests_of_its_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = fake(monkeypatch, [PASS, PASS])

    assert try_mutant(HARMLESS).judgement is Judgement.PASSED
    assert {"--tier=nightly", "--flavour=numa"} < set(suite.commands[0])


def test_a_verdict_is_kept_until_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = fake(monkeypatch, [RIGHT], [RIGHT])

    first, second = try_mutant(BUG), try_mutant(BUG)
    assert (first, len(suite.commands)) == (second, 1)
    try_mutant(BUG, again=True)
    assert len(suite.commands) == 2


@pytest.mark.parametrize(
    ("mutant", "outcome", "changed", "runs"),
    [
        (BUG, RIGHT, "harness/suite/test_a.py", 2),
        (BUG, RIGHT, "harness/suite/test_other.py", 1),
        (BUG, RIGHT, "harness/suite/conftest.py", 2),
        (BUG, RIGHT, "harness/devices/oracles/slots.py", 2),
        (HARMLESS, PASS, "harness/suite/test_other.py", 2),
    ],
    ids=["killer", "other test", "around the tests", "oracle", "silence rests on all"],
)
def test_a_verdict_holds_as_long_as_what_it_rests_on(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    mutant: Mutant,
    outcome: tuple[str, ...],
    changed: str,
    runs: int,
) -> None:
    monkeypatch.setattr("harness.results.identity.CHECKOUT", tmp_path)
    for name in {"harness/suite/test_a.py", changed}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        imports = "from harness.devices.oracles import slots\n" if "test_a" in name else ""
        (tmp_path / name).write_text(f"{imports}pass\n")
    suite = fake(monkeypatch, *[[outcome], [outcome]] * 2)

    try_mutant(mutant)
    before = len(suite.commands)
    (tmp_path / changed).write_text("assert False\n")
    try_mutant(mutant)
    try_mutant(mutant)

    assert len(suite.commands) == runs * before


def test_no_verdict_is_kept_of_an_interrupted_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.results.suite.subprocess.run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        try_mutant(BUG)

    fake(monkeypatch, [RIGHT])
    assert try_mutant(BUG).judgement is Judgement.KILLED


@pytest.mark.parametrize(
    ("run", "code", "said"),
    [
        ([RIGHT], 0, "1 of 1 as expected"),
        ([PASS], 1, "0 of 1 as expected"),
        ([ERROR], 2, "0 of 1 as expected, 1 not judged"),
    ],
)
def test_the_exit_code_says_whether_the_suite_is_proven(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run: list[tuple[str, ...]],
    code: int,
    said: str,
) -> None:
    fake(monkeypatch, *[run] * 4)
    monkeypatch.setattr("harness.cli.mutants.read_mutants", lambda _: [BUG])

    assert main(["mutants"]) == code
    assert said in capsys.readouterr().out


def test_the_tests_that_killed_a_mutant_are_kept_for_the_order_of_tests(
    monkeypatch: pytest.MonkeyPatch, kills: Path
) -> None:
    kills.write_text('{"07-overlap-x": {"old": 1.0}, "90-gone": {"old": 1.0}}')
    fake(monkeypatch, [PASS, RIGHT])
    monkeypatch.setattr("harness.cli.mutants.read_mutants", lambda _: [BUG])

    main(["mutants"])

    assert read_kills() == {"07-overlap-x": {"harness/suite/test_a.py::t1": 0.0}}


@pytest.mark.parametrize("run", [[PASS], [WRONG], [ERROR]])
def test_what_killed_a_mutant_is_known_until_it_is_killed_again(
    monkeypatch: pytest.MonkeyPatch, kills: Path, run: list[tuple[str, ...]]
) -> None:
    kills.write_text('{"07-overlap-x": {"old": 1.0}}')
    fake(monkeypatch, *[run] * 4)
    monkeypatch.setattr("harness.cli.mutants.read_mutants", lambda _: [BUG])

    main(["mutants"])

    assert read_kills() == {"07-overlap-x": {"old": 1.0}}


def test_a_checkout_that_cannot_be_written_to_is_no_fault_of_the_mutants(
    monkeypatch: pytest.MonkeyPatch, kills: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kills.mkdir()
    fake(monkeypatch, [RIGHT])
    monkeypatch.setattr("harness.cli.mutants.read_mutants", lambda _: [BUG])

    assert main(["mutants"]) == 0
    assert "cannot keep which tests killed the mutants" in capfd.readouterr().err


def test_a_mutant_that_does_not_compile_is_not_judged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: KernelSpec) -> Kernel:
        raise BuildError("direct.c does not compile")

    monkeypatch.setattr("harness.jobs.mutants.trial.build_kernel", refuse)
    monkeypatch.setattr("harness.cli.mutants.read_mutants", lambda _: [BUG])

    assert main(["mutants"]) == 2
    assert "direct.c does not compile" in capsys.readouterr().out


def test_the_list_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "--list", "*-race-*"]) == 0

    assert "B7" in capsys.readouterr().out
