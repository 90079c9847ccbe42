# SPDX-License-Identifier: Apache-2.0
"""A cache directory that cannot be used is refused with the reason."""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.base.errors import HostError
from harness.base.paths import cache_directory


def test_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.touch()
    monkeypatch.setenv("HARNESS_CACHE", str(path))

    with pytest.raises(HostError, match=rf"cannot use {re.escape(str(path))} .*: it is a file\. "):
        cache_directory()


@pytest.mark.parametrize(
    ("flags", "why"), [(0, "permission denied"), (os.ST_RDONLY, "read-only file system")]
)
def test_what_cannot_be_written_is_refused(
    flags: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_flag=flags))

    with pytest.raises(HostError, match=rf": {why}\. Name another one with HARNESS_CACHE"):
        cache_directory()


@pytest.mark.parametrize("name", ["my cache", "a:b", "a\tb"])
def test_a_path_that_the_kernels_makefiles_refuse_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / name))

    with pytest.raises(HostError, match=r"refuse a path with a blank or a colon\. Name another"):
        cache_directory()

    assert not (tmp_path / name).exists()
