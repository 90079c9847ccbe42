# SPDX-License-Identifier: Apache-2.0
"""Apply a series to copies of pristine files, and explain why a patch does not apply."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path, PurePosixPath

from harness.base.disk import require_not_full
from harness.base.errors import SeriesError
from harness.base.progress import say
from harness.base.tools import find_tool
from harness.kernel.patches.diff import Patch, mended, refuse, require_safe, stripped
from harness.kernel.source.content import SYMLINK, Content, read_content, write_content
from harness.kernel.source.git import environment

_REJECTED = re.compile(r"^Rejected hunk #(\d+)", re.MULTILINE)
_APPLYING = re.compile(r"^Applying patch (\S+) with \d+ rejects?\.\.\.$", re.MULTILINE)
_CLEAN = re.compile(r"^Applied patch (\S+) cleanly\.$", re.MULTILINE)
_ERROR = re.compile(r"^error: (.+)$", re.MULTILINE)


DAMAGED = (
    "a mail program changed its blanks or wrapped its lines, and but for these it applies: "
    "get it as an attachment, or from the archive of the mailing list"
)


class Fit(Enum):
    """The result of applying a patch."""

    APPLIES = "applies"
    ALREADY = "is already applied (all hunks, reversed)"
    REFUSED = "does not apply"


@dataclass(frozen=True)
class Attempt:
    """A patch by name, whether it applies, and if not which hunks of which files."""

    patch: str
    fit: Fit
    reason: str = ""


def apply_series(
    patches: Sequence[Patch], pristine: Callable[[str], Content | None]
) -> Mapping[str, Content | None]:
    """Return the new content of each file that *patches* change; None for a removed file.

    *pristine* returns a file of the unpatched tree. A patch that the tree already contains is
    skipped with a message. Raises SeriesError with patch, file and hunk.
    """
    with _files_of(patches, pristine) as (root, before):
        for number, patch in enumerate(patches, 1):
            _require(_attempt(root, patch), f"{number} of {len(patches)}")
        after = {path: _content(root, path) for path in before}
    return {path: content for path, content in after.items() if content != before[path]}


def try_series(
    patches: Sequence[Patch], pristine: Callable[[str], Content | None]
) -> tuple[Attempt, ...]:
    """Try each patch, up to the first that does not apply."""
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
    """Write the files that *patches* touch to a scratch directory; yield it and their content.

    Raises SeriesError, before that, for a patch that is not safe to apply.
    """
    for patch in patches:
        require_safe(patch)
    paths = _with_parents(frozenset().union(*(patch.paths for patch in patches)))
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "tree"
        root.mkdir()
        before = {path: pristine(path) for path in paths}
        for patch in patches:
            _require_no_link_above(patch, before)
        for path, content in before.items():
            write_content(root / path, content)
        yield root, before


def _content(root: Path, path: str) -> Content | None:
    """The file at *path*; None if a link that a patch has made leads to it."""
    beyond = any((root / one).is_symlink() for one in _parents(path))
    return None if beyond else read_content(root / path)


def _with_parents(paths: Iterable[str]) -> list[str]:
    """*paths* and the directories above them, which may be files or links, from the top down."""
    return sorted({one for path in paths for one in (path, *_parents(path))})


def _parents(path: str) -> list[str]:
    return [str(one) for one in PurePosixPath(path).parents][:-1]


def _require_no_link_above(patch: Patch, before: Mapping[str, Content | None]) -> None:
    """Raise SeriesError if a link of the tree leads to a path of *patch*: nobody knows where."""
    for path in sorted(patch.paths):
        for one in _parents(path):
            if (content := before[one]) and content.mode == SYMLINK:
                refuse(patch, f"it names a path beyond a link of the tree, {path} ({one})")


def _require(attempt: Attempt, position: str) -> None:
    if attempt.fit is Fit.ALREADY:
        say(f"series: {attempt.patch} ({position}) {Fit.ALREADY.value}; skipped")
    if attempt.fit is Fit.REFUSED:
        place = Path(tempfile.gettempdir())
        require_not_full("the files of the series", [place], attempt.reason)
        raise SeriesError(
            f"the patch {attempt.patch} ({position}) does not apply: {attempt.reason}. "
            "Expected a patch for this source with all patches before it applied. "
            "Rebase it, or name another --kernel."
        )


def _attempt(root: Path, patch: Patch) -> Attempt:
    """Apply *patch* to the files in *root*; a refused patch leaves its good hunks there.

    Raises SeriesError if it makes a link that leaves the tree.
    """
    levels = [one for one in patch.levels if _finds(root, patch, one)] or [patch.levels[0]]
    for level in levels:
        forward = _git_apply(root, patch, f"-p{level}")
        if forward.returncode == 0:
            _require_links_inside(root, patch)
            return Attempt(patch.name, Fit.APPLIES)
    for level in levels:
        if _git_apply(root, patch, f"-p{level}", "--check", "--reverse").returncode == 0:
            return Attempt(patch.name, Fit.ALREADY)
    damaged = any(_applies_mended(root, patch, f"-p{level}") for level in levels)
    likeliest = f"-p{levels[0]}"
    there = _hunks_there(root, patch, likeliest)
    rejected = _git_apply(root, patch, likeliest, "--reject", "--verbose").stderr
    reason = _explain(rejected or forward.stderr, there)
    return Attempt(patch.name, Fit.REFUSED, f"{reason}; {DAMAGED}" if damaged else reason)


def _applies_mended(root: Path, patch: Patch, level: str) -> bool:
    """Whether *patch* applies only if blanks do not matter, and wrapped lines are joined."""
    whole = replace(patch, text=mended(patch.text))
    return (
        _git_apply(root, patch, level, "--check").returncode != 0
        and _git_apply(root, whole, level, "--check", "--ignore-whitespace").returncode == 0
    )


def _finds(root: Path, patch: Patch, level: int) -> bool:
    """Whether *root* has one of the files that *patch* names, if ``-p`` is *level*."""
    return any(_content(root, stripped(name, level)) for name in patch.names)


def _require_links_inside(root: Path, patch: Patch) -> None:
    """Raise SeriesError if *patch* left a link whose target may lie outside the tree.

    A ``..`` after a name may lead anywhere: the name may be that of another link.
    """
    for path in sorted(patch.paths):
        content = read_content(root / path)
        if content is None or content.mode != SYMLINK:
            continue
        target = content.data.decode(errors="surrogateescape")
        climbs = len(PurePosixPath(path).parent.parts)
        names = target.split("/")
        up = next((at for at, name in enumerate(names) if name != ".."), len(names))
        if target.startswith("/") or up > climbs or ".." in names[up:]:
            refuse(patch, f"it makes a link out of the tree, {path} -> {target}")


def _hunks_there(root: Path, patch: Patch, level: str) -> Callable[[str, str], bool]:
    """Return a function that says whether a file already contains the hunk of that number."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(root, Path(scratch) / "tree", symlinks=True)
        said = _git_apply(copy, patch, level, "--reverse", "--reject", "--verbose").stderr
    missing = dict(_rejects(said))
    whole = set(_CLEAN.findall(said))
    return lambda file, number: file in whole or (file in missing and number not in missing[file])


