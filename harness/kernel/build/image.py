# SPDX-License-Identifier: Apache-2.0
"""Read the boot image of an arm64 kernel, as it is or compressed, in the forms that make writes."""

import lzma
import struct
import zlib
from pathlib import Path

from harness.base.errors import InputError, ToolError
from harness.base.tools import run_tool

IMAGES = tuple(
    f"{folder}{name}"
    for name in ("Image", "Image.gz", "vmlinuz.efi", "vmlinuz")
    for folder in ("arch/arm64/boot/", "")
)
"""Where make, and where others, put an image; the first that is there is taken."""

MAGIC = slice(0x38, 0x3C)
"""Bytes of an image that are ``ARM\\x64`` (Linux, Documentation/arch/arm64/booting.rst)."""

GZIP = b"\x1f\x8b"
GZIP_WINDOW = zlib.MAX_WBITS | 16
"""For zlib: data with the header of gzip."""

ZBOOT = struct.Struct("<4s4sII8x32s")
"""``MZ``, ``zimg``, offset and size of the payload, its compression (Linux,
drivers/firmware/efi/libstub/zboot-header.S)."""


def read_image(path: Path) -> bytes:
    """The uncompressed image in *path*; InputError if there is none."""
    content = path.read_bytes()
    if content.startswith(GZIP):
        content = _unpacked(path, content, "gzip")
    elif content[4:8] == b"zimg" and len(content) >= ZBOOT.size:
        _, _, offset, size, name = ZBOOT.unpack_from(content)
        kind = name.partition(b"\0")[0].decode(errors="replace")
        content = _unpacked(path, content[offset : offset + size], kind)
    if content[MAGIC] != b"ARM\x64":
        raise InputError(
            f"{path} is not an arm64 image: Image, Image.gz and vmlinuz.efi of arch/arm64/boot are "
            "known. Build one with 'make ARCH=arm64 Image'."
        )
    return content


def _unpacked(path: Path, packed: bytes, kind: str) -> bytes:
    """Decompress what may have more bytes behind it."""
    try:
        if kind == "gzip":
            return _whole(path, zlib.decompressobj(GZIP_WINDOW), packed)
        if kind in ("xz", "xzkern", "lzma"):
            return _whole(path, lzma.LZMADecompressor(), packed)
        if kind in ("zstd", "zstd22"):
            return run_tool(("zstd", "-d", "-c", "-q"), data=packed)
    except (zlib.error, lzma.LZMAError, ToolError) as fault:
        raise InputError(f"{path} is damaged: {fault}. Build it again.") from fault
    raise InputError(
        f"{path} is compressed with '{kind}', which is not known. Give the uncompressed Image."
    )


def _whole(path: Path, stream: "zlib._Decompress | lzma.LZMADecompressor", packed: bytes) -> bytes:
    """Decompress *packed*; InputError if it is truncated."""
    content = stream.decompress(packed)
    if not stream.eof:
        raise InputError(f"{path} is truncated. Build it again, or copy it again.")
    return content
