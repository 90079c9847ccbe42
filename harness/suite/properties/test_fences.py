# SPDX-License-Identifier: Apache-2.0
"""Fences: they hold, they last, and with one taken away the same attack succeeds."""

import secrets
from pathlib import Path

import pytest

from harness.devices.rogue import EduRogue, Rogue, rogue_kinds
from harness.machine.devicetree import Pool
from harness.machine.fence.smmu import SMMU, Smmu
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import park_running, restore
from harness.observe.memory import LiveMemory, find, live_memory

FENCED_ROGUES = pytest.mark.parametrize(
    ("fence_name", "kind"), [("split", "rng"), ("smmu", "edu")], ids=["split", "smmu"]
)
UNFENCED_ROGUES = pytest.mark.parametrize("kind", ["rng", "edu"])


def steal(guest: Guest, rogue: Rogue, memory: LiveMemory, pool: Pool) -> bool:
    """Whether *rogue* reads a file out of the page cache."""
    secret = secrets.token_bytes(32)
    guest.agent.write_file("/tmp/secret", secret)
    place = next(phys for phys in find(memory, secret) if not pool.contains(phys))
    return rogue.read(place, len(secret)) == secret


def reaches(rogue: Rogue, guest: Guest, pool: Pool) -> bool:
    """Whether *rogue* writes and reads the end of the pool."""
    content = secrets.token_bytes(16)
    rogue.write(pool.end - 16, content)
    seen = guest.qtest.read(pool.end - 16, 16)
    return seen == content == rogue.read(pool.end - 16, 16)


@pytest.mark.property("FENCE")
@pytest.mark.tries("the rogue reads a file's content")
@FENCED_ROGUES
def test_behind_a_fence_a_rogue_reaches_the_pool_and_no_secret(
    guest: Guest, kind: str, memory: LiveMemory, pool: Pool
) -> None:
    """A fence lets its rogue have the pool, and nothing of the kernel's memory."""
    rogue = rogue_kinds()[kind].plug(guest, 0)

    assert reaches(rogue, guest, pool), f"the fence keeps the rogue from {pool}"
    assert not steal(guest, rogue, memory, pool), "the rogue read a file of the page cache"


@pytest.mark.property("FENCE", control=True)
@pytest.mark.parametrize("share_all", [True], ids=["all-shared"])
@UNFENCED_ROGUES
def test_without_the_fence_the_same_rogue_has_the_secret(
    guest: Guest, kind: str, memory: LiveMemory, pool: Pool
) -> None:
    """The same machine with the same pool and no fence: the secret is the rogue's."""
    rogue = rogue_kinds()[kind].plug(guest, 0)

    assert steal(guest, rogue, memory, pool)


@pytest.mark.property("FENCE", control=True)
@pytest.mark.disables("it switches the SMMU off")
@pytest.mark.parametrize("fence_name", ["smmu"])
def test_a_fence_that_is_taken_down_stops_nobody(
    guest: Guest, memory: LiveMemory, pool: Pool
) -> None:
    """The SMMU of a running machine is switched off, and the attack that it stopped succeeds."""
    rogue = EduRogue(guest)

    guest.qtest.write_register(SMMU + Smmu.CR0, 4, 0)

    assert steal(guest, rogue, memory, pool)


@pytest.mark.property("FENCE")
@pytest.mark.tries("the rogue reads a file's content")
@FENCED_ROGUES
@pytest.mark.nightly("by day the fence is seen to hold at all")
def test_a_fence_outlasts_a_reset(guest: Guest, kind: str, memory: LiveMemory, pool: Pool) -> None:
    """After a reset of the machine the fence is up before the kernel runs, and holds as before."""
    before = guest.agent.hello().boot_id
    guest.reset()
    after = guest.wait_ready().boot_id

    rogue = rogue_kinds()[kind].plug(guest, 0)

    assert after != before
    assert reaches(rogue, guest, pool), f"the fence keeps the rogue from {pool}"
    assert not steal(guest, rogue, memory, pool), "the rogue read a file of the page cache"


@pytest.mark.property("FENCE")
@FENCED_ROGUES
@pytest.mark.nightly("by day the fence is seen to hold at all")
def test_a_fence_outlasts_parking(
    booted_guest: Guest, kind: str, pool: Pool, tmp_path: Path
) -> None:
    """A guest that is parked and comes back stands behind the same fence."""
    with restore(park_running(booted_guest, tmp_path)) as guest, live_memory(guest) as memory:
        rogue = rogue_kinds()[kind].plug(guest, 0)
        assert reaches(rogue, guest, pool), f"the fence keeps the rogue from {pool}"
        assert not steal(guest, rogue, memory, pool), "the rogue read a file of the page cache"
        assert guest.fence_damage() == []
