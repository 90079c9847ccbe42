# SPDX-License-Identifier: Apache-2.0
"""The check that a fence is intact notices a device that it does not hold."""

from collections.abc import Iterator

import pytest

from harness.devices.rogue.vhost import VhostRogue
from harness.devices.rogue.vhost.table import MemoryTable, TableEntry
from harness.machine.qemu.guest import Guest
from harness.suite.lib.rogues import needs_rogue

pytestmark = pytest.mark.any_kernel("the check of a fence")


@needs_rogue("rng")
@pytest.mark.disables("the rogue keeps all memory that QEMU has handed over")
@pytest.mark.parametrize("fence_name", ["split"])
def test_a_rogue_that_keeps_more_than_the_fence_gives_it_is_seen(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory that a device of ours maps is part of what is checked after each test."""

    def all_of_it(_table: MemoryTable, entry: TableEntry) -> Iterator[TableEntry]:
        yield entry

    monkeypatch.setattr(MemoryTable, "_confined", all_of_it)

    VhostRogue(guest, "rng")
