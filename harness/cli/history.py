# SPDX-License-Identifier: Apache-2.0
"""``harness history``: what the runs of the past say of a test, and of each other."""

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
from harness.results.history import (
    History,
    changes,
    durations,
    find_run,
    find_test,
    flaky,
    list_runs,
    not_counted,
    open_history,
    standings,
)

DONE = 0

TEST = "a node id, or so much of it that no other test has it"


@dataclass(frozen=True)
class Answer:
    """What there is to say: as data, as tables, and in a sentence below."""

    data: Any
    tables: tuple[Table, ...] = ()
    sentence: str = ""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command and those below it."""
    parser = subparsers.add_parser(
        "history",
        help="what the runs of the past say: since when a test fails, how flaky it is, ...",
    )
    below = parser.add_subparsers(metavar="QUESTION", required=True)
    _question(below, "since", _since, "since when a test fails, on each kernel it ran on")
    _question(below, "changes", _changes, "what changed when a test began to fail")
    _question(below, "flaky", _flaky, "tests that end differently on the same kernel")
    _question(below, "times", _times, "how long tests take")
    runs = _question(below, "runs", _runs, "the runs, the newest first")
    runs.add_argument("-n", type=int, default=20, metavar="N", help="how many (default: 20)")
    show = _question(below, "show", _show, "one run and all of its tests")
    show.add_argument("id", metavar="ID", help="a run's id, or the beginning of it")
    add = _question(below, "add", _add, "keep runs that were saved as files")
    add.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a run as JSON")
    for name in ("since", "changes"):
        below.choices[name].add_argument("test", metavar="TEST", help=TEST)
    for name in ("flaky", "times"):
        below.choices[name].add_argument("test", metavar="TEST", nargs="?", help=TEST)


def _question(
    below: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    answer: Callable[[History, argparse.Namespace], Answer],
    summary: str,
) -> argparse.ArgumentParser:
    parser = below.add_parser(name, help=summary, description=summary)
    parser.add_argument(
        "--database",
        metavar="URL",
        help="sqlite:////a/file or postgresql+psycopg://user@host/database "
        "(default: a file in the cache directory)",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run, answer=answer)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Answer one question."""
    answer: Answer = arguments.answer(open_history(arguments.database), arguments)
    if arguments.json:
        print(json.dumps(answer.data, indent=1))
        return DONE
    for table in answer.tables:
        print_table(table)
    if answer.sentence:
        print(answer.sentence)
    return DONE


def _since(history: History, arguments: argparse.Namespace) -> Answer:
    test = find_test(history, arguments.test)
    found = standings(history, test)
    if not found:
        return Answer(
            [], sentence=f"{test} was never judged: it was skipped, or the harness failed"
        )
    return Answer(_data(found), (history_tables.standing_table(test, found),))


def _changes(history: History, arguments: argparse.Namespace) -> Answer:
    test = find_test(history, arguments.test)
    found = changes(history, test)
    if not found:
        return Answer([], sentence=f"{test} never failed")
    return Answer(_data(found), tuple(map(history_tables.change_table, found)))


def _flaky(history: History, arguments: argparse.Namespace) -> Answer:
    found = flaky(history, _test(history, arguments))
    left_out = not_counted(history)
    sentences = [] if found else ["no test ended differently on the same kernel"]
    if left_out:
        sentences.append(
            f"{left_out} runs do not count here: their harness had changes that were not committed"
        )
    tables = (history_tables.flaky_table(found),) if found else ()
    return Answer(_data(found), tables, "; ".join(sentences))


def _times(history: History, arguments: argparse.Namespace) -> Answer:
    found = durations(history, _test(history, arguments))
    data = [{**asdict(one), "median": one.median} for one in found]
    if not found:
        return Answer(data, sentence="no test came to an end yet")
    return Answer(data, (history_tables.times_table(found),))


def _runs(history: History, arguments: argparse.Namespace) -> Answer:
    if arguments.n < 1:
        raise InputError(f"-n {arguments.n} runs make no list; give 1 or more")
    found = list_runs(history, arguments.n)
    if not found:
        return Answer([], sentence="there are no runs yet. 'harness history add FILE' adds one")
    return Answer(_data(found), (history_tables.runs_table(found),))


def _show(history: History, arguments: argparse.Namespace) -> Answer:
    found = history.run(find_run(history, arguments.id).id)
    assert found is not None
    return Answer(asdict(found), history_tables.run_tables(found))


def _add(history: History, arguments: argparse.Namespace) -> Answer:
    lines, data = [], []
    for path in arguments.files:
        try:
            one = load_run(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise InputError(
                f"{path} is no run: {type(fault).__name__}: {fault}. Expected the JSON that the "
                "harness writes of a run"
            ) from fault
        new = history.add(one)
        data.append({"file": str(path), "id": one.id, "added": new})
        lines.append(f"{path}: run {one.id} {'is kept' if new else 'was there already'}")
    return Answer(data, sentence="\n".join(lines))


def _test(history: History, arguments: argparse.Namespace) -> str:
    return find_test(history, arguments.test) if arguments.test else ""


def _data(found: Iterable[Any]) -> list[dict[str, Any]]:
    return [asdict(one) for one in found]
