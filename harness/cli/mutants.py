# SPDX-License-Identifier: Apache-2.0
"""``harness mutants``: put bugs into the kernel and check that the suite fails."""

import argparse
import json
from collections.abc import Sequence

from rich.table import Table

from harness.base.errors import HarnessError, explain
from harness.base.progress import say
from harness.cli.outputs import add_output
from harness.cli.tables import print_table
from harness.jobs.mutants import (
    Judgement,
    Mutant,
    MutantTrial,
    kill_table,
    kills_json,
    read_mutants,
    try_mutant,
)
from harness.jobs.mutants.mutant import TIERS
from harness.results import Verdict
from harness.results.judge import overall
from harness.results.kills import keep_kills


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "mutants",
        help="measure the suite: put bugs into the kernel, one at a time, and see which test fails",
        description="Build each mutant of tests/mutants, run the suite on it, and print which test "
        "noticed it. If interrupted, call it again: verdicts are kept until the kernel or the "
        "suite changes. Exit code 0: the suite fails on every bug and on no harmless patch; 1: it "
        "does not; 2: some could not be judged.",
    )
    parser.add_argument(
        "mutants",
        nargs="*",
        metavar="MUTANT",
        help="a number, name or glob of mutants (default: all)",
    )
    parser.add_argument(
        "--tier",
        choices=TIERS,
        default=TIERS[0],
        help="default: mutants that the default tests must kill; nightly: all mutants",
    )
    parser.add_argument("--list", action="store_true", help="list the mutants and run nothing")
    parser.add_argument("--again", action="store_true", help="also run mutants that have a verdict")
    add_output(parser, "--json", "write the results as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Judge the mutants one by one, then print the kill table."""
    mutants = read_mutants(arguments.mutants)
    if arguments.tier == TIERS[0] and not arguments.mutants:
        mutants = [mutant for mutant in mutants if mutant.tier == TIERS[0]]
    if arguments.list:
        print_table(_listing(mutants))
        return 0
    judged = [(mutant, _judge(mutant, arguments.again)) for mutant in mutants]
    _keep_kills(judged)
    print_table(kill_table(judged))
    if arguments.json:
        arguments.json.write_text(json.dumps(kills_json(judged), indent=1) + "\n")
    return _conclude([trial for _, trial in judged])


def _judge(mutant: Mutant, again: bool) -> MutantTrial | str:
    """Return the trial, or why it failed; print the judgement at once: all take an hour."""
    try:
        trial = try_mutant(mutant, again=again)
    except HarnessError as fault:
        say(f"{mutant.name}: not judged: {explain(fault)}")
        return explain(fault)
    say(f"{mutant.name}: {trial.judgement.value}")
    return trial


def _keep_kills(judged: Sequence[tuple[Mutant, MutantTrial | str]]) -> None:
    """Keep which tests killed them: the suite begins with the best of these tests."""
    found = {
        mutant.name: {one.test: one.seconds for one in trial.failed}
        for mutant, trial in judged
        if isinstance(trial, MutantTrial) and trial.judgement is Judgement.KILLED
    }
    try:
        keep_kills(found, [mutant.name for mutant in read_mutants([])])
    except OSError as fault:
        say(f"cannot keep which tests killed the mutants, for the order of tests: {fault}")


def _conclude(trials: Sequence[MutantTrial | str]) -> int:
    """Print the counts and return the exit code: BAD outranks NOT_JUDGED."""
    verdicts = [
        Verdict.NOT_JUDGED if isinstance(one, str) else one.judgement.verdict for one in trials
    ]
    good, missing = (verdicts.count(one) for one in (Verdict.GOOD, Verdict.NOT_JUDGED))
    print(f"{good} of {len(verdicts)} as expected" + (f", {missing} not judged" if missing else ""))
    return overall(verdicts).exit_code


def _listing(mutants: Sequence[Mutant]) -> Table:
    table = Table("mutant", "subject", "breaks", "seen by", "tier", "kernel", "flavour")
    for one in mutants:
        what = (one.name, one.subject, " ".join(one.breaks), one.seen_by)
        table.add_row(*what, one.tier, one.kernel, one.flavour)
    return table
