# SPDX-License-Identifier: Apache-2.0
"""Applying a series to pristine files, beside the tree, and explaining what does not fit."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from harness.base.errors import SeriesError
from harness.base.progress import say
from harness.base.tools import find_tool
from harness.kernel.patches.files import Patch
from harness.kernel.source.content import Content, read_content, write_content
from harness.kernel.source.git import environment

_REJECTED = re.compile(r"^Rejected hunk #(\d+)", re.MULTILINE)
_APPLYING = re.compile(r"^Applying patch (\S+) with \d+ rejects?\.\.\.$", re.MULTILINE)
_CLEAN = re.compile(r"^Applied patch (\S+) cleanly\.$", re.MULTILINE)
_ERROR = re.compile(r"^error: (.+)$", re.MULTILINE)


class Fit(Enum):
    """What comes of applying a patch."""

    APPLIES = "applies"
    ALREADY = "is in this source already"
    REFUSED = "does not apply"


@dataclass(frozen=True)
class Attempt:
    """A patch by name, whether it fits, and if not which hunks of which files."""

    patch: str
    fit: Fit
    reason: str = ""


def apply_series(
    patches: Sequence[Patch], pristine: Callable[[str], Content | None]
) -> Mapping[str, Content | None]:
    """Return what the files touched by *patches* become; None for one that is removed.

    *pristine* gives a file of the unpatched tree. A patch that the tree holds already is left
    out with one line. Raises SeriesError that names patch, file and hunk.
    """
    with _files_of(patches, pristine) as (root, before):
        for number, patch in enumerate(patches, 1):
            _require(_attempt(root, patch), f"{number} of {len(patches)}")
        after = {path: read_content(root / path) for path in before}
    return {path: content for path, content in after.items() if content != before[path]}


def try_series(
    patches: Sequence[Patch], pristine: Callable[[str], Content | None]
) -> tuple[Attempt, ...]:
    """Say of each patch whether it fits, up to the first that does not."""
    attempts = []
    with _files_of(patches, pristine) as (root, _):
        for patch in patches:
            attempts.append(_attempt(root, patch))
            if attempts[-1].fit is Fit.REFUSED:
                break
    return tuple(attempts)


@contextmanager
def _files_of(
    patches: Sequence[Patch], pristine: Callable[[str], Content | None]
) -> Iterator[tuple[Path, Mapping[str, Content | None]]]:
    """Write the files that *patches* touch into a scratch directory; and return what they are."""
    paths = sorted(frozenset().union(*(patch.paths for patch in patches)))
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "tree"
        root.mkdir()
        before = {path: pristine(path) for path in paths}
        for path, content in before.items():
            write_content(root / path, content)
        yield root, before


def _require(attempt: Attempt, position: str) -> None:
    if attempt.fit is Fit.ALREADY:
        say(f"series: {attempt.patch} ({position}) is in this source already; it is left out")
    if attempt.fit is Fit.REFUSED:
        raise SeriesError(
            f"the patch {attempt.patch} ({position}) does not apply: {attempt.reason}. "
            "Expected a patch for this very source, with the patches before it applied; "
            "rebase it, or name another --kernel."
        )


def _attempt(root: Path, patch: Patch) -> Attempt:
    """Apply *patch* to the files in *root*; of one that is refused, what fits is left there."""
    forward = _git_apply(root, patch)
    if forward.returncode == 0:
        return Attempt(patch.name, Fit.APPLIES)
    if _git_apply(root, patch, "--check", "--reverse").returncode == 0:
        return Attempt(patch.name, Fit.ALREADY)
    there = _hunks_there(root, patch)
    rejected = _git_apply(root, patch, "--reject", "--verbose").stderr
    return Attempt(patch.name, Fit.REFUSED, _explain(rejected or forward.stderr, there))


def _hunks_there(root: Path, patch: Patch) -> Callable[[str, str], bool]:
    """Return what says of a file and the number of a hunk whether the file holds it already."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(root, Path(scratch) / "tree", symlinks=True)
        said = _git_apply(copy, patch, "--reverse", "--reject", "--verbose").stderr
    missing = dict(_rejects(said))
    whole = set(_CLEAN.findall(said))
    return lambda file, number: file in whole or (file in missing and number not in missing[file])


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


def _explain(complaint: str, there: Callable[[str, str], bool]) -> str:
    """Say which hunks of which files failed, from what ``git apply --reject -v`` printed."""
    refused = []
    for file, numbers in _rejects(complaint):
        held = [number for number in numbers if there(file, number)]
        note = f" (hunk {', '.join(held)} is in this source already)" if held else ""
        refused.append(f"{file}, hunk {', '.join(numbers)}{note}")
    others = [line for line in _ERROR.findall(complaint) if not line.startswith("while searching")]
    return "; ".join(refused or others) or "git apply gave no reason"


def _rejects(complaint: str) -> Iterator[tuple[str, list[str]]]:
    """Each file that ``git apply --reject -v`` could not change whole, and its rejected hunks."""
    parts = _APPLYING.split(complaint)
    for file, text in zip(parts[1::2], parts[2::2], strict=True):
        yield file, _REJECTED.findall(text)
