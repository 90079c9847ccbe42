# SPDX-License-Identifier: Apache-2.0
"""The ``harness`` program: one module for each sub-command.

To add one, write a module of its name with ``add_parser(subparsers)`` that sets ``run`` to a
function of the parsed arguments that returns the exit code, and put the name into ``COMMANDS``.
A name that Python keeps for itself has its module in ``MODULES``.
"""

import argparse
import importlib
import os
import select
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from harness.base.errors import GuestError, HarnessError, explain

COMMANDS = (
    *("check", "shell", "debug", "matrix", "fuzz", "doublefetch"),
    *("series", "validate", "bisect", "fixes", "nightly", "report", "history"),
    *(
        "lint",
        "try",
        "size",
        "cost",
        "kernel",
        "cache",
        "bench",
        "properties",
        "coverage",
        "mutants",
        "doctor",
    ),
)

MODULES = {"try": "try_board"}
"""The module of a sub-command that does not have its name."""

ERROR = 2
"""The exit code if the harness could not do what was asked."""

DESCRIPTION = """\
Test restricted DMA of a Linux kernel in QEMU: which memory can a device reach? To run the test
suite, use scripts/run. Exit code 0: all well; 1: the kernel, a series or a measured value is at
fault; 2: the command could not do its work."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with arguments *argv* and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        args = make_parser(_needed(words)).parse_args(words)
        code: int = args.run(args)
        sys.stdout.flush()  # a reader that has left is noticed here, not when Python ends
    except (HarnessError, GuestError) as fault:
        print(f"harness: {explain(fault)}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print("harness: interrupted", file=sys.stderr)
        return ERROR
    except OSError as fault:
        if not (isinstance(fault, BrokenPipeError) and _reader_has_left()):
            print(f"harness: {fault}", file=sys.stderr)
        return ERROR
    except Exception:  # Python would exit with 1, which speaks against the kernel
        traceback.print_exc()
        return ERROR
    return code


def make_parser(commands: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """Return the parser of the program, with these of its sub-commands."""
    parser = _Parser(prog="harness", description=DESCRIPTION)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in commands:
        module = importlib.import_module(f"{__name__}.{MODULES.get(name, name)}")
        module.add_parser(subparsers)
    return parser


class _Parser(argparse.ArgumentParser):
    """Takes whole option names only: ``--kernel`` must not become ``--kernel-config``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)


def _reader_has_left() -> bool:
    """Whether nobody reads the output any more (``harness ... | head``); the rest is dropped."""
    pipe = select.poll()
    pipe.register(sys.stdout, 0)
    if not pipe.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _needed(words: Sequence[str]) -> Sequence[str]:
    """Return the commands to import: importing all of them takes half a second."""
    return words[:1] if words and words[0] in COMMANDS else COMMANDS
