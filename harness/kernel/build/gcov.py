# SPDX-License-Identifier: Apache-2.0
"""Read gcov's output for a profiled object: lines with code, and how often each ran."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.base.architecture import CROSS
from harness.base.errors import HostError
from harness.base.tools import run_tool

GCOV = f"{CROSS}gcov"

NOTES = ".gcno"
"""The suffix of the file that gcc writes beside a profiled object."""

_IN_TREE = re.compile(r"(?:.*?/)?src/(.+)")
"""A file of a workspace's tree, by the path that the compiler was given."""


@dataclass(frozen=True)
class CoveredLine:
    """How often a line ran, and how often each of its branches was taken."""

    path: str
    number: int
    count: int
    branches: tuple[int, ...]


def read_gcov(notes: Path) -> Iterator[CoveredLine]:
    """Yield the lines of an object, of its source and of every header with code.

    Counters are taken from the ``.gcda`` file beside *notes*; without one all counts are
    0. Paths are relative to the kernel's tree.
    """
    words = (GCOV, "--json-format", "--stdout", "--branch-probabilities", notes.name)
    printed = run_tool(words, cwd=notes.parent)
    for text in printed.splitlines():
        for file in json.loads(text)["files"]:
            if found := _IN_TREE.fullmatch(file["file"]):
                for line in file["lines"]:
                    taken = tuple(branch["count"] for branch in line["branches"])
                    yield CoveredLine(found[1], line["line_number"], line["count"], taken)


def find_notes(directory: Path) -> list[Path]:
    """Return all notes below *directory*; HostError if there are none."""
    found = sorted(directory.rglob(f"*{NOTES}"))
    if not found:
        raise HostError(f"{directory} has no gcc notes; the kernel was built without GCOV_PROFILE.")
    return found
