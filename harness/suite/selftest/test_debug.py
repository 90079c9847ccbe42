# SPDX-License-Identifier: Apache-2.0
"""``harness debug`` starts the machine of a failure before its last call, and makes it again."""

import re
import subprocess
from pathlib import Path

import drgn
import pytest

from harness.base.paths import CHECKOUT
from harness.devices.probe import Byte, Direction, Probe, Seed
from harness.devices.rogue import EduRogue
from harness.kernel import SLOT
from harness.machine.description import save_machine
from harness.machine.devicetree import Pool
from harness.machine.machine import Machine
from harness.machine.qemu.artifacts import save
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, LiveMemory
from harness.observe.memory.names import Resolver
from harness.shell.drgn_swiotlb import io_tlb_pool, restricted_mems
from harness.suite.lib.expect.kernel import SYNC_WARNING
from harness.suite.lib.person import HARNESS, NEEDS_GDB, PROMPT, SESSION_TESTS, Person, sit_down

pytestmark = SESSION_TESTS

SIZE = 4096


@pytest.fixture
def kept(guest: Guest, probe: Probe, tmp_path: Path) -> Path:
    """The artifacts of a guest in which a driver mapped, a rogue wrote, and the driver unmapped."""
    rogue = EduRogue(guest)
    buffer = probe.buffer(SIZE, content=Byte(0x11))
    mapping = probe.device("probe-a").map_single(buffer, Direction.FROM_DEVICE)
    rogue.write(mapping.dma_addr, b"rogue")
    mapping.unmap()
    directory = tmp_path / "kept"
    directory.mkdir()
    save(guest, directory)
    return directory


def _debug(*words: object) -> Person:
    return sit_down([HARNESS, "debug", *map(str, words)])


def test_the_last_call_is_made_by_hand_and_its_effects_are_told(kept: Path, pool: Pool) -> None:
    """Before ``next`` the mapping is there; the unmap copies what the rogue wrote to the buffer."""
    person = _debug(kept)
    try:
        assert "calls are made; 'next' makes the last" in person.intro
        (slot,) = person.json("slots")
        assert slot["address"] == pool.base
        assert "11 11 11 11 11" in person.ask(f"memory {slot['buffer']:#x} 5")

        said = person.ask("next")

        assert re.search(rf"dma_unmap_single\(probe-a, {pool.base:#x}, {SIZE}, DMA_FROM", said)
        assert f"{pool.base:#x} slot 0 of pool {pool.name}" in said
        assert f"gives back slot 0 of {pool.name}" in said
        assert re.search(rf"changes 5 of {SIZE} bytes of buffer:0, first at 0x.*: 11 -> 72", said)
        assert "rogue" in person.ask(f"memory {slot['buffer']:#x} 5")
        assert "last recorded call" in person.ask("next")
        assert "rogue0 is plugged in" in person.ask("snapshot one")
    finally:
        person.leave()


def test_the_calls_can_be_made_from_the_first_one(kept: Path) -> None:
    """The test's calls come in their order, the rogue's among them, and stop in the kernel."""
    person = _debug(kept, "--from-start")
    try:
        person.ask("break swiotlb_tbl_map_single")
        said = person.ask("next all")
        assert "breakpoint 1" in said
        assert "call_map" in person.ask("bt | cat")
        said = person.ask("continue")
        order = ("rogue0 is plugged", "dma_map_single", "rogue0 writes 5 bytes", "dma_unmap_single")
        places = [said.find(one) for one in order]
        assert -1 not in places
        assert places == sorted(places)
    finally:
        person.leave()


@pytest.fixture
def broken(
    guest: Guest, probe: Probe, types: KernelTypes, memory: LiveMemory, tmp_path: Path
) -> Path:
    """The artifacts of a guest in which a device makes a slot that nobody holds count as used."""
    mapping = probe.device("probe-a").map_single(probe.buffer(SIZE), Direction.FROM_DEVICE)
    slots = io_tlb_pool(next(iter(restricted_mems(types.program).values()))).slots
    counter = slots[1000].list
    place = Resolver(lambda: types, ()).to_phys(counter.address_)
    memory.write(place, bytes(drgn.sizeof(counter)))
    mapping.unmap()
    directory = tmp_path / "kept"
    directory.mkdir()
    save(guest, directory)
    return directory


@pytest.mark.breaks("B13", "a slot counts as used")
@pytest.mark.breaks("D6", "and nobody holds it")
def test_all_calls_stop_behind_the_one_that_breaks_a_property(broken: Path) -> None:
    """The oracles look after each call; a snapshot has the calls that follow it."""
    person = _debug(broken, "--from-start")
    try:
        person.ask("next")
        assert "returns to this moment" in person.ask("snapshot mapped")
        said = person.ask("next all")
        assert "B13 violated: 3 slots of restricted-dma@4f000000 are in use" in said
        assert "device writes 2 bytes" in said
        assert "stopped here" in said
        assert "dma_unmap_single" not in said
        assert "the machine runs from there" in person.ask("back mapped")
        assert "device writes 2 bytes" in person.ask("next")
        assert "dma_unmap_single(probe-a" in person.ask("next all")
    finally:
        person.leave()


