# SPDX-License-Identifier: Apache-2.0
"""scripts/run, scripts/test and .ci/run: arguments, order and exit codes."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT

FIRST, BESIDE = ["ruff check", "ruff format --check"], ["mypy", "lint-imports"]
"""The checks before the tests, and those beside them."""


@dataclass(frozen=True)
class Checkout:
    """A checkout whose set-up and tools only note that they were called."""

    root: Path

    @property
    def log(self) -> list[str]:
        """What was called, in order, with the checkout's path left out."""
        path = self.root / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        calls = [line.replace(f"{self.root}/", "").split("|")[:-1] for line in lines]
        return [shlex.join(words) for words in calls]

    def stand_in(self, name: str, code: int = 0, says: str = "") -> None:
        """Put a program at *name*, below the root, that notes its call and ends with *code*."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        note = f'echo "$(printf \'%s|\' {path.name} "$@")"'  # at once, beside others
        said = f'echo "{says}"' if says else ""
        path.write_text(f"#!/bin/sh\n{note} >>{self.root}/log\n{said}\nexit {code}\n")
        path.chmod(0o755)

    def take(self, name: str) -> None:
        """Put the real script *name* there."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, path)

    def suite_file(self, name: str, why_nightly: str) -> None:
        """Put a file of the suite there whose tests run at night, for that reason."""
        path = self.root / "harness/suite" / name
        path.parent.mkdir(parents=True)
        path.write_text(f'pytestmark = pytest.mark.nightly("{why_nightly}")')

    def run(
        self, name: str, *arguments: str, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a script from a foreign directory; stand-ins in ``bin`` hide the system's tools."""
        return subprocess.run(
            [self.root / name, *arguments],
            check=False,
            cwd="/",
            env={**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}", **variables},
            capture_output=True,
            text=True,
        )


def cpus() -> int:
    return len(os.sched_getaffinity(0))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """The real scripts/run and scripts/test on stand-ins that all succeed."""
    made = Checkout(tmp_path)
    for name in ("scripts/run", "scripts/test"):
        made.take(name)
    made.stand_in("scripts/setup")
    for tool in ("python", "pytest", "ruff", "mypy", "lint-imports"):
        made.stand_in(f".venv/bin/{tool}")
    return made


@pytest.fixture
def ci(tmp_path: Path) -> Checkout:
    """The real .ci/run on commands that succeed."""
    made = Checkout(tmp_path)
    made.take(".ci/run")
    for name in ("scripts/run", "scripts/test", "scripts/lane", "bin/unshare"):
        made.stand_in(name)
    made.stand_in(".venv/bin/harness")
    made.stand_in(".venv/bin/pytest")
    made.suite_file("selftest/test_builds.py", "two kernels of its own")
    return made


HERE = ["test", "run --tier=selftest", "harness matrix"]
LANES = [
    "harness kernel build --output=KERNEL",
    "lane --read=KERNEL OTHER -- scripts/run --kernel=build:KERNEL",
    "lane --read=KERNEL --qemu trixie -- scripts/run --kernel=build:KERNEL "
    "--qemu=/opt/qemu/usr/bin/qemu-system-aarch64",
]
NIGHT = "pytest --tier=nightly harness/suite/selftest/test_builds.py"
"""What .ci/run calls."""


def ci_calls(ci: Checkout) -> list[str]:
    """What was called, without what differs from machine to machine."""
    calls = [re.sub(r"/\S+/kernel\b", "KERNEL", call) for call in ci.log]
    return [re.sub(r"KERNEL (trixie|bookworm)", "KERNEL OTHER", call) for call in calls]


def test_run_sets_up_and_hands_its_arguments_to_pytest(checkout: Checkout) -> None:
    checkout.run("scripts/run", "-n", "2", "-k", "B1 or B2", "--kernel=debian:6.1")

    workers = cpus() * 3 // 2
    assert checkout.log == [
        "setup",
        f"python -P scripts/suite.py -n {workers} harness/ -n 2 -k 'B1 or B2' --kernel=debian:6.1",
    ]


def test_test_sets_up_and_checks_everything(checkout: Checkout) -> None:
    checkout.run("scripts/test", "-x")

    pytest_ = f"pytest -n {cpus()} --dist worksteal tests/ -x"
    assert checkout.log[:3] == ["setup tests", *FIRST]
    assert sorted(checkout.log[3:]) == sorted([*BESIDE, pytest_])


def test_the_checks_beside_the_tests_do_not_hide_what_pytest_ended_with(checkout: Checkout) -> None:
    checkout.stand_in(".venv/bin/pytest", 3)
    checkout.stand_in(".venv/bin/mypy", 1)

    assert checkout.run("scripts/test").returncode == 3


def test_what_a_check_beside_the_tests_says_is_shown_if_it_fails(checkout: Checkout) -> None:
    checkout.stand_in(".venv/bin/mypy", 1, says="file.py:1: error")

    done = checkout.run("scripts/test")

    assert "file.py:1: error" in done.stderr
    assert done.stderr.endswith("test: mypy or lint-imports failed, see above\n")


def test_processes_of_the_tests_keep_their_bytecode(checkout: Checkout) -> None:
    checkout.stand_in(".venv/bin/pytest", says="kept: ${PYTHONDONTWRITEBYTECODE-yes}")

    assert "kept: yes" in checkout.run("scripts/test", PYTHONDONTWRITEBYTECODE="1").stdout


@pytest.mark.parametrize(
    ("script", "failing", "code"),
    [
        ("scripts/run", "scripts/setup", 2),
        ("scripts/run", ".venv/bin/python", 1),
        ("scripts/test", "scripts/setup", 2),
        ("scripts/test", ".venv/bin/pytest", 1),
    ],
)
def test_a_script_ends_with_the_code_of_what_failed(
    script: str, failing: str, code: int, checkout: Checkout
) -> None:
    checkout.stand_in(failing, code)

    assert checkout.run(script).returncode == code


@pytest.mark.parametrize("tool", ["ruff", "mypy", "lint-imports"])
def test_a_failing_check_fails_test(tool: str, checkout: Checkout) -> None:
    checkout.stand_in(f".venv/bin/{tool}", 1)

    assert checkout.run("scripts/test").returncode == 1


@pytest.mark.parametrize(
    ("test", "run", "matrix", "code"),
    [(0, 0, 0, 0), (1, 2, 0, 1), (0, 2, 1, 2), (3, 0, 0, 3), (0, 0, 1, 1)],
)
def test_ci_runs_all_and_ends_with_the_first_failure(
    test: int, run: int, matrix: int, code: int, ci: Checkout
) -> None:
    ci.stand_in("scripts/test", test)
    ci.stand_in("scripts/run", run)
    ci.stand_in(".venv/bin/harness", matrix)

    done = ci.run(".ci/run")

    assert (done.returncode, ci_calls(ci)) == (code, [*HERE, "unshare --mount true", *LANES, NIGHT])


def test_ci_has_a_night_of_properties_too(ci: Checkout) -> None:
    shutil.rmtree(ci.root / "harness")
    ci.suite_file("properties/test_sleep.py", "a kernel of its own")

    ci.run(".ci/run")

    assert ci_calls(ci)[-1] == "pytest --tier=nightly harness/suite/properties/test_sleep.py"


def test_ci_says_that_it_cannot_make_another_debian(ci: Checkout) -> None:
    ci.stand_in("bin/unshare", 1)

    done = ci.run(".ci/run")

    assert (done.returncode, ci_calls(ci)) == (0, [*HERE, "unshare --mount true", NIGHT])
    assert "needs root and the right to mount" in done.stderr


def test_ci_ends_with_the_code_of_a_lane(ci: Checkout) -> None:
    ci.stand_in("scripts/lane", 1)

    assert ci.run(".ci/run").returncode == 1


def test_ci_says_how_long_each_took(ci: Checkout) -> None:
    done = ci.run(".ci/run")

    told = re.findall(r"^ci: \S+/(\w+).* ended with 0 after \d+ s$", done.stderr, re.MULTILINE)
    assert told == [call.split()[0] for call in (*HERE, *LANES, NIGHT)]
