# SPDX-License-Identifier: Apache-2.0
"""The session from a script or a notebook: the examples of ``harness/shell/api.py``."""

from pathlib import Path

import pytest

from harness.base.errors import GuestCrash, InputError
from harness.devices.probe import Direction
from harness.machine.machine import Machine
from harness.machine.qemu.artifacts import save
from harness.shell import api, drgn_swiotlb
from harness.suite.lib.person import SESSION_TESTS

pytestmark = SESSION_TESTS


def test_who_has_a_slot_is_data(machine: Machine) -> None:
    """Example 1: map a buffer, and ask who has the slots."""
    with api.start(machine) as session:
        buffer = session.probe.buffer(4096)
        mapping = session.probe.device("probe-a").map_single(buffer, Direction.TO_DEVICE)

        (row,) = session.ask("slots")

        assert (row["address"], row["buffer"]) == (mapping.dma_addr, buffer.phys)
        assert session.address("pool:slot0") == mapping.dma_addr
        assert "slot 0 of pool" in str(session.where(mapping.dma_addr))
        with pytest.raises(InputError, match="did you mean 'slots'"):
            session.ask("slot")


def test_a_panic_is_caught_and_undone(machine: Machine) -> None:
    """Example 2: take a snapshot, let the kernel panic, and go back."""
    with api.start(machine) as session:
        session.ask("snapshot before")
        with pytest.raises(GuestCrash):
            session.ask("run echo c > /proc/sysrq-trigger")

        session.ask("back before")

        assert "Linux" in session.ask("run uname")[0]


def test_the_calls_of_a_failure_and_its_dump_are_compared(machine: Machine, tmp_path: Path) -> None:
    """Example 3: replay a failure's calls, and read the same slots in its dump by drgn."""
    with api.start(machine) as session:
        buffer = session.probe.buffer(4096)
        session.probe.device("probe-a").map_single(buffer, Direction.TO_DEVICE)
        save(session.guest, tmp_path)

    with (
        api.debug(tmp_path) as again,
        api.open_dump(tmp_path / "memory.elf", tmp_path / "vmlinux") as dump,
    ):
        said = again.replay.next()
        mems = drgn_swiotlb.restricted_mems(dump.program)
        used = [index for mem in mems.values() for index, _ in drgn_swiotlb.for_each_used_slot(mem)]

        assert said is not None
        assert said.startswith("dma_map_single(probe-a")
        assert len(used) == 2
        assert again.ask("slots") == [{**dump.ask("slots")[0], **_live(again.ask("slots")[0])}]


def _live(row: dict[str, object]) -> dict[str, object]:
    """What only a running guest says of a slot."""
    return {name: row[name] for name in ("holder", "since")}
