# SPDX-License-Identifier: Apache-2.0
"""``harness shell``: a person inside a machine."""

import argparse
import shlex
import sys
from pathlib import Path

from harness.base.progress import say
from harness.cli.machines import add_machine_options, machine_of
from harness.machine.description import load_machine
from harness.machine.machine import BLOB, PERSON_SOCKET, Machine
from harness.machine.qemu.rundir import runs_root, sweep
from harness.machine.qemu.snapshot import boot, park, restore
from harness.shell import Session

BY_HAND = "by-hand"
"""The run directory of a QEMU that a person starts; each dry run prepares it anew."""


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
    """Print the QEMU command with its files in a directory that is there, and how it is used."""
    directory = runs_root() / BY_HAND
    directory.mkdir(exist_ok=True)
    (directory / BLOB).write_bytes(machine.blob)
    print(shlex.join(machine.command(directory)))
    qmp_shell = shlex.join([sys.executable, "-m", "qemu.qmp.qmp_shell", str(directory)])
    say(
        f"by hand: leave out the last four words, which are the harness's own monitor; QEMU starts "
        f"stopped, so say 'cont' in {qmp_shell}/{PERSON_SOCKET}"
    )
