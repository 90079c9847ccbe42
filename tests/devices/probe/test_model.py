# SPDX-License-Identifier: Apache-2.0
"""The reference model of a pool takes what a kernel may do, and refuses every kind of mistake."""

from collections.abc import Callable

import pytest

from harness.base.violation import PropertyViolated
from harness.devices.probe import AllocCall, Attr, Direction, Segment, SyncTarget
from harness.devices.probe.model import Bounce, BufferPart, CpuBuffer, PoolModel
from harness.devices.probe.model_slots import AddressRules, Slots, allocated, streaming
from harness.kernel import SLOT, Geometry

USUAL = Geometry()
PAGE, SET = USUAL.page, USUAL.slots_of_set
BASE, SETS = 0x4F00_0000, 2
PHYS = 0x4150_0000
PLAIN, SECTOR, NVME, LARGE = (
    AddressRules(),
    AddressRules(0x1FF),
    AddressRules(0xFFF),
    AddressRules(0xFFFF),
)
NARROW = AddressRules(seg_boundary=0xFFFF)

Step = Callable[[PoolModel, CpuBuffer], object]


@pytest.fixture
def pool() -> PoolModel:
    return PoolModel(BASE, b"\xee" * (SETS * SET * SLOT), USUAL)


@pytest.fixture
def cpu() -> CpuBuffer:
    return CpuBuffer(PHYS, bytearray(b"\xcc" * (SET * SLOT)))


def bounce(
    pool: PoolModel, cpu: CpuBuffer, direction: Direction = Direction.BIDIRECTIONAL
) -> Bounce:
    """100 bytes, mapped from 10 bytes into the buffer to the start of the pool."""
    return pool.map(BufferPart(cpu, 10, 100), direction, PLAIN, BASE)


def with_change(content: bytes | bytearray, at: int, byte: int) -> bytes:
    """The same bytes but for one."""
    return bytes(content[:at]) + bytes([byte]) + bytes(content[at + 1 :])


@pytest.mark.parametrize(
    ("broken", "size", "phys", "rules", "addr"),
    [
        ("B1", 1, PHYS, PLAIN, BASE - SLOT),
        ("B1", 1, PHYS, PLAIN, PHYS),
        ("B1", SLOT + 1, PHYS, PLAIN, BASE + SETS * SET * SLOT - SLOT),
        ("B8", 1, PHYS, PLAIN, BASE + 1),
        ("B8", PAGE, PHYS, PLAIN, BASE + SLOT),
        ("B9", 1, PHYS + 5, SECTOR, BASE),
        ("B9", 1, PHYS + 0x3000, LARGE, BASE + 0x2000),
        ("B9", 1, PHYS + 0x3005, LARGE, BASE + 0x3004),
        ("B10", 2 * PAGE, PHYS, NARROW, BASE + 0x10000 - PAGE),
    ],
)
def test_a_mapping_where_it_may_not_be_is_refused(
    pool: PoolModel, broken: str, size: int, phys: int, rules: AddressRules, addr: int
) -> None:
    with pytest.raises(PropertyViolated) as caught:
        pool.slots.take(streaming(phys, size, rules, PAGE), addr)

    assert caught.value.ids == (broken,)


@pytest.mark.parametrize(
    ("size", "phys", "rules", "addr", "slots"),
    [
        (1, PHYS + 5, PLAIN, BASE + SLOT, range(1, 2)),
        (PAGE - 1, PHYS + 5, PLAIN, BASE + SLOT, range(1, 3)),
        (PAGE, PHYS + 5, PLAIN, BASE + PAGE, range(2, 4)),
        (SLOT, PHYS + 5, SECTOR, BASE + 5, range(2)),
        (1, PHYS + 0x3805, LARGE, BASE + 0x3805, range(7, 8)),
        (0x10000, PHYS, NARROW, BASE + 0x10000, range(32, 64)),
        (SET * SLOT, PHYS, PLAIN, BASE + SET * SLOT, range(SET, 2 * SET)),
    ],
)
def test_a_mapping_takes_the_slots_that_it_touches(
    pool: PoolModel, size: int, phys: int, rules: AddressRules, addr: int, slots: range
) -> None:
    assert pool.slots.take(streaming(phys, size, rules, PAGE), addr) == slots
    assert pool.slots.used == len(slots)


