# SPDX-License-Identifier: Apache-2.0
"""The harness itself: the oracles that look at every guest after its test find what is wrong.

Each test here breaks properties with the harness's own hands, and its ``breaks`` markers say which;
it passes if the oracles find just these.
"""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import drgn
import pytest
from drgn.helpers.linux.mm import pfn_to_page

from harness.base.errors import NotInKernel
from harness.devices.oracles import NO_BASELINE, inspect
from harness.devices.probe import BufferKind, Device, Direction, Mapping, Probe
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.qemu.artifacts import DUMP, save
from harness.machine.qemu.guest import Guest
from harness.machine.virtio import VirtioDevice
from harness.observe.memory import (
    ElfDump,
    KernelTypes,
    LiveMemory,
    PoolState,
    Symbols,
    default_pool,
)
from harness.observe.memory import restricted_pools as kernel_pools
from harness.plugin.guests import Guests
from harness.suite.lib.binding import unbind
from harness.suite.lib.hiding import Vmlinux, names_read
from harness.suite.lib.written import CPU

LEFT = 64
"""Bytes that stand for what a copy left where it must not be."""

SMALL_DEFAULT_POOL = "swiotlb=512,force"
"""Without this not every kernel makes one on a small machine."""

SHARES = 40
"""By day every one of so many names is hidden, others on other days."""

Poke = Callable[[drgn.Object, int], None]


@pytest.fixture
def poke(memory: LiveMemory, types: KernelTypes) -> Poke:
    """Sets a variable of the kernel's to a number."""

    def write(variable: drgn.Object, value: int) -> None:
        assert variable.address_ is not None
        memory.write(types.phys(variable.address_), value.to_bytes(drgn.sizeof(variable), "little"))

    return write


@pytest.fixture
def mem(types: KernelTypes) -> drgn.Object:
    """The ``struct io_tlb_mem`` of the machine's only pool."""
    (only,) = kernel_pools(types)
    return _mem(types, only)


@pytest.fixture
def slots(mem: drgn.Object) -> drgn.Object:
    """The pool's slots."""
    return _memory_of(mem).slots


@pytest.fixture
def mapping(device: Device, probe: Probe, page: int) -> Mapping:
    """A mapping that is live when the test ends."""
    buffer = probe.buffer(page, content=CPU)
    return device.map_single(buffer, Direction.TO_DEVICE)


