# SPDX-License-Identifier: Apache-2.0
"""The options that say which tests run, how, and on which kernel, for several sub-commands."""

import argparse
from collections.abc import Callable
from pathlib import Path

from harness.base.errors import HarnessError, explain
from harness.base.progress import say
from harness.kernel import KernelSpec, default_fragments
from harness.machine.qemu.qemu import DEFAULT as DEFAULT_QEMU
from harness.results import Run, SuiteRequest, run_suite
from harness.results.history import open_history
from harness.results.request import WORKERS

TIERS = ("default", "nightly", "all")
"""Sets of tests, as ``--tier`` of the suite has them (harness/plugin/options.py)."""


def add_choice_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; :func:`request_of` reads them."""
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        metavar="ID",
        dest="properties",
        help="only tests of this property; may be given several times",
    )
    parser.add_argument("-k", default="", metavar="WORDS", help="only tests whose names match")
    parser.add_argument("--tier", choices=TIERS, default=TIERS[0], help="which set of tests")
    parser.add_argument("-n", "--workers", type=int, default=WORKERS, metavar="N")
    parser.add_argument("--qemu", default=DEFAULT_QEMU, metavar="PROGRAM")
    parser.add_argument("--flavour", default="", metavar="NAME")
    parser.add_argument(
        "--kernel-config", action="append", default=[], type=Path, metavar="FRAGMENT"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="append pytest's words to it")


def request_of(arguments: argparse.Namespace, source: str) -> SuiteRequest:
    """What to run on the kernel *source*; tests can still be named."""
    fragments = (*default_fragments(), *(path.resolve() for path in arguments.kernel_config))
    words = [f"--property={one}" for one in arguments.properties]
    if arguments.k:
        words += ["-k", arguments.k]
    return SuiteRequest(
        spec=KernelSpec(source, (), fragments, arguments.flavour),
        qemu=arguments.qemu,
        tier=arguments.tier,
        words=tuple(words),
        workers=arguments.workers,
    )


def runner_of(arguments: argparse.Namespace) -> Callable[[SuiteRequest], Run]:
    """What runs the suite, and puts each run into the history; that it cannot is said."""

    def run(request: SuiteRequest) -> Run:
        finished = run_suite(request, arguments.log)
        try:
            open_history().add(finished)
        except HarnessError as fault:
            say(f"this run is not in the history: {explain(fault)}")
        return finished

    return run
