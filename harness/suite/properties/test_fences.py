# SPDX-License-Identifier: Apache-2.0
"""FENCE: a fence stops a rogue, also after reset and restore; without it the attack succeeds."""

import secrets
from pathlib import Path

import pytest

from harness.devices.rogue import EduRogue, Rogue, rogue_kinds
from harness.machine.devicetree import Pool
from harness.machine.fence.smmu import SMMU, Smmu
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import park_running, restore
from harness.observe.memory import LiveMemory, find, live_memory
from harness.suite.lib.expect import equal, fence_intact, require
from harness.suite.lib.rogues import needs_rogue

FENCED_ROGUES = pytest.mark.parametrize(
    ("fence_name", "kind"),
    [
        pytest.param("split", "rng", id="split", marks=needs_rogue("rng")),
        pytest.param("smmu", "edu", id="smmu", marks=needs_rogue("edu")),
    ],
)
UNFENCED_ROGUES = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=needs_rogue(kind)) for kind in ("rng", "edu")]
)

READS_FILE = "the rogue can read a file from the page cache"


def steal(guest: Guest, rogue: Rogue, memory: LiveMemory, pool: Pool) -> bool:
    """Whether *rogue* can read a file from the page cache."""
    secret = secrets.token_bytes(32)
    guest.agent.write_file("/tmp/secret", secret)
    place = next(phys for phys in find(memory, secret) if not pool.contains(phys))
    return rogue.read(place, len(secret)) == secret


def reaches(rogue: Rogue, guest: Guest, pool: Pool) -> bool:
    """Whether *rogue* can write and read the end of the pool."""
    content = secrets.token_bytes(16)
    rogue.write(pool.end - 16, content)
    seen = guest.qtest.read(pool.end - 16, 16)
    return seen == content == rogue.read(pool.end - 16, 16)


def check_confined(guest: Guest, rogue: Rogue, memory: LiveMemory, pool: Pool) -> None:
    """*rogue* can access the pool, and cannot read a file from the page cache."""
    equal(reaches(rogue, guest, pool), True, f"the rogue can access {pool}")
    equal(steal(guest, rogue, memory, pool), False, READS_FILE)


@pytest.mark.property("FENCE")
@pytest.mark.tries("the rogue reads a file's content")
@FENCED_ROGUES
def test_behind_a_fence_a_rogue_reaches_the_pool_and_no_secret(
    guest: Guest, kind: str, memory: LiveMemory, pool: Pool
) -> None:
    """A fence lets its rogue access the pool, and no other memory."""
    rogue = rogue_kinds()[kind].plug(guest, 0)

    check_confined(guest, rogue, memory, pool)


@pytest.mark.property("FENCE", control=True)
@pytest.mark.parametrize("share_all", [True], ids=["all-shared"])
@UNFENCED_ROGUES
def test_without_the_fence_the_same_rogue_has_the_secret(
    guest: Guest, kind: str, memory: LiveMemory, pool: Pool
) -> None:
    """On the same machine with the same pool and no fence the rogue reads the file."""
    rogue = rogue_kinds()[kind].plug(guest, 0)

    equal(steal(guest, rogue, memory, pool), True, READS_FILE)


@pytest.mark.property("FENCE", control=True)
@pytest.mark.disables("it disables the SMMU")
@pytest.mark.parametrize("fence_name", ["smmu"])
def test_a_fence_that_is_taken_down_stops_nobody(
    guest: Guest, memory: LiveMemory, pool: Pool
) -> None:
    """After the SMMU of a running machine is disabled, the attack that it stopped succeeds."""
    rogue = EduRogue(guest)

    guest.qtest.write_register(SMMU + Smmu.CR0, 4, 0)

    equal(steal(guest, rogue, memory, pool), True, READS_FILE)


@pytest.mark.property("FENCE")
@pytest.mark.tries("the rogue reads a file's content")
@FENCED_ROGUES
@pytest.mark.nightly("the default tier tests the fence without a reset or restore")
def test_a_fence_outlasts_a_reset(booted_guest: Guest, kind: str, pool: Pool) -> None:
    """After a reset the fence is set up before the kernel runs, and confines the rogue again."""
    guest = booted_guest
    before = guest.agent.hello().boot_id
    guest.reset()
    after = guest.wait_ready().boot_id

    rogue = rogue_kinds()[kind].plug(guest, 0)

    require(after != before, "another boot id after the reset", after)
    with live_memory(guest) as memory:
        check_confined(guest, rogue, memory, pool)


@pytest.mark.property("FENCE")
@FENCED_ROGUES
@pytest.mark.nightly("the default tier tests the fence without a reset or restore")
def test_a_fence_outlasts_parking(
    booted_guest: Guest, kind: str, pool: Pool, tmp_path: Path
) -> None:
    """A guest that was parked and restored has the same fence."""
    with restore(park_running(booted_guest, tmp_path)) as guest, live_memory(guest) as memory:
        rogue = rogue_kinds()[kind].plug(guest, 0)
        check_confined(guest, rogue, memory, pool)
        fence_intact(guest)
