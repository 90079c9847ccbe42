# SPDX-License-Identifier: Apache-2.0
"""``harness report``: write a report of one run, or of two runs that are compared."""

import argparse
import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.base.errors import InputError
from harness.cli.outputs import add_output
from harness.cli.tables import print_table
from harness.jobs.cost import change_lines, compare_costs, load_costs
from harness.results import Run, load_run, read_foreign
from harness.results.file import is_run
from harness.results.history import History, durations, find_run, joined_history
from harness.results.judge import Comparison, compare, judged
from harness.results.render import (
    Artifacts,
    Inputs,
    artifacts_of,
    junit,
    kcidb,
    ktap,
    mail,
    page,
    terminal_lines,
    terminal_table,
)
from harness.results.render.kcidb import DEFAULT_ORIGIN

MOST_COSTS = 20
"""Calls whose cost is told."""

STANDARD_OUTPUT = Path("-")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "report",
        help="report the results of a run: terminal, HTML, mail, JUnit, KTAP, KCIDB",
        description="Print a summary, and write other formats with the options; FILE '-' is the "
        "standard output. Exit code 0: the kernel or the series is good; 1: it is at fault; 2: not "
        "judged.",
    )
    parser.add_argument(
        "base",
        metavar="RUN",
        help="a run's id in the history, or its beginning; or a file: run, JUnit or kernel log",
    )
    parser.add_argument(
        "series",
        nargs="?",
        metavar="RUN",
        help="the run to compare with it, for example with a series applied",
    )
    parser.add_argument(
        "--database", metavar="URL", help="history database, as for harness history"
    )
    add_output(parser, "--html", "write one self-contained page")
    add_output(parser, "--junit", "write JUnit XML")
    add_output(parser, "--ktap", "write KTAP, as kernel tests do")
    add_output(parser, "--kcidb", "write KCIDB JSON")
    add_output(parser, "--mail", "write text for a reply by mail")
    parser.add_argument(
        "--origin",
        default=DEFAULT_ORIGIN,
        metavar="NAME",
        help="name of this CI system in KCIDB (default: %(default)s)",
    )
    parser.add_argument(
        "--tested-by",
        metavar="PERSON",
        help="Tested-by of the mail (default: user.name and user.email of git)",
    )
    parser.add_argument(
        "--cost",
        type=Path,
        nargs=2,
        metavar=("BEFORE", "AFTER"),
        help="also report the cost of DMA API calls, from two files of 'harness cost --json'",
    )
    parser.add_argument("--coverage", type=Path, metavar="FILE", help="text to include in the page")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the summary and write the other formats; return the exit code of the verdict."""
    history = joined_history(arguments.database)
    runs = [_find(word, history) for word in (arguments.base, arguments.series) if word]
    if arguments.cost and len(runs) == 1:
        raise InputError("--cost is for two runs that are compared")
    subject = compare(*runs) if len(runs) > 1 else runs[0]
    if arguments.cost and isinstance(subject, Comparison):
        changes = compare_costs(*map(load_costs, arguments.cost))
        subject = replace(subject, costs=change_lines(changes, MOST_COSTS))
    artifacts = artifacts_of(runs)
    _print(subject, artifacts)
    if arguments.html:
        _write(arguments.html, page(subject, _inputs(arguments, artifacts, history)))
    if arguments.junit:
        _write(arguments.junit, junit(subject, artifacts))
    if arguments.ktap:
        _write(arguments.ktap, ktap(subject))
    if arguments.kcidb:
        content = kcidb(subject, arguments.origin, artifacts)
        _write(arguments.kcidb, json.dumps(content, indent=1) + "\n")
    if arguments.mail:
        tester = arguments.tested_by if arguments.tested_by is not None else _git_identity()
        _write(arguments.mail, mail(subject, artifacts, tester))
    return judged(subject).exit_code


def _find(word: str, history: History) -> Run:
    """The run in that file or, by its id, in the history. Raises InputError if there is none."""
    path = Path(word)
    if not path.is_file():
        found = history.run(find_run(history, word).id)
        assert found is not None  # the history has just named it
        return found
    try:
        return load_run(path) if is_run(path) else read_foreign(path)
    except (OSError, ValueError) as fault:
        raise InputError(f"{path} is not a run of the suite: {fault}") from fault


def _print(subject: Run | Comparison, artifacts: Mapping[str, Artifacts]) -> None:
    table = terminal_table(subject, artifacts)
    if table is not None:
        print_table(table)
    for line in terminal_lines(subject):
        print(line)


def _inputs(
    arguments: argparse.Namespace, artifacts: Mapping[str, Artifacts], history: History
) -> Inputs:
    coverage = arguments.coverage.read_text().splitlines() if arguments.coverage else ()
    return Inputs(artifacts, {one.test: one.seconds for one in durations(history)}, coverage)


def _write(path: Path, text: str) -> None:
    if path == STANDARD_OUTPUT:
        print(text, end="")
    else:
        path.write_text(text)


def _git_identity() -> str:
    """``Name <address>`` from git's configuration; empty if that is incomplete."""
    words = []
    for key in ("user.name", "user.email"):
        asked = subprocess.run(["git", "config", key], capture_output=True, text=True, check=False)
        words.append(asked.stdout.strip())
    return f"{words[0]} <{words[1]}>" if all(words) else ""
