# SPDX-License-Identifier: Apache-2.0
"""Unpack source archives."""

import os
import subprocess
import tempfile
from pathlib import Path

from harness.base.errors import SourceError
from harness.base.progress import step
from harness.base.space import GIB, require_space
from harness.base.tools import find_tool

COMPRESSION = {
    b"\xfd7zXZ\x00": "--xz",
    b"\x1f\x8b": "--gzip",
    b"BZh": "--bzip2",
    b"\x28\xb5\x2f\xfd": "--zstd",
}
"""The first bytes of each compression, and tar's option for it."""

SOURCE_SIZE = 2 * GIB
"""Bytes that an unpacked source may take; Linux 6.12 takes 1.7 GiB."""

CHUNK = 1 << 20


def unpack_archive(archive: Path, into: Path) -> None:
    """Unpack tar *archive*, without its top directory, into *into*; SourceError if it is damaged.

    Every file gets the present time: make must see that it is newer than any object file.
    """
    require_space(into, SOURCE_SIZE, f"unpacking {archive.name}")
    with archive.open("rb") as file:
        begin = file.read(8)
    kind = [option for magic, option in COMPRESSION.items() if begin.startswith(magic)]
    options = ("--extract", "--touch", "--no-same-owner", "--strip-components=1", *kind)
    with tempfile.TemporaryFile() as complaint:
        with subprocess.Popen(
            [find_tool("tar"), *options, "--directory", into],
            env={**os.environ, "LC_ALL": "C", "XZ_DEFAULTS": "--threads=0"},
            stdin=subprocess.PIPE,
            stderr=complaint,
        ) as tar:
            _feed(tar, archive)
        complaint.seek(0)
        reason = complaint.read(500).decode(errors="replace").strip()
    _check(tar.returncode, archive, reason)


def read_member(archive: Path, name: str) -> str:
    """Return the text of file *name* in the top directory of tar *archive*; SourceError if absent.

    Reads the archive only up to that file.
    """
    options = ("--extract", "--to-stdout", "--occurrence=1", "--no-wildcards-match-slash")
    found = subprocess.run(
        [find_tool("tar"), *options, "--wildcards", "--file", archive, f"*/{name}"],
        check=False,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
    )
    _check(found.returncode, archive, found.stderr[:500].decode(errors="replace").strip())
    return found.stdout.decode(errors="replace")


def _check(returncode: int, archive: Path, reason: str) -> None:
    if returncode != 0:
        raise SourceError(
            f"{archive} cannot be unpacked as a tar archive: {reason} "
            "Expected .tar, .tar.xz, .tar.gz, .tar.bz2 or .tar.zst."
        )


def _feed(tar: subprocess.Popen[bytes], archive: Path) -> None:
    """Write *archive* to tar, showing how much of it is done."""
    assert tar.stdin is not None
    size = archive.stat().st_size
    try:
        with step(f"unpacking {archive.name}") as progress, archive.open("rb") as file:
            while chunk := file.read(CHUNK):
                tar.stdin.write(chunk)
                progress.update(file.tell(), size)
            tar.stdin.close()
    except BrokenPipeError:
        return  # tar failed and says why
