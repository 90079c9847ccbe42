# SPDX-License-Identifier: Apache-2.0
"""``harness validate``: find what a patch series breaks and fixes."""

import argparse
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.base.errors import SeriesError, SourceError
from harness.base.kernel_code import properties_of
from harness.base.progress import say
from harness.cli.choice import add_choice_options, percentage, request_of, runner_of
from harness.cli.machines import add_source_option
from harness.cli.outputs import add_output
from harness.jobs.compare import (
    Series,
    SeriesJudgement,
    as_json,
    estimate,
    estimate_text,
    find_series,
    judge_series,
    judgement_text,
    mail_text,
    new_warnings,
    pages,
    patch_coverage,
    run_base,
    run_kunit,
    save_runs,
    series_costs,
    series_notes,
    store_prefix,
)
from harness.jobs.compare.kernel_runs import REPEATS
from harness.jobs.compare.per_patch import kernels_of, why_not_run
from harness.kernel import build_kernel
from harness.kernel.build.flavours import AUTO, needed_flavour, with_flavour
from harness.kernel.patches.apply import Attempt, Fit
from harness.kernel.patches.fit import fit_series, reach_series
from harness.kernel.patches.origin import FORMS, series_path
from harness.kernel.patches.reach import Reach
from harness.kernel.patches.series import patches_of, read_series
from harness.kernel.patches.unpacked import try_cached
from harness.kernel.source.revision import local_commit
from harness.kernel.source.sources import pin_source
from harness.kernel.spec import DEFAULT_SOURCE
from harness.results import SuiteRequest, Verdict
from harness.results.history import durations, open_history
from harness.results.judge import Comparison
from harness.results.reached import read_reached


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "validate",
        help="judge a patch series: run the same tests with and without it, and compare",
        description="Run the same tests with and without a patch series and compare the results. "
        "Tests that differ are run again. Exit code 0: the series breaks nothing; 1: it breaks "
        "something; 2: not judged.",
    )
    parser.add_argument(
        "series",
        nargs="*",
        metavar="SERIES",
        help=f"{FORMS} (default: the commits since upstream and the uncommitted changes of the "
        "kernel's git tree here, or of --git)",
    )
    parser.add_argument(
        "--git",
        type=Path,
        metavar="REPO",
        help="repository of base..tip, and of the base-commit that the series names, which is the "
        "kernel without --kernel",
    )
    add_source_option(parser)
    parser.add_argument(
        "--base-series",
        action="append",
        default=[],
        type=series_path,
        metavar="SERIES",
        help="patches that both kernels have, for example what the series needs; may be repeated",
    )
    parser.set_defaults(kernel=None)
    add_choice_options(parser)
    _add_ways(parser)
    _add_outputs(parser)
    parser.set_defaults(run=run)