def _git_apply(root: Path, patch: Patch, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ``git apply`` in *root*, which must not be taken for part of a repository above it.

    git calls a diff corrupt whose last line does not end, as one that was copied from a page.
    """
    text = patch.text.decode("latin-1")
    return subprocess.run(
        [find_tool("git"), "apply", "--whitespace=nowarn", *options],
        check=False,
        cwd=root,
        env=environment(GIT_CEILING_DIRECTORIES=str(root.parent)),
        input=text if text.endswith("\n") else f"{text}\n",
        capture_output=True,
        encoding="latin-1",
    )


def _explain(complaint: str, there: Callable[[str, str], bool]) -> str:
    """Say which hunks of which files failed, from what ``git apply --reject -v`` printed."""
    refused = []
    for file, numbers in _rejects(complaint):
        held = [number for number in numbers if there(file, number)]
        note = f" (hunk {', '.join(held)} already applied)" if held else ""
        refused.append(f"{file}, hunk {', '.join(numbers)}{note}")
    others = [line for line in _ERROR.findall(complaint) if not line.startswith("while searching")]
    return "; ".join(refused or others) or "git apply gave no reason"


def _rejects(complaint: str) -> Iterator[tuple[str, list[str]]]:
    """Each file with rejected hunks in the output of ``git apply --reject -v``, and these."""
    parts = _APPLYING.split(complaint)
    for file, text in zip(parts[1::2], parts[2::2], strict=True):
        yield file, _REJECTED.findall(text)