@pytest.mark.parametrize(
    ("broken", "call", "size", "addr"),
    [
        ("D1", AllocCall.COHERENT, 1, BASE - PAGE),
        ("D2", AllocCall.PAGES, 1, PHYS),
        ("D3", AllocCall.COHERENT, 1, BASE + SLOT),
        ("D3", AllocCall.COHERENT, PAGE + 1, BASE + PAGE),
        ("D3", AllocCall.COHERENT, 5 * PAGE, BASE + 4 * PAGE),
    ],
)
def test_an_allocation_where_it_may_not_be_is_refused(
    pool: PoolModel, broken: str, call: AllocCall, size: int, addr: int
) -> None:
    with pytest.raises(PropertyViolated) as caught:
        pool.allocate(call, size, PLAIN, addr)

    assert caught.value.ids == (broken,)


def test_what_overlaps_is_refused(pool: PoolModel, cpu: CpuBuffer) -> None:
    bounce(pool, cpu)

    with pytest.raises(PropertyViolated, match=r"^B7 violated: .* in slots that are taken"):
        pool.allocate(AllocCall.COHERENT, 1, PLAIN, BASE)


def fill(pool: PoolModel, free: set[int]) -> None:
    """Take every slot but those."""
    for slot in set(range(pool.slots.count)) - free:
        pool.slots.take(streaming(PHYS, 1, PLAIN, PAGE), BASE + slot * SLOT)


@pytest.mark.parametrize(
    ("free", "size", "rules"),
    [
        ({9}, 1, PLAIN),
        ({8, 9}, PAGE, PLAIN),
        ({7, 8}, PAGE - 1, PLAIN),
        ({32}, SLOT, LARGE),
        ({30, 31}, PAGE, NARROW),
    ],
)
def test_a_refusal_where_there_is_room_is_none(
    pool: PoolModel, cpu: CpuBuffer, free: set[int], size: int, rules: AddressRules
) -> None:
    fill(pool, free)

    with pytest.raises(
        PropertyViolated, match=f"^B13 violated: .* fits at {BASE + min(free) * SLOT:#x}"
    ):
        pool.refuse_map([BufferPart(cpu, 0, size)], rules)


@pytest.mark.parametrize(
    ("free", "size", "rules"),
    [
        ({9, 11}, SLOT + 1, PLAIN),  # no two neighbours
        ({7, 8}, PAGE, PLAIN),  # no page
        ({SET - 1, SET}, SLOT + 1, PLAIN),  # two sets
        ({1}, 1, LARGE),  # other bits than the buffer's
        ({31, 32}, SLOT + 1, NARROW),  # across a boundary
        (set(range(2 * SET)), SET * SLOT + 1, PLAIN),  # larger than a set
    ],
)
def test_a_refusal_where_there_is_no_room_is_right(
    pool: PoolModel, cpu: CpuBuffer, free: set[int], size: int, rules: AddressRules
) -> None:
    fill(pool, free)

    pool.refuse_map([BufferPart(cpu, 0, size)], rules)


def test_a_refused_scatterlist_had_room_only_if_it_had_some_wherever_its_first_entries_lay(
    pool: PoolModel, cpu: CpuBuffer
) -> None:
    one, two = BufferPart(cpu, 0, 1), BufferPart(cpu, 0, SET * SLOT)

    pool.refuse_map([one, two, two], PLAIN)

    with pytest.raises(PropertyViolated, match=r"^B11 violated: "):
        pool.refuse_map([one, two], PLAIN)


def test_a_pool_with_a_part_of_a_set_says_so(cpu: CpuBuffer) -> None:
    pool = PoolModel(BASE, bytes(3 * SLOT), USUAL)
    pool.map(BufferPart(cpu, 0, 1), Direction.TO_DEVICE, PLAIN, BASE)

    with pytest.raises(PropertyViolated, match=r"^B13 E6 violated: "):
        pool.refuse_map([BufferPart(cpu, 0, 1)], PLAIN)


def test_the_one_place_that_the_search_may_miss_is_no_room(pool: PoolModel, cpu: CpuBuffer) -> None:
    """docs/findings.md, search-misses-slots."""
    second_half_of_a_page = BufferPart(cpu, SLOT, 1)
    fill(pool, {9, 10, 12, 13})
    with pytest.raises(PropertyViolated, match=r"^B13 violated: .* fits at 0x4f004800"):
        pool.refuse_map([second_half_of_a_page], NVME)

    pool.slots.take(streaming(PHYS, 1, PLAIN, PAGE), BASE + 13 * SLOT)
    pool.refuse_map([second_half_of_a_page], NVME)


