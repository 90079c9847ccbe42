# SPDX-License-Identifier: Apache-2.0
"""The drgn helpers for swiotlb, as a person uses them on a live guest and on a dump of any kernel.

``--kernel`` says of which: 6.1 to 7.3 have other structures.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from drgn.helpers.linux.device import dev_name

from harness.devices.probe import Buffer, BufferKind, Direction, Mapping, Probe
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.machine import Machine
from harness.machine.qemu.artifacts import DUMP, save
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import boot
from harness.observe.memory import KernelTypes
from harness.shell import drgn_swiotlb
from harness.suite.lib import second_kernel
from harness.suite.lib.person import FORKS, HARNESS, sit_down

pytestmark = pytest.mark.needs("the helpers read the kernel's structures", types=True)

DRGN = Path(sys.executable).with_name("drgn")

SIZE = 5000
"""Bytes; three slots."""

LISTING = f"""\
import sys
sys.path.insert(0, {str(Path(drgn_swiotlb.__file__).parent)!r})
from drgn_swiotlb import *
print_io_tlb_mems(prog)
for name, mem in restricted_mems(prog).items():
    for index, slot in for_each_used_slot(mem):
        print(name, index, hex(slot.orig_addr))
"""
"""A script of somebody who has drgn, the helpers' file, a dump and its vmlinux."""


@pytest.fixture
def buffer(probe: Probe) -> Buffer:
    """What is mapped, from the begin of a page on."""
    return probe.buffer(SIZE, BufferKind.PAGES)


@pytest.fixture
def mapping(probe: Probe, buffer: Buffer) -> Mapping:
    """A mapping of three slots."""
    return probe.device("probe-a").map_single(buffer, Direction.TO_DEVICE)


def test_pools_slots_and_devices_are_found_in_a_live_guest(
    types: KernelTypes,
    pool: Pool,
    buffer: Buffer,
    mapping: Mapping,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every helper tells the same pool, by its node, its slots and its devices."""
    prog, first = types.program, (mapping.dma_addr - pool.base) // SLOT
    mem = drgn_swiotlb.restricted_mem(prog, pool.name)
    used = dict(drgn_swiotlb.for_each_used_slot(mem))
    users = {
        dev_name(device).decode(): mem for device, mem in drgn_swiotlb.restricted_devices(prog)
    }
    drgn_swiotlb.print_io_tlb_mems(prog)

    assert list(used) == [first, first + 1, first + 2]
    assert used[first].orig_addr.value_() == buffer.phys
    assert users["probe-a"] == mem
    assert drgn_swiotlb.slot_of(prog, mapping.dma_addr + SLOT) == (pool.name, first + 1)
    assert drgn_swiotlb.slot_of(prog, pool.end) is None
    assert drgn_swiotlb.io_tlb_pool(mem).start.value_() == pool.base
    assert f"{pool.name:32} [{pool.base:#x}, {pool.end:#x})  3 of" in capsys.readouterr().out
    with pytest.raises(LookupError, match=pool.name):
        drgn_swiotlb.restricted_mem(prog, "nonsense")


def listed(dump: Path, vmlinux: Path, script: Path) -> list[str]:
    """The lines of LISTING, which is written to *script*, for a dump."""
    script.write_text(LISTING)
    command: list[str | Path] = [DRGN, "-q", "-c", dump, "-s", vmlinux, script]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env={})
    return ran.stdout.splitlines()


def check(lines: Sequence[str], pool: Pool, buffer: Buffer) -> None:
    """What was listed is *pool* with probe-a's mapping of *buffer*."""
    head, *rows = [line for line in lines if line.startswith(pool.name)]
    assert f"[{pool.base:#x}, {pool.end:#x})  3 of " in head
    assert "probe-a" in head
    assert rows[0].endswith(f" {buffer.phys:#x}")
    assert len(rows) == 3


@pytest.mark.any_kernel("what a dump tells")
def test_a_dump_is_read_with_drgn_alone(
    guest: Guest, pool: Pool, buffer: Buffer, mapping: Mapping, tmp_path: Path
) -> None:
    """drgn's own program needs the dump, its vmlinux and the one file of helpers."""
    save(guest, tmp_path)

    lines = listed(tmp_path / DUMP, tmp_path / "vmlinux", tmp_path / "listing.py")

    assert mapping.phys in range(pool.base, pool.end)
    check(lines, pool, buffer)


@FORKS
@pytest.mark.nightly("a kernel of its own")
@pytest.mark.parametrize("flavour", ["lifecycle"])
@pytest.mark.parametrize("shape", ["pool-platform"])
@pytest.mark.parametrize("append", [second_kernel.RESERVED])
def test_a_vmcore_of_kdump_is_read_as_a_dump_is(
    machine: Machine, pool: Pool, tmp_path: Path
) -> None:
    """By drgn's own program and by the shell: the memory that a second kernel saved of the first.

    The second kernel sees the first one's memory as the file /proc/vmcore.
    """
    vmcore, kernel = tmp_path / "vmcore", machine.kernel
    with boot(second_kernel.with_second_kernel(machine, tmp_path)) as guest:
        second_kernel.load_for_crash(guest, vmcore)
        probe = Probe(guest.agent)
        buffer = probe.buffer(SIZE, BufferKind.PAGES)
        mapping = probe.device("probe-a").map_single(buffer, Direction.TO_DEVICE)
        second_kernel.crash(guest)

    check(listed(vmcore, kernel.vmlinux, tmp_path / "listing.py"), pool, buffer)
    person = sit_down([HARNESS, "shell", "--dump", str(vmcore), "--vmlinux", str(kernel.vmlinux)])
    try:
        assert f"slot {(mapping.dma_addr - pool.base) // SLOT} of pool {pool.name}" in person.ask(
            f"where {mapping.dma_addr:#x}"
        )
        assert f"{buffer.phys:#x}" in person.ask("slots")
    finally:
        person.leave()
