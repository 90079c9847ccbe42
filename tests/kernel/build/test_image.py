# SPDX-License-Identifier: Apache-2.0
"""The image of a kernel is read in each form in which it is shipped."""

import gzip
import lzma
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.kernel.build.image import ZBOOT, read_image

IMAGE = bytes(0x38) + b"ARM\x64" + bytes(range(256)) * 16


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-c"], input=content, capture_output=True, check=True).stdout


def zboot(kind: str, payload: bytes) -> bytes:
    head = ZBOOT.pack(b"MZ", b"zimg", 0x400, len(payload), kind.encode())
    return head.ljust(0x400, b"\0") + payload + b"code that unpacks it"


FORMS: dict[str, Callable[[], bytes]] = {
    "Image": lambda: IMAGE,
    "Image.gz": lambda: gzip.compress(IMAGE),
    "zboot, gzip": lambda: zboot("gzip", gzip.compress(IMAGE)),
    "zboot, zstd": lambda: zboot("zstd", zstd(IMAGE)),
    "zboot, xz": lambda: zboot("xzkern", lzma.compress(IMAGE)),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_image_is_read_in_each_form(form: str, tmp_path: Path) -> None:
    (tmp_path / "Image").write_bytes(FORMS[form]())

    assert read_image(tmp_path / "Image") == IMAGE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bytes(100), "is not an arm64 image"),
        (b"", "is not an arm64 image"),
        (b"MZ", "is not an arm64 image"),
        (gzip.compress(bytes(100)), "is not an arm64 image"),
        (b"\x1f\x8b damaged", "is damaged"),
        (zboot("lz4", b"payload"), "is compressed with 'lz4', which is not known"),
        (zboot("xz", b"payload"), "is damaged"),
        (zboot("zstd", b"payload"), "is damaged"),
    ],
    ids=["zeros", "empty", "short", "packed zeros", "gzip", "lz4", "xz", "zstd"],
)
def test_what_is_no_image_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "Image").write_bytes(content)

    with pytest.raises(InputError, match=said):
        read_image(tmp_path / "Image")
