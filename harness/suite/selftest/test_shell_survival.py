# SPDX-License-Identifier: Apache-2.0
"""What a session of ``harness shell`` survives, and what it leaves behind: nothing."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from harness.machine.description import save_machine
from harness.machine.machine import Machine
from harness.machine.qemu.snapshot import park
from harness.observe.memory import Symbols
from harness.suite.lib.person import (
    CTRL_C,
    HARNESS,
    IN_GUEST,
    PROMPT,
    SESSION_TESTS,
    TIMEOUT,
    Person,
    sit_down,
)

pytestmark = SESSION_TESTS

LOOP = "00000014"
"""``b .``, a branch to itself (Arm ARM, C6.2.26), as ``rogue write`` takes it."""

PATIENCE = 120
"""Seconds until a hung guest is told of: 28 s of its own time, on a busy host more by the clock."""

ANSWER = 15
"""Seconds, half of what the agent is busy; 2 of the guest's own time on an idle host."""


@pytest.fixture
def kept(machine: Machine, tmp_path: Path) -> Path:
    """A directory that ``harness debug`` takes."""
    park(machine)
    save_machine(machine, tmp_path)
    return tmp_path


def _at_prompt(_: Person) -> None:
    pass


def _in_console(shell: Person) -> None:
    shell.terminal.sendline("console")
    shell.terminal.expect(IN_GUEST)


def _in_command(shell: Person) -> None:
    shell.terminal.sendline("run sleep 50")
    shell.terminal.expect_exact("sleep 50")


def _in_pager(shell: Person) -> None:
    shell.terminal.sendline("log")
    shell.terminal.expect_exact("Booting Linux")


@pytest.mark.parametrize("where", [_at_prompt, _in_console, _in_command, _in_pager])
def test_a_closed_ssh_leaves_nothing(shell: Person, where: Callable[[Person], None]) -> None:
    """When the terminal goes away, the session ends, QEMU with it, and the files are removed."""
    qemu, directory = shell.info("QEMU process"), shell.info("run directory")
    where(shell)

    os.close(shell.terminal.child_fd)
    shell.terminal.child_fd = -1
    _, status = os.waitpid(shell.terminal.pid, 0)
    shell.terminal.closed = True

    assert not Path(f"/proc/{qemu}").exists()
    assert not Path(directory).exists()
    assert os.waitstatus_to_exitcode(status) in (0, 128 + 1)


