# SPDX-License-Identifier: Apache-2.0
"""Run the suite on a kernel, in a process of its own, and return its results as data."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.base.cache.lease import leases
from harness.base.errors import HarnessError
from harness.base.paths import CHECKOUT
from harness.base.tools import dies_with_us
from harness.kernel import build_initramfs, build_kernel
from harness.machine.binary import find_qemu
from harness.results.file import load_run
from harness.results.request import SuiteRequest, arguments_of
from harness.results.run import Run

TIMEOUT = 4 * 3600.0
"""Seconds for one run."""

NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""The variable with which each worker, a Python of its own, would compile all modules again."""

TAIL = 500
"""Characters of pytest's output that an error shows."""


def run_suite(request: SuiteRequest, log: Path | None = None) -> Run:
    """Build the kernel if need be, run the tests, and return the run.

    pytest's output is appended to *log*. Raises what :func:`build_kernel` raises, and HarnessError
    when pytest could not run the tests.
    """
    find_qemu(request.qemu)
    with leases():  # a job may run the tests on many kernels
        kernel = build_kernel(request.spec)
        build_initramfs(kernel, request.spec)
        return run_tests(request, log)


def run_tests(
    request: SuiteRequest, log: Path | None = None, *, show: bool = False, more: Sequence[str] = ()
) -> Run:
    """Run the tests on a kernel that is built, with *more* arguments for pytest; return the run.

    The run is the caller's: it is not in the history. pytest dies with this process; its output
    is appended to *log*, or is left on the terminal if *show*. Raises HarnessError when it could
    not run the tests; a run that pytest did not end is not complete.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file, words = Path(scratch) / "run.jsonl", Path(scratch) / "pytest.log"
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(f"--run-file={file}", *more, *arguments_of(request)),
        ]
        with (log or words).open("ab") as out:
            code = subprocess.run(
                dies_with_us(command),
                cwd=CHECKOUT,
                env={name: os.environ[name] for name in os.environ if name != NO_BYTECODE},
                stdin=subprocess.DEVNULL,
                stdout=None if show else out,
                stderr=None if show else subprocess.STDOUT,
                check=False,
                timeout=TIMEOUT,
            ).returncode
        try:
            return load_run(file)
        except (OSError, ValueError) as fault:
            tail = (log or words).read_text(errors="replace").strip()[-TAIL:]
            raise HarnessError(
                f"pytest ended with {code} before the first test. Its last output: {tail}"
            ) from fault
