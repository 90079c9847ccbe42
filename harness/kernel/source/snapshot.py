# SPDX-License-Identifier: Apache-2.0
"""List and read the files of a user's directory or git revision, without writing to it."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.base.cache import digest
from harness.base.progress import step
from harness.base.tools import find_tool
from harness.kernel.source.content import Content, read_content
from harness.kernel.source.git import SETTINGS, environment, git
from harness.kernel.source.tree import Reader, Snapshot

BUILD_PRODUCTS = (
    "*.o",
    "*.a",
    "*.ko",
    "*.mod",
    "*.cmd",
    "/.config",
    "/.tmp_*",
    "/vmlinux*",
    "/System.map",
    "/Module.symvers",
    "/modules.*",
    "/include/config/",
    "/include/generated/",
    "/arch/*/include/generated/",
)
"""Left out of a directory even where it has no .gitignore; with them an out-of-tree build refuses
to start (Linux 6.12, Makefile:outputmakefile)."""

TOP_LEVEL = "!/*"
"""The pattern that negates ``/*`` in .gitignore: Debian's source packages ignore everything."""

RACY = 2 * 10**9
"""A file changed this close (ns) to when it was hashed may change again unseen: its hash is not
kept."""


def snapshot_identity(files: Snapshot) -> str:
    """Return a name for the content of a whole tree."""
    return digest("\n".join(f"{path} {file}" for path, file in sorted(files.items())))


def scan_directory(root: Path, memory: Path) -> Snapshot:
    """Identify every source file under *root*, leaving out build products and ignored files.

    File *memory* keeps the identities, so that the next scan reads only changed files.
    """
    known: dict[str, list[object]] = json.loads(memory.read_text()) if memory.is_file() else {}
    seen: dict[str, list[object]] = {}
    top = f"{root}/"
    with step(f"reading {root}") as progress:
        paths = _list_directory(root) or _list_directory(root, TOP_LEVEL)
        for done, path in enumerate(paths):
            entry = _identify(top + path, known.get(path))
            if entry is not None:
                seen[path] = entry
            if done % 1000 == 0:
                progress.update(done, len(paths))
    if seen != known:
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps(seen))
    return {path: str(entry[0]) for path, entry in seen.items()}


def _identify(path: str, known: list[object] | None) -> list[object] | None:
    """Return identity and stamp of a file, None if it is gone or not a regular file or link.

    *path* is text: for the 86,000 files of a kernel, pathlib takes more time than lstat(2).
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    if known is not None and known[1:] == stamp:
        return known
    content = read_content(Path(path))
    if content is None:
        return None
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < RACY:
        stamp = []
    return [content.identity, *stamp]


def _list_directory(root: Path, *patterns: str) -> list[str]:
    """List the source files under *root* as git would; it need not be a repository."""
    excludes = [f"--exclude={pattern}" for pattern in (*patterns, *BUILD_PRODUCTS)]
    listing = ("ls-files", "-z", "--others", "--exclude-standard", *excludes)
    if (root / ".git").exists():
        output = git("-C", root, *listing, "--cached")
    else:
        with tempfile.TemporaryDirectory() as scratch:
            git("init", "--quiet", "--bare", scratch)
            here = f"--git-dir={scratch}"
            output = git("-C", root, here, f"--work-tree={root}", "-c", "core.bare=false", *listing)
    names = {os.fsdecode(name) for name in output.split(b"\0") if name}
    return sorted(name for name in names if not name.endswith("/"))


def directory_reader(root: Path) -> Reader:
    """Return a reader for the files of *root*."""

    def read(paths: Iterable[str]) -> Iterator[tuple[str, Content | None]]:
        for path in paths:
            yield path, read_content(root / path)

    return read


def list_revision(repository: Path, commit: str) -> Snapshot:
    """Return the files of *commit*; without submodules, which a kernel tree does not need."""
    output = git("-C", repository, "ls-tree", "-r", "-z", "--full-tree", commit)
    files = {}
    for line in output.split(b"\0")[:-1]:
        mode, kind, rest = line.split(b" ", 2)
        blob, _, path = rest.partition(b"\t")
        if kind == b"blob":
            files[os.fsdecode(path)] = f"{mode.decode()} {blob.decode()}"
    return files


def revision_reader(repository: Path, files: Snapshot) -> Reader:
    """Return a reader for the files of a revision in git's object store."""

    def read(paths: Iterable[str]) -> Iterator[tuple[str, Content | None]]:
        wanted = list(paths)
        with tempfile.TemporaryFile() as names, step("reading git objects") as progress:
            names.write(b"".join(files[path].split()[1].encode() + b"\n" for path in wanted))
            names.seek(0)
            with subprocess.Popen(
                [find_tool("git"), *SETTINGS, "-C", repository, "cat-file", "--batch"],
                env=environment(),
                stdin=names,
                stdout=subprocess.PIPE,
            ) as process:
                assert process.stdout is not None
                for done, path in enumerate(wanted):
                    size = int(process.stdout.readline().split()[2])
                    data = process.stdout.read(size + 1)[:size]
                    progress.update(done, len(wanted))
                    yield path, Content(int(files[path].split()[0], 8), data)

    return read
