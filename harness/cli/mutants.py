# SPDX-License-Identifier: Apache-2.0
"""``harness mutants``: put bugs into the kernel and see whether the suite notices."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from harness.base.errors import HarnessError, explain
from harness.base.progress import say
from harness.cli.tables import print_table
from harness.jobs.mutants import Mutant, Verdict, judge, read_mutants, verdict_json, verdict_table
from harness.jobs.mutants.mutant import TIERS

PROVEN, NOT_PROVEN, NOT_JUDGED = 0, 1, 2
"""Exit codes: all bugs are killed for the right reason and all harmless patches pass; not so;
some could not be judged."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "mutants",
        help="put bugs into the kernel, one at a time, and see which test of the suite fails",
        description="May be stopped at any time: what is judged stays judged until the kernel or "
        "the suite changes.",
    )
    parser.add_argument(
        "mutants", nargs="*", metavar="MUTANT", help="a number, name or glob (default: all)"
    )
    parser.add_argument(
        "--tier",
        choices=TIERS,
        default=TIERS[0],
        help="default: only mutants that the default set of tests must kill; nightly: all",
    )
    parser.add_argument("--list", action="store_true", help="show the mutants and run nothing")
    parser.add_argument("--again", action="store_true", help="judge anew what has a verdict")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the results")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Judge the mutants one by one, then print the kill table."""
    mutants = read_mutants(arguments.mutants)
    if arguments.tier == TIERS[0] and not arguments.mutants:
        mutants = [mutant for mutant in mutants if mutant.tier == TIERS[0]]
    if arguments.list:
        print_table(_listing(mutants))
        return PROVEN
    judged = [(mutant, _judge(mutant, arguments.again)) for mutant in mutants]
    print_table(verdict_table(judged))
    if arguments.json:
        arguments.json.write_text(json.dumps(verdict_json(judged), indent=1) + "\n")
    return _conclude([verdict for _, verdict in judged])


def _judge(mutant: Mutant, again: bool) -> Verdict | str:
    """The verdict, or why there is none; said at once, as the whole table takes an hour."""
    try:
        verdict = judge(mutant, again=again)
    except HarnessError as fault:
        say(f"{mutant.name}: not judged: {explain(fault)}")
        return explain(fault)
    say(f"{mutant.name}: {verdict.judgement.value}")
    return verdict


def _conclude(verdicts: Sequence[Verdict | str]) -> int:
    """Count in one line, and choose the exit code."""
    judged = [verdict for verdict in verdicts if isinstance(verdict, Verdict)]
    good = sum(verdict.judgement.is_good for verdict in judged)
    print(f"{good} of {len(verdicts)} as they should be", end="")
    print(f", {len(verdicts) - len(judged)} not judged" if len(judged) < len(verdicts) else "")
    if len(judged) < len(verdicts):
        return NOT_JUDGED
    return PROVEN if good == len(verdicts) else NOT_PROVEN


def _listing(mutants: Sequence[Mutant]) -> Table:
    table = Table("mutant", "subject", "breaks", "seen by", "tier", "flavour")
    for one in mutants:
        row = (one.name, one.subject, " ".join(one.breaks), one.seen_by, one.tier, one.flavour)
        table.add_row(*row)
    return table
