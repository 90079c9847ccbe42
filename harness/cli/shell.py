# SPDX-License-Identifier: Apache-2.0
"""``harness shell``: a person inside a machine."""

import argparse
import shlex
from pathlib import Path

from harness.cli.machines import add_machine_options, machine_of
from harness.shell import Session
from harness.vm.description import load_machine
from harness.vm.machine import Machine
from harness.vm.rundir import runs_root, sweep
from harness.vm.snapshot import boot, park, restore


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "shell", help="stand inside a machine: its console, QMP, a rogue device, its memory"
    )
    add_machine_options(parser)
    parser.add_argument(
        "--reopen", type=Path, metavar="DIR", help="the machine of a kept failure, as it was parked"
    )
    parser.add_argument("--boot", action="store_true", help="boot it; do not restore a parked one")
    parser.add_argument("--dry-run", action="store_true", help="print the QEMU command, start none")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Bring the machine up and read commands until the person quits."""
    sweep()
    machine = load_machine(arguments.reopen) if arguments.reopen else machine_of(arguments)
    if arguments.dry_run:
        _print_command(machine)
        return 0
    with boot(machine) if arguments.boot else restore(park(machine)) as guest:
        Session(guest).converse()
    return 0


def _print_command(machine: Machine) -> None:
    """Print what would be run; the run directory's name is made at each start."""
    print(shlex.join(machine.command(runs_root() / "run-XXXXXXXX")))
