# SPDX-License-Identifier: Apache-2.0
"""``harness fuzz``: mutate what a device answers, and watch the guest."""

import argparse
import math
import time
from pathlib import Path

from harness.base.paths import cache_directory
from harness.cli.machines import add_kernel_options, add_shape_option, kernel_of
from harness.jobs.fuzz import (
    Campaign,
    Corpus,
    FuzzCase,
    Summary,
    fuzz,
    load_case,
    run_case,
)
from harness.jobs.fuzz.known import known_as
from harness.machine.environment import Environment

NOTHING_NEW, FOUND, UNABLE = 0, 1, 2

DEFAULT_TIME = 60.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "fuzz",
        help="mutate the answers of a virtio device and check that the guest survives",
        description="Mutate the answers of a virtio device. A kernel report, a crash, a hang, a "
        "violation or a byte that the device did not send is a symptom: its case is reproduced "
        "in a new guest, minimised and written to a file for --replay. Exit code 1: a symptom that "
        "docs/findings.md does not list.",
    )
    add_kernel_options(parser)
    add_shape_option(parser)
    parser.add_argument(
        "--time", type=float, metavar="S", help=f"run for S seconds (default: {DEFAULT_TIME:g})"
    )
    parser.add_argument("--runs", type=int, metavar="N", help="stop after N guests")
    parser.add_argument(
        "--seed", type=int, metavar="N", help="seed of the random choices (default: from the clock)"
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="guests at a time (default: 1)"
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        metavar="DIR",
        help="corpus directory (default: fuzz/corpus in the cache)",
    )
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="run the one case in FILE, once"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Fuzz, or run one case again."""
    case = load_case(arguments.replay) if arguments.replay else None
    environment = Environment(*kernel_of(arguments))
    if case is not None:
        return _replay(environment, case)
    campaign = Campaign(
        seconds=arguments.time or (math.inf if arguments.runs else DEFAULT_TIME),
        runs=arguments.runs,
        seed=arguments.seed if arguments.seed is not None else time.time_ns() % 1_000_000,
        workers=arguments.workers,
        findings=cache_directory() / "fuzz" / "findings",
        shape=arguments.shape,
    )
    print(f"seed {campaign.seed}")
    summary = fuzz(environment, campaign, Corpus(arguments.corpus))
    _print(summary)
    if summary.runs == len(summary.faults):
        return UNABLE
    return FOUND if any(not found.known for found in summary.found) else NOTHING_NEW


def _replay(environment: Environment, case: FuzzCase) -> int:
    record = run_case(environment, case)
    print("\n".join(record.console))
    for ended in record.steps:
        print(f"  {ended}")
    for symptom in record.symptoms:
        print(f"{known_as(case, symptom) or 'NEW'}: {symptom}")
    if record.fault:
        print(record.fault)
        return UNABLE
    print(f"{len(record.symptoms)} found, {record.seconds:.1f} s")
    return (
        FOUND
        if any(known_as(case, symptom) is None for symptom in record.symptoms)
        else NOTHING_NEW
    )


def _print(summary: Summary) -> None:
    for found in summary.found:
        word = found.name if found.known else "NEW"
        often = summary.often[found.name]
        chance = "" if found.again else ", not reproduced"
        print(f"{word}: {found.symptom} ({often} times{chance})\n  {found.path}")
    for fault in dict.fromkeys(summary.faults):
        print(f"harness error: {fault} ({summary.faults.count(fault)} times)")
    print(
        f"{summary.runs} guests, {summary.steps} steps, {summary.seconds:.0f} s: "
        f"{summary.rate:.2f} guests/s, {summary.steps / max(summary.seconds, 1):.1f} steps/s; "
        f"{summary.kept} cases showed something new"
    )
