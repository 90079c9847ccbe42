# SPDX-License-Identifier: Apache-2.0
"""``harness try``: take a board's pools and devices over to QEMU's machine, and test them there."""

import argparse
import json

from harness.base.progress import step
from harness.cli.lint import add_board_options, place_of
from harness.cli.machines import add_kernel_options, spec_of
from harness.cli.outputs import add_output
from harness.jobs.board import as_json, trial_text, try_board
from harness.jobs.board.trial_text import transfer_lines
from harness.machine.devicetree.board import Loader
from harness.machine.devicetree.model import Environment
from harness.machine.shape import parse_ram_size
from harness.machine.transfer import transfer_board
from harness.results import SuiteRequest

DESCRIPTION = """\
Take the reserved memory of a devicetree, and the devices that refer to it, over to QEMU's virt
board, boot the kernel under test on it, and test the pools there. What must be moved or stood in
for is said. Exit code 0: every node whose memory-region names a restricted pool is a restricted
device, and all properties hold; 1: the board or the kernel is at fault; 2: not judged."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "try",
        help="test the restricted pools of a board's devicetree on QEMU's machine",
        description=DESCRIPTION,
    )
    parser.add_argument("board", metavar="BOARD", help="blob, source, or - (stdin)")
    add_board_options(parser)
    add_kernel_options(parser)
    parser.add_argument(
        "--machine-memory",
        metavar="SIZE",
        help="RAM of the guest, up to 9G (default: as much as lets the board's pools stay where "
        "they are)",
    )
    add_output(
        parser,
        "--write-shape",
        "write the overlay for --shape of other commands to FILE, and test nothing",
    )
    add_output(parser, "--json", "write the answers as JSON")
    add_output(parser, "--log", "append the output of pytest to FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Try the board and print the answers."""
    asked = arguments.machine_memory
    ram_size = parse_ram_size(asked) if asked else None
    around = Environment(ram=tuple(place_of(one, one) for one in arguments.memory))
    board = Loader(tuple(arguments.include), tuple(arguments.overlay)).load(arguments.board)
    transfer = transfer_board(board, ram_size, around.ram)
    if arguments.write_shape:
        arguments.write_shape.write_text(transfer.overlay)
        print("\n".join(transfer_lines(transfer)))
        memory = f"--machine-memory={transfer.ram_size >> 20}M"
        print(f"use it with --shape={arguments.write_shape} {memory}")
        return 0
    request = SuiteRequest(spec_of(arguments), arguments.qemu)
    with step(f"trying {board.name}"):
        trial = try_board(board, transfer, request, around, arguments.log)
    print(trial_text(trial))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(trial), indent=1) + "\n")
    return trial.verdict.exit_code
