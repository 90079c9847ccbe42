# SPDX-License-Identifier: Apache-2.0
"""The sizes that a kernel was built with are read from its files."""

import subprocess
from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.kernel.geometry import Geometry, page_size, read_geometry

CROSS = "aarch64-linux-gnu-"

KIB = 1024


def image(directory: Path, flags: int) -> Path:
    """The head of a boot image."""
    path = directory / "Image"
    path.write_bytes(bytes(24) + flags.to_bytes(8, "little") + bytes(24) + b"ARM\x64")
    return path


def module(directory: Path, sizes: str, section: str = ".probe.sizes") -> Path:
    """An object with the *sizes* of guest/probe/sizes.c."""
    path = directory / "probe.ko"
    code = f'unsigned int s[] __attribute__((section("{section}"))) = {{ {sizes} }};'
    compile_ = (f"{CROSS}gcc", "-c", "-x", "c", "-", "-o", path)
    subprocess.run(compile_, input=code.encode(), check=True)
    return path


@pytest.mark.parametrize(
    ("flags", "size"), [(0xA, 4 * KIB), (0xC, 16 * KIB), (0xE, 64 * KIB), (0, 4 * KIB)]
)
def test_the_image_tells_its_page_size(tmp_path: Path, flags: int, size: int) -> None:
    assert page_size(image(tmp_path, flags)) == size


@pytest.mark.parametrize("segment", [64, 128, 1024])
def test_the_probe_tells_page_and_slot_set(tmp_path: Path, segment: int) -> None:
    geometry = read_geometry(module(tmp_path, f"16384, 2048, {segment}"))

    assert geometry == Geometry(16 * KIB, segment * 2 * KIB)
    assert geometry.slots_of_set == segment


@pytest.mark.parametrize(
    ("sizes", "section"),
    [("4096, 2048, 128", ".other"), ("4096, 4096, 128", ".probe.sizes"), ("4096", ".probe.sizes")],
    ids=["no sizes", "another slot", "cut"],
)
def test_a_module_that_does_not_tell_is_refused(tmp_path: Path, sizes: str, section: str) -> None:
    with pytest.raises(InputError, match="Build the guest programs again"):
        read_geometry(module(tmp_path, sizes, section))