@pytest.mark.breaks("B13", "slots count as used, one of them with an origin")
@pytest.mark.breaks("D6", "the other one has none, as an allocation's")
@pytest.mark.breaks("B7", "a mapping's slot counts as free")
def test_slots_and_their_holders_do_not_agree(
    mapping: Mapping, pool: Pool, slots: drgn.Object, poke: Poke
) -> None:
    """A slot that nobody has, one that is another's too, and a wrong count of them are found."""
    poke(slots[1000].list, 0)
    poke(slots[1000].orig_addr, 0x4100_0000)
    poke(slots[2000].list, 0)
    poke(slots[(mapping.phys - pool.base) // SLOT].list, 1)


@pytest.mark.breaks("B3", "a mapping shows what was in its slots before")
@pytest.mark.breaks("D1", "new coherent memory does")
@pytest.mark.breaks("B4", "and so does a buffer of the CPU's")
@pytest.mark.breaks("B5", "bytes behind a buffer change")
@pytest.mark.breaks("B6", "bytes from behind a buffer are in the pool")
def test_bytes_are_where_they_must_not_be(
    device: Device, probe: Probe, mapping: Mapping, pool: Pool, memory: LiveMemory, page: int
) -> None:
    """Stale bytes of the pool, in it and outside, and bytes from beside a buffer are found."""
    stale = memory.read(pool.base + pool.size // 2, LEFT)
    allocation, plain, watched = device.alloc_coherent(page), probe.buffer(page), probe.buffer(1)
    beside = memory.read(watched.phys + 1, LEFT)

    memory.write(mapping.phys + 1, stale)
    memory.write(allocation.dma_addr, stale)
    memory.write(plain.phys + 99, stale)
    memory.write(watched.phys + 1, b"!")
    memory.write(pool.base + pool.size - LEFT, beside)


@pytest.mark.breaks("B5", "bytes before and behind buffers change, and these are freed")
@pytest.mark.parametrize("kind", [BufferKind.KMALLOC, BufferKind.PAGES], ids=lambda kind: kind.name)
def test_bytes_beside_a_buffer_that_is_freed_are_remembered(
    probe: Probe, memory: LiveMemory, kind: BufferKind, page: int
) -> None:
    """What was written beside a buffer is found although the buffer is freed at once."""
    buffer = probe.buffer(page, kind)
    memory.write(buffer.phys - 1, b"!")

    buffer.free()


@pytest.mark.breaks("E5", "a page of the pool is not reserved any more")
@pytest.mark.breaks("E3", "the default pool counts a slot that is in use")
@pytest.mark.parametrize("append", [SMALL_DEFAULT_POOL])
def test_a_page_is_given_away_and_another_pool_works(
    types: KernelTypes, pool: Pool, poke: Poke, page: int
) -> None:
    """A page of the pool that the page allocator has, and use of the default pool, are found."""
    _give_away(types, pool.base + 5 * page, poke)
    poke(_memory_of(_mem(types, default_pool(types))).areas[0].used, 1)


@pytest.mark.breaks("E16", "the kernel counts more slots than the pool has")
@pytest.mark.needs("a pool's memory has a structure of its own", change="defpool")
def test_a_pool_has_grown(mem: drgn.Object, poke: Poke) -> None:
    """A restricted pool to which the kernel added memory is found."""
    poke(mem.nslabs, mem.nslabs.value_() + 128)


def test_what_a_driver_leaks_is_no_fault_of_the_kernels(
    guest: Guest, device: Device, probe: Probe, page: int
) -> None:
    """Mappings and memory that a driver forgets are known as such, whatever becomes of it."""
    buffer = probe.buffer(3 * page)
    device.set_min_align_mask(page - 1)
    device.map_single(buffer, Direction.TO_DEVICE, offset=3000, size=page).forget()
    device.alloc_coherent(3 * page).forget()
    device.map_single(buffer, Direction.FROM_DEVICE)
    device.leak_when_unbound(True)

    unbind(guest, device)


@pytest.mark.parametrize(
    ("shape", "virtio"), [("pool-virtio-mmio", (VirtioDevice("rng", 0), VirtioDevice("rng", 2)))]
)
@pytest.mark.needs("its devices", qemu="virtio-rng-device")
def test_slots_of_devices_that_the_probe_knows_nothing_of_are_theirs(
    guest: Guest, types: KernelTypes
) -> None:
    """A virtio device holds slots of its pool for its rings: that is no leak."""
    found = {pool.name: pool.used for pool in kernel_pools(types)}

    assert found.keys() == {pool.name for pool in guest.pools()} != set()
    assert all(found.values())


@pytest.mark.any_kernel("what a dump tells")
@pytest.mark.breaks("B13", "a slot counts as used")
@pytest.mark.breaks("B4", "stale bytes lie in a buffer")
def test_a_dump_tells_the_oracles_the_same(
    guests: Guests,
    guest: Guest,
    probe: Probe,
    mapping: Mapping,
    pool: Pool,
    memory: LiveMemory,
    types: KernelTypes,
    slots: drgn.Object,
    poke: Poke,
    tmp_path: Path,
    page: int,
) -> None:
    """What is found in a guest is found in the dump that is kept of it."""
    poke(slots[1000].list, 0)
    poke(slots[1000].orig_addr, 0x4100_0000)
    memory.write(probe.buffer(page).phys, memory.read(pool.base + pool.size // 2, LEFT))
    assert pool.contains(mapping.dma_addr), "an unused pool would not be looked at"
    held, before = probe.held(), guests.before(guest)

    save(guest, tmp_path)

    with ElfDump(tmp_path / DUMP) as dump:
        kept = inspect(KernelTypes(dump, types.symbols), held, before)
        assert kept == inspect(types, held, before) != []
        assert inspect(KernelTypes(dump, types.symbols), held, NO_BASELINE) == kept[:-1]


@pytest.mark.any_kernel("what is said of a kernel that lacks a name")
@pytest.mark.breaks("B13", "a slot counts as used")
@pytest.mark.breaks("B4", "stale bytes lie in a buffer")
@pytest.mark.breaks("E3", "the default pool counts a slot that is in use")
@pytest.mark.breaks("E5", "a page of the pool is not reserved any more")
@pytest.mark.parametrize("append", [SMALL_DEFAULT_POOL])
@pytest.mark.parametrize(
    "share",
    [
        pytest.param(SHARES, id="share of today"),
        pytest.param(
            1,
            id="all",
            marks=[pytest.mark.nightly("a second for each name"), pytest.mark.timeout(1800)],
        ),
    ],
)
def test_a_name_that_the_kernel_lacks_is_never_passed_over(
    guests: Guests,
    guest: Guest,
    probe: Probe,
    mapping: Mapping,
    pool: Pool,
    memory: LiveMemory,
    types: KernelTypes,
    slots: drgn.Object,
    poke: Poke,
    tmp_path: Path,
    share: int,
    page: int,
) -> None:
    """With any name hidden that is read, the oracles find the same or say that they cannot look."""
    poke(slots[1000].list, 0)
    poke(slots[1000].orig_addr, 0x4100_0000)
    _give_away(types, pool.base + 5 * page, poke)
    poke(_memory_of(_mem(types, default_pool(types))).areas[0].used, 1)
    memory.write(probe.buffer(page).phys, memory.read(pool.base + pool.size // 2, LEFT))
    assert pool.contains(mapping.dma_addr), "an unused pool would not be looked at"
    held, before = probe.held(), guests.before(guest)
    guest.pause()
    vmlinux = Vmlinux(Path(shutil.copy(guest.machine.kernel.vmlinux, tmp_path)))

    def look() -> object:
        try:
            fresh = KernelTypes(memory, Symbols(vmlinux.path))
            return [violation.properties for violation in inspect(fresh, held, before)]
        except Exception as error:
            return error

    whole, wrong = look(), {}
    for name in names_read(vmlinux.path)[date.today().toordinal() % share :: share]:
        with vmlinux.hidden(name):
            found = look()
        if found != whole and not isinstance(found, NotInKernel):
            wrong[name] = found
    guest.resume()

    assert not isinstance(whole, Exception)
    assert wrong == {}


def _give_away(types: KernelTypes, phys: int, poke: Poke) -> None:
    """Have a page count as not reserved."""
    flags = pfn_to_page(types.program, phys // types.page_size).flags
    bits = flags.f if flags.type_.kind is not drgn.TypeKind.INT else flags  # a structure in 7.3
    reserved = 1 << types.program.constant("PG_reserved").value_()
    poke(bits, bits.value_() & ~reserved)


def _mem(types: KernelTypes, pool: PoolState | None) -> drgn.Object:
    assert pool is not None
    return drgn.Object(types.program, "struct io_tlb_mem", address=pool.address)


def _memory_of(mem: drgn.Object) -> drgn.Object:
    """A structure of its own since 6.6 (158dbe9c9a3d)."""
    return mem.defpool if mem.type_.has_member("defpool") else mem
