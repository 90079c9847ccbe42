# SPDX-License-Identifier: Apache-2.0
"""Source trees to which a patch applies, made from the patch: its own lines, and nothing else."""

import re
from collections.abc import Mapping
from pathlib import Path

from kernel_trees import tiny_tree

_FILE = re.compile(r"^--- a/(\S+)\n\+\+\+ \S+\n", re.MULTILINE)
_HUNK = re.compile(r"^@@ -(\d+)\S* \+\S+ @@.*\n((?:[-+ \\].*\n|\n)*)", re.MULTILINE)


def tree_for(patch: str, directory: Path, around: Mapping[str, tuple[str, str]]) -> Path:
    """Write a tree for *patch*. *around* are first and last lines of files, such as guards."""
    tiny_tree(directory)
    parts = _FILE.split(patch)[1:]
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        before, after = around.get(name, ("", ""))
        lines = [before] if before else []
        for hunk in _HUNK.finditer(text):
            lines += [""] * (int(hunk[1]) - 1 - len(lines))
            lines += [one[1:] for one in hunk[2].splitlines() if not one.startswith("+")]
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        lines += [after] if after else []
        (directory / name).write_text("".join(f"{line}\n" for line in lines))
    return directory
