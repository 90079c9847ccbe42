# SPDX-License-Identifier: Apache-2.0
"""``harness shell`` stops a kernel where it matters, shows where it is, and goes back in time."""

import re
import time
from pathlib import Path

from harness.suite.lib.person import SESSION_TESTS, Person

pytestmark = SESSION_TESTS

QUICK = 0.5
"""Seconds that a snapshot, or the way back, takes on an idle machine; three times on a busy one."""


def test_a_breakpoint_stops_a_call_and_shows_its_stack(shell: Person, mapper: Path) -> None:
    """The call of a driver stands still in the kernel; its stack leads to the probe."""
    assert "swiotlb.c" in shell.ask("break swiotlb_bounce")
    assert "breakpoint 1, swiotlb_bounce" in shell.ask(f"python {mapper}")
    stack = shell.ask("bt | cat")

    assert re.search(r"swiotlb_bounce.*swiotlb_map.*call_map.*guest/probe/", stack, re.DOTALL)
    assert "slot 0 of pool" in shell.ask("where $x1")
    assert "swiotlb_bounce+0x" in shell.ask("step 2")
    assert "stopped" in shell.ask("python /dev/null")
    assert "error" not in shell.ask("continue")
    assert shell.json("slots")[0]["holder"] == "probe-a mapping:0"
    assert "removed: swiotlb_bounce" in shell.ask("delete 1")


def test_stops_by_hand_and_by_breakpoint_do_not_disturb_each_other(
    shell: Person, mapper: Path
) -> None:
    """``stop`` and ``bt`` work beside a breakpoint, which still stops the next call."""
    shell.ask("break swiotlb_bounce")
    assert "CPU 0" in shell.ask("bt | head -1")
    shell.ask("stop")
    assert "CPU 0 at" in shell.ask("step")
    shell.ask("watch linux_banner read by kernel")
    assert "stopped" in shell.ask("info | head -1")
    shell.ask("delete 2")
    shell.ask("delete 1")
    assert "stopped" in shell.ask("info | head -1")
    assert "the machine runs" in shell.ask("continue")
    shell.ask("break swiotlb_bounce")
    assert "breakpoint 3" in shell.ask(f"python {mapper}")
    shell.ask("delete 3")
    shell.ask("continue")
    assert "returns to this moment" in shell.ask("snapshot one")


def test_a_condition_lets_other_calls_pass(shell: Person, mapper: Path) -> None:
    """A breakpoint whose condition does not hold stops nothing."""
    shell.ask("break swiotlb_map if $x2 == 0x1388")
    shell.ask("break swiotlb_map if $x2 == 0x1389")
    assert "no condition" in shell.ask("break swiotlb_map if often")

    assert "breakpoint" in shell.ask(f"python {mapper}")
    assert "0x0000000000001388" in shell.ask("regs | grep 'x2 '")
    assert "removed" in shell.ask("delete 2")
    assert "there are 1" in shell.ask("delete 2")


def test_a_write_of_the_kernel_to_a_slot_is_caught(shell: Person, mapper: Path) -> None:
    """The copy of swiotlb to the slot is the access that a watchpoint on it stops."""
    shell.ask("watch pool:slot1 write by kernel")

    assert "watchpoint 1, pool:slot1 write by kernel" in shell.ask(f"python {mapper}")
    assert "swiotlb_bounce" in shell.ask("bt | cat")


def test_an_access_of_a_device_to_a_slot_is_told(shell: Person) -> None:
    """What a rogue does to a watched slot is reported, and elsewhere not."""
    assert "with an SMMU" in shell.ask("watch pool:slot1 write by device")
    assert "device access" not in shell.ask("rogue write pool:slot0 c0ffee")
    assert "device access: rogue0 writes 3 bytes" in shell.ask("rogue write pool:slot1 c0ffee")
    assert "device access" not in shell.ask("rogue read pool:slot1 3")


def test_a_snapshot_is_the_whole_machine(mapped: Person, mapper: Path) -> None:
    """Memory, slots and what the guest runs are as they were, even after its end."""
    begin = time.monotonic()
    mapped.ask("snapshot one")
    taken = time.monotonic() - begin
    mapped.ask(f"python {mapper}")
    mapped.ask("rogue write buffer:0 c0ffee")
    assert "unplug" in mapped.ask("snapshot two")
    assert "panic" in mapped.ask("run echo c > /proc/sysrq-trigger")

    begin = time.monotonic()
    assert "error" not in mapped.ask("back one")
    gone_back = time.monotonic() - begin
    (slot,) = mapped.json("slots")

    assert slot["holder"] == "probe-a mapping:0"
    assert slot["since"].startswith("dma_map_single(probe-a")
    assert "00 00 00" in mapped.ask("memory buffer:0 3")
    assert "error" not in mapped.ask(f"python {mapper}")
    assert "there is one" in mapped.ask("back two")
    assert max(taken, gone_back) < 6 * QUICK


def test_a_mark_shows_what_changes(shell: Person, mapper: Path) -> None:
    """``diff`` tells the slots that a driver took and the bytes that a rogue wrote."""
    shell.ask("mark")
    shell.ask("mark pool:slot100 64")
    assert "nothing has changed" in shell.ask("diff")
    shell.ask(f"python {mapper}")
    shell.ask("rogue write pool:slot100+16 c0ffee")

    changed = shell.json("diff")

    assert [one["was"] for one in changed[:3]] == ["free"] * 3
    assert changed[3]["is"].startswith("c0 ff ee")


def test_trace_events_of_the_kernel_are_shown(shell: Person, mapper: Path) -> None:
    """Each bounce is an event; unknown events are named with those that there are."""
    assert "swiotlb" in shell.ask("trace on nonsense")
    shell.ask("trace on swiotlb")
    shell.ask(f"python {mapper}")

    assert "swiotlb_bounced: dev_name: probe-a" in shell.ask("trace")


def test_tasks_registers_and_code_are_shown(shell: Person) -> None:
    """The guest's tasks, a CPU's registers by name, and the code of a function."""
    assert "kthreadd" in shell.ask("ps | head")
    assert re.search(r"pc +0x[0-9a-f]+ +\w+\+0x", shell.ask("regs | head -3"))
    assert re.search(
        r"swiotlb_bounce:.*\+0x0 ", shell.ask("disas swiotlb_bounce | head"), re.DOTALL
    )
