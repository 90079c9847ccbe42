# SPDX-License-Identifier: Apache-2.0
"""``harness shell``, as a person uses it on a terminal."""

import os
import re
import signal
import socket
from pathlib import Path

import pexpect
import pytest

from harness.jobs.fuzz import FuzzCase, FuzzStep
from harness.shell.commands import commands
from harness.suite.lib.person import (
    COLUMNS,
    CTRL_C,
    IN_GUEST,
    LEAVE,
    NEEDS_GDB,
    PROMPT,
    ROWS,
    SESSION_TESTS,
    Person,
)

pytestmark = SESSION_TESTS

SPOT = 0x4800_0000
"""An address of RAM outside the pool."""


def test_a_slot_is_told_with_its_holder_its_call_and_the_buffer_behind_it(mapped: Person) -> None:
    """``slots`` answers who holds what, since which call, and where the CPU has the buffer."""
    (slot,) = mapped.json("slots")
    (mapping,) = mapped.json("mappings")

    assert slot["holder"] == "probe-a mapping:0"
    assert slot["since"] == mapping["since"]
    assert f", {slot['buffer']:#x}, 5000, DMA_TO_DEVICE) = {slot['address']:#x}" in slot["since"]
    assert slot["slot"] == "0-2"
    assert mapped.json("where mapping:0")["address"] == slot["address"]
    assert mapped.json("where buffer:0")["address"] == slot["buffer"]
    assert len(mapped.json("slots pool all")) == 8192


def test_names_stand_for_addresses_and_addresses_are_told_by_name(mapped: Person) -> None:
    """Symbols, slots, registers and sums are taken; what lies there is said."""
    assert "Linux version" in mapped.ask("memory linux_banner /s")
    assert "swiotlb_bounce+0x20" in mapped.ask("where swiotlb_bounce+0x20")
    assert "slot 1 of pool restricted-dma@4f000000" in mapped.ask("where pool:slot0 + 2048")
    assert "kernel text" in mapped.ask("where $pc")
    assert "did you mean 'linux_banner'" in mapped.ask("memory linux_baner")
    assert "0x" in mapped.ask("memory pool:slot0 /4gx")
    assert "swiotlb_map:" in mapped.ask("memory swiotlb_map /4i")
    assert "linux_banner+0x0" in mapped.ask('search "Linux version" in kernel')


def test_pools_and_devices_are_listed_and_go_through_a_pipe(mapped: Person) -> None:
    """The kernel's pools with their use, each device with its pool, and any of it to grep."""
    assert mapped.ask("pools | grep -c restricted").splitlines()[-1] == "1"
    assert mapped.json("pools")[0]["used"] == 3
    of = {one["device"]: one for one in mapped.json("devices")}
    assert (of["probe-a"]["pool"], of["probe-a"]["coherent"]) == ("restricted-dma@4f000000", False)
    assert of["probe-b"]["coherent"] is True


def test_help_is_of_every_command_or_of_one_with_examples(shell: Person) -> None:
    """Each command has its forms and a sentence; a wrong name gets the one that was meant."""
    everything = shell.json("help")

    assert everything.keys() == commands().keys()
    assert all(f"\n{name}" in shell.ask("help | cat") for name in ("slots", "watch", "quit"))
    assert "Examples:" in shell.ask("help slots")
    assert "did you mean 'slots'" in shell.ask("help slotz")


@pytest.mark.parametrize("word", ["quit", "exit", "q"])
def test_every_usual_word_ends_the_session(shell: Person, word: str) -> None:
    """The exit code is 0, and QEMU is gone."""
    qemu = shell.info("QEMU process")
    shell.terminal.sendline(word)
    shell.terminal.expect(pexpect.EOF)
    shell.terminal.close()

    assert shell.terminal.exitstatus == 0
    assert not Path(f"/proc/{qemu}").exists()


def test_a_case_of_the_fuzzer_is_run_again(shell: Person, tmp_path: Path) -> None:
    """In a guest of its own, step by step; a file that is no case is refused."""
    case, other = tmp_path / "case.json", tmp_path / "other.json"
    case.write_text(FuzzCase("rng", (FuzzStep("plug"), FuzzStep("read"))).text())
    other.write_text("{}")

    assert re.search(r"plug: 0\s+read: 0\s+unbind: 0\s", shell.ask(f"fuzz replay {case}"))
    assert "error" in shell.ask(f"fuzz replay {other}")
    assert "running" in shell.ask("info")


def test_words_are_completed_from_what_they_may_be(shell: Person) -> None:
    """Tab completes a command, a symbol, a pool."""
    shell.terminal.send("memo\tlinux_ban\t")
    shell.terminal.expect_exact("memory linux_banner")
    shell.terminal.sendline(" /s")
    shell.terminal.expect_exact("Linux version")
    shell.terminal.expect_exact(PROMPT)


def test_long_answers_go_through_the_pager(shell: Person) -> None:
    """An answer that is longer than the window waits for its reader."""
    shell.terminal.sendline("log")
    shell.terminal.expect_exact("Booting Linux")
    shell.terminal.send("q")
    shell.terminal.expect_exact(PROMPT)


