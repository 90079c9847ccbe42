# SPDX-License-Identifier: Apache-2.0
"""``harness fixes``: prove the repairs of docs/fixes on the kernels that need them."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.table import Table

from harness.base.errors import InputError
from harness.base.progress import say
from harness.cli.choice import add_run_options, runner_of
from harness.cli.outputs import add_output
from harness.cli.tables import print_table
from harness.jobs.compare import Stage, estimate_text, run_base, sum_text
from harness.jobs.fixes import (
    Fix,
    Fixes,
    FixTrial,
    estimate_trial,
    fix_table,
    fixes_json,
    read_fixes,
    try_fix,
)
from harness.jobs.fixes import try_together as try_all
from harness.kernel import KernelSpec
from harness.kernel.source.sources import pin_source
from harness.results import SuiteRequest
from harness.results.judge import overall


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "fixes",
        help="prove the repairs of the findings: each ends its finding and changes nothing else",
        description="Apply each repair of docs/fixes, run the tests of its finding and the default "
        "suite with and without it, and compare. Exit code 0: every finding is gone and nothing "
        "else changes; 1: not so; 2: some could not be judged.",
    )
    parser.add_argument(
        "findings", nargs="*", metavar="FINDING", help="names as in docs/findings.md (default: all)"
    )
    parser.add_argument(
        "--kernel",
        action="append",
        default=[],
        metavar="VERSION",
        help="a kernel of docs/fixes/fixes.toml, for example 6.12; may be repeated (default: all)",
    )
    parser.add_argument("--together", action="store_true", help="apply all as one series")
    parser.add_argument("--list", action="store_true", help="list the repairs and run nothing")
    parser.add_argument(
        "--dry-run", action="store_true", help="print how long it will take, and run nothing"
    )
    add_output(parser, "--json", "write the table as JSON")
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Try the repairs one by one, then print the table."""
    fixes = read_fixes()
    chosen = fixes.named(arguments.findings)
    versions = arguments.kernel or list(fixes.kernels)
    for version in versions:
        if version not in fixes.kernels:
            known = ", ".join(fixes.kernels)
            raise InputError(f"--kernel={version}: there are repairs for {known} only.")
    if arguments.list:
        print_table(_listing(fixes))
        return 0
    if arguments.dry_run:
        return _estimate(arguments, fixes, chosen, versions)
    trials: list[FixTrial] = []
    for version in versions:
        request = _request(arguments, fixes.kernels[version])
        runner = runner_of(arguments)
        base_runner = partial(run_base, runner=runner)
        if arguments.together:
            findings = fixes.shown_together(version)
            series = fixes.together(version)
            trials += try_all(series, findings, version, request, (runner, base_runner))
            continue
        for fix in chosen:
            if version in fix.patches:
                trials.append(try_fix(fix, version, request, runner, base_runner))
                say(f"{fix.finding} on {version}: {trials[-1].outcome.value}")
    return _report(arguments, trials)


def _estimate(
    arguments: argparse.Namespace, fixes: Fixes, chosen: Sequence[Fix], versions: Sequence[str]
) -> int:
    """Print how long each trial will take, and all of them; the base's tests run once."""
    stages: list[Stage] = []
    known: set[tuple[str, str, Stage]] = set()
    for version in versions:
        request = _request(arguments, fixes.kernels[version])
        for name, series, findings, flavour in _trials(arguments, fixes, chosen, version):
            one = replace(request, spec=replace(request.spec, flavour=flavour))
            found = estimate_trial(series, findings, one)
            say(f"{name} on {version}: {estimate_text(found)}")
            of_base = {(version, flavour, stage) for stage in found if "the base" in stage.title}
            stages += [one for one in found if (version, flavour, one) not in known]
            known |= of_base
    say(f"estimate: {len(stages)} builds and runs, {sum_text(stages)}")
    return 0


def _trials(
    arguments: argparse.Namespace, fixes: Fixes, chosen: Sequence[Fix], version: str
) -> Iterator[tuple[str, tuple[Path, ...], tuple[str, ...], str]]:
    """The name, series, findings and flavour of each trial on kernel *version*."""
    if arguments.together:
        yield "all of them", fixes.together(version), fixes.shown_together(version), ""
        return
    for fix in chosen:
        if version in fix.patches:
            yield fix.finding, fix.series(version), (fix.finding,), fix.flavour


def _request(arguments: argparse.Namespace, source: str) -> SuiteRequest:
    spec = KernelSpec(pin_source(source))
    return SuiteRequest(spec, arguments.qemu, workers=arguments.workers)


def _report(arguments: argparse.Namespace, trials: list[FixTrial]) -> int:
    print_table(fix_table(trials))
    if arguments.json:
        arguments.json.write_text(json.dumps(fixes_json(trials), indent=1) + "\n")
    return overall(one.outcome.verdict for one in trials).exit_code


def _listing(fixes: Fixes) -> Table:
    table = Table("finding", "kernels", "flavour", "needs")
    for one in fixes.fixes:
        needs = ", ".join(before.finding for before in one.needs)
        table.add_row(one.finding, ", ".join(one.patches), one.flavour, needs)
    for name, commit in fixes.upstream.items():
        table.add_row(name, "upstream", "", commit)
    return table
