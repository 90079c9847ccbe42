# SPDX-License-Identifier: Apache-2.0
"""``harness size``: wrong words are refused before a kernel is built."""

import pytest

from harness.cli import main
from harness.kernel import KernelSpec


@pytest.fixture(autouse=True)
def nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_: KernelSpec) -> None:
        raise AssertionError("the kernel was built first")

    monkeypatch.setattr("harness.cli.size.build_kernel", build)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--device=floppy",), "unknown device 'floppy': expected one of virtio-blk, "),
        (("--device=nvme,floppy",), "unknown device 'floppy': expected one of virtio-blk, "),
        (("--device=nvme,",), "unknown device ''"),
        (("--workload=true",), "--workload is for the devices that --device names: name one"),
        (("--device=nvme", "--qemu=no-such-qemu"), "program not found: 'no-such-qemu'"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_wrong_option_is_one_paragraph_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert main(["size", *words]) == 2

    message = capsys.readouterr().err
    assert message.startswith("harness: ")
    assert said in message
    assert len(message.splitlines()) == 1
