# SPDX-License-Identifier: Apache-2.0
"""``harness bench``: how fast the harness is on this machine."""

import argparse

from harness.base.progress import step
from harness.cli.machines import add_machine_options, machine_of, spec_of
from harness.cli.outputs import add_output
from harness.cli.tables import print_table
from harness.jobs.bench import (
    Measure,
    measure_machine,
    measure_suite,
    measure_verdicts,
    save,
    table,
)
from harness.machine.machine import Machine
from harness.machine.shape import parse_ram_size
from harness.results import SuiteRequest

REPEAT = 7


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "bench",
        help="measure how fast the harness is on this machine",
        description="Measure boot, restore, probe calls and memory search, with --suite also the "
        "whole test suite, with --verdict how soon a patched kernel is judged. Exit code 1: a "
        "value misses its goal.",
    )
    add_machine_options(parser)
    parser.add_argument(
        "--repeat",
        type=int,
        default=REPEAT,
        metavar="N",
        help="samples per value (default: %(default)s)",
    )
    parser.add_argument(
        "--suite",
        action="store_true",
        help="also time the whole suite, with as many workers as scripts/run has",
    )
    parser.add_argument(
        "--verdict",
        action="store_true",
        help="also time how soon a new patch, a bug and an edited source tree are judged; "
        "makes a workspace for that",
    )
    add_output(parser, "--json", "write the values as JSON (default: %(default)s)", "bench.json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON; exit code 1 when a goal is missed."""
    machine = machine_of(arguments)
    with step("measuring the machine"):
        measures = list(measure_machine(machine, arguments.repeat))
    measures += _measure_suite(arguments, machine) if arguments.suite else []
    measures += _measure_verdicts(arguments, machine) if arguments.verdict else []
    print_table(table(measures))
    save(measures, f"{machine.qemu.banner}, Linux {machine.kernel.release}", arguments.json)
    return 0 if all(one.met for one in measures) else 1


def _measure_suite(arguments: argparse.Namespace, machine: Machine) -> list[Measure]:
    """Time the suite on the kernel, the QEMU and the RAM of the machine that was measured."""
    with step("measuring the suite"):
        return list(measure_suite(_request(arguments), machine))


def _measure_verdicts(arguments: argparse.Namespace, machine: Machine) -> list[Measure]:
    """The same for kernels with a change."""
    with step("measuring how soon kernels are judged"):
        return list(measure_verdicts(_request(arguments), machine))


def _request(arguments: argparse.Namespace) -> SuiteRequest:
    return SuiteRequest(
        spec_of(arguments),
        arguments.qemu,
        ram_size=parse_ram_size(arguments.machine_memory),
        keep="none",
    )
