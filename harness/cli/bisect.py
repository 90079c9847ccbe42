# SPDX-License-Identifier: Apache-2.0
"""``harness bisect``: find the first bad commit, patch or kernel."""

import argparse
from dataclasses import replace
from pathlib import Path

from harness.base.errors import InputError
from harness.base.progress import say
from harness.cli.choice import add_choice_options, request_of, runner_of
from harness.cli.machines import add_source_option
from harness.jobs.bisect import (
    bisect,
    bisection_text,
    find_commits,
    kernels_line,
    kernels_to_ask,
    series_line,
)
from harness.jobs.bisect.search import SearchSpace
from harness.jobs.compare import find_series, usual_time
from harness.kernel import KernelSpec
from harness.kernel.patches.origin import FORMS
from harness.results import SuiteRequest

FOUND, SEVERAL = 0, 1
"""Exit codes: the first bad one is known; it is one of several, because some were skipped."""

GIT = "git:"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "bisect",
        help="find the first commit, patch or kernel that breaks a test",
        description="Find the first commit, patch or kernel on which a test fails. GOOD and BAD "
        "are revisions of a repository (--git, or git:REPO@REVISION for both), positions in a "
        "series (--series; 0 is the base), or kernel sources. If interrupted, call it again: it "
        "continues where it stopped. Exit code 0: found; 1: narrowed down to several, because "
        "some kernels could not be built; 2: not searched.",
    )
    parser.add_argument(
        "good", metavar="GOOD", help="a revision, position or kernel that passes the test"
    )
    parser.add_argument("bad", metavar="BAD", help="a later one that fails the test")
    parser.add_argument(
        "test",
        nargs="?",
        metavar="TEST",
        help="a node id, a file, or an expression as for -k (default: every chosen test that "
        "passes on GOOD and fails on BAD)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--git", metavar="REPO", help="repository to search: a path or a URL")
    where.add_argument("--series", action="append", metavar="SERIES", help=FORMS)
    where.add_argument(
        "--kernels",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="the kernels between GOOD and BAD (default, for packages: all on the mirror)",
    )
    add_source_option(parser, "with --series: the kernel it applies to (default: %(default)s)")
    add_choice_options(parser)
    parser.add_argument(
        "--again", action="store_true", help="discard earlier results and start over"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print how long it will take, and run nothing"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Search, and print what was found."""
    request = _chosen(arguments, request_of(arguments, arguments.kernel))
    space = _space(arguments, request.spec)
    count = kernels_to_ask(space, request, again=arguments.again)
    say(f"estimate: {usual_time(request, count) if count else 'everything is known already'}")
    if arguments.dry_run:
        return FOUND
    bisection = bisect(space, request, runner_of(arguments), again=arguments.again)
    print(bisection_text(bisection), end="")
    return FOUND if bisection.found.is_certain else SEVERAL


def _chosen(arguments: argparse.Namespace, request: SuiteRequest) -> SuiteRequest:
    test = arguments.test
    if not test:
        return request
    if "::" in test or test.endswith(".py"):
        return replace(request, tests=(test,))
    words = f"({arguments.k}) and ({test})" if arguments.k else test
    return replace(request, match=words)


def _space(arguments: argparse.Namespace, spec: KernelSpec) -> SearchSpace:
    good, bad = arguments.good, arguments.bad
    if arguments.series:
        return series_line(spec, find_series(arguments.series, Path()), good, bad)
    if arguments.git:
        return find_commits(spec, arguments.git, good, bad)
    if good.startswith(GIT) and bad.startswith(GIT):
        (one, _, first), (other, _, last) = (
            name.removeprefix(GIT).rpartition("@") for name in (good, bad)
        )
        if one != other:
            raise InputError(f"{good} and {bad} are in two repositories. Expected one.")
        return find_commits(spec, one, first, last)
    return kernels_line(spec, good, bad, arguments.kernels)
