# SPDX-License-Identifier: Apache-2.0
"""``harness validate``: what a patch series breaks and repairs."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from harness.base.progress import say
from harness.cli.choice import add_choice_options, request_of, runner_of
from harness.jobs.compare import (
    Series,
    Verdict,
    as_json,
    find_series,
    judge,
    mail_text,
    pages,
    patch_coverage,
    save_runs,
    store_prefix,
    verdict_text,
)
from harness.jobs.compare.run import REPEATS
from harness.kernel import KernelSpec
from harness.kernel.patches.fit import fit_series
from harness.kernel.patches.origin import FORMS
from harness.kernel.source.sources import FORMS as SOURCES
from harness.kernel.source.sources import pin_source
from harness.results import SuiteRequest
from harness.results.history import durations, open_history


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "validate",
        help="run the same tests with and without a patch series, and say what became of each",
        description="Exit code 0: nothing is broken; 1: something is; 2: it could not be judged.",
    )
    parser.add_argument("series", nargs="+", metavar="SERIES", help=FORMS)
    parser.add_argument("--git", type=Path, default=Path(), metavar="REPO", help="for base..tip")
    parser.add_argument(
        "--kernel",
        default=KernelSpec().source,
        metavar="SOURCE",
        help=f"the base: {SOURCES} (default: %(default)s)",
    )
    add_choice_options(parser)
    parser.add_argument(
        "--per-patch",
        action="store_true",
        help="judge every patch against the one before it; a kernel is built for each",
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=REPEATS,
        metavar="N",
        help="how often tests whose results differ are run again (default: %(default)s)",
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help="say which of the lines that the series adds ran; needs a kernel of its own",
    )
    _add_outputs(parser)
    parser.set_defaults(run=run)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdict as JSON")
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write a page; with --per-patch more beside it, of patches that changed something",
    )
    parser.add_argument("--mail", type=Path, metavar="FILE", help="write a block for a reply")
    parser.add_argument(
        "--tested-by", default="", metavar="PERSON", help="for the mail, if nothing is broken"
    )
    parser.add_argument(
        "--runs", type=Path, metavar="DIR", help="keep the run on each kernel, for harness report"
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the series, see whether it applies, run the tests, and print the verdict."""
    series = find_series(arguments.series, arguments.git)
    request = request_of(arguments, pin_source(arguments.kernel))
    for skip in series.skipped:
        say(f"left out: {skip.name} ({skip.subject}): {skip.reason}")
    whole = _with(request, series)
    attempts = fit_series(whole.spec)
    verdict = judge(
        request,
        series,
        attempts,
        runner_of(arguments),
        per_patch=arguments.per_patch,
        repeats=arguments.repeats,
    )
    if arguments.coverage:
        verdict = replace(verdict, coverage=patch_coverage(whole))
    _report(arguments, verdict)
    return verdict.answer.value


def _with(request: SuiteRequest, series: Series) -> SuiteRequest:
    """The same with the whole series."""
    stored = store_prefix(series, len(series.patches))
    return replace(request, spec=replace(request.spec, series=stored))


def _report(arguments: argparse.Namespace, verdict: Verdict) -> None:
    print(verdict_text(verdict), end="")
    if arguments.mail:
        arguments.mail.write_text(mail_text(verdict, arguments.tested_by))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(verdict), indent=1) + "\n")
    if arguments.runs:
        save_runs(verdict, arguments.runs)
    if arguments.html:
        seconds = {one.test: one.seconds for one in durations(open_history())}
        for file, text in pages(verdict, arguments.html, seconds):
            file.write_text(text)
            say(f"the same, with the logs: {file.resolve()}")