def _add_ways(parser: argparse.ArgumentParser) -> None:
    """What is run, and what is measured beside the tests."""
    parser.add_argument(
        "--per-patch",
        action="store_true",
        help="judge each patch against the one before it; builds a kernel for each",
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=REPEATS,
        metavar="N",
        help="runs of tests whose results differ (default: %(default)s)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="read the series, say whether it applies and how long the command would take; build "
        "and run nothing",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="also run the tests on the base if their results are known",
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help="report which lines of the series ran; builds another kernel",
    )
    parser.add_argument(
        "--cost",
        action="store_true",
        help="report which DMA API calls take other instructions or copy other bytes",
    )
    parser.add_argument(
        "--cost-limit",
        type=percentage,
        metavar="PERCENT",
        help="the series is bad if such a number grows by more; as --cost (default: no limit)",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    add_output(parser, "--json", "write the verdict as JSON")
    add_output(
        parser,
        "--html",
        "write a page; with --per-patch one more for each patch that changes a result",
    )
    add_output(parser, "--mail", "write text for a reply by mail")
    parser.add_argument(
        "--tested-by",
        default="",
        metavar="PERSON",
        help="Tested-by of the mail, if the series breaks nothing",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="keep the run on each kernel in DIR, for harness report",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the series, check that it applies, run the tests, and print the verdict."""
    series = find_series(arguments.series, arguments.git or Path())
    for number in range(1, len(series.patches) + 1):
        say(f"series: {series.label(number)}")
    request = request_of(arguments, pin_source(arguments.kernel or _base(arguments, series)))
    request = replace(request, spec=replace(request.spec, series=tuple(arguments.base_series)))
    for remark in series.remarks:
        say(f"series: {remark}")
    attempts = _attempts(request, series)
    fits = attempts[-1].fit is not Fit.REFUSED
    reach = reach_series(request.spec, _with(request, series).spec) if fits else None
    request, flavour = _flavoured(request, reach)
    if reach:
        request = replace(request, first=_first(reach))
    whole = _with(request, series)
    if fits and not why_not_run(attempts, reach):
        say(f"estimate: {_estimated(arguments, request, series, reach)}")
        if arguments.dry_run:
            return Verdict.GOOD.exit_code
    runner = runner_of(arguments)
    judgement = judge_series(
        request,
        series,
        attempts,
        runner,
        per_patch=arguments.per_patch and not arguments.dry_run,
        repeats=arguments.repeats,
        base_runner=partial(run_base, runner=runner, again=arguments.again),
        reach=reach,
    )
    if reach and judgement.whole.differences:
        judgement = _with_notes(judgement, request, whole, reach, flavour)
    if not fits:
        judgement = replace(judgement, elsewhere=try_cached(patches_of(series)))
    compared = isinstance(judgement.whole.outcome, Comparison)
    if arguments.coverage and compared:
        judgement = replace(judgement, coverage=patch_coverage(whole))
    if _counts_costs(arguments) and compared:
        costs = series_costs(request, whole)
        judgement = replace(judgement, costs=costs, cost_limit=arguments.cost_limit)
    _report(arguments, judgement)
    return judgement.verdict.exit_code


def _first(reach: Reach) -> tuple[str, ...]:
    """Functions and properties whose tests run first, because they reach what the series changes.

    The table is for functions that were not measured, or that many tests reach.
    """
    known = read_reached()
    measured = tuple(one for one in reach.functions if one in known.functions)
    listed = properties_of(one for one in reach.functions if one not in measured)
    calls = ", ".join(f"{one}()" for one in measured)
    parts = (
        *([f"tests that reach {calls} (measured on Linux {known.release})"] if measured else []),
        *([f"tests of {' '.join(listed)} (by the table of properties)"] if listed else []),
    )
    if parts:
        say(f"{' and '.join(parts)} run first: they reach what the series changes")
    return (*measured, *listed)


def _attempts(request: SuiteRequest, series: Series) -> tuple[Attempt, ...]:
    """Whether each patch of *series* applies. SeriesError if one of the base's does not."""
    attempts = fit_series(_with(request, series).spec)
    own = len(read_series(request.spec.series))
    for one in attempts[:own]:
        if one.fit is Fit.REFUSED:
            raise SeriesError(f"--base-series: {one.patch} does not apply: {one.reason}.")
    return attempts[own:]


def _estimated(
    arguments: argparse.Namespace, request: SuiteRequest, series: Series, reach: Reach | None
) -> str:
    """How long the command will take."""
    count = len(series.patches)
    positions = range(count + 1) if arguments.per_patch else (0, count)
    asked = {
        "coverage": arguments.coverage,
        "cost": _counts_costs(arguments),
        "KUnit tests": reach and reach.kunit,
    }
    more = [title for title, wanted in asked.items() if wanted]
    kernels = kernels_of(request, series, positions)
    return estimate_text(estimate(kernels, again=arguments.again, more=more))


def _flavoured(request: SuiteRequest, reach: Reach | None) -> tuple[SuiteRequest, str]:
    """*request* with the flavour for AUTO, and the flavour that the series needs beside its own."""
    if request.spec.flavour:
        return replace(request, spec=with_flavour(request.spec, reach)), ""
    needed = needed_flavour(request.spec, reach) if reach else ""
    if needed:
        say(
            f"flavour: only {needed} compiles what the series changes; --flavour={needed}, or "
            f"--flavour={AUTO}, takes it"
        )
    return request, needed


def _with_notes(
    judgement: SeriesJudgement, base: SuiteRequest, whole: SuiteRequest, reach: Reach, flavour: str
) -> SeriesJudgement:
    """*judgement* with new warnings of the build, what never ran, and KUnit tests of the series."""
    before, after = build_kernel(base.spec), build_kernel(whole.spec)
    return replace(
        judgement,
        warnings=new_warnings(before, after),
        notes=tuple(series_notes(reach, after, flavour)),
        kunit=run_kunit(whole, reach),
    )


def _counts_costs(arguments: argparse.Namespace) -> bool:
    return arguments.cost or arguments.cost_limit is not None


def _base(arguments: argparse.Namespace, series: Series) -> str:
    """The kernel that a series is for, if its repository is known, else the default one."""
    repository = arguments.git or (Path() if not arguments.series else None)
    if not (repository and series.needs.base):
        return DEFAULT_SOURCE
    try:
        commit = local_commit(repository, series.needs.base)
    except SourceError:
        say(f"{repository} has no base-commit {series.needs.base}; the kernel is {DEFAULT_SOURCE}")
        return DEFAULT_SOURCE
    say(f"kernel: commit {commit[:12]} of {repository.resolve()}, the base of the series")
    return f"git:{repository.resolve()}@{commit}"


def _with(request: SuiteRequest, series: Series) -> SuiteRequest:
    """Return *request* with the whole series applied to its base."""
    stored = store_prefix(series, len(series.patches))
    patches = (*request.spec.series, *stored)
    return replace(request, spec=replace(request.spec, series=patches))


def _report(arguments: argparse.Namespace, judgement: SeriesJudgement) -> None:
    print(judgement_text(judgement), end="")
    if arguments.mail:
        arguments.mail.write_text(mail_text(judgement, arguments.tested_by))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(judgement), indent=1) + "\n")
    if arguments.runs:
        save_runs(judgement, arguments.runs)
    if arguments.html:
        seconds = {one.test: one.seconds for one in durations(open_history())}
        for file, text in pages(judgement, arguments.html, seconds):
            file.write_text(text)
            say(f"report with logs: {file.resolve()}")
