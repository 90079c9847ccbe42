# SPDX-License-Identifier: Apache-2.0
"""``harness nightly``: run the suite over the kernels of a plan, within a time budget."""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path

from harness.base.cache.store import VARIABLE as STORE
from harness.base.progress import step
from harness.cli.outputs import add_output
from harness.cli.tables import print_table
from harness.jobs.nightly import (
    Alone,
    Entry,
    Executor,
    Lost,
    Night,
    NightPlan,
    Runner,
    expand,
    find_runner,
    open_night,
    read_plan,
    run_night,
    sort_out,
)
from harness.jobs.nightly.night_report import (
    complaints,
    night_json,
    night_table,
    night_verdict,
    plan_table,
    summary,
)
from harness.jobs.nightly.toml import parse_seconds
from harness.results.history import open_history


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "nightly",
        help="run the suite over the kernels, series, flavours, QEMUs and tests of a plan",
        description="Run the jobs of a plan; docs/plan.toml is a commented example. Jobs with a "
        "verdict that still holds are not run again. If interrupted, call it again: it continues "
        "where it stopped. Exit code 0: all well; 1: a kernel is at fault; 2: not all jobs could "
        "be judged.",
    )
    parser.add_argument("plan", type=Path, metavar="PLAN", help="a TOML file")
    parser.add_argument(
        "--list", "--dry-run", action="store_true", help="list the jobs and run nothing"
    )
    parser.add_argument("--again", action="store_true", help="also run jobs that have a verdict")
    parser.add_argument(
        "--budget", metavar="TIME", help="time limit, for example '8 h'; overrides the plan"
    )
    parser.add_argument("--database", metavar="URL", help="history database; overrides the plan")
    parser.add_argument(
        "--store",
        metavar="URL",
        help="store of kernels that machines share: a directory or s3://...",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="Dask scheduler whose workers run the jobs, for example tcp://host:8786",
    )
    add_output(parser, "--json", "write the results as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Find the jobs, run those without a verdict, print all verdicts."""
    plan = read_plan(arguments.plan)
    runner = find_runner(plan.runner)
    budget = parse_seconds(arguments.budget) if arguments.budget else plan.budget
    history = open_history(arguments.database or plan.database or None)
    with (
        _sharing(arguments.store or plan.store),
        open_night(plan.path, again=arguments.again) as night,
    ):
        with step("finding the jobs of the plan"):
            found = expand(plan, runner)
        entries = sort_out(found.jobs, night, history)
        if arguments.list:
            return _list(entries, found.lost, night)
        night.begin()
        with _executor(arguments.cluster, plan, runner, night) as executor:
            entries = run_night(entries, night, history, executor, budget)
        night.finish()
    return _conclude(entries, found.lost, arguments.json)


@contextmanager
def _sharing(store: str | None) -> Iterator[None]:
    """Make this process and its children share what they build through *store*."""
    if not store:
        yield
        return
    before = os.environ.get(STORE)
    os.environ[STORE] = store
    try:
        yield
    finally:
        if before is None:
            del os.environ[STORE]
        else:
            os.environ[STORE] = before


def _executor(
    address: str | None, plan: NightPlan, runner: Runner, night: Night
) -> AbstractContextManager[Executor]:
    """Return what runs the jobs; import Dask only for a cluster."""
    if address is None:
        return nullcontext(Alone(runner, night.log))
    cluster = import_module("harness.jobs.nightly.cluster")
    joined: AbstractContextManager[Executor] = cluster.join(address, plan.runner)
    return joined


def _list(entries: Sequence[Entry], lost: Sequence[Lost], night: Night) -> int:
    print_table(plan_table(entries, night.durations()))
    for line in complaints((), lost):
        print(line)
    return 0


def _conclude(entries: Sequence[Entry], lost: Sequence[Lost], report: Path | None) -> int:
    print_table(night_table(entries))
    for line in complaints(entries, lost):
        print(line)
    print(summary(entries, lost))
    if report:
        report.write_text(json.dumps(night_json(entries, lost), indent=1) + "\n")
    return night_verdict(entries, lost).exit_code
