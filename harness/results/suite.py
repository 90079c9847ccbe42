# SPDX-License-Identifier: Apache-2.0
"""Run the suite on a kernel, in a process of its own, and bring its results home as data."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import HarnessError
from harness.base.paths import CHECKOUT
from harness.base.tools import find_tool
from harness.kernel import build_initramfs, build_kernel
from harness.machine.qemu.qemu import find_qemu
from harness.results.case import Case, read_cases
from harness.results.request import SuiteRequest, arguments_of, choice_of
from harness.results.run import Run, now, provenance

TIMEOUT = 4 * 3600.0
"""Seconds for one run."""

PASSED, FAILED, STOPPED, NOTHING_CHOSEN = 0, 1, 2, 5
"""pytest's exit codes; it says STOPPED when ``-x`` ends a run on several workers."""

TAIL = 500
"""Characters of pytest's output that an error shows."""


def run_suite(request: SuiteRequest, log: Path | None = None) -> Run:
    """Build the kernel if need be, run the tests, and return the run.

    pytest's output is appended to *log*. Raises what :func:`build_kernel` raises, and HarnessError
    when pytest could not run the tests.
    """
    qemu = find_qemu(request.qemu)
    kernel = build_kernel(request.spec)
    build_initramfs(kernel, request.spec)
    where = provenance(kernel, qemu, request.spec.flavour)
    begin, clock = now(), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        outcomes, complete = run_pytest(arguments_of(request), log or Path(scratch) / "pytest.log")
    seconds = time.monotonic() - clock
    return Run(where, begin, seconds, choice_of(request), outcomes, complete)


def run_pytest(words: Sequence[str], log: Path) -> tuple[tuple[Case, ...], bool]:
    """Run pytest with *words*; how its tests ended, and whether it came to the last of them.

    It dies with this process, and leaves ``harness properties`` alone; its output is appended to
    *log*. Raises HarnessError when it could not run the tests.
    """
    with tempfile.TemporaryDirectory() as scratch, log.open("ab") as out:
        report = Path(scratch) / "junit.xml"
        code = subprocess.run(
            [
                *(str(find_tool("setpriv")), "--pdeathsig", "KILL"),
                *(sys.executable, "-m", "pytest", "-q", f"--junitxml={report}"),
                *("-p", "no:cacheprovider", "-p", "no:harness.plugin.recorder", *words),
            ],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=TIMEOUT,
        ).returncode
        # Python itself ends with what FAILED is, too: then there is no report
        if code in (PASSED, NOTHING_CHOSEN) or (code in (FAILED, STOPPED) and report.is_file()):
            outcomes = read_cases(report) if report.is_file() else []
            return tuple(outcomes), code != STOPPED
    tail = log.read_text(errors="replace").strip()[-TAIL:]
    raise HarnessError(f"pytest ended with {code} and no results; its last words: {tail}")