def test_ctrl_c_ends_a_command_and_not_the_session(kept: Path) -> None:
    """The prompt is back at once, also where the parent ignores SIGINT, as of a job with ``&``."""
    shell = sit_down(["/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"', HARNESS, "debug", str(kept)])
    try:
        shell.terminal.sendline("run sleep 3")
        shell.terminal.expect_exact("sleep 3")
        shell.terminal.send(CTRL_C)
        shell.terminal.expect_exact("interrupted")
        shell.terminal.expect_exact(PROMPT)
        shell.terminal.send(CTRL_C)
        shell.terminal.expect_exact(PROMPT)

        assert "Linux" in shell.ask("run uname")
    finally:
        shell.leave()


def test_a_hung_guest_can_be_looked_at(shell: Person, mapper: Path) -> None:
    """A CPU that loops in the kernel is told of once; what needs no answer of it works on."""
    shell.ask(f"rogue write swiotlb_map {LOOP}")
    shell.terminal.timeout = PATIENCE
    said = shell.ask(f"python {mapper}")
    shell.terminal.timeout = TIMEOUT

    assert "The guest has ended: hang" in said
    assert "Traceback" not in said
    assert "mapper.py:3" in said
    assert "restricted-dma@4f000000" in shell.ask("pools")
    assert "no slot" in shell.ask("slots")
    assert "Linux version" in shell.ask("memory linux_banner /s")
    assert "CPU 0:" in shell.ask("bt | cat")
    assert "found" in shell.ask("search c0ffeec0ffee")
    assert "error: hang" in shell.ask("run true")
    assert "hang" in shell.ask("info | head -1")


def test_a_busy_agent_keeps_no_command_waiting(mapped: Person) -> None:
    """While a command runs in the guest that nobody waits for, slots are told without holder."""
    mapped.terminal.sendline("run sleep 30")
    mapped.terminal.expect_exact("sleep 30")
    mapped.terminal.send(CTRL_C)
    mapped.terminal.expect_exact("interrupted")
    mapped.terminal.expect_exact(PROMPT)

    begin = time.monotonic()
    (slot,) = mapped.json("slots")
    taken = time.monotonic() - begin

    assert slot["holder"] == "unknown: the agent does not answer"
    assert slot["since"].startswith("dma_map_single(probe-a")
    assert taken < ANSWER


def test_no_terminal_is_no_obstacle(kept: Path) -> None:
    """Lines come from a pipe, answers go to one, without a prompt's escape sequences."""
    ran = subprocess.run(
        [HARNESS, "debug", str(kept)],
        input="pools\nnonsense\nlog\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert ran.returncode == 0
    assert "restricted-dma@4f000000" in ran.stdout
    assert "unknown command 'nonsense'" in ran.stdout
    assert "Booting Linux" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert ran.stderr == ""


def test_lines_of_the_command_line_are_run_and_an_error_is_an_exit_code(kept: Path) -> None:
    """``-c`` runs lines without reading any; the exit code tells of errors."""
    words = [HARNESS, "debug", str(kept), "-c", "pools --json", "-c"]
    good, bad = (
        subprocess.run([*words, line], capture_output=True, text=True, check=False)
        for line in ("where pool", "where pol")
    )

    assert (good.returncode, bad.returncode) == (0, 1)
    assert '"used": 0' in good.stdout
    assert "did you mean" in bad.stdout
    assert PROMPT not in good.stdout


def test_a_dumb_terminal_gets_plain_text(kept: Path) -> None:
    """A terminal that knows no escape sequences gets none, and no pager."""
    with pexpect.spawn(
        HARNESS,
        ["debug", str(kept)],
        encoding="utf-8",
        timeout=TIMEOUT,
        env={**os.environ, "TERM": "dumb"},
    ) as terminal:
        terminal.expect_exact(PROMPT)
        terminal.sendline("log")
        terminal.expect_exact(PROMPT)
        assert "Booting Linux" in terminal.before
        assert "\x1b" not in terminal.before
        terminal.sendeof()
        terminal.expect(pexpect.EOF)


def test_a_missing_gdb_is_a_sentence(kept: Path, tmp_path: Path) -> None:
    """Without gdb the session names the package, and ``info`` still shows the rest."""
    programs = tmp_path / "programs"
    programs.mkdir()
    folders = [Path(one) for one in reversed(os.environ["PATH"].split(":")) if Path(one).is_dir()]
    for name, program in {one.name: one for each in folders for one in each.iterdir()}.items():
        if name not in ("gdb", "gdb-multiarch"):
            (programs / name).symlink_to(program)
    ran = subprocess.run(
        [HARNESS, "debug", str(kept), "-c", "gdb", "-c", "info"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": str(programs)},
    )

    assert "program not found: 'gdb-multiarch'. Install it with: " in ran.stdout
    assert "attach console" in ran.stdout


def test_a_dump_of_another_kernel_is_told_by_its_build_id(shell: Person, tmp_path: Path) -> None:
    """Memory can be read without the right vmlinux; names cannot, and the build ids say why."""
    shell.ask(f"save {tmp_path}/kept")
    vmlinux, other = tmp_path / "kept/vmlinux", tmp_path / "vmlinux"
    build_id = Symbols(vmlinux).build_id.value
    other.write_bytes(vmlinux.read_bytes().replace(build_id, b"\xde" * len(build_id)))

    person = sit_down(
        [HARNESS, "shell", f"--dump={tmp_path}/kept/memory.elf", f"--vmlinux={other}"]
    )
    try:
        assert re.search("no kernel with build id (de){20}.*Only commands", person.intro, re.DOTALL)
        assert "00" in person.ask("memory 0x48000000 16")
        assert "no kernel with build id dede" in person.ask("slots")
    finally:
        person.leave()
