# SPDX-License-Identifier: Apache-2.0
"""Files that a coverage report needs from a build, kept beside a kernel that counts its lines.

::

    notes/PATH.gcno    gcc's notes of every profiled object, by its path in the build directory
    sources/PATH       every source and header with code in them
    added.json         the lines that the series has added, by path
"""

import json
import shutil
from collections.abc import Mapping
from difflib import SequenceMatcher
from pathlib import Path

from harness.kernel.build.gcov import find_notes, read_gcov
from harness.kernel.source.content import Content
from harness.kernel.source.tree import SourceTree

DIRECTORY, NOTES, SOURCES, ADDED = "coverage", "notes", "sources", "added.json"


def keep_notes(output: Path, tree: SourceTree, kernel: Path) -> None:
    """Copy what a coverage report needs from build directory *output* to the *kernel*'s entry."""
    directory = kernel / DIRECTORY
    paths = set(tree.state.patched)
    for notes in find_notes(output):
        _copy(notes, directory / NOTES / notes.relative_to(output))
        paths |= {line.path for line in read_gcov(notes)}
    for path in sorted(paths):
        if (source := tree.source / path).is_file():
            _copy(source, directory / SOURCES / path)
    added = {path: _added(tree.pristine(path), tree.current(path)) for path in tree.state.patched}
    (directory / ADDED).write_text(json.dumps(added, indent=1))


def added_lines(kernel: Path) -> Mapping[str, list[int]]:
    """The numbers of the lines that the series has added, by path in the tree."""
    lines: dict[str, list[int]] = json.loads((kernel / DIRECTORY / ADDED).read_text())
    return lines


def _added(before: Content | None, after: Content | None) -> list[int]:
    old, new = ([] if side is None else side.data.splitlines() for side in (before, after))
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        line + 1
        for step, _, _, begin, end in steps
        if step != "equal"
        for line in range(begin, end)
    ]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