def test_a_kill_restores_the_terminal_and_leaves_nothing_running(shell: Person) -> None:
    """SIGTERM during the console's raw mode ends QEMU, and the terminal echoes again."""
    qemu = shell.info("QEMU process")
    shell.terminal.sendline("console")
    shell.terminal.expect(IN_GUEST)

    shell.terminal.kill(signal.SIGTERM)
    shell.terminal.expect(pexpect.EOF)
    shell.terminal.wait()

    assert shell.terminal.exitstatus == 128 + signal.SIGTERM
    assert not Path(f"/proc/{qemu}").exists()


def test_the_console_is_the_guests_own_terminal(shell: Person) -> None:
    """Keys go to the guest's shell, Ctrl-C too, which knows the window's size; Ctrl-] leaves."""
    shell.terminal.sendline("console")
    shell.terminal.expect(IN_GUEST)
    shell.terminal.sendline("stty size; sleep 1000")
    shell.terminal.expect_exact(f"{ROWS} {COLUMNS}")
    shell.terminal.send(CTRL_C)
    shell.terminal.expect(IN_GUEST)
    shell.terminal.send(LEAVE)
    shell.terminal.expect_exact(PROMPT)

    assert "running" in shell.ask("info")


def test_qmp_is_qemus_own_shell(shell: Person) -> None:
    """A person speaks QMP while the harness does; Ctrl-C is no way out, Ctrl-D is."""
    shell.terminal.sendline("qmp")
    shell.terminal.expect_exact("(QEMU) ")
    shell.terminal.send(CTRL_C)
    shell.terminal.sendline("stop")
    shell.terminal.expect_exact('{"return": {}}')
    shell.terminal.expect_exact(
        "(QEMU) "
    )  # before that the terminal would not hand Ctrl-D on as a key
    shell.terminal.sendeof()
    shell.terminal.expect_exact(PROMPT)

    assert "'continue' resumes it" in shell.ask("run true")


@NEEDS_GDB
def test_two_people_on_one_socket_are_told_of_each_other(shell: Person) -> None:
    """QEMU serves one QMP client and one gdb at a time; the second person gets a sentence."""
    directory = shell.info("run directory")
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(f"{directory}/qmp.sock")
        assert other.recv(100).startswith(b'{"QMP"')
        assert "another terminal is connected" in shell.ask("qmp")
    shell.ask("gdb --print")
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(f"{directory}/gdb.sock")
        other.sendall(b"$?#3f")
        assert other.recv(100)
        assert "another gdb is connected" in shell.ask("break swiotlb_map")


def test_what_a_rogue_writes_is_seen_in_memory(shell: Person) -> None:
    """The rogue's DMA goes to RAM without the guest, and not when it is no bus master."""
    shell.ask(f"rogue write {SPOT:#x} 726f677565")
    shell.ask("rogue master off")
    shell.ask(f"rogue write {SPOT:#x} 0000000000")

    assert "rogue" in shell.ask(f"memory {SPOT:#x} 5")
    assert f"{SPOT:#x}" in shell.ask('search "rogue" | cat')


@pytest.mark.nightly("a slot takes a second to switch off")
def test_rogues_of_several_kinds_are_plugged_in_and_out(shell: Person) -> None:
    """Each kind goes into a port of its own, and out of it again to make room for another."""
    shell.ask("rogue plug 0 edu")
    assert "0000:02:00.0" in shell.ask("rogue plug 1 nvme")
    shell.ask(f"rogue write {SPOT:#x} 726f677565")
    assert "unplug" in shell.ask("rogue plug 0 nvme")
    shell.ask("rogue plug 0")
    assert "rogue" in shell.ask(f"rogue read {SPOT:#x} 5")
    shell.ask("rogue unplug")
    assert "0000:01:00.0" in shell.ask("rogue plug 0 nvme")


def test_a_panic_in_the_console_is_told_at_once(shell: Person, tmp_path: Path) -> None:
    """The person sees the report, learns that it is over, and may still keep the artifacts."""
    shell.terminal.sendline("console")
    shell.terminal.expect(IN_GUEST)
    shell.terminal.sendline("echo c > /proc/sysrq-trigger")
    shell.terminal.expect_exact("Kernel panic - not syncing")
    shell.terminal.expect_exact("The guest has ended: panic: Kernel panic")
    shell.terminal.expect_exact(PROMPT)

    shell.ask(f"save {tmp_path}/kept")
    assert (tmp_path / "kept/memory.elf").stat().st_size > 0


def test_a_qemu_that_is_gone_is_told_at_once(shell: Person) -> None:
    """Nobody has to type to learn that the machine is no more, and Ctrl-D ends the session."""
    os.kill(int(shell.info("QEMU process")), signal.SIGKILL)

    shell.terminal.expect_exact("The guest has ended: QEMU died")
    shell.terminal.sendeof()
    shell.terminal.expect(pexpect.EOF)
    shell.terminal.close()
    assert shell.terminal.exitstatus == 0
