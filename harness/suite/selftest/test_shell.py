# SPDX-License-Identifier: Apache-2.0
"""``harness shell``, as a person uses it on a terminal."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from harness.machine.description import save_machine
from harness.machine.machine import Machine
from harness.machine.qemu.artifacts import reopen_command
from harness.machine.qemu.snapshot import park

# what Python says since 3.12 about the fork that pexpect needs; the child only executes
pytestmark = [
    pytest.mark.any_kernel("a person debugs any guest"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]

PROMPT = "harness> "
IN_GUEST = "[/~] # "
"""Since busybox 1.37 its shell calls the home directory so, which is /."""

CTRL_C, LEAVE = "\x03", "\x1d"

ROWS, COLUMNS = 37, 117
"""A window that is nobody's default."""

TIMEOUT = 20
"""Seconds for whatever is expected next; restoring a guest takes the longest, some 2."""

SPOT = 0x4800_0000
"""An address of RAM outside the pool."""


@pytest.fixture
def shell(machine: Machine, tmp_path: Path) -> Iterator[Any]:
    """A person at the shell's prompt, in this test's machine."""
    park(machine)
    save_machine(machine, tmp_path)
    command, *words = reopen_command(tmp_path).split()
    person = pexpect.spawn(
        command, words, encoding="utf-8", timeout=TIMEOUT, dimensions=(ROWS, COLUMNS)
    )
    person.expect_exact(PROMPT)
    yield person
    person.close(force=True)


def _ask(shell: Any, line: str) -> str:
    """Type a command and return what it says."""
    shell.sendline(line)
    shell.expect_exact(PROMPT)
    return str(shell.before)


def _json(shell: Any, line: str) -> Any:
    """The data of a command's answer."""
    return json.loads(_ask(shell, f"{line} --json | cat").partition("cat")[2])


MAPPER = """\
from harness.devices.probe import Direction
buffer = probe.buffer(8192)
mapping = probe.device("probe-a").map_single(buffer, Direction.TO_DEVICE, size=5000)
"""


@pytest.fixture
def mapped(shell: Any, tmp_path: Path) -> Any:
    """The shell, with a mapping of three slots that a script made."""
    script = tmp_path / "mapper.py"
    script.write_text(MAPPER)
    assert "error" not in _ask(shell, f"python {script}")
    return shell


def test_a_slot_is_told_with_its_holder_its_call_and_the_buffer_behind_it(mapped: Any) -> None:
    """``slots`` answers who holds what, since which call, and where the CPU has the buffer."""
    (slot,) = _json(mapped, "slots")
    (mapping,) = _json(mapped, "mappings")

    assert slot["holder"] == "probe-a mapping:0"
    assert slot["since"] == mapping["since"]
    assert f", {slot['buffer']:#x}, 5000, DMA_TO_DEVICE) = {slot['address']:#x}" in slot["since"]
    assert slot["slot"] == "0-2"
    assert _json(mapped, "where mapping:0")["address"] == slot["address"]
    assert _json(mapped, "where buffer:0")["address"] == slot["buffer"]
    assert len(_json(mapped, "slots pool all")) == 8192


def test_names_stand_for_addresses_and_addresses_are_told_by_name(mapped: Any) -> None:
    """Symbols, slots, registers and sums are taken; what lies there is said."""
    assert "Linux version" in _ask(mapped, "memory linux_banner /s")
    assert "swiotlb_bounce+0x20" in _ask(mapped, "where swiotlb_bounce+0x20")
    assert "slot 1 of pool restricted-dma@4f000000" in _ask(mapped, "where pool:slot0 + 2048")
    assert "kernel text" in _ask(mapped, "where $pc")
    assert "did you mean 'linux_banner'" in _ask(mapped, "memory linux_baner")
    assert "0x" in _ask(mapped, "memory pool:slot0 /4gx")
    assert "swiotlb_map:" in _ask(mapped, "memory swiotlb_map /4i")
    assert "linux_banner+0x0" in _ask(mapped, 'search "Linux version" in kernel')


def test_pools_and_devices_are_listed_and_go_through_a_pipe(mapped: Any) -> None:
    """The kernel's pools with their use, each device with its pool, and any of it to grep."""
    assert _ask(mapped, "pools | grep -c restricted").splitlines()[-1] == "1"
    assert _json(mapped, "pools")[0]["used"] == 3
    of = {one["device"]: one for one in _json(mapped, "devices")}
    assert (of["probe-a"]["pool"], of["probe-a"]["coherent"]) == ("restricted-dma@4f000000", False)
    assert of["probe-b"]["coherent"] is True


