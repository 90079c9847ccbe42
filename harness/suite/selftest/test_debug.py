# SPDX-License-Identifier: Apache-2.0
"""``harness debug`` starts the machine of a failure before its last call, and makes it again."""

import re
from pathlib import Path

import pytest

from harness.devices.probe import Byte, Direction, Probe
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Pool
from harness.machine.qemu.artifacts import save
from harness.machine.qemu.guest import Guest
from harness.suite.lib.person import FORKS, Person, sit_down

pytestmark = [pytest.mark.any_kernel("a person debugs any guest"), FORKS]

SIZE = 4096


@pytest.fixture
def kept(guest: Guest, probe: Probe, tmp_path: Path) -> Path:
    """The artifacts of a guest in which a driver mapped, a rogue wrote, and the driver unmapped."""
    rogue = EduRogue(guest)
    buffer = probe.buffer(SIZE)
    buffer.fill(Byte(0x11))
    mapping = probe.device("probe-a").map_single(buffer, Direction.FROM_DEVICE)
    rogue.write(mapping.dma_addr, b"rogue")
    mapping.unmap()
    directory = tmp_path / "kept"
    directory.mkdir()
    save(guest, directory)
    return directory


def _debug(*words: object) -> Person:
    return sit_down(["harness", "debug", *map(str, words)])


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
        assert "rogue" in person.ask(f"memory {slot['buffer']:#x} 5")
        assert "last recorded call" in person.ask("next")
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


def test_a_guest_without_recorded_calls_is_a_session_all_the_same(shell: Person) -> None:
    """Without calls ``next`` says so, and all the rest works."""
    assert "no recorded calls" in shell.intro
    assert "there are no recorded calls" in shell.ask("next")
