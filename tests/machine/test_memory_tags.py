# SPDX-License-Identifier: Apache-2.0
"""Whether a QEMU keeps memory tags is what guest/bare/tags.S says on it, asked once."""

from pathlib import Path

import pytest

from harness.machine.bare_program import bare_program
from harness.machine.binary import Qemu, find_qemu
from harness.machine.memory_tags import STORES_WRONG, ask, tags_fault

pytestmark = pytest.mark.usefixtures("cache")


def fake(folder: Path, script: str) -> Path:
    """A QEMU that runs *script*, and logs that it was started."""
    program = folder / "qemu"
    program.write_text(f"#!/bin/sh\necho started >>{folder}/log\n{script}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("echo tags: right", ""),
        ("echo tags: wrong", STORES_WRONG),
        ("echo 'no mte' >&2; exit 1", "does not run with them: no mte"),
        ("exit 3", "does not run with them: exit code 3"),
        ("exec sleep 1000", "did not say in 0.5 s how it stores them"),
    ],
)
def test_only_a_qemu_that_says_right_keeps_tags(tmp_path: Path, script: str, fault: str) -> None:
    assert ask(fake(tmp_path, script), b"program", timeout=0.5) == fault


def test_a_qemu_is_asked_once(tmp_path: Path) -> None:
    qemu = Qemu(fake(tmp_path, "echo tags: wrong"), (7, 2), "QEMU")

    answers = [tags_fault(qemu)]
    tags_fault.cache_clear()  # another process
    answers.append(tags_fault(qemu))

    assert answers == [STORES_WRONG] * 2
    assert (tmp_path / "log").read_text() == "started\n"


def test_another_binary_at_the_same_path_is_asked_again(tmp_path: Path) -> None:
    first = tags_fault(Qemu(fake(tmp_path, "echo tags: wrong"), (7, 2), "QEMU 7.2"))
    second = tags_fault(Qemu(fake(tmp_path, "echo tags: right"), (8, 2), "QEMU 8.2"))

    assert (first, second) == (STORES_WRONG, "")


def test_the_program_runs_to_its_end_on_this_qemu() -> None:
    assert ask(find_qemu().path, bare_program("tags")) in ("", STORES_WRONG)


def test_the_program_finds_memory_without_tags_wrong() -> None:
    assert ask(find_qemu().path, bare_program("tags"), board="") == STORES_WRONG
