# SPDX-License-Identifier: Apache-2.0
"""The ``harness`` program: one sub-command a module.

To add one, write a module with ``add_parser(subparsers)`` that sets ``run`` to a function which
takes the parsed arguments and returns the exit code, and name the module in ``COMMANDS``.
"""

import argparse
import sys
from collections.abc import Sequence

from harness.cli import (
    bench,
    bisect,
    coverage,
    doctor,
    doublefetch,
    fuzz,
    history,
    kernel,
    matrix,
    mutants,
    nightly,
    properties,
    report,
    shell,
    validate,
)
from harness.errors import GuestError, HarnessError, explain

COMMANDS = (
    shell,
    matrix,
    fuzz,
    validate,
    bisect,
    kernel,
    bench,
    properties,
    coverage,
    doublefetch,
    mutants,
    nightly,
    report,
    history,
    doctor,
)

ERROR = 2
"""The exit code when the harness could not do what was asked."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with arguments *argv* and return its exit code."""
    parser = argparse.ArgumentParser(prog="harness", description=__doc__.partition("\n")[0])
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    args = parser.parse_args(argv)
    try:
        code: int = args.run(args)
    except (HarnessError, GuestError) as fault:
        print(f"harness: {explain(fault)}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print("harness: interrupted", file=sys.stderr)
        return ERROR
    return code
