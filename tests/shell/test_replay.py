# SPDX-License-Identifier: Apache-2.0
"""What was done to a guest is kept, and read back call by call."""

from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.devices.probe import BufferKind, calls
from harness.devices.probe.session import batch_of
from harness.machine.qemu.journal import MOST_BYTES, Act, Journal, acts_text, parse_acts
from harness.shell import Target
from harness.shell.replay import read_replay

ACTS = [
    Act("run", "uname -a"),
    Act("plug", '{"driver": "edu"}', 1),
    Act("dma", "rogue0", 0x4F00_0000, b"\0\xff"),
    Act("probe", data=batch_of(3, [calls.buffer_alloc(0, BufferKind.PAGES, 4096), calls.unmap(7)])),
]


@pytest.fixture
def target() -> Target:
    return Target(None, None, Path("/no/vmlinux"))


def test_acts_are_read_back_as_they_were() -> None:
    assert parse_acts(acts_text(ACTS)) == ACTS


def test_a_batch_is_split_into_its_calls(target: Target, tmp_path: Path) -> None:
    (tmp_path / "acts.jsonl").write_text(acts_text(ACTS))

    replay = read_replay(target, tmp_path)

    said = [(step.act.kind, step.context, step.call and step.call.op) for step in replay.steps]
    assert said[-2:] == [("probe", 3, "BUFFER_ALLOC"), ("probe", 3, "UNMAP")]
    assert replay.visible == (0, 1, 2, 4)


@pytest.mark.parametrize(
    "text", ["{", '["run"]', '["probe", "", 0, "zz"]', '["probe", "", 0, "ffff"]', "[]\n"]
)
def test_a_damaged_record_is_an_error_in_a_sentence(
    target: Target, tmp_path: Path, text: str
) -> None:
    (tmp_path / "acts.jsonl").write_text(text)

    with pytest.raises(InputError, match="is damaged"):
        read_replay(target, tmp_path)


def test_a_failure_without_a_record_has_no_steps(target: Target, tmp_path: Path) -> None:
    assert read_replay(target, tmp_path).steps == ()


def test_a_record_ends_at_its_limit() -> None:
    journal = Journal()
    large = Act("write", "/tmp/x", data=bytes(MOST_BYTES // 2))

    for _ in range(3):
        journal.record(large)
    journal.record(Act("run", "true"))

    assert (len(journal.acts), journal.complete) == (1, False)