@pytest.mark.parametrize(
    ("broken", "step", "at"),
    [
        ("B3", bounce, 99),
        ("C2", lambda pool, cpu: resync(pool, cpu, 0, 100), 99),
        ("C3", lambda pool, cpu: resync(pool, cpu, 10, 20), 29),
        ("D1", lambda pool, _: pool.allocate(AllocCall.COHERENT, 1, PLAIN, BASE), PAGE - 1),
        ("B6", bounce, 100),
        ("B6", bounce, SLOT),
        ("B7", lambda pool, cpu: (bounce(pool, cpu), pool.settle()), 50),
    ],
)
def test_a_wrong_byte_in_the_pool_is_found(
    pool: PoolModel, cpu: CpuBuffer, broken: str, step: Step, at: int
) -> None:
    step(pool, cpu)
    pool.check(bytes(pool.content))

    with pytest.raises(PropertyViolated, match=f"sees 77 at {BASE + at:#x}") as caught:
        pool.check(with_change(pool.content, at, 0x77))

    assert caught.value.ids == (broken,)


def resync(pool: PoolModel, cpu: CpuBuffer, offset: int, length: int) -> None:
    """Map, let the CPU write, look, and sync a part for the device."""
    mapping = bounce(pool, cpu)
    cpu.content[:] = b"\xdd" * len(cpu.content)
    pool.settle()
    pool.sync(mapping, SyncTarget.DEVICE, offset, length)


def test_bytes_of_nobody_may_be_scrubbed(pool: PoolModel, cpu: CpuBuffer) -> None:
    bounce(pool, cpu)

    pool.check(pool.content[:100] + bytes(SLOT - 100) + pool.content[SLOT:])
    with pytest.raises(PropertyViolated, match="B3"):
        pool.check(bytes(SLOT) + pool.content[SLOT:])


@pytest.mark.parametrize(
    ("broken", "step", "copied"),
    [
        ("B5", lambda pool, one: pool.unmap(one), range(10, 110)),
        ("B14", lambda pool, one: pool.unmap(one, Attr.SKIP_CPU_SYNC), range(0)),
        ("C1", lambda pool, one: pool.sync(one, SyncTarget.CPU, 0, 100), range(10, 110)),
        ("C3", lambda pool, one: pool.sync(one, SyncTarget.CPU, 5, 20), range(15, 35)),
        ("C2", lambda pool, one: pool.sync(one, SyncTarget.DEVICE, 0, 100), range(0)),
    ],
)
def test_the_cpu_is_given_just_what_a_call_copies(
    pool: PoolModel, cpu: CpuBuffer, broken: str, step: Step, copied: range
) -> None:
    mapping = bounce(pool, cpu)
    pool.settle()
    pool.device_write(0, b"\xaa" * 200)
    step(pool, mapping)

    pool.check_buffer(cpu, bytes(0xAA if at in copied else 0xCC for at in range(SET * SLOT)))
    for at in (9, 10, 109, 110):
        with pytest.raises(PropertyViolated, match=f"{broken} violated: .* at offset {at}"):
            pool.check_buffer(cpu, with_change(cpu.content, at, 0x77))


@pytest.mark.parametrize(
    ("direction", "to_cpu", "to_device"),
    [
        (Direction.TO_DEVICE, False, True),
        (Direction.FROM_DEVICE, True, False),
        (Direction.BIDIRECTIONAL, True, True),
    ],
)
def test_a_sync_copies_only_as_the_direction_says(
    pool: PoolModel, cpu: CpuBuffer, direction: Direction, to_cpu: bool, to_device: bool
) -> None:
    mapping = bounce(pool, cpu, direction)
    pool.device_write(0, b"\xaa")
    pool.sync(mapping, SyncTarget.CPU, 0, 100)
    cpu.content[11] = 0xBB
    pool.sync(mapping, SyncTarget.DEVICE, 0, 100)

    assert (cpu.content[10] == 0xAA) == to_cpu
    assert (pool.content[1] == 0xBB) == to_device


