# SPDX-License-Identifier: Apache-2.0
"""Files that a command writes at its end: it says at its begin if it will not be able to."""

import argparse
import os
from pathlib import Path


def output_file(text: str) -> Path:
    """The file *text*, which need not be there; for argparse, which ends with 2 if it cannot be."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a directory")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} may not be written to")
    return path
