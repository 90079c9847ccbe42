# SPDX-License-Identifier: Apache-2.0
"""``harness check``: wrong words are refused before a kernel is built."""

from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.cli import main


@pytest.fixture(autouse=True)
def nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

    def build(_: object) -> None:
        raise AssertionError("the kernel was built first")

    monkeypatch.setattr("harness.cli.check.build_kernel", build)


def test_a_pool_outside_ram_is_refused_with_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "far.dtso"
    shape = (CHECKOUT / "dts/pool-pci-host.dtso").read_text()
    overlay.write_text(shape.replace("4f000000", "6f000000"))

    assert main(["check", "debian:6.12", f"--shape={overlay}"]) == 2

    said = capsys.readouterr().err
    assert "far.dtso has a pool at [0x6f000000, 0x70000000), outside the machine's RAM" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--device=floppy",), "unknown device 'floppy': expected one of virtio-blk, "),
        (("--shape=no-pool",), "--shape=no-pool has no pool with an address (reg) for PCI devices"),
        (("--shape=pool-platform",), "Name one in memory-region of /pcie@10000000"),
        (("--shape=nonsense",), "unknown overlay"),
        (("--shape=/nowhere/mine.dtso",), "unknown overlay '/nowhere/mine.dtso': no such file"),
        (("--machine-memory=1",), "--machine-memory=1: the pools of dts/ lie below 256M"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_wrong_option_is_one_paragraph_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert main(["check", "debian:6.12", *words]) == 2

    message = capsys.readouterr().err
    assert message.startswith("harness: ")
    assert said in message
