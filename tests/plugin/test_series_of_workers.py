# SPDX-License-Identifier: Apache-2.0
"""A series that is named by its message is fetched once, and not by pytest-xdist's workers."""

import argparse
import json
import os
from pathlib import Path

import pytest
from mail_threads import Post, archive, mbox
from python_process import run_python

from harness.kernel.patches.origin import STORED, series_path

CONFTEST = """
import pytest

@pytest.fixture
def stored(request):
    return request.config.getoption("--series")
"""

SAMPLE = """
import pytest
from pathlib import Path

@pytest.mark.parametrize("number", range(4))
def test_series_is_stored(stored, number):
    (one,) = stored
    assert [path.name for path in Path(one).glob("*.patch")] == ["0001-a.patch"]
"""

MAILS = mbox(Post("[PATCH] a", "a@x", adds="a"))


@pytest.mark.parametrize("workers", ["0", "2"])
def test_message_is_fetched_once(tmp_path: Path, workers: str) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    env = {**os.environ, "HARNESS_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}

    fetched: list[str] = []
    with archive(MAILS, fetched=fetched) as url:
        words = ["-m", "pytest", f"-n{workers}", f"--series={url}/a@x/", "test_sample.py"]
        done = run_python(words, cwd=tmp_path, env=env)

    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert len(fetched) == 1


def test_what_was_stored_counts_in_its_directory_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(STORED, json.dumps({"/other: HEAD~1..HEAD": str(tmp_path)}))

    with pytest.raises(argparse.ArgumentTypeError):
        series_path("HEAD~1..HEAD")

    monkeypatch.setenv(STORED, json.dumps({f"{tmp_path}: HEAD~1..HEAD": str(tmp_path)}))
    assert series_path("HEAD~1..HEAD") == tmp_path


def test_a_message_that_nobody_has_ends_the_run(tmp_path: Path) -> None:
    env = {**os.environ, "HARNESS_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}

    with archive(MAILS) as url:
        words = ["-m", "pytest", "-n2", f"--series={url}/unknown@x/"]
        done = run_python(words, cwd=tmp_path, env=env)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "b4 has no thread for" in done.stderr
