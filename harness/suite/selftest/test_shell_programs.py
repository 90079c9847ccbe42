# SPDX-License-Identifier: Apache-2.0
"""``harness shell`` with other programs: drgn, gdb, dumps, a second terminal, files of commands."""

import shlex
from pathlib import Path

import pexpect

from harness.suite.lib.person import (
    HARNESS,
    IN_GUEST,
    LEAVE,
    NEEDS_GDB,
    PROMPT,
    SESSION_TESTS,
    TIMEOUT,
    Person,
    sit_down,
)

pytestmark = SESSION_TESTS


def test_drgn_reads_the_live_guest_with_helpers_for_swiotlb(mapped: Person) -> None:
    """drgn's own prompt knows the pools and who uses them; the session's prompt comes back."""
    terminal = mapped.terminal
    terminal.sendline("drgn")
    terminal.expect_exact(">>> ")
    terminal.expect_exact("comes back.")
    terminal.sendline("print_io_tlb_mems(prog)")
    terminal.expect(r"restricted-dma@4f000000 +\[0x4f000000, 0x50000000\)  3 of 8192 slots used")
    terminal.sendline("next(for_each_used_slot(restricted_mem(prog, 'restricted-dma@4f000000')))")
    terminal.expect_exact("struct io_tlb_slot")
    terminal.expect_exact(">>> ")
    terminal.sendeof()
    terminal.expect_exact(PROMPT)
    assert "running" in mapped.ask("info")


@NEEDS_GDB
def test_gdb_takes_the_machine_and_gives_it_back(shell: Person) -> None:
    """gdb knows the kernel's and the probe's symbols where they are; afterwards the guest runs."""
    assert shell.ask("gdb --print").count("attach.gdb") == 1
    shell.terminal.sendline("gdb")
    shell.terminal.expect_exact("(gdb) ")
    for command, answer in (
        ("info symbol call_map", "call_map in section .text of"),
        ("x/s linux_banner", "Linux version"),
        ("break swiotlb_map", "swiotlb.c"),
        ("quit", PROMPT),
    ):
        shell.terminal.sendline(command)
        shell.terminal.expect_exact(answer)

    assert "Linux" in shell.ask("run uname")


def _attach(shell: Person, what: str) -> list[str]:
    """The command that ``info`` prints for another terminal."""
    words = shlex.split(shell.info(f"attach {what}"))
    return [HARNESS, *words[1:]] if words[0] == "harness" else words


def test_a_second_terminal_has_the_console_too(shell: Person) -> None:
    """What one types into the guest's shell the other reads, until Ctrl-]."""
    program, *words = _attach(shell, "console")
    with pexpect.spawn(program, words, encoding="utf-8", timeout=TIMEOUT) as other:
        other.expect(IN_GUEST)
        shell.terminal.sendline("console")
        shell.terminal.expect(IN_GUEST)
        other.sendline("echo typed $((6 * 7))")
        other.expect_exact("typed 42")
        shell.terminal.expect_exact("typed 42")
        other.send(LEAVE)
        other.expect(pexpect.EOF)
    shell.terminal.send(LEAVE)
    shell.terminal.expect_exact(PROMPT)


def test_a_second_terminal_has_drgn(mapped: Person) -> None:
    """The command for drgn opens its prompt on the same guest, and ends with it."""
    program, *words = _attach(mapped, "drgn")
    with pexpect.spawn(program, words, encoding="utf-8", timeout=TIMEOUT) as other:
        other.expect_exact("comes back.")
        other.sendline("print_io_tlb_mems(prog)")
        other.expect_exact("3 of 8192 slots used")
        other.expect_exact(">>> ")
        other.sendeof()
        other.expect(pexpect.EOF)
        other.close()
        assert other.exitstatus == 0


@NEEDS_GDB
def test_a_second_terminal_has_gdb(shell: Person) -> None:
    """The command for gdb takes the machine, which runs again when gdb has gone."""
    program, *words = _attach(shell, "gdb")
    with pexpect.spawn(program, words, encoding="utf-8", timeout=TIMEOUT) as other:
        other.expect_exact("(gdb) ")
        assert "stopped" in shell.ask("info | head -1")
        other.sendline("info symbol call_map")
        other.expect_exact("call_map in section .text of")
        other.sendline("quit")
        other.expect(pexpect.EOF)
    assert "running" in shell.ask("info | head -1")


def test_one_qmp_command_is_a_command(shell: Person) -> None:
    """QMP answers in JSON, arguments are given by name, refusals are sentences."""
    assert '"running": true' in shell.ask("qmp query-status")
    assert "/machine" in shell.ask("qmp human-monitor-command command-line='info qom-tree' | cat")
    assert '"major"' in shell.ask('qmp {"execute": "query-version"}')
    assert "has not been found" in shell.ask("qmp query-nonsense")
    assert "expected KEY=VALUE" in shell.ask("qmp stop now")


def test_a_second_terminal_sees_the_memory_of_the_same_guest(mapped: Person) -> None:
    """The command that ``info`` prints opens the same pools beside the first session."""
    other = sit_down(_attach(mapped, "memory"))
    try:
        (slot,) = other.json("slots")
        assert slot["buffer"] == mapped.json("slots")[0]["buffer"]
        assert "Linux version" in other.ask("memory linux_banner /s")
        assert "has no machine to control" in other.ask("rogue plug")
        assert "has no machine to control" in other.ask("log")
    finally:
        other.leave()


def test_a_dump_opens_in_the_same_prompt(mapped: Person, tmp_path: Path) -> None:
    """Pools, slots, tasks and searches work on a dump; what needs a machine says so."""
    mapped.ask(f"save {tmp_path}/kept")
    dump, vmlinux = f"{tmp_path}/kept/memory.elf", f"{tmp_path}/kept/vmlinux"
    other = sit_down([HARNESS, "shell", "--dump", dump, "--vmlinux", vmlinux])
    try:
        assert other.json("slots")[0]["buffer"] == mapped.json("slots")[0]["buffer"]
        assert "kthreadd" in other.ask("ps | head")
        assert "linux_banner" in other.ask('search "Linux version" in kernel')
        assert "has no machine to control" in other.ask("bt")
        assert "has no machine to control" in other.ask("run true")
    finally:
        other.leave()


def test_a_file_of_commands_is_run(shell: Person, tmp_path: Path) -> None:
    """Each line is shown and run; errors do not end it, quit does."""
    script = tmp_path / "commands"
    script.write_text("# a remark\nwhere pool:slot3\nnonsense\nrun uname\n")

    said = shell.ask(f"script {script}")

    assert all(one in said for one in ("slot 3 of pool", "unknown command", "Linux"))
    script.write_text(f"script {script}\n")
    assert "more than 8 deep" in shell.ask(f"script {script}")


def test_attacks_of_the_matrix_are_carried_out_by_hand(shell: Person) -> None:
    """An attack says what it did and what is expected under this protection."""
    assert "patch-data" in shell.ask("attack | cat")
    assert "succeeded (expected: succeeded)" in shell.ask("attack patch-data")
    assert "did you mean 'patch-data'" in shell.ask("attack patch-dota")
    assert "does not apply" in shell.ask("attack firmware-tables")
    assert "--fence=smmu" in shell.ask("fence")
