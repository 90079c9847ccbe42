# SPDX-License-Identifier: Apache-2.0
"""Applying a series to pristine files, beside the tree, and explaining what does not fit."""

import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.errors import SeriesError
from harness.kernel.content import Content, read_content, write_content
from harness.kernel.git import environment
from harness.kernel.series import Patch
from harness.progress import say
from harness.tools import find_tool

_REJECTED = re.compile(r"^Rejected hunk #(\d+)", re.MULTILINE)
_APPLYING = re.compile(r"^Applying patch (\S+) with \d+ rejects?\.\.\.$", re.MULTILINE)
_ERROR = re.compile(r"^error: (.+)$", re.MULTILINE)


def apply_series(
    patches: Sequence[Patch], pristine: Callable[[str], Content | None]
) -> Mapping[str, Content | None]:
    """Return what the files touched by *patches* become; None for one that is removed.

    *pristine* gives a file of the unpatched tree. A patch that the tree holds already is left
    out with one line. Raises SeriesError that names patch, file and hunk.
    """
    paths = sorted(frozenset().union(*(patch.paths for patch in patches)))
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        before = {path: pristine(path) for path in paths}
        for path, content in before.items():
            write_content(root / path, content)
        for number, patch in enumerate(patches, 1):
            _apply_patch(root, patch, f"{number} of {len(patches)}")
        after = {path: read_content(root / path) for path in paths}
    return {path: content for path, content in after.items() if content != before[path]}


def _apply_patch(root: Path, patch: Patch, position: str) -> None:
    forward = _git_apply(root, patch)
    if forward.returncode == 0:
        return
    if _git_apply(root, patch, "--check", "--reverse").returncode == 0:
        say(f"series: {patch.name} ({position}) is in this source already; it is left out")
        return
    rejected = _git_apply(root, patch, "--reject", "--verbose")
    raise SeriesError(
        f"the patch {patch.name} ({position}) does not apply: "
        f"{_explain(rejected.stderr or forward.stderr)}. "
        "Expected a patch for this very source, with the patches before it applied; "
        "rebase it, or name another --kernel."
    )


def _git_apply(root: Path, patch: Patch, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ``git apply`` in *root*, which must not look like a part of some repository above it."""
    return subprocess.run(
        [find_tool("git"), "apply", "--whitespace=nowarn", *options],
        check=False,
        cwd=root,
        env=environment(GIT_CEILING_DIRECTORIES=str(root.parent)),
        input=patch.text.decode("latin-1"),
        capture_output=True,
        encoding="latin-1",
    )


def _explain(complaint: str) -> str:
    """Say which hunks of which files failed, from what ``git apply --reject -v`` printed."""
    parts = _APPLYING.split(complaint)
    refused = [
        f"{file}, hunk {', '.join(_REJECTED.findall(text))}"
        for file, text in zip(parts[1::2], parts[2::2], strict=True)
    ]
    others = [line for line in _ERROR.findall(complaint) if not line.startswith("while searching")]
    return "; ".join(refused or others) or "git apply gave no reason"
