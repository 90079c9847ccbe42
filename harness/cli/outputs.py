# SPDX-License-Identifier: Apache-2.0
"""Refuse an output file that cannot be written before the command starts."""

import argparse
import os
from pathlib import Path


def output_file(text: str) -> Path:
    """The file *text*, which need not exist; ArgumentTypeError if it cannot be written."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a directory")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} may not be written to")
    return path
