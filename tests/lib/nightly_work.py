# SPDX-License-Identifier: Apache-2.0
"""Work for nights that takes a moment: kernels are files, tests are processes that sleep.

A plan names it as ``runner = "nightly_work:CHEAP"``. ``NIGHTLY_TRACE`` names a file to which every
build and every test is noted, with the process that did it.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.errors import BuildError, HarnessError, HostError
from harness.base.result import Result
from harness.jobs.nightly.runner import Binary, FoundKernel
from harness.kernel import KernelSpec
from harness.results import Case, Provenance, Run, SuiteRequest

TRACE = "NIGHTLY_TRACE"

RESULTS = ("PASS", "PASS", "FAIL")
"""Of a test's results one is chosen, by a hash, so that it is the same whoever runs it."""


@dataclass(frozen=True)
class Trace:
    """What was done, in order: ``(what, kernel or test, process)``."""

    path: Path

    def all(self, what: str) -> list[tuple[str, int]]:
        """The subjects and processes of one kind of deed."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        deeds = (json.loads(line) for line in lines)
        return [(subject, process) for deed, subject, process in deeds if deed == what]

    def processes(self, what: str) -> int:
        """How many processes did such a deed."""
        return len({process for _, process in self.all(what)})

    def add(self, what: str, subject: str) -> None:
        """Note a deed of this process, in one write."""
        line = json.dumps((what, subject, os.getpid())) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, line.encode())
        os.close(handle)


class CheapRunner:
    """A kernel is a file, whose first word may be ``broken``; words of a group are its orders.

    ``sleep=SECONDS`` is how long its tests take, ``error`` makes the harness fail at one of them,
    ``refuse`` lets them not be run at all.
    """

    def pin(self, source: str) -> str:
        """The same; a file is what it is."""
        return source

    def look(self, spec: KernelSpec) -> FoundKernel:
        """A kernel is its file, its patches and its flavour."""
        patches = tuple((path.name, path.read_bytes()) for path in spec.series)
        return FoundKernel(_key(spec), f"file {Path(spec.source).name}", patches)

    def basis(self, request: SuiteRequest) -> str:
        """What the group says."""
        return digest(request.tier, *request.tests, *request.words)

    def qemu(self, program: str) -> Binary:
        """Any word will do, but for one that is missing."""
        if program == "missing":
            raise HostError("there is no such QEMU")
        return Binary(program, program)

    def build(self, spec: KernelSpec) -> None:
        """Copy the file into the cache of kernels."""

        def fill(directory: Path) -> None:
            _trace().add("build", spec.source)
            (directory / "Image").write_text(Path(spec.source).read_text())

        if Path(spec.source).read_text().startswith("broken"):
            _trace().add("build", spec.source)
            raise BuildError(f"{spec.source} does not compile")
        Cache("kernels").get(_key(spec), fill)
        Cache("kernels").share(_key(spec))

    def run(self, request: SuiteRequest, log: Path) -> Run:
        """Sleep, in a process of its own that dies with this one."""
        key, orders = _key(request.spec), dict(word.split("=") for word in request.words)
        if "refuse" in orders:
            raise HarnessError("no tests today")
        begin = datetime.now(UTC)
        _trace().add("begin", f"{key} {request.tests}")
        command = ["setpriv", "--pdeathsig", "KILL", "sleep", orders.get("sleep", "0")]
        with log.open("ab") as out:
            subprocess.run(command, check=True, stdout=out)
        tests = tuple(_outcome(key, name) for name in request.tests)
        if "error" in orders:
            tests = (*tests, Case("harness/suite/test_a.py::test_error", Result.ERROR))
        _trace().add("end", f"{key} {request.tests}")
        seconds = (datetime.now(UTC) - begin).total_seconds()
        return Run(_provenance(request, key), begin.isoformat(), seconds, request.words, tests)


CHEAP = CheapRunner()


def _key(spec: KernelSpec) -> str:
    return digest(Path(spec.source), spec.flavour, *spec.series)


def _trace() -> Trace:
    return Trace(Path(os.environ[TRACE]))


def _outcome(key: str, name: str) -> Case:
    result = RESULTS[int(digest(key, name), 16) % len(RESULTS)]
    return Case(name, Result(result), ("B1",) if result == "FAIL" else (), "", ("B1",), 0.25)


def _provenance(request: SuiteRequest, key: str) -> Provenance:
    series = tuple(path.name for path in request.spec.series)
    where = (key, "6.12.0", "c0ffee", request.spec.source, series, "config", "gcc")
    return Provenance(*where, request.spec.flavour, request.qemu, "harness", "host")
