# SPDX-License-Identifier: Apache-2.0
"""Before the first test: clean up, build kernel and guest programs once, pass them to workers.

The controller builds, so that progress is shown on its terminal; pytest-xdist's workers only load
what was built.
"""

import ctypes
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from harness.base.cache.evict import keep_within_budget
from harness.base.errors import HarnessError, InputError, explain
from harness.base.paths import CHECKOUT, SUITE
from harness.base.progress import say
from harness.kernel import (
    Initramfs,
    Kernel,
    KernelSpec,
    build_initramfs,
    build_kernel,
    load_kernel,
)
from harness.kernel.abilities import abilities_of
from harness.kernel.build.flavours import AUTO, needed_flavour, with_flavour
from harness.kernel.build.series_notes import series_notes
from harness.kernel.patches.fit import reach_series
from harness.kernel.patches.origin import stored_series
from harness.kernel.patches.reach import Reach
from harness.machine.binary import find_qemu
from harness.machine.qemu.rundir import sweep
from harness.machine.qemu.runroot import keep_run_root
from harness.results.request import request_from
from harness.results.verdict import Verdict

PR_SET_PDEATHSIG = 1
"""prctl(2)."""

ARTIFACTS_KEY = "harness_artifacts"

kernel_key = pytest.StashKey[Kernel]()
initramfs_key = pytest.StashKey[Initramfs]()
"""Absent for a kernel without restricted pools that was given built: no test boots it."""


def pytest_configure(config: pytest.Config) -> None:
    """In a worker of pytest-xdist: load what the controller built."""
    handed = _worker_input(config).get(ARTIFACTS_KEY)
    if handed is not None:
        _die_with_controller()
        config.stash[kernel_key] = load_kernel(Path(handed["kernel"]))
        if handed["initramfs"]:
            config.stash[initramfs_key] = Initramfs(Path(handed["initramfs"]), handed["key"])


def pytest_sessionstart(session: pytest.Session) -> None:
    """Build the kernel and the guest programs if VM tests are selected."""
    config = session.config
    if runs_in_worker(config) or not wants_guests(config):
        return
    try:
        _prepare(config)
    except HarnessError as error:
        say(explain(error))
        pytest.exit(
            "the harness could not prepare the tests", returncode=Verdict.NOT_JUDGED.exit_code
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the run directories of killed workers, and what made the cache too large."""
    if not runs_in_worker(session.config) and kernel_key in session.config.stash:
        try:
            sweep()
            keep_within_budget()
        except (HarnessError, OSError) as fault:  # the tests are judged already
            say(explain(fault))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the paths of kernel and guest programs to a worker of pytest-xdist."""
    stash = node.config.stash
    if kernel_key in stash:
        programs = stash.get(initramfs_key, None)
        node.workerinput[ARTIFACTS_KEY] = {
            "kernel": str(stash[kernel_key].directory),
            "initramfs": str(programs.path) if programs else "",
            "key": programs.key if programs else "",
        }


def runs_in_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist, which reports to a controller."""
    return bool(_worker_input(config))


def wants_guests(config: pytest.Config) -> bool:
    """Whether a path on the command line contains the VM suite, or lies in it."""
    if config.option.collectonly:
        return False
    paths = [Path(str(argument).partition("::")[0]).resolve() for argument in config.args]
    suite = CHECKOUT / SUITE
    return any(suite.is_relative_to(path) or path.is_relative_to(suite) for path in paths)


def _prepare(config: pytest.Config) -> None:
    choose_flavour(config)
    wanted = request_from(config)
    for argument in config.args:
        if not (path := config.invocation_params.dir / argument.partition("::")[0]).exists():
            raise InputError(f"no such file of tests: {path}")
    find_qemu(wanted.qemu)
    swept = sweep()
    if swept:
        say(f"removed {swept} run directories that a killed run left behind")
    keep_run_root(max(wanted.workers, 1))
    for remark in remarks_on_series(wanted.spec):
        say(f"series: {remark}")
    kernel = build_kernel(wanted.spec)
    config.stash[kernel_key] = kernel
    for note in notes_of_series(wanted.spec, kernel):
        say(f"series: {note}")
    if not wanted.spec.is_built or abilities_of(kernel).restricts:
        config.stash[initramfs_key] = build_initramfs(kernel, wanted.spec)


def choose_flavour(config: pytest.Config) -> None:
    """Put the flavour that the series needs in the place of ``--flavour=auto``."""
    spec = request_from(config).spec
    if spec.flavour == AUTO:
        reach = _reach(replace(spec, flavour="")) if spec.series else None
        config.option.flavour = with_flavour(spec, reach).flavour


def remarks_on_series(spec: KernelSpec) -> Iterator[str]:
    """What is left out of the series of *spec*, what it lacks and what it needs."""
    if spec.series:
        yield from stored_series(spec.series).remarks


def notes_of_series(spec: KernelSpec, kernel: Kernel) -> Iterator[str]:
    """Which lines of the series of *spec* are not in *kernel*, built from it."""
    if not spec.series or spec.is_built:
        return
    reach = _reach(spec)
    if not reach.lines:
        yield "nothing of this runs in the guest"
    flavour = "" if spec.flavour else needed_flavour(spec, reach)
    yield from series_notes(reach, kernel, flavour)


def _reach(spec: KernelSpec) -> Reach:
    return reach_series(replace(spec, series=()), spec)


def _worker_input(config: pytest.Config) -> dict[str, Any]:
    return cast(dict[str, Any], getattr(config, "workerinput", {}))


def _die_with_controller() -> None:
    """Make the kernel kill this worker, and thereby QEMU, when its controller dies."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
