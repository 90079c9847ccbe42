# SPDX-License-Identifier: Apache-2.0
"""Options that choose tests, workers, QEMU and kernel configuration, for several sub-commands."""

import argparse
from collections.abc import Callable
from math import inf, nan

from harness.base.errors import HarnessError, explain
from harness.base.progress import say
from harness.base.properties import checked_id
from harness.cli.machines import add_config_options, add_qemu_option, fragments_of
from harness.cli.outputs import add_output
from harness.kernel import KernelSpec
from harness.plugin.options import TIER_HELP
from harness.results import TIERS, Run, SuiteRequest, run_suite
from harness.results.history import open_history
from harness.results.request import WORKERS


def add_choice_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; :func:`request_of` reads them."""
    parser.add_argument(
        "--property",
        type=checked_id,
        action="append",
        default=[],
        metavar="ID",
        dest="properties",
        help="run only tests of this property, for example B1; may be repeated",
    )
    parser.add_argument(
        "-k",
        default="",
        metavar="EXPRESSION",
        help="run only tests whose names match, as pytest -k",
    )
    parser.add_argument("--tier", choices=TIERS, default=TIERS[0], help=TIER_HELP)
    add_run_options(parser)
    add_config_options(parser)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how tests run; :func:`runner_of` reads ``--log``."""
    parser.add_argument(
        "-n",
        "--workers",
        type=int,
        default=WORKERS,
        metavar="N",
        help="tests at a time (default: %(default)s)",
    )
    add_qemu_option(parser)
    add_output(parser, "--log", "append the output of pytest to FILE")


def request_of(arguments: argparse.Namespace, source: str) -> SuiteRequest:
    """Return the request that the options describe, for the kernel *source* and all tests."""
    return SuiteRequest(
        spec=KernelSpec(source, (), fragments_of(arguments), arguments.flavour, arguments.compiler),
        qemu=arguments.qemu,
        tier=arguments.tier,
        workers=arguments.workers,
        properties=tuple(arguments.properties),
        match=arguments.k,
    )


def runner_of(arguments: argparse.Namespace) -> Callable[[SuiteRequest], Run]:
    """Return a function that runs the suite and adds each run to the history."""

    def run(request: SuiteRequest) -> Run:
        finished = run_suite(request, arguments.log)
        try:
            open_history().add(finished)
        except HarnessError as fault:
            say(f"cannot add this run to the history: {explain(fault)}")
        return finished

    return run


def percentage(text: str) -> float:
    """A limit in per cent: 0 or more, and finite; nothing would be beyond another."""
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = nan
    if not 0 <= number < inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a limit. Expected for example 10.")
    return number
