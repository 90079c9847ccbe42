# SPDX-License-Identifier: Apache-2.0
"""A small plan in a folder of its own, and calls of ``harness nightly`` on it."""

import os
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from nightly_work import TRACE, Trace
from python_process import run_python

from harness.cli import main

HERE = Path(__file__).parent

NIGHT = "import sys; from harness.cli import main; sys.exit(main())"

TESTS = tuple(f"harness/suite/test_{name}.py::test_it" for name in "abcd")


@dataclass(frozen=True)
class Desk:
    """A folder with kernels, a plan, and caches of its own; *traced* is where deeds are noted."""

    root: Path
    traced: Path | None = None

    @property
    def plan(self) -> Path:
        """The plan's file."""
        return self.root / "plan.toml"

    @property
    def trace(self) -> Trace:
        """What was built and run."""
        return Trace(self.traced or self.root / "trace")

    def environment(self, cache: str = "cache") -> dict[str, str]:
        """What a process needs to work here."""
        return {
            **os.environ,
            "HARNESS_CACHE": str(self.root / cache),
            TRACE: str(self.trace.path),
            "PYTHONPATH": str(HERE),
        }

    def kernel(self, name: str, text: str = "") -> None:
        """Put a kernel there, or another in its place."""
        (self.root / name).write_text(text or name)

    def write(
        self, *more: str, kernels: Sequence[str] = ("one", "two"), orders: str = "sleep=0"
    ) -> None:
        """Write a plan over *kernels* and two groups of tests; *more* are lines above all tables.

        *orders* are for ``CheapRunner``: a ``sleep`` for both groups, others for the first one.
        """
        lines = ['runner = "nightly_work:CHEAP"', *more]
        for name in kernels:
            if not (self.root / name).exists():
                self.kernel(name)
            lines += [f"[kernels.{name}]", f'source = "{self.root / name}"']
        for group, tests in (("first", TESTS[:2]), ("second", TESTS[2:])):
            words = orders if group == "first" or orders.startswith("sleep") else "sleep=0"
            lines += [f"[groups.{group}]", f"tests = {list(tests)}", f'words = ["{words}"]']
            lines += ["slots = 1"]
        self.plan.write_text("\n".join(lines) + "\n")

    def command(self, *words: str, code: str = NIGHT) -> list[str]:
        """The arguments of the interpreter for a night, or for other *code*."""
        return ["-c", code, "nightly", str(self.plan), *words]

    def call(self, *words: str, cache: str = "cache") -> "subprocess.CompletedProcess[str]":
        """A night in a process of its own."""
        return run_python(self.command(*words), env=self.environment(cache))

    def alone(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
        """What the history holds after an undisturbed night, in this process, on this machine."""
        with monkeypatch.context() as within:
            for name, value in self.environment("alone").items():
                within.setenv(name, value)
            main(["nightly", str(self.plan)])
        return self.history("alone")

    def history(self, cache: str = "cache") -> list[tuple[object, ...]]:
        """What the database holds, without ids, times, and what is different for each machine."""
        with closing(sqlite3.connect(self.root / cache / "history.sqlite")) as connection:
            rows = connection.execute(
                "select job, kernel_key, words, complete, position, test, result, violated "
                "from runs join outcomes on runs.id = outcomes.run order by job, position"
            )
            return rows.fetchall()
