# SPDX-License-Identifier: Apache-2.0
"""``harness bisect``: the first bad one of a range of commits, a series or a list of kernels."""

import argparse
from dataclasses import replace
from pathlib import Path

from harness.base.errors import InputError
from harness.cli.choice import add_choice_options, request_of, runner_of
from harness.jobs.bisect import bisect, bisection_text, find_commits, kernels_line, series_line
from harness.jobs.bisect.search import Space
from harness.jobs.compare import find_series
from harness.kernel import KernelSpec
from harness.kernel.patches.origin import FORMS
from harness.results import SuiteRequest

FOUND, SEVERAL = 0, 1
"""Exit codes: the first bad one is known; it is one of several, as some were skipped."""

GIT = "git:"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "bisect",
        help="find the first commit, patch or kernel that breaks a test",
        description="GOOD and BAD are revisions of a repository (--git, or git:REPO@REVISION for "
        "both), positions in a series (--series; 0 is the base), or kernel sources. May be stopped "
        "at any time: it goes on where it was. Exit code 0: found; 1: it is one of several, as "
        "some could not be built; 2: it could not be searched.",
    )
    parser.add_argument("good", metavar="GOOD", help="passes the test")
    parser.add_argument("bad", metavar="BAD", help="fails it, and came later")
    parser.add_argument(
        "test",
        nargs="?",
        metavar="TEST",
        help="a node id, a file, or words as for -k; without it, all tests that are chosen, pass "
        "on GOOD and fail on BAD",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--git", metavar="REPO", help="a path, or a URL")
    where.add_argument("--series", action="append", metavar="SERIES", help=FORMS)
    where.add_argument(
        "--kernels",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="the kernels between GOOD and BAD; of packages, all that the mirror has if left out",
    )
    parser.add_argument(
        "--kernel",
        default=KernelSpec().source,
        metavar="SOURCE",
        help="with --series: what it applies to (default: %(default)s)",
    )
    add_choice_options(parser)
    parser.add_argument("--again", action="store_true", help="forget what was learnt before")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Search, and print what was found."""
    request = _chosen(arguments, request_of(arguments, arguments.kernel))
    space = _space(arguments, request.spec)
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
    return replace(request, words=(*request.words, "-k", words))


def _space(arguments: argparse.Namespace, spec: KernelSpec) -> Space:
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
            raise InputError(f"{good} and {bad} lie in two repositories. Expected one.")
        return find_commits(spec, one, first, last)
    return kernels_line(spec, good, bad, arguments.kernels)
