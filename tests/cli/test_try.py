# SPDX-License-Identifier: Apache-2.0
"""``harness try``: wrong input is one paragraph and exit code 2, before a kernel is built."""

from pathlib import Path

import pytest
from lint_boards import BOARDS

from harness.cli import main

GOOD, LARGE = str(BOARDS / "low-ram.dts"), str(BOARDS / "shapes.dts")


@pytest.fixture(autouse=True)
def nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

    def build(_: object) -> None:
        raise AssertionError("the kernel was built first")

    monkeypatch.setattr("harness.jobs.board.board_trial.build_kernel", build)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("\x7fELF\0\0", "neither a devicetree blob nor a source"),
        ("/dts-v1/; / { a = <1> };", "syntax error"),
        ("/dts-v1/; / { };", "no node of /reserved-memory is a restricted-dma-pool"),
        ("", "is empty"),
    ],
    ids=["ELF", "syntax", "no pool", "nothing"],
)
def test_what_is_no_board_with_a_pool_is_refused(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board.dts"
    board.write_text(content)

    assert main(["try", str(board)]) == 2

    message = capsys.readouterr().err
    assert message.startswith("harness: ")
    assert said in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/no/board.dts"], "/no/board.dts"),
        ([GOOD, "--machine-memory=10G"], "--machine-memory=10G: at most 9G"),
        ([GOOD, "--machine-memory=much"], "expected a size such as 256M or 1G"),
        ([LARGE, "--machine-memory=256M"], "does not fit into a machine with 256 MiB of RAM"),
        ([GOOD, "--memory=4G"], "Expected BASE+SIZE"),
        ([GOOD, "--overlay=/no/overlay.dtso"], "/no/overlay.dtso"),
        ([GOOD, "--qemu=no-such-qemu"], "program not found: 'no-such-qemu'"),
    ],
)
def test_a_wrong_word_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["try", *words]) == 2

    message = capsys.readouterr().err
    assert said in message
    assert "Traceback" not in message


def test_the_overlay_can_be_written_for_other_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = tmp_path / "low-ram.dtso"

    assert main(["try", GOOD, f"--write-shape={shape}", "--machine-memory=512M"]) == 0

    said = capsys.readouterr().out
    assert "/reserved-memory/pci-dma@38000000: [0x38000000, 0x3a000000) is at " in said
    assert f"--shape={shape} --machine-memory=512M" in said
    assert "/plugin/;" in shape.read_text()
