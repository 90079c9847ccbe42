# SPDX-License-Identifier: Apache-2.0
"""``harness cost``: what mapping, syncing and allocating cost on a kernel, in instructions."""

import argparse
from pathlib import Path

from harness.base.errors import InputError
from harness.cli.machines import add_kernel_options, kernel_of
from harness.cli.tables import print_table
from harness.jobs.cost import (
    beyond,
    change_table,
    compare_costs,
    cost_table,
    load_costs,
    measure_costs,
    save_costs,
)
from harness.machine.environment import Environment

BEYOND = 1
"""The exit code if a cost grew by more than the limit."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "cost",
        help="count the instructions of DMA API calls: with a pool, without, behind an IOMMU",
        description="Count the instructions of each call of the DMA API by size and direction, for "
        "a PCI endpoint with a restricted pool, without one, and behind the kernel's IOMMU. The "
        "numbers are the same each time. Exit code 1: one grew beyond --limit.",
    )
    add_kernel_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as JSON")
    parser.add_argument(
        "--since", type=Path, metavar="FILE", help="also print what changed since this --json"
    )
    parser.add_argument(
        "--limit",
        type=float,
        metavar="PERCENT",
        help="with --since: the most by which a number may grow",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table, and compare."""
    before = load_costs(arguments.since) if arguments.since else ()
    if arguments.limit is not None and not before:
        raise InputError("--limit needs numbers to compare with: --since=FILE")
    costs = tuple(measure_costs(Environment(*kernel_of(arguments))))
    print_table(cost_table(costs))
    if arguments.json:
        save_costs(costs, arguments.json)
    changes = compare_costs(before, costs)
    if before:
        print(f"{len(changes)} of {len(costs)} numbers differ from {arguments.since}")
    if changes:
        print_table(change_table(changes))
    return BEYOND if beyond(changes, arguments.limit) else 0