def test_words_are_completed_from_what_they_may_be(shell: Any) -> None:
    """Tab completes a command, a symbol, a pool."""
    shell.send("memo\tlinux_ban\t")
    shell.expect_exact("memory linux_banner")
    shell.sendline("/s")
    shell.expect_exact("Linux version")
    shell.expect_exact(PROMPT)


def test_long_answers_go_through_the_pager(shell: Any) -> None:
    """An answer that is longer than the window waits for its reader."""
    shell.sendline("log")
    shell.expect_exact("Booting Linux")
    shell.send("q")
    shell.expect_exact(PROMPT)


def test_a_kill_restores_the_terminal_and_leaves_nothing_running(shell: Any) -> None:
    """SIGTERM during the console's raw mode ends QEMU, and the terminal echoes again."""
    found = re.search(r"QEMU process +(\d+)", _ask(shell, "info"))
    assert found is not None
    shell.sendline("console")
    shell.expect(IN_GUEST)

    shell.kill(signal.SIGTERM)
    shell.expect(pexpect.EOF)
    shell.wait()

    assert shell.exitstatus == 128 + signal.SIGTERM
    assert not Path(f"/proc/{found[1]}").exists()


def test_the_console_is_the_guests_own_terminal(shell: Any) -> None:
    """Keys go to the guest's shell, Ctrl-C too, which knows the window's size; Ctrl-] leaves."""
    shell.sendline("console")
    shell.expect(IN_GUEST)
    shell.sendline("stty size; sleep 1000")
    shell.expect_exact(f"{ROWS} {COLUMNS}")
    shell.send(CTRL_C)
    shell.expect(IN_GUEST)
    shell.send(LEAVE)
    shell.expect_exact(PROMPT)

    assert "running" in _ask(shell, "info")


def test_qmp_is_qemus_own_shell(shell: Any) -> None:
    """A person speaks QMP while the harness does; Ctrl-C is no way out, Ctrl-D is."""
    shell.sendline("qmp")
    shell.expect_exact("(QEMU) ")
    shell.send(CTRL_C)
    shell.sendline("stop")
    shell.expect_exact('{"return": {}}')
    shell.expect_exact("(QEMU) ")  # before that the terminal would not hand Ctrl-D on as a key
    shell.sendeof()
    shell.expect_exact(PROMPT)

    assert "'continue' resumes it" in _ask(shell, "run true")


def test_what_a_rogue_writes_is_seen_in_memory(shell: Any) -> None:
    """The rogue's DMA goes to RAM without the guest, and not when it is no bus master."""
    _ask(shell, f"rogue write {SPOT:#x} 726f677565")
    _ask(shell, "rogue master off")
    _ask(shell, f"rogue write {SPOT:#x} 0000000000")

    assert "rogue" in _ask(shell, f"memory {SPOT:#x} 5")
    assert f"{SPOT:#x}" in _ask(shell, 'search "rogue" | cat')


@pytest.mark.nightly("a slot takes a second to switch off")
def test_rogues_of_several_kinds_are_plugged_in_and_out(shell: Any) -> None:
    """Each kind goes into a port of its own, and out of it again to make room for another."""
    _ask(shell, "rogue plug 0 edu")
    assert "0000:02:00.0" in _ask(shell, "rogue plug 1 nvme")
    _ask(shell, f"rogue write {SPOT:#x} 726f677565")
    assert "unplug" in _ask(shell, "rogue plug 0 nvme")
    _ask(shell, "rogue plug 0")
    assert "rogue" in _ask(shell, f"rogue read {SPOT:#x} 5")
    _ask(shell, "rogue unplug")
    assert "0000:01:00.0" in _ask(shell, "rogue plug 0 nvme")


def test_a_panic_in_the_console_is_told_at_once(shell: Any, tmp_path: Path) -> None:
    """The person sees the report, learns that it is over, and may still keep the artifacts."""
    shell.sendline("console")
    shell.expect(IN_GUEST)
    shell.sendline("echo c > /proc/sysrq-trigger")
    shell.expect_exact("Kernel panic - not syncing")
    shell.expect_exact("The guest has ended: panic: Kernel panic")
    shell.expect_exact(PROMPT)

    _ask(shell, f"save {tmp_path}/kept")
    assert (tmp_path / "kept/memory.elf").stat().st_size > 0


def test_a_qemu_that_is_gone_is_told_at_once(shell: Any) -> None:
    """Nobody has to type to learn that the machine is no more, and Ctrl-D ends the session."""
    found = re.search(r"QEMU process +(\d+)", _ask(shell, "info"))
    assert found is not None

    os.kill(int(found[1]), signal.SIGKILL)

    shell.expect_exact("The guest has ended: QEMU died")
    shell.sendeof()
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0
