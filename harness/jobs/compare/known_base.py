# SPDX-License-Identifier: Apache-2.0
"""The run on the base of a comparison, from the cache if nothing that it depends on has changed.

It depends on the kernel, the QEMU, the choice of tests, and the files behind these tests
(harness/results/identity.py). Documentation and sub-commands are not among them.
"""

from collections.abc import Callable

from harness.base.cache import Cache, digest
from harness.base.progress import say
from harness.base.result import Result
from harness.kernel.build.build import find_kernel
from harness.machine.binary import find_qemu
from harness.results import Run, SuiteRequest, load_run, save_run
from harness.results.identity import basis_of

FORMAT = "1"
"""Increase it when the way that runs are kept changes."""

BASES = Cache("bases")

RUN = "run.jsonl"


def run_base(
    request: SuiteRequest, runner: Callable[[SuiteRequest], Run], *, again: bool = False
) -> Run:
    """Return the known run of *request*, or run it; with *again*, always run it.

    A run is kept if it is complete and the harness failed in none of its tests. Raises what
    *runner* raises.
    """
    key = _key(request)
    entry = None if again else BASES.find(key)
    if entry is not None:
        known = load_run(entry / RUN)
        say(
            f"the base is not run again: kernel, QEMU, tests and harness are those of its run of "
            f"{known.begin[:16].replace('T', ' ')} UTC (--again runs it)"
        )
        return known
    run = runner(request)
    if _settled(run):
        BASES.remove(key)
        BASES.get(key, lambda directory: save_run(run, directory / RUN))
    return run


def is_known(request: SuiteRequest) -> bool:
    """Whether :func:`run_base` has a run of *request* already."""
    return BASES.find(_key(request)) is not None


def _key(request: SuiteRequest) -> str:
    kernel, qemu = find_kernel(request.spec).key, find_qemu(request.qemu).key
    return digest(FORMAT, kernel, qemu, str(request.ram_size), basis_of(request))


def _settled(run: Run) -> bool:
    """Whether another run could say no more about the kernel."""
    results = {one.result for one in run.tests}
    return run.complete and bool(results) and not results & {Result.ERROR, Result.NOT_JUDGED}
