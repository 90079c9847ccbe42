# SPDX-License-Identifier: Apache-2.0
"""``harness shell``: an interactive session with a machine."""

import argparse
import functools
import shlex
import sys
from pathlib import Path

from harness.base.errors import AddressError, HostError, InputError
from harness.base.progress import say
from harness.cli.machines import add_machine_options, machine_of
from harness.devices.attacks.machines import fenced
from harness.machine.fence import FENCES
from harness.machine.machine import BLOB, PERSON_SOCKET, Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.rundir import sweep
from harness.machine.qemu.runroot import choose_run_root
from harness.machine.qemu.snapshot import boot, park, restore
from harness.machine.shape import shaped_devicetree
from harness.shell import Session, Target, attached_target, dump_target, live_target
from harness.shell.output import is_dumb

BY_HAND = "by-hand"
"""The run directory of a QEMU that is started by hand; each --dry-run rewrites it."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "shell",
        help="debug a machine interactively: console, QMP, memory, a rogue device",
        description="Start a machine, or open memory with --dump or --attach, and read commands: "
        "'help' lists them. 'harness debug' starts the machine of a failure.",
    )
    add_machine_options(parser)
    parser.add_argument(
        "--boot", action="store_true", help="boot the machine instead of restoring a parked guest"
    )
    parser.add_argument(
        "--fence",
        choices=FENCES,
        help="confine PCI devices to their pool; with smmu the shell sees what they access",
    )
    parser.add_argument(
        "--dump",
        type=Path,
        metavar="FILE",
        help="open an ELF dump (memory.elf of a failure, a vmcore) instead of a machine; needs "
        "--vmlinux",
    )
    parser.add_argument(
        "--attach",
        type=int,
        metavar="PID",
        help="open the memory of the QEMU process of another session; needs --vmlinux",
    )
    parser.add_argument(
        "--vmlinux", type=Path, metavar="FILE", help="the kernel of --dump and --attach"
    )
    parser.add_argument(
        "--tui", action="store_true", help="use the whole screen: pool map, kernel log, answers"
    )
    add_command_option(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the QEMU command and exit")
    parser.set_defaults(run=run)


def add_command_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--command``; :func:`converse` reads it."""
    parser.add_argument(
        "-c",
        "--command",
        action="append",
        default=[],
        metavar="LINE",
        help="run this line instead of reading any, then end; may be repeated. The exit code is 1 "
        "if a line was answered with an error",
    )


def converse(target: Target, arguments: argparse.Namespace) -> int:
    """Run the lines of the options, or read lines; returns the exit code."""
    session = Session(target)
    session.converse(arguments.command)
    return int(bool(arguments.command) and session.failed)


def run(arguments: argparse.Namespace) -> int:
    """Start the machine and read commands until the person quits."""
    sweep()
    if arguments.dump or arguments.attach:
        return _without_machine(arguments)
    machine = _machine(arguments)
    if arguments.dry_run:
        _print_command(machine)
        return 0
    with boot(machine) if arguments.boot else restore(park(machine)) as guest:
        if arguments.tui:
            _on_whole_screen(guest)
            return 0
        return converse(live_target(guest), arguments)


def _on_whole_screen(guest: Guest) -> None:
    """Show the session on the whole screen; raises HostError without Textual."""
    try:
        from harness.shell.tui import run_screen  # noqa: PLC0415 - an optional package
    except ModuleNotFoundError as fault:
        raise HostError(
            f"--tui needs the Python package {fault.name}: "
            "pip install 'restricted-dma-harness[tui]'"
        ) from fault
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or is_dumb():
        raise InputError(
            "--tui needs a terminal with escape sequences, such as TERM=xterm: without one, omit it"
        )
    run_screen(live_target(guest))


def _machine(arguments: argparse.Namespace) -> Machine:
    """The machine that the options describe, with its fence."""
    machine = machine_of(arguments)
    if not arguments.fence:
        return machine
    tree = functools.partial(
        shaped_devicetree,
        machine.qemu,
        arguments.shape,
        ram_size=machine.ram_size,
        cpus=machine.cpus,
    )
    return fenced(machine, arguments.fence, tree)


def _without_machine(arguments: argparse.Namespace) -> int:
    """Read commands on a dump, or on the memory of another session's guest."""
    if arguments.vmlinux is None:
        raise InputError("--dump and --attach need the kernel's --vmlinux=FILE, with DWARF")
    for path in (arguments.dump, arguments.vmlinux):
        if path is not None and not path.is_file():
            raise InputError(f"cannot read {path}: no such file")
    if arguments.dump:
        target = dump_target(arguments.dump, arguments.vmlinux)
    else:
        target = attached_target(arguments.attach, arguments.vmlinux)
    try:
        target.types.image  # noqa: B018 - is it that kernel?
    except AddressError as fault:
        say(f"note: {fault}. Only commands that need no symbols will work")
    return converse(target, arguments)


def _print_command(machine: Machine) -> None:
    """Write the files that the QEMU command needs, print the command and how to use it."""
    directory = choose_run_root().path / BY_HAND
    directory.mkdir(exist_ok=True)
    (directory / BLOB).write_bytes(machine.blob)
    print(shlex.join(machine.command(directory, own_ram=True)))
    qmp_shell = shlex.join([sys.executable, "-m", "qemu.qmp.qmp_shell", str(directory)])
    say(
        f"to start QEMU by hand, omit the last four arguments (the harness's monitor). It "
        f"starts stopped: type 'cont' in {qmp_shell}/{PERSON_SOCKET}"
    )
