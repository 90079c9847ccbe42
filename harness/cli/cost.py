# SPDX-License-Identifier: Apache-2.0
"""``harness cost``: what mapping, syncing and allocating cost, in instructions and bytes."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import ConfigError, HostError, InputError, NoDebugInformation
from harness.base.progress import say
from harness.cli.choice import percentage
from harness.cli.machines import add_kernel_options, kernel_of
from harness.cli.outputs import add_output
from harness.cli.tables import print_table
from harness.jobs.cost import (
    WORKS,
    Cost,
    beyond,
    change_table,
    compare_costs,
    cost_page,
    cost_plot,
    cost_table,
    full_table,
    load_costs,
    measure_costs,
    measure_work,
    save_costs,
    work_table,
)
from harness.machine.environment import Environment

BEYOND = 1
"""The exit code if a cost grew by more than the limit."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "cost",
        help="count what DMA API calls cost: with a pool, without, behind an IOMMU",
        description="Count the instructions of each call of the DMA API by size and direction, and "
        "the bytes that it copies into the pool and out of it, for a PCI endpoint with a "
        "restricted pool, without one, and behind the kernel's IOMMU, and in a pool that is full "
        "in part; the numbers are the same each time. Then, as median, "
        "least and most, those of a read of 4 KiB from a disk and of a network frame, end to end, "
        "and of a mapping while other CPUs map as well. Exit code 1: one grew beyond "
        "--limit.",
    )
    add_kernel_options(parser)
    add_output(parser, "--json", "write the numbers as JSON")
    parser.add_argument(
        "--since", type=Path, metavar="FILE", help="also print what changed since this --json"
    )
    parser.add_argument(
        "--limit",
        type=percentage,
        metavar="PERCENT",
        help="with --since: the most by which a number may grow",
    )
    add_output(parser, "--svg", "write a plot")
    add_output(parser, "--html", "write a page: plot and tables")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table, and compare."""
    before = load_costs(arguments.since) if arguments.since else ()
    if arguments.limit is not None and not before:
        raise InputError("--limit needs numbers to compare with: --since=FILE")
    environment = Environment(*kernel_of(arguments))
    costs = (*measure_costs(environment), *_work(environment))
    for table in (cost_table(costs), full_table(costs), work_table(costs)):
        if table.row_count:
            print_table(table)
    if arguments.json:
        save_costs(costs, arguments.json)
    if arguments.svg:
        arguments.svg.write_text(cost_plot(costs))
    if arguments.html:
        arguments.html.write_text(cost_page(costs, environment.kernel.release))
    changes = compare_costs(before, costs)
    if before:
        print(f"{len(changes)} of {len(costs)} numbers differ from {arguments.since}")
    if changes:
        print_table(change_table(changes))
    return BEYOND if beyond(changes, arguments.limit) else 0


def _work(environment: Environment) -> Iterator[Cost]:
    """The costs of each work; says which are missing, where kernel or QEMU do not have it."""
    for work in WORKS:
        try:
            yield from measure_work(environment, work)
        except (HostError, NoDebugInformation, ConfigError) as fault:
            say(f"no cost of {work.name}: {fault}")
