# SPDX-License-Identifier: Apache-2.0
"""How often the lines of a kernel ran, from its counters and gcc's notes."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from harness.base.errors import HostError
from harness.jobs.coverage.counts import Counts
from harness.jobs.coverage.gcda import encode
from harness.jobs.coverage.layout import Layout, Unit
from harness.kernel.build.gcov import CoveredLine, find_notes, read_gcov
from harness.kernel.build.notes import NOTES

Lines = Mapping[tuple[str, int], CoveredLine]
"""Every line with code, by its path in the kernel's tree and its number."""


def read_lines(coverage: Path, layout: Layout, counts: Counts) -> Lines:
    """Return the lines of the kernel whose notes lie in directory *coverage*."""
    notes = coverage / NOTES
    units = {_object_of(unit, notes): values for unit, values in _split(layout, counts)}
    found: list[CoveredLine] = []
    with tempfile.TemporaryDirectory() as scratch:
        for original, data in units.items():
            copy = Path(scratch) / original.name
            shutil.copy(original, copy)
            copy.with_suffix(".gcda").write_bytes(data)
            found += read_gcov(copy)
    return merge(found)


def merge(lines: Iterable[CoveredLine]) -> Lines:
    """Add up the counts of one line in several objects, as for a header."""
    merged: dict[tuple[str, int], CoveredLine] = {}
    for line in lines:
        key = (line.path, line.number)
        merged[key] = _add(merged[key], line) if key in merged else line
    return merged


def _add(one: CoveredLine, other: CoveredLine) -> CoveredLine:
    """Sum equal numbers of branches one by one; append them otherwise."""
    if len(one.branches) == len(other.branches):
        branches = tuple(map(sum, zip(one.branches, other.branches, strict=True)))
    else:
        branches = one.branches + other.branches
    return CoveredLine(one.path, one.number, one.count + other.count, branches)


def _split(layout: Layout, counts: Counts) -> Iterator[tuple[Unit, bytes]]:
    left = iter(counts)
    for unit in layout.units:
        length = sum(group.length for one in unit.functions for group in one.counters)
        yield unit, encode(unit, list(islice(left, length)))


def _object_of(unit: Unit, notes: Path) -> Path:
    """The notes of a unit; its name is the path of its ``.gcda`` file in a build directory."""
    wanted = Path(unit.name).with_suffix(".gcno")
    for path in find_notes(notes):
        parts = path.relative_to(notes).parts
        if wanted.parts[-len(parts) :] == parts:
            return path
    raise HostError(f"{notes} has no notes of {unit.name}; build the kernel again")
