# SPDX-License-Identifier: Apache-2.0
"""The busybox of guests is that of the package, or a static program for arm64 that is given."""

import struct
from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.kernel.build import busybox
from harness.kernel.build.busybox import OVERRIDE, find_busybox
from harness.kernel.source.apt import Package, PackageLists

ARM64, X86_64 = 183, 62
PT_LOAD, PT_INTERP = 1, 3
"""Values of elf.h."""


def program(machine: int, segment: int) -> bytes:
    """An ELF file with one segment and no content."""
    ident = b"\x7fELF\2\1\1" + bytes(9)
    head = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return ident + head + struct.pack("<IIQQQQQQ", segment, 5, 0, 0, 0, 0, 0, 4096)


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "busybox"
    monkeypatch.setenv(OVERRIDE, str(path))
    return path


def test_a_static_program_for_arm64_is_taken_without_a_package(given: Path) -> None:
    given.write_bytes(program(ARM64, PT_LOAD))
    first = find_busybox()

    given.write_bytes(program(ARM64, PT_LOAD) + b"newer")
    second = find_busybox()

    assert (first.name, second.read()[-5:]) == (str(given), b"newer")
    assert first.key != second.key


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such file or directory"),
        (b"#!/bin/sh", "it is not an ELF file"),
        (program(X86_64, PT_LOAD), "it is a program for x86_64"),
        (program(ARM64, PT_INTERP), "it is linked dynamically"),
    ],
)
def test_what_guests_cannot_run_is_refused(given: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        given.write_bytes(content)

    with pytest.raises(InputError, match=why):
        find_busybox()


def test_it_is_the_package_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    package = Package("busybox-static", "1:1.35", "ab", PackageLists(Path("/nowhere")))
    monkeypatch.delenv(OVERRIDE, raising=False)
    monkeypatch.setattr(busybox, "find_package", lambda _: package)

    found = find_busybox()

    assert (found.name, found.key) == ("busybox-static 1:1.35, for arm64", "ab")
