# SPDX-License-Identifier: Apache-2.0
"""``harness coverage``: which lines of the restricted DMA code the suite runs."""

import argparse

from harness.base.errors import InputError
from harness.base.progress import say
from harness.cli.machines import add_series_option, add_source_option
from harness.cli.outputs import add_output
from harness.cli.tables import print_table
from harness.jobs.coverage import (
    Measurement,
    lines_never_run,
    make_report,
    measure,
    page,
    patch_lines,
    table,
)
from harness.kernel import KernelSpec
from harness.kernel.build.notes import DIRECTORY, SOURCES
from harness.results import SuiteRequest, Verdict
from harness.results.reached import REACHED, keep_reached


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "coverage",
        help="measure which lines of the restricted DMA code the suite runs",
        description="Run the suite on a kernel built with gcov and report which lines of the "
        "restricted DMA code ran. The exit code is that of pytest.",
    )
    add_source_option(parser)
    add_series_option(parser)
    parser.add_argument(
        "--add", action="store_true", help="add to the counts of earlier runs on this kernel"
    )
    parser.add_argument(
        "--keep-reached",
        action="store_true",
        help="write to tests/reached.json which tests reach a function, for the order of tests",
    )
    add_output(
        parser, "--html", "write the source with its counts (default: %(default)s)", "coverage.html"
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="PYTEST",
        help="options for pytest, after --, for example: -- -k B1",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the tables, write the page; the exit code of the run's verdict."""
    if arguments.keep_reached and (arguments.series or arguments.add or arguments.words):
        raise InputError(
            "--keep-reached writes what today's tests, all of them, reach on a kernel without "
            "patches: leave out --series, --add and options for pytest"
        )
    spec = KernelSpec(arguments.kernel, tuple(arguments.series))
    measured = measure(SuiteRequest(spec, words=tuple(arguments.words)), arguments.add)
    report = make_report(measured.kernel.directory, measured.lines)
    print_table(table(report))
    sources = measured.kernel.directory / DIRECTORY / SOURCES
    for line in lines_never_run(report):
        print(line)
    for patch in report.patches:
        print("\n".join(patch_lines(patch, sources)))
    for path, function, text in report.stale:
        print(f"{path} {function}: '{text}' ran, but unreached.toml says why it cannot")
    title = f"Restricted DMA paths of Linux {measured.kernel.release} that the suite runs"
    arguments.html.write_text(page(report, sources, title))
    say(f"report with source lines: {arguments.html.resolve()}")
    if arguments.keep_reached:
        _keep(measured)
    return measured.verdict.exit_code


def _keep(measured: Measurement) -> None:
    """Write which tests reach a function, unless some ended early and reached less."""
    if measured.verdict is Verdict.GOOD:
        keep_reached(measured.reached)
        say(f"commit {REACHED}: which tests reach a function")
    else:
        say(
            f"{REACHED} is not written: the verdict is '{measured.verdict.value}', and a test that "
            "fails may reach less. Call the command again when all tests pass"
        )
