# SPDX-License-Identifier: Apache-2.0
"""Options that name an output file: one that cannot be written is refused before the work."""

import argparse
import os
from pathlib import Path


def add_output(
    parser: argparse.ArgumentParser, option: str, summary: str, default: str | None = None
) -> None:
    """Add *option* with a FILE to write; *summary* is its help."""
    parser.add_argument(option, type=_writable, metavar="FILE", help=summary, default=default)


def _writable(text: str) -> Path:
    """The file *text*, which need not exist; ArgumentTypeError if it cannot be written."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a directory. Name a file.")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {path.parent}. Make it first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} is not writable. Name another file.")
    return path