def test_a_partial_sync_with_an_offset_of_its_own_is_named_so(
    pool: PoolModel, cpu: CpuBuffer
) -> None:
    mapping = pool.map(BufferPart(cpu, 10, 100), Direction.BIDIRECTIONAL, SECTOR, BASE + 10)
    pool.settle()
    pool.sync(mapping, SyncTarget.CPU, 1, 2)

    with pytest.raises(PropertyViolated, match=r"^C4 violated: "):
        pool.check_buffer(cpu, with_change(cpu.content, 11, 0x77))


def test_each_entry_of_a_scatterlist_keeps_its_length(pool: PoolModel, cpu: CpuBuffer) -> None:
    parts = [BufferPart(cpu, 0, 10), BufferPart(cpu, 10, 10)]
    merged = [Segment(BASE, BASE, 20)]

    with pytest.raises(PropertyViolated, match=r"^B2 violated: "):
        pool.map_sg(parts, Direction.TO_DEVICE, PLAIN, merged)


def test_slots_come_back_and_are_counted(pool: PoolModel, cpu: CpuBuffer) -> None:
    mapping = bounce(pool, cpu)
    pool.check_used(1)
    pool.unmap(mapping)
    memory = pool.allocate(AllocCall.COHERENT, PAGE, PLAIN, BASE)
    pool.check_used(2)
    pool.free(memory)
    pool.check_used(0)


@pytest.mark.parametrize(("counted", "broken"), [(2, "B13"), (0, "E17")])
def test_a_wrong_count_is_found(pool: PoolModel, cpu: CpuBuffer, counted: int, broken: str) -> None:
    bounce(pool, cpu)

    with pytest.raises(PropertyViolated, match=f"^{broken} violated: the kernel counts {counted} "):
        pool.check_used(counted)


@pytest.mark.parametrize("size", [1, PAGE, PAGE + 1, 3 * PAGE, 100_000, SET * SLOT])
@pytest.mark.parametrize("rules", [PLAIN, SECTOR, LARGE, NARROW])
@pytest.mark.parametrize("base", [BASE, BASE + PAGE, BASE + 0x3_7000])
def test_room_is_found_wherever_every_slot_is_tried(
    base: int, rules: AddressRules, size: int
) -> None:
    pool = PoolModel(base, bytes((SET + 30) * SLOT), USUAL)
    pool.slots.take(streaming(PHYS, 40 * SLOT + 1, PLAIN, PAGE), base + 8 * SLOT)
    for demand in (streaming(PHYS + 0x2805, size, rules, PAGE), allocated(size, rules, PAGE)):
        ends = (min(start + SET, SET + 30) for start in (0, SET) for _ in range(SET))
        tried = (
            slot
            for slot, end in zip(range(SET + 30), ends, strict=False)
            if slot + demand.nslots <= end
            and demand.aligned(base + slot * SLOT)
            and demand.within_boundary(base + slot * SLOT)
            and pool.slots.free(slot, demand.nslots)
        )
        assert pool.slots.room(demand) == next(tried, None)


@pytest.mark.parametrize(
    ("geometry", "size", "addr", "fits"),
    [
        (USUAL, 4096, BASE + 4096, True),
        (Geometry(page=16 << 10), 4096, BASE + 4096, True),
        (Geometry(page=16 << 10), 16 << 10, BASE + (16 << 10), True),
        (Geometry(page=16 << 10), 16 << 10, BASE + 4096, False),
        (Geometry(page=64 << 10), 64 << 10, BASE + (16 << 10), False),
    ],
)
def test_a_page_is_the_kernels(geometry: Geometry, size: int, addr: int, fits: bool) -> None:
    demand = streaming(PHYS, size, PLAIN, geometry.page)

    assert demand.aligned(addr) == fits


def test_allocations_are_whole_pages_of_the_kernel() -> None:
    demand = allocated(20 << 10, PLAIN, 16 << 10)

    assert (demand.length, demand.align_mask) == (32 << 10, (32 << 10) - 1)


@pytest.mark.parametrize("slots_of_set", [64, 128, 1024])
def test_a_slot_set_is_the_kernels(slots_of_set: int) -> None:
    geometry = Geometry(slot_set=slots_of_set * SLOT)
    slots = Slots(BASE, 4 * geometry.slot_set, geometry)

    assert slots.room(streaming(PHYS, slots_of_set * SLOT, PLAIN, PAGE)) == 0
    assert slots.room(streaming(PHYS, slots_of_set * SLOT + 1, PLAIN, PAGE)) is None
