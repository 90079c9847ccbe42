# SPDX-License-Identifier: Apache-2.0
"""Decompress what mailing-list archives and people compress, up to a limit."""

import bz2
import gzip
import io
import lzma
import zlib
from typing import IO

from harness.base.errors import SeriesError
from harness.base.space import MIB

LARGEST = 64 * MIB
"""Bytes of the largest input that is read; a year's archive of a busy list is larger."""

_MAGIC = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2"}
"""The first bytes of each format, from gzip(1), xz(1) and bzip2(1)."""


_ARCHIVES = {(0, b"PK\x03\x04"): "zip", (257, b"ustar"): "tar", (0, b"\x28\xb5\x2f\xfd"): "zstd"}
"""Offset and magic of what has to be unpacked by hand, from file(1)."""


def unpacked(data: bytes, name: str) -> bytes:
    """Return *data*, decompressed if it is gzip, xz or bzip2.

    Raises SeriesError if it is damaged, or larger than LARGEST.
    """
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        return _limited(data, name)
    try:
        with _open(kind, io.BytesIO(data)) as file:
            return _limited(file.read(LARGEST + 1), name)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as fault:
        raise SeriesError(
            f"{name} cannot be decompressed: {fault}. Get it again; a download may have been cut."
        ) from fault


def no_archive(data: bytes, name: str) -> bytes:
    """Return *data*; SeriesError if it is an archive of files, or compressed in another way."""
    for (at, magic), kind in _ARCHIVES.items():
        if data.startswith(magic, at):
            raise SeriesError(
                f"{name} is a {kind} file. Expected patches or a mailbox, also compressed with "
                "gzip, xz or bzip2. Unpack it, and name what is in it."
            )
    return data


def _limited(data: bytes, name: str) -> bytes:
    if len(data) > LARGEST:
        raise SeriesError(
            f"{name} has more than {LARGEST // MIB} MiB. Expected a series; cut its thread out of "
            "the archive, for example with: b4 mbox MESSAGE-ID"
        )
    return data


def _open(kind: str, file: IO[bytes]) -> gzip.GzipFile | lzma.LZMAFile | bz2.BZ2File:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=file)
    return lzma.LZMAFile(file) if kind == "xz" else bz2.BZ2File(file)
