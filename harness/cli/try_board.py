# SPDX-License-Identifier: Apache-2.0
"""``harness try``: take a board's pools and devices over to QEMU's machine, and test them there."""

import argparse
import json
from pathlib import Path

from harness.base.progress import step
from harness.cli.lint import add_board_options, place_of
from harness.cli.machines import add_kernel_options, spec_of
from harness.cli.outputs import add_output
from harness.jobs.board import as_json, trial_text, try_board
from harness.jobs.board.trial_text import transfer_lines
from harness.machine.devicetree.board import Board, Loader
from harness.machine.devicetree.model import Environment, KernelVersion
from harness.machine.devicetree.model.environment import NEWEST, OLDEST
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
    if arguments.write_shape:
        _write_shape(arguments.write_shape, board, ram_size, around)
        return 0
    request = SuiteRequest(spec_of(arguments), arguments.qemu)
    with step(f"trying {board.name}"):
        trial = try_board(board, ram_size, request, around, arguments.log)
    print(trial_text(trial))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(trial), indent=1) + "\n")
    return trial.verdict.exit_code


def _write_shape(file: Path, board: Board, ram_size: int | None, around: Environment) -> None:
    """Write the overlay for a kernel that is not known here: by the rules of the newest."""
    newest, oldest = (
        transfer_board(board, KernelVersion(one), ram_size, around.ram) for one in (NEWEST, OLDEST)
    )
    file.write_text(newest.overlay)
    print("\n".join(transfer_lines(newest)))
    if newest.overlay != oldest.overlay:
        print(
            f"older kernels read this board in another way than Linux {NEWEST}, whose rules the "
            "overlay has: harness try without --write-shape uses those of the kernel under test"
        )
    print(f"use it with --shape={file} --machine-memory={newest.ram_size >> 20}M")
