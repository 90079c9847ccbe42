# SPDX-License-Identifier: Apache-2.0
"""``harness doctor``: check what this machine lacks."""

import argparse
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from harness.cli.host import Check, examine

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

ALL_WELL, SOMETHING_MISSING = 0, 2


def add_parser(subparsers: "Subparsers") -> None:
    """Add ``doctor``."""
    parser = subparsers.add_parser(
        "doctor",
        help="check what this machine lacks, and how to install it",
        description="Check programs, Python packages, QEMU, memory and disk space, and print the "
        "command that installs what is missing. Exit code 2: something is missing.",
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print one line for each thing that the harness needs; 2 if one of them is missing."""
    findings = list(examine())
    console = Console(soft_wrap=True, highlight=False)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        console.print(_line(finding, width))
    return ALL_WELL if all(finding.ok for finding in findings) else SOMETHING_MISSING


def _line(finding: Check, width: int) -> Text:
    facts = f"  {finding.name:{width}}  {finding.found}"
    if finding.ok:
        return Text.assemble(("ok     ", "green"), facts)
    return Text.assemble(("missing", "bold red"), facts, f"\n         {finding.remedy}")
