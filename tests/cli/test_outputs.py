# SPDX-License-Identifier: Apache-2.0
"""A file that cannot be written is refused before the command does anything."""

from pathlib import Path

import pytest

from harness.cli import main


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere/answers.json", "there is no directory"),
        ("", "is a directory"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_at_once(
    name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["check", "debian:6.12", f"--json={tmp_path}/{name}"])

    assert said in capsys.readouterr().err
