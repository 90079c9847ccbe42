# SPDX-License-Identifier: Apache-2.0
"""The harness itself: live memory, the dump and the kernel's own words tell one story."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.devices.probe import (
    Allocation,
    Buffer,
    BufferKind,
    Device,
    Direction,
    Mapping,
    Probe,
    Seed,
)
from harness.devices.rogue import EduRogue
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.qemu.artifacts import DUMP, save
from harness.machine.qemu.guest import Guest
from harness.observe.memory import (
    Atlas,
    ElfDump,
    KernelTypes,
    LiveMemory,
    MemoryUse,
    PoolState,
    Slot,
    device_pool,
    find,
    restricted_pools,
    slots,
)
from harness.suite.lib.paused import paused
from harness.suite.lib.written import CPU, DEVICE

FREE_BLOCK = 4 << 20
"""Bytes of the page allocator's largest blocks: the last that it takes single pages from."""


@dataclass(frozen=True)
class InUse:
    """A pool with a mapped buffer and a coherent one in it; each begins with the *canary*."""

    canary: bytes
    buffer: Buffer
    mapping: Mapping
    allocation: Allocation

    @property
    def places(self) -> set[int]:
        """Where the canary must be."""
        return {self.buffer.phys, self.mapping.phys, self.allocation.dma_addr}


@pytest.fixture
def in_use(device: Device, probe: Probe, page: int) -> InUse:
    """The device's pool in use."""
    canary = secrets.token_bytes(32)
    buffer, allocation = probe.buffer(page), device.alloc_coherent(page)
    buffer.write(canary)
    allocation.write(canary)
    return InUse(canary, buffer, device.map_single(buffer, Direction.TO_DEVICE), allocation)


@pytest.fixture
def dump(guest: Guest, in_use: InUse, tmp_path: Path) -> Iterator[ElfDump]:
    """The memory of the guest, stopped with its pool in use, as it is kept after a failure."""
    assert in_use.places
    save(guest, tmp_path)
    with ElfDump(tmp_path / DUMP) as dump:
        yield dump


def pool_story(types: KernelTypes, device: str) -> tuple[PoolState | None, tuple[Slot, ...]]:
    """What the kernel's structures say of its only restricted pool, reached from both ends."""
    (pool,) = restricted_pools(types)
    return device_pool(types, device), slots(types, pool)


def test_the_running_kernel_is_the_one_whose_symbols_are_read(
    guest: Guest, types: KernelTypes
) -> None:
    """vmlinux, the guest's /sys and its image in RAM carry the same build id."""
    build_id = types.symbols.build_id
    in_ram = types.memory.read(types.image.to_phys(build_id.address), len(build_id.value))

    assert guest.agent.hello().build_id == build_id.value.hex() == in_ram.hex()


def test_the_kernels_slots_are_those_that_the_probe_holds(
    types: KernelTypes, device: Device, pool: Pool, in_use: InUse, page: int
) -> None:
    """The slots in use are those of the mapping, which name its buffer, and the allocation's."""
    state, all_slots = pool_story(types, device.name)

    origin = {slot.phys: slot.orig_addr for slot in all_slots if slot.in_use}
    bounced, coherent = in_use.mapping.phys, in_use.allocation.dma_addr
    offsets = range(0, page, SLOT)
    assert origin == {
        **{bounced + offset: in_use.buffer.phys + offset for offset in offsets},
        **{coherent + offset: None for offset in offsets},
    }
    assert state is not None
    assert (state.base, state.size, state.used) == (pool.base, pool.size, len(origin))


@pytest.mark.any_kernel("what a dump tells")
def test_the_dump_tells_the_same_of_the_pool_as_the_live_guest(
    types: KernelTypes, device: Device, dump: ElfDump
) -> None:
    """Pool, slots and the device's pool read alike from the kept dump and from the guest."""
    live = pool_story(types, device.name)

    kept = pool_story(KernelTypes(dump, types.symbols), device.name)

    assert kept == live


@pytest.mark.any_kernel("what a dump tells")
def test_a_canary_is_found_at_the_same_places_in_the_dump(
    in_use: InUse, dump: ElfDump, memory: LiveMemory
) -> None:
    """A search of the dump finds the canary where a search of the stopped guest does."""
    kept = set(find(dump, in_use.canary))

    assert kept == set(find(memory, in_use.canary))
    assert kept >= in_use.places


def test_what_is_read_of_the_pool_follows_the_cpu_and_the_device(
    guest: Guest, probe: Probe, memory: LiveMemory, page: int
) -> None:
    """What CPU and device write into the pool is read at once, while the guest runs."""
    rogue = EduRogue(guest)
    buffer = probe.buffer(page)
    mapping = probe.device(str(rogue.bdf)).map_single(buffer, Direction.BIDIRECTIONAL)

    buffer.fill(CPU)
    mapping.sync_for_device()
    by_the_cpu = memory.read(mapping.phys, 64)
    rogue.write(mapping.dma_addr, DEVICE.content(0, 64))
    by_the_device = memory.read(mapping.phys, 64)

    assert by_the_cpu == CPU.content(0, 64)
    assert by_the_device == DEVICE.content(0, 64)


def test_known_places_are_classified(
    guest: Guest, types: KernelTypes, probe: Probe, in_use: InUse
) -> None:
    """Places whose use is known from the symbols and from the probe are called by that use."""

    def symbol(name: str) -> int:
        return types.image.to_phys(types.symbols.address(name))

    block = probe.buffer(FREE_BLOCK)
    block.free()
    known = {
        symbol("swiotlb_tbl_map_single"): MemoryUse.TEXT,
        symbol("linux_banner"): MemoryUse.RODATA,
        symbol("init_uts_ns"): MemoryUse.DATA,
        symbol("chrdevs"): MemoryUse.BSS,
        symbol("swapper_pg_dir"): MemoryUse.PAGE_TABLE,
        block.phys + FREE_BLOCK // 2: MemoryUse.FREE,
        probe.buffer(512, BufferKind.KMALLOC).phys: MemoryUse.SLAB,
        in_use.buffer.phys: MemoryUse.ALLOCATED,
        in_use.mapping.phys: MemoryUse.POOL,
        in_use.allocation.dma_addr: MemoryUse.POOL,
    }
    atlas = Atlas(types)

    with paused(guest):
        assert {place: atlas.classify(place).use for place in known} == known


def test_a_checksum_tells_a_single_changed_byte(probe: Probe, page: int) -> None:
    """What is compared by its checksum in the guest is compared as it would be byte by byte."""
    buffer = probe.buffer(3 * page, content=Seed(7))
    content = buffer.read(5, 2 * page)

    assert content == Seed(7).content(5, 2 * page)
    assert buffer.contains(content, 5)
    buffer.write(bytes([content[page] ^ 1]), 5 + page)
    assert not buffer.contains(content, 5)
