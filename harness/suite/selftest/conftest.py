# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that use the harness as a person does."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.machine.description import save_machine
from harness.machine.machine import Machine
from harness.machine.qemu.artifacts import reopen_command
from harness.machine.qemu.snapshot import park
from harness.suite.lib.person import MAPPER, Person, sit_down


@pytest.fixture
def shell(machine: Machine, tmp_path: Path) -> Iterator[Person]:
    """A person at the shell's prompt, in this test's machine."""
    park(machine)
    save_machine(machine, tmp_path)
    person = sit_down(shlex.split(reopen_command(tmp_path)))
    yield person
    person.leave()


@pytest.fixture
def mapper(tmp_path: Path) -> Path:
    """A script that makes a mapping of three slots."""
    script = tmp_path / "mapper.py"
    script.write_text(MAPPER)
    return script


@pytest.fixture
def mapped(shell: Person, mapper: Path) -> Person:
    """The shell, with the mapping of *mapper*."""
    assert "error" not in shell.ask(f"python {mapper}")
    return shell
