# SPDX-License-Identifier: Apache-2.0
"""``harness history``: query past runs."""

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from harness.base.errors import InputError
from harness.cli import history_tables
from harness.cli.tables import print_table
from harness.results import load_run
from harness.results.file import run_text
from harness.results.history import (
    History,
    durations,
    find_run,
    find_test,
    flaky,
    joined_history,
    list_runs,
    not_counted,
    regressions,
    standings,
)

DONE = 0

TEST = "a node id, or a part of one that matches a single test"


@dataclass(frozen=True)
class HistoryAnswer:
    """The answer to a question: data for JSON, tables, and a sentence below them."""

    data: Any
    tables: tuple[Table, ...] = ()
    sentence: str = ""
    program_text: str = ""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command and those below it."""
    parser = subparsers.add_parser(
        "history",
        help="query past runs: since when a test fails, what changed, how flaky it is",
    )
    below = parser.add_subparsers(metavar="QUESTION", required=True)
    _question(below, "since", _since, "show since when a test fails, for each kernel")
    _question(
        below,
        "changes",
        _changes,
        "show what changed between the last good run of a test and the first bad one",
    )
    _question(
        below,
        "flaky",
        _flaky,
        "list tests with different results on the same kernel, harness and QEMU",
    )
    _question(below, "times", _times, "list the durations of tests: median, minimum, maximum, last")
    runs = _question(below, "runs", _runs, "list runs, the newest first")
    runs.add_argument("-n", type=int, default=20, metavar="N", help="number of runs (default: 20)")
    show = _question(below, "show", _show, "show one run and all its tests")
    show.add_argument("id", metavar="ID", help="the id of a run, or its beginning")
    add = _question(below, "add", _add, "add runs from files")
    add.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="a file with a run, as the harness writes it",
    )
    for name in ("since", "changes"):
        below.choices[name].add_argument("test", metavar="TEST", help=TEST)
    for name in ("flaky", "times"):
        below.choices[name].add_argument("test", metavar="TEST", nargs="?", help=TEST)


def _question(
    below: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    answer: Callable[[History, argparse.Namespace], HistoryAnswer],
    summary: str,
) -> argparse.ArgumentParser:
    parser = below.add_parser(name, help=summary, description=summary)
    parser.add_argument(
        "--database",
        metavar="URL",
        help="history database: sqlite:////a/file or postgresql+psycopg://user@host/database "
        "(default: history.sqlite in the cache directory)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run, answer=answer)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Answer one question."""
    answer: HistoryAnswer = arguments.answer(joined_history(arguments.database), arguments)
    if arguments.json:
        print(answer.program_text or f"{json.dumps(answer.data, indent=1)}\n", end="")
        return DONE
    for table in answer.tables:
        print_table(table)
    if answer.sentence:
        print(answer.sentence)
    return DONE


def _since(history: History, arguments: argparse.Namespace) -> HistoryAnswer:
    test = find_test(history, arguments.test)
    found = standings(history, test)
    if not found:
        return HistoryAnswer(
            [], sentence=f"{test} was never judged: it was skipped, or ended as ERROR"
        )
    return HistoryAnswer(_data(found), (history_tables.standing_table(test, found),))


def _changes(history: History, arguments: argparse.Namespace) -> HistoryAnswer:
    test = find_test(history, arguments.test)
    found = regressions(history, test)
    if not found:
        return HistoryAnswer([], sentence=f"{test} never failed")
    return HistoryAnswer(_data(found), tuple(map(history_tables.regression_table, found)))


def _flaky(history: History, arguments: argparse.Namespace) -> HistoryAnswer:
    found = flaky(history, _test(history, arguments))
    left_out = not_counted(history)
    sentences = [] if found else ["no test has different results on the same kernel"]
    if left_out:
        sentences.append(f"{left_out} runs are not counted: their harness had uncommitted changes")
    tables = (history_tables.flaky_table(found),) if found else ()
    return HistoryAnswer(_data(found), tables, "; ".join(sentences))


def _times(history: History, arguments: argparse.Namespace) -> HistoryAnswer:
    found = durations(history, _test(history, arguments))
    data = [{**asdict(one), "median": one.median} for one in found]
    if not found:
        return HistoryAnswer(data, sentence="no test has finished yet")
    return HistoryAnswer(data, (history_tables.times_table(found),))


def _runs(history: History, arguments: argparse.Namespace) -> HistoryAnswer:
    if arguments.n < 1:
        raise InputError(f"-n must be 1 or more, not {arguments.n}")
    found = list_runs(history, arguments.n)
    if not found:
        return HistoryAnswer(
            [], sentence="no runs yet: scripts/run adds one, and so does 'harness history add FILE'"
        )
    return HistoryAnswer(_data(found), (history_tables.runs_table(found),))


def _show(history: History, arguments: argparse.Namespace) -> HistoryAnswer:
    found = history.run(find_run(history, arguments.id).id)
    assert found is not None
    return HistoryAnswer(None, history_tables.run_tables(found), program_text=run_text(found))


def _add(history: History, arguments: argparse.Namespace) -> HistoryAnswer:
    lines, data = [], []
    for path in arguments.files:
        try:
            one = load_run(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise InputError(
                f"{path} is not a run of the suite: {type(fault).__name__}: {fault}. Expected a "
                "file that a run of the suite or 'harness validate --runs=DIR' wrote"
            ) from fault
        new = history.add(one)
        data.append({"file": str(path), "id": one.id, "added": new})
        lines.append(f"{path}: run {one.id} {'added' if new else 'already present'}")
    return HistoryAnswer(data, sentence="\n".join(lines))


def _test(history: History, arguments: argparse.Namespace) -> str:
    return find_test(history, arguments.test) if arguments.test else ""


def _data(found: Iterable[Any]) -> list[dict[str, Any]]:
    return [asdict(one) for one in found]