REVERSE = 300
"""Seconds to go back: the boot is played twice, some 10 s on an idle machine."""


@NEEDS_GDB
def test_a_recording_goes_back(kept: Path) -> None:
    """QEMU records the calls; the shell and gdb go back from the unmap to the copy of the map."""
    person = _debug("--record", kept)
    try:
        person.terminal.timeout = REVERSE
        (slot,) = person.json("slots")
        assert "11 11 11 11 11" in person.ask(f"memory {slot['buffer']:#x} 5")
        person.ask(f"watch {slot['buffer']:#x} write by kernel")
        said = person.ask("next")
        assert "in dma_unmap_single(probe-a" in said
        assert "watchpoint 1, " in said
        assert "memcpy" in said
        person.ask("delete 1")
        assert "gives back slot 0" in person.ask("next")
        assert "rogue" in person.ask(f"memory {slot['buffer']:#x} 5")
        person.ask("break swiotlb_bounce")
        assert "breakpoint 2, swiotlb_bounce" in person.ask("reverse-continue")
        assert "call_unmap" in person.ask("bt | cat")
        before = person.ask("reverse-step")
        assert "+0x" in before
        assert "swiotlb_bounce+0x0" not in before
        assert "swiotlb_bounce+0x0" in person.ask("step")
        assert "takes no input" in person.ask("run true")
        person.terminal.sendline("gdb")
        for command in ("break swiotlb_tbl_map_single", "reverse-continue", "backtrace 3"):
            person.terminal.expect_exact("(gdb) ")
            person.terminal.sendline(command)
        person.terminal.expect(r"#0 .*swiotlb_tbl_map_single[^#]*#1 .*swiotlb_map")
        person.terminal.expect_exact("(gdb) ")
        person.terminal.sendline("quit")
        person.terminal.expect_exact(PROMPT)
        assert "no slot" in person.ask("slots")
        assert person.ask("next").count("takes slot 0 of") == 1
    finally:
        person.leave()


def test_what_cannot_be_recorded_is_a_sentence(machine: Machine, tmp_path: Path) -> None:
    """A failure without calls of a driver, or with a fence, has no recording."""
    save_machine(machine, tmp_path)
    ran = subprocess.run(
        [HARNESS, "debug", "--record", tmp_path], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 2
    assert "has no calls of a driver" in ran.stderr


def test_a_guest_without_recorded_calls_is_a_session_all_the_same(shell: Person) -> None:
    """Without calls ``next`` says so, and all the rest works."""
    assert "no recorded calls" in shell.intro
    assert "there are no recorded calls" in shell.ask("next")


@pytest.fixture
def bad_sync(guest: Guest, probe: Probe, memory: LiveMemory, tmp_path: Path) -> Path:
    """The artifacts of a guest whose driver syncs behind the end of its mapping."""
    device = probe.device("probe-a")
    buffer = probe.buffer(4 * SIZE, content=Seed(1))
    mapping = device.map_single(buffer, Direction.FROM_DEVICE, size=100)
    memory.write(mapping.dma_addr, Seed(2).content(0, SLOT))
    device.unchecked.sync_single_for_cpu(mapping.dma_addr + 200, 64, mapping.direction)
    directory = tmp_path / "kept"
    directory.mkdir()
    save(guest, directory)
    return directory


@pytest.mark.needs("the unsigned rest of swiotlb_bounce()", since="6.10")
@pytest.mark.expects_report(SYNC_WARNING)
def test_the_story_in_the_docs_is_what_a_person_sees(bad_sync: Path) -> None:
    """Each command of docs/debugging-story.md answers as it is written there."""
    person = _debug(bad_sync)
    try:
        for command, answer in _story():
            seen = person.ask(f"{command} | cat")
            wanted = r".*?\n\s*".join(map(_pattern, answer))
            assert re.search(wanted, seen, re.DOTALL), f"{command}: {seen}"
    finally:
        person.leave()


def _story() -> list[tuple[str, list[str]]]:
    """The commands of the page, and the lines of their answers."""
    text = (CHECKOUT / "docs/debugging-story.md").read_text()
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith(f"    {PROMPT}"):
            found.append((line.strip().removeprefix(PROMPT), []))
        elif line.startswith("    ") and found:
            found[-1][1].append(line.strip())
    return found


def _pattern(line: str) -> str:
    """A line of the page as a pattern: addresses, offsets and line numbers may differ."""
    text = re.escape(line).replace(r"\.\.\.", ".*")
    text = re.sub(r"\b0x[0-9a-f]+", "0x[0-9a-f]+", text)
    text = re.sub(r":\d+\\\)", r":\\d+\\)", text)
    return re.sub(r"(\\ )+", r"\\s+", text)
